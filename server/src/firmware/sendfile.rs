//! Telling the proxy in front which file to send, instead of sending it.

use std::net::IpAddr;

use gatehouse_core::Error;
use http::{HeaderMap, HeaderName, HeaderValue, header::ACCEPT_RANGES};

use crate::config::{Config, SendfileHeader};

const X_ACCEL_REDIRECT: HeaderName = HeaderName::from_static("x-accel-redirect");
const X_SENDFILE: HeaderName = HeaderName::from_static("x-sendfile");

/// Whether this peer is a proxy of ours that sends files itself; nobody else learns where they lie.
pub(super) fn is_for(config: &Config, peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    let mut trusted = config.trusted_proxies.iter();
    config.sendfile.is_some() && trusted.any(|network| network.contains(&peer))
}

/// Names the file of an image as the proxy knows it: the store keeps it under its first two digits.
pub(super) fn name_file(
    config: &Config,
    sha256: &str,
    headers: &mut HeaderMap,
) -> Result<(), Error> {
    let Some(sendfile) = &config.sendfile else {
        return Ok(());
    };
    let name = match sendfile.header {
        SendfileHeader::XAccelRedirect => {
            // nginx says it itself, and would say it twice.
            headers.remove(ACCEPT_RANGES);
            X_ACCEL_REDIRECT
        }
        SendfileHeader::XSendfile => X_SENDFILE,
    };
    let path = format!("{}/{}/{sha256}", sendfile.root, &sha256[..2]);
    headers.insert(name, HeaderValue::try_from(path).map_err(Error::internal)?);
    Ok(())
}
