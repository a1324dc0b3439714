//! The way to a co-signer on another host: whose certificate is believed, and how long it may take.

use std::{future::pending, sync::Arc};

use axum::{Router, response::Redirect};
use gatehouse_cosigner::{Limits, serve};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{MANIFEST, check, cosigner_host::CoSignerHost};
use crate::{field::Field, furnish::text_of, harness::get};

async fn free_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Why a device gets no manifest from this portal.
async fn why_not(field: &Field) -> String {
    let answer = field.get(MANIFEST).await;
    answer.refused(503, "cosigner_unreachable");
    let status = get("/api/v1/cosigner").cookie(&field.admin.cookie);
    let status = field.portal.send(status).await.expect(200);
    assert_eq!(status["state"], "unreachable", "{status}");
    text_of(&status, "detail").to_owned()
}

#[tokio::test]
async fn a_certificate_of_ones_own_is_believed_once_the_configuration_names_it() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let keys = folder.path().join("keys-of-the-cosigner");
    std::fs::create_dir(&keys).expect("makes it");
    let host = CoSignerHost::start(&keys).await;
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let ca_file = folder.path().join("cosigner.pem");
    std::fs::write(&ca_file, made.cert.pem()).expect("writes");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("they fit");
    let (listener, port) = free_port().await;
    let tls = Some(TlsAcceptor::from(Arc::new(config)));
    tokio::spawn(serve(
        listener,
        tls,
        host.routes(),
        Limits::default(),
        pending(),
    ));

    let url = format!("https://localhost:{port}");
    let unknown = [("GATEHOUSE_COSIGNER_URL", url.as_str())];
    let field = Field::with(&unknown, &["1.1.0"]).await;
    let why = why_not(&field).await;
    assert!(why.contains("cosigner.ca_file"), "{why}");

    let ca_file = ca_file.display().to_string();
    let known = [unknown[0], ("GATEHOUSE_COSIGNER_CA_FILE", &ca_file)];
    let field = field.again(&known).await;
    let status = get("/api/v1/cosigner").cookie(&field.admin.cookie);
    let status = field.portal.send(status).await.expect(200);
    host.trust(text_of(&status, "identity_pem"));
    check(&field.manifest("").await, &field.keys().await).expect("both signed it");

    let by_address = format!("https://127.0.0.1:{port}");
    let other = [("GATEHOUSE_COSIGNER_URL", by_address.as_str()), known[1]];
    let field = field.again(&other).await;
    let why = why_not(&field).await;
    assert!(
        why.contains("TLS"),
        "the certificate is for another name: {why}"
    );
}

#[tokio::test]
async fn nobody_waits_longer_for_the_cosigner_than_the_configuration_says() {
    let (silent, port) = free_port().await;
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = silent.accept().await {
            held.push(connection);
        }
    });
    let url = format!("http://127.0.0.1:{port}");
    let environment = [
        ("GATEHOUSE_COSIGNER_URL", url.as_str()),
        ("GATEHOUSE_COSIGNER_TIMEOUT_MS", "200"),
    ];
    let field = Field::with(&environment, &["1.1.0"]).await;
    let why = why_not(&field).await;
    assert!(why.contains("did not answer within 200 ms"), "{why}");
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let truth = CoSignerHost::start(folder.path()).await;
    let (listener, port) = free_port().await;
    let there = truth.url();
    let detour = Router::new().fallback(move |uri: http::Uri| async move {
        Redirect::temporary(&format!("{there}{uri}"))
    });
    tokio::spawn(async { axum::serve(listener, detour).await });
    let url = format!("http://127.0.0.1:{port}");
    let field = Field::with(&[("GATEHOUSE_COSIGNER_URL", &url)], &["1.1.0"]).await;
    let status = get("/api/v1/cosigner").cookie(&field.admin.cookie);
    let status = field.portal.send(status).await.expect(200);
    truth.trust(text_of(&status, "identity_pem"));
    let why = why_not(&field).await;
    assert!(why.contains("answered 307"), "{why}");
}
