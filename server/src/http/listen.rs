//! The accept loop: who may come in, how long everything may take, and how the door closes.
//!
//! Our own rather than `axum::serve`, which sets no timer, so that a client that never ends its
//! request head would stay for ever; TLS needs a loop anyway.

use std::convert::Infallible;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody};
use gatehouse_core::client_address::names_one_host;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::client_address::ConnInfo;
use super::descriptors;
use super::front::Front;
use super::pace::{OpenRequest, Pace, PacedStream, Patience};
use super::proxy_protocol;
use super::seats::{Seat, Seats};
use super::upload_pace::{PacedBody, Slowest};
use crate::refusal::Refusal;

/// What one connection may take, and how many there may be.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request head must be complete this long after its first byte.
    pub head: Duration,
    /// A TLS handshake must be complete this long after the connection.
    pub handshake: Duration,
    /// A connection may be silent this long before, between and after requests.
    pub idle: Duration,
    /// A body may stand still this long, in either direction, and an upload may fall so far
    /// behind `slowest_bytes_per_s`.
    pub stall: Duration,
    /// What a body must move on average: an upload, and an answer over HTTP/2.
    pub slowest_bytes_per_s: u32,
    /// Requests that are still running this long after the stop are cut off.
    pub shutdown: Duration,
    /// Connections beyond this many wait in the kernel's queue.
    pub connections: usize,
    /// Further connections of one client are turned away; trusted proxies have no such limit.
    pub connections_per_client: usize,
    /// Whether this machine is a client like any other; what connects from it is the operator's.
    pub counts_loopback: bool,
    /// A longer request head is answered with 431.
    pub head_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(10),
            handshake: Duration::from_secs(5),
            idle: Duration::from_secs(75),
            stall: Duration::from_mins(1),
            slowest_bytes_per_s: 1024,
            shutdown: Duration::from_secs(8),
            connections: 20_000,
            connections_per_client: 256,
            counts_loopback: false,
            head_bytes: 64 * 1024,
        }
    }
}

impl Limits {
    /// Takes no more connections than so many open files bear, so that accepting never fails.
    #[must_use]
    pub fn within(self, open_files: u64) -> Self {
        Self {
            connections: descriptors::connections(open_files, self.connections),
            ..self
        }
    }
}

/// With no file descriptor left, accepting again at once would only spin.
const PAUSE_WITHOUT_DESCRIPTORS: Duration = Duration::from_millis(100);

/// A bound address that serves HTTP/1 and HTTP/2, plain or over TLS.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    address: SocketAddr,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
}

impl Listener {
    /// Binds `address`; port 0 picks a free one.
    ///
    /// # Errors
    /// A sentence when the address is taken or not ours.
    pub async fn bind(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
        limits: Limits,
    ) -> Result<Self, Refusal> {
        let tcp = TcpListener::bind(address)
            .await
            .map_err(|error| cannot_bind(address, &error))?;
        let address = tcp
            .local_addr()
            .map_err(|error| cannot_bind(address, &error))?;
        Ok(Self {
            tcp,
            address,
            tls,
            limits,
        })
    }

    /// Answers the bound address, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves `front` until `stop`, then lets running requests end within the limit.
    ///
    /// Answers whether all of them did; the others are cut off.
    pub async fn serve(self, front: Front, stop: impl Future<Output = ()>) -> bool {
        let hall = Arc::new(Hall::new(front, self.tls, self.limits));
        let graceful = GracefulShutdown::new();
        let mut guests = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                () = &mut stop => break,
                Some(_left) = guests.join_next() => continue,
                accepted = accept(&self.tcp, &hall.places) => accepted,
            };
            let Some((tcp, peer, place)) = accepted else {
                continue;
            };
            let Ok(seat) = hall.seat(peer.ip()) else {
                hall.turn_away(tcp, peer);
                continue;
            };
            let (hall, watcher) = (Arc::clone(&hall), graceful.watcher());
            guests.spawn(async move {
                hall.receive(tcp, peer, watcher).await;
                drop((place, seat));
            });
        }
        drop(self.tcp);
        // Dropping `guests` at the end cuts off whoever is still there.
        timeout(self.limits.shutdown, graceful.shutdown())
            .await
            .is_ok()
    }
}

fn cannot_bind(address: SocketAddr, error: &io::Error) -> Refusal {
    Refusal::new(match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "Another program listens on {address}. Stop it, or choose another address with --listen (port 0 picks a free one)."
        ),
        _ => format!("Cannot listen on {address} ({error}). Choose another address with --listen."),
    })
}

type Place = tokio::sync::OwnedSemaphorePermit;

/// Waits for a free place and a connection; `None` after an error that concerns one peer only.
async fn accept(
    tcp: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, Place)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match tcp.accept().await {
        Ok((stream, peer)) => Some((stream, peer, place)),
        Err(error) if is_peers_fault(&error) => None,
        Err(error) => {
            tracing::warn!(%error, "cannot accept connections; trying again shortly");
            sleep(PAUSE_WITHOUT_DESCRIPTORS).await;
            None
        }
    }
}

fn is_peers_fault(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset
    )
}

/// What all connections share.
struct Hall {
    front: Arc<Front>,
    tls: Option<TlsAcceptor>,
    http: auto::Builder<TokioExecutor>,
    limits: Limits,
    places: Arc<Semaphore>,
    seats: Arc<Seats>,
}

/// One client has as many connections as there are for one.
struct TooMany;

/// What a client reads that is turned away before it has said anything.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    Retry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

impl Hall {
    fn new(front: Front, tls: Option<Arc<ServerConfig>>, limits: Limits) -> Self {
        Self {
            front: Arc::new(front),
            tls: tls.map(TlsAcceptor::from),
            http: http_builder(limits),
            limits,
            places: Arc::new(Semaphore::new(limits.connections)),
            seats: Arc::new(Seats::new(limits.connections_per_client)),
        }
    }

    /// Answers the seat that a client's connection takes; those that are not counted take none.
    fn seat(&self, peer: IpAddr) -> Result<Option<Seat>, TooMany> {
        let peer = peer.to_canonical();
        let is_our_own = peer.is_loopback() && !self.limits.counts_loopback;
        if is_our_own || self.front.trusts(peer) {
            return Ok(None);
        }
        self.seats.take(peer).map(Some).ok_or(TooMany)
    }

    /// Closes a connection without waiting for anything that its peer may do or leave.
    fn turn_away(&self, tcp: TcpStream, peer: SocketAddr) {
        tracing::info!(%peer, "turned away: its address has too many connections open");
        // Over TLS nothing can be said without the handshake, which is what costs.
        if let (None, Ok(mut tcp)) = (&self.tls, tcp.into_std()) {
            let _ = tcp.write(BUSY);
            // What is left unread would make a reset of the close, and that overtakes the answer.
            let _ = tcp.read(&mut [0; 4096]);
        }
    }

    async fn receive(&self, mut tcp: TcpStream, peer: SocketAddr, watcher: Watcher) {
        // Small answers must not wait for the peer's acknowledgement (Nagle).
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%error, "the connection was gone at once");
            return;
        }
        let Some(peer) = self.client_behind(&mut tcp, peer).await else {
            return;
        };
        let Some(acceptor) = &self.tls else {
            return self
                .converse(tcp, ConnInfo { peer, tls: false }, watcher)
                .await;
        };
        match timeout(self.limits.handshake, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => {
                self.converse(stream, ConnInfo { peer, tls: true }, watcher)
                    .await;
            }
            Ok(Err(error)) => tracing::info!(%peer, %error, "a TLS handshake failed"),
            Err(_elapsed) => tracing::info!(%peer, "a TLS handshake took too long"),
        }
    }

    /// Whose connection it is; `None` where a proxy that hands on connections does not say.
    async fn client_behind(&self, tcp: &mut TcpStream, peer: SocketAddr) -> Option<SocketAddr> {
        if !self.front.hands_on_connections(peer.ip()) {
            return Some(peer);
        }
        match timeout(self.limits.handshake, proxy_protocol::read(tcp)).await {
            Ok(Ok(None)) => return Some(peer),
            Ok(Ok(Some(client))) if names_one_host(client.ip().to_canonical()) => {
                return Some(client);
            }
            Ok(Ok(Some(client))) => tracing::warn!(%peer, %client, "a proxy names no host"),
            Ok(Err(error)) => tracing::warn!(%peer, %error, "a proxy did not say for whom"),
            Err(_elapsed) => tracing::info!(%peer, "a proxy took too long to say for whom"),
        }
        None
    }

    async fn converse<S>(&self, stream: S, conn: ConnInfo, watcher: Watcher)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Limits {
            head,
            idle,
            stall,
            slowest_bytes_per_s,
            ..
        } = self.limits;
        let pace = Arc::new(Pace::new());
        let patience = Patience {
            head,
            idle,
            stall,
            slowest_bytes_per_s,
        };
        let slowest = Slowest {
            credit: stall,
            bytes_per_s: slowest_bytes_per_s,
        };
        let paced = PacedStream::new(stream, Arc::clone(&pace), patience);
        let service = service_fn(|request: hyper::Request<Incoming>| {
            let open = pace.begin(request.version());
            let front = Arc::clone(&self.front);
            async move {
                let request = request.map(|body| paced_body(body, slowest));
                let response = front.answer(conn, request).await;
                Ok::<_, Infallible>(response.map(|body| OpenBody::new(body, open)))
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(paced), service);
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(peer = %conn.peer, %error, "a connection ended early");
        }
    }
}

fn http_builder(limits: Limits) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    // `PacedStream` times the head, and better than hyper could.
    http.http1()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_buf_size(limits.head_bytes);
    let head_bytes = u32::try_from(limits.head_bytes).unwrap_or(u32::MAX);
    http.http2()
        .timer(TokioTimer::new())
        .max_header_list_size(head_bytes)
        // As many as RFC 9113 §6.5.2 advises at least: each may hold an image open.
        .max_concurrent_streams(100);
    http
}

/// Bounds the slowness of an upload; an empty body needs no clock.
fn paced_body(body: Incoming, slowest: Slowest) -> Body {
    if body.is_end_stream() {
        Body::empty()
    } else {
        Body::new(PacedBody::new(body, slowest))
    }
}

/// An answer's body that keeps its request open until it is sent or given up, and tells whether
/// the portal or the client is the one that the other waits for.
struct OpenBody {
    body: Body,
    open: OpenRequest,
}

impl OpenBody {
    fn new(body: Body, mut open: OpenRequest) -> Self {
        open.wait_for_peer(true);
        Self { body, open }
    }
}

impl HttpBody for OpenBody {
    type Data = bytes::Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        self.open.wait_for_peer(frame.is_ready());
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
