//! Accepting connections: from whom, how many at once, and until when.

use crate::clock::Clock;
use crate::config::Config;
use crate::service::Service;
use crate::tls::Identity;
use crate::{Failure, connection};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{error, info, warn};

/// How many connections are served at once; more are closed at once.
const MAX_CONNECTIONS: usize = 64;

/// How long to wait after a failed accept; without it, running out of file descriptors would spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long the log stays quiet after it told of a failed accept.
const COMPLAINT_PAUSE: Duration = Duration::from_mins(1);

/// How long requests in flight may take when the daemon stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(6);

/// A daemon that has its port and is ready to serve.
pub struct Daemon {
    config: Config,
    listener: TcpListener,
    local_addr: SocketAddr,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
}

impl Daemon {
    /// Reads the certificate and the state, and binds the port.
    ///
    /// # Errors
    /// [`Failure`] with what is in the way.
    pub async fn bind(config: Config, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let identity = Identity::load(&config.cert, &config.key)?;
        let cannot_listen =
            |error: io::Error| Failure::new(format!("cannot listen on {}: {error}", config.listen));
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(cannot_listen)?;
        let local_addr = listener.local_addr().map_err(cannot_listen)?;
        let (wanted, own_port) = (config.clone(), local_addr.port());
        let service = spawn_blocking(move || Service::open(&wanted, own_port, clock))
            .await
            .map_err(|error| Failure::new(format!("the daemon did not start: {error}")))??;
        let acceptor = identity.acceptor;
        Ok(Self {
            config,
            listener,
            local_addr,
            acceptor,
            service: Arc::new(service),
        })
    }

    /// Gives the bound address.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Serves until `stop` is done, then finishes the requests in flight.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        tokio::select! {
            () = self.accept_all(&mut connections, &stopped) => {}
            () = self.service.keep_sessions() => {}
            () = stop => {}
        }
        drop(self.listener);
        stopping.send_replace(true);
        let all_finished = async { while connections.join_next().await.is_some() {} };
        if timeout(STOP_TIMEOUT, all_finished).await.is_err() {
            warn!("some requests were cut off by the stop");
        }
    }

    async fn accept_all(&self, connections: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut complained: Option<Instant> = None;
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                // What has finished keeps its memory until it is joined.
                Some(_) = connections.join_next() => continue,
            };
            match accepted {
                Ok((tcp, peer)) => self.take_in(tcp, peer, &slots, connections, stopped),
                Err(error) => {
                    if complained.is_none_or(|moment| moment.elapsed() > COMPLAINT_PAUSE) {
                        error!("no connection can be accepted: {error}; trying again every 100 ms");
                        complained = Some(Instant::now());
                    }
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn take_in(
        &self,
        tcp: TcpStream,
        peer: SocketAddr,
        slots: &Arc<Semaphore>,
        connections: &mut JoinSet<()>,
        stopped: &watch::Receiver<bool>,
    ) {
        let peer = peer.ip().to_canonical();
        if !self.config.allows_portal(peer) {
            info!(%peer, "hung up: the address is not in allowed_portals");
            return;
        }
        let Ok(slot) = Arc::clone(slots).try_acquire_owned() else {
            warn!(%peer, "hung up: {MAX_CONNECTIONS} connections are open");
            return;
        };
        if let Err(error) = tcp.set_nodelay(true) {
            info!(%peer, "hung up: {error}");
            return;
        }
        let (acceptor, service) = (self.acceptor.clone(), Arc::clone(&self.service));
        let stopped = stopped.clone();
        connections.spawn(async move {
            connection::serve(tcp, peer, acceptor, &service, stopped).await;
            drop(slot);
        });
    }
}
