use std::path::PathBuf;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    task::JoinHandle,
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{cli::Flags, config::Environment};

const TOKEN: &str = "a.b.c";

fn webhooks(origins: &str, networks: &str) -> HttpWebhooks {
    trusting(origins, networks, None).expect("the public authorities")
}

/// As [`webhooks`], with authorities of one's own.
fn trusting(
    origins: &str,
    networks: &str,
    ca_file: Option<&Path>,
) -> Result<HttpWebhooks, Refusal> {
    let mut environment = Environment::new();
    environment.insert("GATEHOUSE_WAKE_WEBHOOK_ORIGINS".into(), origins.into());
    environment.insert("GATEHOUSE_WAKE_WEBHOOK_NETWORKS".into(), networks.into());
    if let Some(file) = ca_file {
        environment.insert(
            "GATEHOUSE_WAKE_WEBHOOK_CA_FILE".into(),
            file.display().to_string(),
        );
    }
    let config = Config::load(&Flags::default(), &environment, |path| {
        std::fs::read_to_string(path)
    });
    HttpWebhooks::new(&config.expect("holds together"))
}

/// Answers one request with `answer`, and tells what was asked.
async fn backend(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    let heard = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accepts");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("reads"));
        }
        stream.write_all(answer.as_bytes()).await.expect("answers");
        String::from_utf8(head).expect("text")
    });
    (address, heard)
}

#[tokio::test]
async fn the_backend_gets_a_post_with_the_token() {
    let (address, heard) = backend("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").await;
    let origin = format!("http://{address}");
    let webhooks = webhooks(&origin, "127.0.0.0/8");
    let called = webhooks
        .call(&format!("{origin}/wake?host=nas"), TOKEN)
        .await;
    assert_eq!(called, Ok(()));
    let heard = heard.await.expect("ends");
    assert!(
        heard.starts_with("POST /wake?host=nas HTTP/1.1\r\n"),
        "{heard}"
    );
    assert!(heard.contains("authorization: Bearer a.b.c\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {address}\r\n")), "{heard}");
}

#[tokio::test]
async fn a_redirect_and_an_error_are_failures() {
    for answer in [
        "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
        "garbage\r\n\r\n",
    ] {
        let (address, heard) = backend(answer).await;
        let origin = format!("http://{address}");
        let webhooks = webhooks(&origin, "127.0.0.1");
        assert!(webhooks.call(&origin, TOKEN).await.is_err(), "{answer}");
        heard.await.expect("was asked once");
    }
}

#[tokio::test]
async fn nothing_is_called_that_the_operator_did_not_allow() {
    let (address, heard) = backend("HTTP/1.1 204 No Content\r\n\r\n").await;
    let own = format!("http://{address}");
    let nothing = webhooks("", "");
    assert!(nothing.call(&own, TOKEN).await.is_err());
    let other_networks = webhooks(&own, "10.0.0.0/8");
    assert!(other_networks.call(&own, TOKEN).await.is_err());
    let by_name = webhooks("http://localhost:1", "");
    let refused = by_name.call("http://localhost:1/", TOKEN).await;
    assert!(refused.is_err_and(|why| why.contains("no public address")));
    assert!(!heard.is_finished(), "nobody came");
    heard.abort();
}

#[test]
fn an_address_is_allowed_by_scheme_host_and_port() {
    let webhooks = webhooks("https://Home.example.org, http://10.0.0.5:8080", "");
    for good in [
        "https://home.example.org/wake",
        "https://home.example.org:443/",
        "http://10.0.0.5:8080/a?b=c",
    ] {
        assert!(webhooks.origin(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/wake",
        "http://home.example.org/wake",
        "https://home.example.org:8443/",
        "https://home.example.org.evil.example/",
        "https://home.example.org@evil.example/",
        "https://evil@home.example.org/",
        "https://home.example.org/#x",
        "http://10.0.0.5/",
        "file:///etc/passwd",
        "https://home.example.org/\r\nHost: x",
    ] {
        assert!(webhooks.origin(bad).is_err(), "{bad}");
    }
}

#[test]
fn addresses_of_nobody_or_of_a_lan_are_not_public() {
    for own in [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "0.0.0.0",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
        "2001:0:1::",
        "::ffff:10.0.0.1",
    ] {
        let ip: IpAddr = own.parse().expect("an address");
        assert!(!is_public(ip.to_canonical()), "{own}");
    }
    for public in ["1.1.1.1", "203.0.113.7", "2606:4700::1111"] {
        assert!(is_public(public.parse().expect("an address")), "{public}");
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// A certificate authority of a house.
fn authority() -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("an authority")
}

/// The authority's certificate, as an operator would keep it.
fn ca_file(folder: &TempDir, authority: &Authority) -> PathBuf {
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, authority.pem()).expect("writes");
    file
}

/// Answers every request over TLS, with a certificate for `name`; gives the port.
async fn tls_backend(authority: &Authority, name: &str) -> u16 {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let cert = params.signed_by(&key, authority).expect("signs");
    let secret = PrivatePkcs8KeyDer::from(key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("both versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], secret.into())
        .expect("they fit");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.expect("accepts");
            // A portal that does not believe the certificate ends it here.
            let Ok(mut stream) = acceptor.accept(tcp).await else {
                continue;
            };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("reads"));
            }
            assert!(head.starts_with(b"POST /wake HTTP/1.1\r\n"));
            let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(answer).await.expect("answers");
            // Whoever hangs up first is of no importance here.
            let _ = stream.shutdown().await;
        }
    });
    port
}

async fn call(port: u16, ca_file: Option<&Path>) -> Result<(), String> {
    let origin = format!("https://localhost:{port}");
    let webhooks = trusting(&origin, "127.0.0.0/8", ca_file).expect("can be read");
    webhooks.call(&format!("{origin}/wake"), TOKEN).await
}

#[tokio::test]
async fn a_home_backend_with_a_certificate_of_the_house_is_called_over_tls() {
    let (folder, own) = (tempfile::tempdir().expect("a folder"), authority());
    let file = ca_file(&folder, &own);
    let port = tls_backend(&own, "localhost").await;
    assert_eq!(call(port, Some(&file)).await, Ok(()));
}

#[tokio::test]
async fn a_home_backend_that_cannot_prove_itself_is_not_told_to_wake() {
    let (folder, own) = (tempfile::tempdir().expect("a folder"), authority());
    let file = ca_file(&folder, &own);
    let port = tls_backend(&own, "localhost").await;
    let unknown = call(port, None).await.expect_err("is not public");
    assert!(unknown.contains("wake.webhook_ca_file"), "{unknown}");

    let of_another = tls_backend(&authority(), "localhost").await;
    let wrong_ca = call(of_another, Some(&file))
        .await
        .expect_err("is not ours");
    assert!(
        wrong_ca.contains("authority that the portal does not know"),
        "{wrong_ca}"
    );

    let elsewhere = tls_backend(&own, "other.example.org").await;
    let wrong_name = call(elsewhere, Some(&file))
        .await
        .expect_err("is another's");
    assert!(wrong_name.contains("for another name"), "{wrong_name}");
}

#[test]
fn a_file_without_authorities_is_refused_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("ca.pem");
    for content in [None, Some(""), Some("no certificate")] {
        if let Some(content) = content {
            std::fs::write(&file, content).expect("writes");
        }
        let refused = trusting("", "", Some(&file)).err().expect("is refused");
        let refused = refused.to_string();
        assert!(refused.starts_with("wake.webhook_ca_file "), "{refused}");
    }
}
