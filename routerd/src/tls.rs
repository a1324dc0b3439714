//! The daemon's certificate, and TLS made from it.

use crate::Failure;
use gatehouse_router_protocol::client::fingerprint;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// What the two PEM files hold, proved to belong together.
pub(crate) struct Identity {
    /// Sets up TLS for accepted connections.
    pub(crate) acceptor: TlsAcceptor,
    /// The SHA-256 of the leaf certificate, which the portal pins.
    pub(crate) cert_sha256: [u8; 32],
    leaf: CertificateDer<'static>,
}

/// Whether a date lies within those of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Validity {
    Now,
    NotYet,
    Expired,
}

impl Identity {
    /// Reads and checks the files.
    ///
    /// # Errors
    /// [`Failure`] if one is unreadable, no PEM, or they do not belong together.
    pub(crate) fn load(cert: &Path, key: &Path) -> Result<Self, Failure> {
        let chain = read_chain(cert)?;
        let leaf = chain[0].clone();
        let cert_sha256 = fingerprint(&leaf);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
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
        // Portals connect anew each time and resume nothing: what would be kept for that only takes
        // memory, which a router has little of.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            cert_sha256,
            leaf,
        })
    }

    /// Holds the certificate's dates against a date, in milliseconds since the Unix epoch.
    ///
    /// A client that trusts nothing but this certificate looks at its dates before all else.
    pub(crate) fn validity(&self, now_ms: u64) -> Validity {
        use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates([self.leaf.clone()]);
        let provider = Arc::new(ring::default_provider());
        let Ok(verifier) =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
        else {
            return Validity::Now;
        };
        let name = ServerName::try_from("any.example").expect("a valid DNS name");
        let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms));
        match verifier.verify_server_cert(&self.leaf, &[], &name, &[], now) {
            Err(rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. })) => {
                Validity::Expired
            }
            Err(rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })) => {
                Validity::NotYet
            }
            _ => Validity::Now,
        }
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

#[cfg(test)]
mod tests {
    use super::{Identity, Validity};

    #[test]
    fn dates_are_held_against_the_certificates_own() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(["routerd".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(2026, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2027, 1, 1);
        let made = wanted.self_signed(&key).unwrap();
        let paths = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        std::fs::write(&paths[0], made.pem()).unwrap();
        std::fs::write(&paths[1], key.serialize_pem()).unwrap();
        let identity = Identity::load(&paths[0], &paths[1]).unwrap();
        for (unix_s, validity) in [
            (1_760_000_000, Validity::NotYet),
            (1_780_000_000, Validity::Now),
            (1_800_000_000, Validity::Expired),
        ] {
            assert_eq!(identity.validity(unix_s * 1000), validity, "{unix_s}");
        }
    }
}
