//! Handing images over to the proxy in front, which then sends the file itself.

use std::path::Path;

use gatehouse_core::client_address::ForwardHeader;

use super::{Config, layers::Layers, values};
use crate::refusal::Refusal;

/// How a trusted proxy is told to send an image itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sendfile {
    /// The header that names the file.
    pub header: SendfileHeader,
    /// What stands before a file's place in the blob store: nginx's internal location, or the folder.
    pub root: String,
}

/// The headers that proxies know for sending a file themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendfileHeader {
    /// `X-Accel-Redirect` of nginx: a path below an internal location.
    XAccelRedirect,
    /// `X-Sendfile` of Apache's `mod_xsendfile` and lighttpd: a path of the file system.
    XSendfile,
}

pub(super) const HEADERS: [(&str, Option<SendfileHeader>); 3] = [
    ("off", None),
    ("x-accel-redirect", Some(SendfileHeader::XAccelRedirect)),
    ("x-sendfile", Some(SendfileHeader::XSendfile)),
];
/// The internal location in the examples for nginx.
const SENDFILE_LOCATION: &str = "/gatehouse-images";
pub(super) fn read(layers: &Layers, blob_dir: &Path) -> Result<Option<Sendfile>, Refusal> {
    let root = layers.parsed("sendfile_root", values::sendfile_root)?;
    let Some(header) = layers.choice("sendfile", &HEADERS)?.flatten() else {
        return Ok(None);
    };
    let folder = || {
        let absolute = std::path::absolute(blob_dir);
        absolute.unwrap_or_else(|_| blob_dir.to_owned())
    };
    let root = root.unwrap_or_else(|| match header {
        SendfileHeader::XAccelRedirect => SENDFILE_LOCATION.into(),
        SendfileHeader::XSendfile => folder().display().to_string(),
    });
    Ok(Some(Sendfile { header, root }))
}

impl Config {
    pub(super) fn refuse_sendfile_for_nobody(&self) -> Result<(), Refusal> {
        if self.sendfile.is_some() && self.forwarded_header == ForwardHeader::ProxyProtocol {
            return Err(Refusal::new(
                "sendfile is for proxies that hand on requests, and with forwarded_header = \"proxy-protocol\" they hand on connections. Remove one of the two.",
            ));
        }
        if self.sendfile.is_some() && self.trusted_proxies.is_empty() {
            return Err(Refusal::new(
                "sendfile is set without trusted_proxies, so no proxy would ever be told. Name your proxies there.",
            ));
        }
        Ok(())
    }
}
