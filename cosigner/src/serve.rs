//! The accept loop: so many connections, and none of them for ever.
//!
//! Our own, because `axum::serve` sets no timer and TLS needs a loop anyway.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

/// What one connection may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A TLS handshake must be complete this long after the connection.
    pub handshake: Duration,
    /// A request head must be complete this long after the connection or the answer before.
    pub head: Duration,
    /// A request must be read and answered within this.
    pub request: Duration,
    /// A connection is asked to end after this long, and cut off a request's time later.
    pub age: Duration,
    /// Connections beyond this many wait in the kernel's queue.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(30),
            request: Duration::from_secs(10),
            age: Duration::from_mins(10),
            connections: 512,
        }
    }
}

const MAX_HEAD_BYTES: usize = 32 * 1024;
/// With no file descriptor left, accepting again at once would only spin.
const PAUSE_WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(100);

/// Serves HTTP/1.1 until `stop`, then lets running requests end within their limit.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(());
    let places = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_ended) = connections.join_next() => continue,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((tcp, peer, place)) = accepted else {
            continue;
        };
        let (tls, router, stopped) = (tls.clone(), router.clone(), stopped.clone());
        connections.spawn(async move {
            receive(tcp, peer, tls, router, limits, stopped).await;
            drop(place);
        });
    }
    drop((listener, stopping));
    let all_ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.request, all_ended).await.is_err() {
        tracing::warn!("some requests were cut off by the stop");
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((tcp, peer)) => Some((tcp, peer, place)),
        Err(error) => {
            tracing::warn!(%error, "cannot accept a connection; trying again shortly");
            sleep(PAUSE_WITHOUT_DESCRIPTORS).await;
            None
        }
    }
}

async fn receive(
    tcp: TcpStream,
    peer: SocketAddr,
    tls: Option<TlsAcceptor>,
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<()>,
) {
    // Small answers must not wait for the peer's acknowledgement (Nagle).
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    let Some(acceptor) = tls else {
        return converse(tcp, peer, router, limits, stopped).await;
    };
    match timeout(limits.handshake, acceptor.accept(tcp)).await {
        Ok(Ok(stream)) => converse(stream, peer, router, limits, stopped).await,
        Ok(Err(error)) => tracing::info!(%peer, %error, "a TLS handshake failed"),
        Err(_elapsed) => tracing::info!(%peer, "a TLS handshake took too long"),
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    mut stopped: watch::Receiver<()>,
) {
    let service = service_fn(|request| answer(router.clone(), request, limits.request));
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(MAX_HEAD_BYTES)
            .serve_connection(TokioIo::new(stream), service)
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        // It only ever changes by its sender's end.
        _ = stopped.changed() => None,
        () = sleep(limits.age) => None,
    };
    let ended = if let Some(ended) = ended {
        Ok(ended)
    } else {
        connection.as_mut().graceful_shutdown();
        timeout(limits.request, connection).await
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection ended early"),
        Err(_elapsed) => tracing::info!(%peer, "a connection was cut off"),
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    limit: Duration,
) -> Result<Response, Infallible> {
    let answering = router.oneshot(request.map(Body::new));
    match timeout(limit, answering).await {
        Ok(response) => response,
        Err(_elapsed) => Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
    }
}
