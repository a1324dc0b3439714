//! The daemon's certificate, and TLS made from it.

use crate::Failure;
use gatehouse_router_protocol::client::fingerprint;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// What the two PEM files hold, proved to belong together.
pub(crate) struct Identity {
    /// Sets up TLS for accepted connections.
    pub(crate) acceptor: TlsAcceptor,
    /// The SHA-256 of the leaf certificate, which the portal pins.
    pub(crate) cert_sha256: [u8; 32],
}

impl Identity {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`Failure`] if one is unreadable, no PEM, or they do not belong together.
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Self, Failure> {
        let chain = read_chain(cert)?;
        let cert_sha256 = fingerprint(&chain[0]);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the ring provider speaks TLS 1.2 and 1.3")
            .with_no_client_auth()
            .with_single_cert(chain, read_key(key)?)
            .map_err(|error| {
                Failure::new(format!(
                    "cert {} and key {} do not make a TLS identity: {error}",
                    cert.display(),
                    key.display()
                ))
            })?;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            cert_sha256,
        })
    }
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let unreadable = |reason: String| {
        Failure::new(format!(
            "cert {} cannot be used: {reason}; `gatehouse-routerd keygen` makes one",
            path.display()
        ))
    };
    let chain = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable(error.to_string()))?;
    if chain.is_empty() {
        Err(unreadable("it holds no certificate".into()))
    } else {
        Ok(chain)
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, Failure> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Failure::new(format!("key {} cannot be used: {error}", path.display())))
}
