//! TLS from a certificate and a key on disk.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::refusal::Refusal;

/// Reads a certificate chain and its key, for HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3.
///
/// # Errors
/// A sentence when a file is missing, is no PEM, or the two do not belong together.
pub fn server_config(cert: &Path, key: &Path) -> Result<Arc<ServerConfig>, Refusal> {
    let chain = read_chain(cert)?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        Refusal::new(format!(
            "tls.key {} holds no private key in PEM form ({error}).",
            key.display()
        ))
    })?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Refusal::new(format!("TLS cannot be set up ({error}).")))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|error| {
            Refusal::new(format!(
                "The certificate {} and the key {} cannot be used together ({error}). Name a pair that belongs together.",
                cert.display(),
                key.display()
            ))
        })?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, Refusal> {
    let chain =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        Ok(_nothing) => Err(Refusal::new(format!(
            "tls.cert {} holds no certificate in PEM form.",
            path.display()
        ))),
        Err(error) => Err(Refusal::new(format!(
            "tls.cert {} cannot be read ({error}).",
            path.display()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::server_config;

    /// Writes a self-signed pair into `folder` under `name`.
    fn pair(folder: &tempfile::TempDir, name: &str) -> (PathBuf, PathBuf) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        let (cert, key) = (
            folder.path().join(format!("{name}.crt")),
            folder.path().join(format!("{name}.key")),
        );
        fs::write(&cert, made.cert.pem()).expect("writes");
        fs::write(&key, made.signing_key.serialize_pem()).expect("writes");
        (cert, key)
    }

    #[test]
    fn a_pair_is_taken_with_both_protocols() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (cert, key) = pair(&folder, "a");
        let config = server_config(&cert, &key).expect("takes it");
        assert_eq!(
            config.alpn_protocols,
            [b"h2".to_vec(), b"http/1.1".to_vec()]
        );
    }

    #[test]
    fn files_that_do_not_fit_are_refused_in_words() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ((cert, key), (_, other_key)) = (pair(&folder, "a"), pair(&folder, "b"));
        let missing = folder.path().join("missing");
        let empty = folder.path().join("empty");
        fs::write(&empty, "").expect("writes");
        let cases = [
            (&cert, &other_key, "cannot be used together"),
            (&missing, &key, "tls.cert"),
            (&empty, &key, "holds no certificate"),
            (&cert, &missing, "tls.key"),
            (&cert, &cert, "tls.key"),
        ];
        for (cert, key, words) in cases {
            let refusal = server_config(cert, key).expect_err("refuses").to_string();
            assert!(refusal.contains(words), "{refusal}");
        }
    }
}
