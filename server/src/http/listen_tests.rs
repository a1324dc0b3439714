//! The accept loop over real sockets.

mod crowd;
mod patience;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::{get, post};
use gatehouse_core::client_address::Resolver;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::front::Front;
use super::listen::{Limits, Listener};
use super::request_id::RequestIds;

/// Longer than every limit under test, so that only a limit that never fires reaches it.
const PATIENT: Duration = Duration::from_secs(30);

/// Short, but far enough from each other that a busy machine mistakes none for another.
fn quick() -> Limits {
    Limits {
        head: Duration::from_millis(300),
        handshake: Duration::from_millis(300),
        idle: Duration::from_secs(2),
        stall: Duration::from_millis(1200),
        slowest_bytes_per_s: 1024,
        shutdown: Duration::from_secs(2),
        ..Limits::default()
    }
}

struct Server {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<bool>,
}

impl Server {
    async fn start(limits: Limits, tls: Option<Arc<ServerConfig>>) -> Self {
        let loopback = "127.0.0.1:0".parse().expect("an address");
        let listener = Listener::bind(loopback, tls, limits)
            .await
            .expect("a free port");
        Self::behind(Resolver::default(), listener)
    }

    fn behind(resolver: Resolver, listener: Listener) -> Self {
        let address = listener.address();
        let front = Front::new(routes(), resolver, RequestIds::new([9; 8]));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(listener.serve(front, async { drop(stopped.await) }));
        Self {
            address,
            stop,
            running,
        }
    }

    async fn plain() -> Self {
        Self::start(quick(), None).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("connects")
    }

    /// Sends raw bytes and reads until the server closes.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("sends");
        read_to_close(&mut stream).await
    }
}

async fn read_to_close(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is a close too.
    let _ = timeout(PATIENT, stream.read_to_end(&mut bytes))
        .await
        .expect("the server closes in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until the answer so far ends with `end`.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = timeout(PATIENT, stream.read_u8())
            .await
            .expect("an answer in time")
            .expect("an open connection");
        text.push(char::from(byte));
    }
    text
}

fn routes() -> Router {
    Router::new()
        .route("/hello", get(async || "hello"))
        .route(
            "/slow",
            get(async || {
                sleep(Duration::from_millis(400)).await;
                "slow"
            }),
        )
        .route(
            "/never",
            get(async || {
                std::future::pending::<()>().await;
            }),
        )
        .route(
            "/panic",
            get(async || -> &'static str { panic!("a handler that fails") }),
        )
        .route(
            "/big",
            get(async || Body::from(Bytes::from(vec![7; 64 << 20]))),
        )
        .route(
            "/upload",
            post(
                async |body: Body| match axum::body::to_bytes(body, 1 << 20).await {
                    Ok(bytes) => Ok(bytes.len().to_string()),
                    Err(error) => Err(super::json::broken_off(&error)),
                },
            ),
        )
        .fallback(super::problem::not_found())
        .method_not_allowed_fallback(super::problem::method_not_allowed())
}

fn browser() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .tls_danger_accept_invalid_certs(true)
        .no_proxy()
        .build()
        .expect("a client")
}

#[tokio::test]
async fn five_hundred_requests_share_a_connection() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    for _ in 0..500 {
        stream
            .write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("sends");
        assert!(
            read_until(&mut stream, "hello")
                .await
                .starts_with("HTTP/1.1 200")
        );
    }
}

#[tokio::test]
async fn http_1_0_is_answered_and_closed() {
    let server = Server::plain().await;
    let answer = server.exchange(b"GET /hello HTTP/1.0\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.0 200") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_over_the_limit_is_431() {
    let server = Server::plain().await;
    let request = format!(
        "GET /hello HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "a".repeat(64 * 1024)
    );
    let answer = server.exchange(request.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn a_panic_is_a_500_and_the_portal_lives() {
    let server = Server::plain().await;
    let url = format!("http://{}", server.address);
    let response = browser()
        .get(format!("{url}/panic"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 500);
    assert_eq!(
        response.headers()["content-type"],
        "application/problem+json"
    );
    let response = browser()
        .get(format!("{url}/hello"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = Server::plain().await;
    let url = format!("http://{}", server.address);
    let missing = browser()
        .get(format!("{url}/missing"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (
            missing.status().as_u16(),
            &missing.headers()["content-type"]
        ),
        (404, &"application/problem+json".parse().expect("a value"))
    );
    let wrong = browser()
        .delete(format!("{url}/hello"))
        .send()
        .await
        .expect("an answer");
    assert_eq!(
        (wrong.status().as_u16(), &wrong.headers()["allow"]),
        (405, &"GET,HEAD".parse().expect("a value"))
    );
}

#[tokio::test]
async fn a_taken_port_is_refused_in_words() {
    let server = Server::plain().await;
    let refusal = Listener::bind(server.address, None, quick())
        .await
        .expect_err("refuses")
        .to_string();
    assert!(
        refusal.contains("Another program listens on 127.0.0.1:"),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_stop_lets_a_running_request_end_and_takes_no_new_one() {
    let server = Server::plain().await;
    let mut busy = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    read_until(&mut idle, "hello").await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    sleep(Duration::from_millis(100)).await;

    let Server {
        address,
        stop,
        running,
    } = server;
    stop.send(()).expect("still runs");
    read_to_close(&mut idle).await;
    assert!(
        TcpStream::connect(address).await.is_err(),
        "the door is shut"
    );
    assert!(read_to_close(&mut busy).await.ends_with("slow"));
    assert!(running.await.expect("ends well"), "everybody left in time");
}

#[tokio::test]
async fn a_stop_cuts_off_what_does_not_end() {
    let server = Server::plain().await;
    let mut stream = server.connect().await;
    stream
        .write_all(b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .expect("sends");
    sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    server.stop.send(()).expect("still runs");
    assert!(
        !server.running.await.expect("ends well"),
        "somebody was cut off"
    );
    assert!(
        started.elapsed() < quick().shutdown * 3,
        "{:?}",
        started.elapsed()
    );
    read_to_close(&mut stream).await;
}
