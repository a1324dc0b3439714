//! A daemon on a port of its own, with a certificate of its own and a clock that the test moves.

use gatehouse_router_protocol::client::{self, ClientError, Link, Stamp, tls_config};
use gatehouse_router_protocol::message::{Answer, Command, OpenSession, Protocol, Route};
use gatehouse_routerd::clock::Clock;
use gatehouse_routerd::config::Config;
use gatehouse_routerd::keygen::{self, Made};
use gatehouse_routerd::listener::Daemon;
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use uuid::Uuid;

pub(crate) const START_MS: u64 = 1_700_000_000_000;

/// Both clocks of the daemon, moved by hand.
#[derive(Default)]
pub(crate) struct ManualClock {
    passed_ms: AtomicU64,
}

impl ManualClock {
    pub(crate) fn pass_ms(&self, duration_ms: u64) {
        self.passed_ms.fetch_add(duration_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> u64 {
        START_MS + self.monotonic_ms()
    }

    fn monotonic_ms(&self) -> u64 {
        self.passed_ms.load(Ordering::SeqCst)
    }

    fn boot_id(&self) -> String {
        "the one start of the test's machine".into()
    }
}

/// The daemon's folder, which outlives the daemon.
pub(crate) struct Home {
    folder: TempDir,
    pub(crate) made: Made,
}

impl Home {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = keygen::generate(&folder.path().join("routerd")).unwrap();
        let home = Self { folder, made };
        home.edit("backend = \"nft\"", "backend = \"dry-run\"");
        home.edit("0.0.0.0:9999", "127.0.0.1:0");
        home.edit("192.168.1.0/24", "192.168.1.0/24\", \"127.0.0.0/8");
        home
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("routerd/routerd.toml")
    }

    /// Replaces a text in the configuration that `keygen` wrote.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config_path()).unwrap();
        assert!(text.contains(from), "{from} is part of the configuration");
        std::fs::write(self.config_path(), text.replace(from, to)).unwrap();
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn link(&self, address: SocketAddr) -> Link {
        Link {
            address: address.to_string(),
            cert_sha256: self.made.cert_sha256,
            api_key: self.made.api_key.clone(),
            aes_key: self.made.aes_key.clone(),
        }
    }

    pub(crate) async fn start(&self) -> Running {
        let clock = Arc::new(ManualClock::default());
        let config = Config::load(&self.config_path()).unwrap();
        let daemon = Daemon::bind(config, Arc::clone(&clock) as Arc<dyn Clock>)
            .await
            .unwrap();
        let address = daemon.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(daemon.serve(async move {
            let _ = stopped.await;
        }));
        Running {
            link: self.link(address),
            address,
            clock,
            stop,
            task,
        }
    }
}

/// A daemon that serves.
pub(crate) struct Running {
    pub(crate) link: Link,
    pub(crate) address: SocketAddr,
    pub(crate) clock: Arc<ManualClock>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) fn stamp(&self) -> Stamp {
        fresh_stamp(self.clock.now_ms())
    }

    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, ClientError> {
        client::exchange(&self.link, command, self.stamp()).await
    }

    pub(crate) async fn sessions(&self) -> Vec<OpenSession> {
        client::list_all(&self.link, || self.stamp()).await.unwrap()
    }

    /// Opens a TLS connection for bytes that no client would send.
    pub(crate) async fn raw(&self) -> TlsStream<TcpStream> {
        let tcp = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("any.example").unwrap();
        let config = Arc::new(tls_config(self.link.cert_sha256));
        TlsConnector::from(config).connect(name, tcp).await.unwrap()
    }

    pub(crate) async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the daemon under test refuses a nonce seen before"
)]
pub(crate) fn fresh_stamp(ts_ms: u64) -> Stamp {
    let mut random = [0; Stamp::RANDOM_BYTES];
    getrandom::fill(&mut random).unwrap();
    Stamp { ts_ms, random }
}

pub(crate) fn route() -> Route {
    Route {
        ip_src: [203, 0, 113, 7].into(),
        port_dst: 7890,
        ip_dst_lan: [192, 168, 1, 50].into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    }
}

pub(crate) fn add(session: u128, duration_s: u32) -> Command {
    Command::Add {
        session_id: Uuid::from_u128(session),
        route: route(),
        duration_s,
    }
}
