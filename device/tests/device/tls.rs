//! A portal behind TLS with a certificate of a private authority.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use crate::support::{NEW_VERSION, Stage, TOKEN};
use axum::serve::Listener;
use gatehouse_device::{Answer, Failure, Kind, Portal, Token, portal_url};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::server::TlsStream;

struct TlsListener {
    tcp: TcpListener,
    tls: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.tcp.accept().await.unwrap();
            // A client that does not trust us ends the handshake, and the next may come.
            if let Ok(stream) = self.tls.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// Starts a TLS portal; gives its address and its certificate as PEM.
async fn start_tls() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![cert.der().clone()],
            PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap(),
        )
        .unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", tcp.local_addr().unwrap().port());
    let listener = TlsListener {
        tcp,
        tls: TlsAcceptor::from(Arc::new(config)),
    };
    let routes = crate::support::routes(&Arc::new(Stage::with([])));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (url, cert.pem())
}

async fn check(url: &str, ca_file: &Path) -> Result<Answer, Failure> {
    let token = Token::new(TOKEN).unwrap();
    Portal::new(portal_url(url).unwrap(), &token, Some(ca_file))?
        .check(NEW_VERSION)
        .await
}

#[tokio::test]
async fn only_the_authority_in_the_file_is_trusted() {
    let (url, own_pem) = start_tls().await;
    let (_, foreign_pem) = start_tls().await;
    let folder = tempfile::tempdir().unwrap();
    let ca_file = folder.path().join("ca.pem");

    fs::write(&ca_file, own_pem).unwrap();
    assert!(matches!(
        check(&url, &ca_file).await.unwrap(),
        Answer::UpToDate { .. }
    ));

    fs::write(&ca_file, foreign_pem).unwrap();
    let failure = check(&url, &ca_file).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Untrusted);
    assert!(failure.to_string().contains("--ca-file"), "{failure}");

    fs::write(&ca_file, "no certificate").unwrap();
    let failure = check(&url, &ca_file).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Local);
}
