//! Pinned certificates of both versions, as `openssl` with few words makes them too, over both TLS
//! versions: the certificate identifies the daemon, and its key has to be proved.

use gatehouse_router_protocol::client::{ClientError, Link, fingerprint, greet};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion, version};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Shows one certificate whatever is asked for, and whether or not its key is the right one.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

struct Made {
    version_3: Vec<u8>,
    key: PrivateKeyDer<'static>,
}

fn make() -> Made {
    let made = rcgen::generate_simple_self_signed(["router.example".to_owned()]).unwrap();
    Made {
        version_3: made.cert.der().to_vec(),
        key: PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap(),
    }
}

/// Cuts an element off the front: its tag, its content, all of it, and what follows.
fn cut(der: &[u8]) -> (u8, &[u8], &[u8], &[u8]) {
    let (head_bytes, content_bytes) = match der[1] {
        0x81 => (3, usize::from(der[2])),
        0x82 => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
        short => (2, usize::from(short)),
    };
    let (whole, rest) = der.split_at(head_bytes + content_bytes);
    (der[0], &whole[head_bytes..], whole, rest)
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[0x30, 0x82], &length[..], content].concat()
}

/// Takes the version and the extensions out. The signature fits no more, and nobody looks at it.
fn to_version_1(version_3: &[u8]) -> Vec<u8> {
    let (_, certificate, _, _) = cut(version_3);
    let (_, mut fields, _, signature) = cut(certificate);
    let mut kept = Vec::new();
    while !fields.is_empty() {
        let (tag, _, whole, rest) = cut(fields);
        if ![0xa0, 0xa3].contains(&tag) {
            kept.extend_from_slice(whole);
        }
        fields = rest;
    }
    sequence(&[sequence(&kept).as_slice(), signature].concat())
}

/// Greets a daemon that shows this certificate and signs with this key.
async fn greeted(
    certificate: &[u8],
    key: &PrivateKeyDer<'static>,
    tls: &'static SupportedProtocolVersion,
) -> Result<(), ClientError> {
    let key = ring::sign::any_supported_type(key).unwrap();
    let chain = vec![CertificateDer::from(certificate.to_vec())];
    let shown = Shown(Arc::new(CertifiedKey::new(chain, key)));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[tls])
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(shown));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let link = Link {
        address: listener.local_addr().unwrap().to_string(),
        cert_sha256: fingerprint(certificate),
        api_key: String::new(),
        aes_key: String::new(),
    };
    let daemon = async {
        let (tcp, _) = listener.accept().await.unwrap();
        let _ = TlsAcceptor::from(Arc::new(config)).accept(tcp).await;
    };
    tokio::join!(greet(&link), daemon).0.map(drop)
}

#[tokio::test]
async fn certificates_of_both_versions_are_known_by_their_pin() {
    let made = make();
    for certificate in [made.version_3.clone(), to_version_1(&made.version_3)] {
        for tls in [&version::TLS12, &version::TLS13] {
            let outcome = greeted(&certificate, &made.key, tls).await;
            assert_eq!(outcome, Ok(()), "{tls:?}");
        }
    }
}

/// Anybody can show a certificate; only the daemon has its key.
#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let (made, stranger) = (make(), make());
    for certificate in [made.version_3.clone(), to_version_1(&made.version_3)] {
        for tls in [&version::TLS12, &version::TLS13] {
            let outcome = greeted(&certificate, &stranger.key, tls).await;
            assert_eq!(outcome, Err(ClientError::Tls), "{tls:?}");
        }
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_not_taken_for_one() {
    let made = make();
    for tls in [&version::TLS12, &version::TLS13] {
        let outcome = greeted(b"no certificate", &made.key, tls).await;
        assert_eq!(outcome, Err(ClientError::Tls), "{tls:?}");
    }
}
