//! Where the second signature of a release's manifest comes from.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use http::Uri;

use super::{layers::Layers, values};
use crate::refusal::Refusal;

const DEFAULT_TIMEOUT_MS: i64 = 5_000;

/// Who signs manifests beside the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CoSignerAt {
    /// The portal itself, with the keys in this folder; moving it to another host is the switch.
    InProcess {
        /// Made at the first start.
        dir: PathBuf,
    },
    /// A `gatehouse-cosigner` of its own.
    Service(CoSignerService),
}

/// How a co-signer on another host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoSignerService {
    /// Scheme, host and port, without a trailing slash.
    pub url: String,
    /// Authorities (PEM) that its certificate may come from, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// How long one question may take, 100..=60000 ms.
    pub timeout: Duration,
}

pub(super) fn read(layers: &Layers, data_dir: &Path) -> Result<CoSignerAt, Refusal> {
    let url = layers.parsed("cosigner.url", values::public_url)?;
    let dir = layers.text("cosigner.dir")?.map(PathBuf::from);
    let ca_file = layers.text("cosigner.ca_file")?.map(PathBuf::from);
    let timeout_ms = layers.whole("cosigner.timeout_ms", 100..=60_000)?;
    let Some(url) = url else {
        if ca_file.is_some() || timeout_ms.is_some() {
            return Err(Refusal::new(
                "cosigner.ca_file and cosigner.timeout_ms are for a co-signer on another host. Set cosigner.url, or remove them.",
            ));
        }
        let dir = dir.unwrap_or_else(|| data_dir.join("cosigner"));
        return Ok(CoSignerAt::InProcess { dir });
    };
    if dir.is_some() {
        return Err(Refusal::new(
            "Both cosigner.url and cosigner.dir are set. Keep the URL when the folder has moved to that host, else the folder.",
        ));
    }
    let timeout_ms = timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
    Ok(CoSignerAt::Service(CoSignerService {
        url,
        ca_file,
        timeout: Duration::from_millis(timeout_ms.unsigned_abs()),
    }))
}

impl CoSignerService {
    /// Tells whether what is said to the co-signer crosses a network in the clear.
    pub(super) fn is_open_to_ears(&self) -> bool {
        let is_plain = self.url.starts_with("http:");
        let uri: Option<Uri> = self.url.parse().ok();
        let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_here = bare == "localhost"
            || bare
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.to_canonical().is_loopback());
        is_plain && !is_here
    }
}
