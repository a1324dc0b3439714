//! The same door with TLS.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{PATIENT, Server, browser, quick, read_to_close};

pub(super) fn self_signed() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let cert = made.cert.der().clone();
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.clone()], made.signing_key.into())
        .expect("a pair");
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    (Arc::new(config), cert)
}

/// Opens a TLS connection that offers HTTP/2 only.
async fn connect_h2(server: &Server, cert: CertificateDer<'static>) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(cert).expect("a certificate");
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = "localhost".try_into().expect("a host name");
    TlsConnector::from(Arc::new(config))
        .connect(name, server.connect().await)
        .await
        .expect("a handshake")
}

/// Reads HTTP/2 frames until the first HEADERS frame and answers its payload.
async fn read_h2_headers(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.expect("a frame");
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("a small frame")];
        stream.read_exact(&mut payload).await.expect("its payload");
        if head[3] == 1 {
            return payload;
        }
    }
}

#[tokio::test]
async fn tls_serves_http_1_and_promises_https() {
    let server = Server::start(quick(), Some(self_signed().0)).await;
    let url = format!("https://localhost:{}/hello", server.address.port());
    let response = browser().get(&url).send().await.expect("an answer");
    assert_eq!(response.status(), 200);
    assert!(response.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn tls_serves_http_2_and_bounds_its_silence() {
    let (config, cert) = self_signed();
    let server = Server::start(quick(), Some(config)).await;
    let mut stream = connect_h2(&server, cert).await;
    // Preface, empty SETTINGS, and HEADERS of `GET https://x/hello` that end the stream.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .await
        .expect("sends");
    stream
        .write_all(b"\0\0\x0d\x01\x05\0\0\0\x01\x82\x87\x01\x01x\x04\x06/hello")
        .await
        .expect("sends");
    assert_eq!(
        read_h2_headers(&mut stream).await[0],
        0x88,
        "status 200 of the static table"
    );

    let started = Instant::now();
    let mut rest = Vec::new();
    let _ = timeout(PATIENT, stream.read_to_end(&mut rest))
        .await
        .expect("the server closes in time");
    let took = started.elapsed();
    assert!(took > quick().head && took < quick().idle * 2, "{took:?}");
}

/// A frame of HTTP/2 on stream 0 or 1.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    let head = [
        length[1], length[2], length[3], kind, flags, 0, 0, 0, stream,
    ];
    [&head[..], payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[tokio::test]
async fn an_upload_that_drips_over_http_2_is_408() {
    let (config, cert) = self_signed();
    let server = Server::start(quick(), Some(config)).await;
    let mut stream = connect_h2(&server, cert).await;
    let head = frame(HEADERS, 4, 1, b"\x83\x87\x01\x01x\x04\x07/upload");
    for bytes in [PREFACE, &frame(SETTINGS, 0, 0, b""), &head] {
        stream.write_all(bytes).await.expect("sends");
    }
    let (mut answers, mut drips) = tokio::io::split(stream);
    let dripping = tokio::spawn(async move {
        while drips.write_all(&frame(DATA, 0, 1, b"x")).await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let headers = timeout(PATIENT, read_h2_headers(&mut answers)).await;
    let headers = headers.expect("an answer before all has dripped in");
    assert_eq!(
        headers[..5],
        *b"\x48\x83\x68\x0f\x7f",
        "status 408 in Huffman's code"
    );
    dripping.abort();
}

#[tokio::test]
async fn a_reader_over_http_2_that_makes_no_room_is_cut_off() {
    let (config, cert) = self_signed();
    let server = Server::start(quick(), Some(config)).await;
    let mut stream = connect_h2(&server, cert).await;
    let no_window = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let head = frame(HEADERS, 5, 1, b"\x82\x87\x01\x01x\x04\x04/big");
    for bytes in [PREFACE, &no_window, &head] {
        stream.write_all(bytes).await.expect("sends");
    }
    assert_eq!(read_h2_headers(&mut stream).await[0], 0x88, "status 200");
    let mut rest = Vec::new();
    let _ = timeout(PATIENT, stream.read_to_end(&mut rest))
        .await
        .expect("the server closes in time");
    assert!(rest.len() < 1000, "{} bytes without a window", rest.len());
}

#[tokio::test]
async fn an_answer_over_http_2_that_takes_its_time_is_waited_for() {
    let limits = super::Limits {
        idle: Duration::from_millis(300),
        ..quick()
    };
    let (config, cert) = self_signed();
    let server = Server::start(limits, Some(config)).await;
    let mut stream = connect_h2(&server, cert).await;
    let head = frame(HEADERS, 5, 1, b"\x82\x87\x01\x01x\x04\x05/slow");
    for bytes in [PREFACE, &frame(SETTINGS, 0, 0, b""), &head] {
        stream.write_all(bytes).await.expect("sends");
    }
    assert_eq!(read_h2_headers(&mut stream).await[0], 0x88, "status 200");
}

#[tokio::test]
async fn silence_on_the_tls_port_is_cut_off_at_the_handshake() {
    let server = Server::start(quick(), Some(self_signed().0)).await;
    let started = Instant::now();
    let mut stream = server.connect().await;
    read_to_close(&mut stream).await;
    let took = started.elapsed();
    assert!(took >= quick().handshake && took < quick().idle, "{took:?}");
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_closed() {
    let server = Server::start(quick(), Some(self_signed().0)).await;
    let answer = server
        .exchange(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await;
    assert!(!answer.contains("HTTP/1"), "{answer}");
    let url = format!("https://localhost:{}/hello", server.address.port());
    assert_eq!(
        browser().get(url).send().await.expect("an answer").status(),
        200
    );
}
