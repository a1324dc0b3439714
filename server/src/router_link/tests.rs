//! Both protocols against a real daemon, and what a failure says about the router's state.

mod stacked_rules;

use std::{net::SocketAddr, sync::Arc};

use gatehouse_core::ports::router_link::{
    LinkProtocol, Probed, RouterCommand, RouterFailure, RouterLink, RouterTarget, Rule,
};
use gatehouse_router_protocol::{client::ClientError, message::ErrorCode};
use gatehouse_routerd::{
    clock::SystemClock as DaemonClock,
    config::Config,
    keygen::{self, Made},
    listener::Daemon,
};
use gatehouse_types::access::Transport;
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, UdpSocket},
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::{DaemonLink, to_failure};
use crate::system::{SystemClock, SystemRng};

fn link() -> DaemonLink {
    DaemonLink {
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
    }
}

/// A router's folder with keys and certificate; everything of it is on loopback.
struct Router {
    folder: TempDir,
    made: Made,
}

impl Router {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = keygen::generate(&folder.path().join("routerd")).expect("makes its keys");
        Self { folder, made }
    }

    /// Starts a daemon that speaks both protocols and sends Wake-on-LAN packets to `wake`.
    async fn start(&self, wake: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
        let path = self.folder.path().join("routerd/routerd.toml");
        let text = std::fs::read_to_string(&path).expect("reads");
        let own = text
            .replace("backend = \"nft\"", "backend = \"dry-run\"")
            .replace("0.0.0.0:9999", "127.0.0.1:0")
            .replace("192.168.1.0/24", "192.168.1.0/24\", \"127.0.0.0/8")
            .replace("private_sources = false", "private_sources = true");
        let both = format!("legacy_v1 = true\nwake_broadcasts = [\"{wake}\"]\n{own}");
        std::fs::write(&path, both).expect("writes");
        let config = Config::load(&path).expect("its own configuration");
        let daemon = Daemon::bind(config, Arc::new(DaemonClock))
            .await
            .expect("binds");
        let address = daemon.local_addr();
        let serving = tokio::spawn(daemon.serve(std::future::pending()));
        (address, serving)
    }

    fn target(&self, address: SocketAddr, protocol: LinkProtocol) -> RouterTarget {
        RouterTarget {
            protocol,
            address: address.to_string(),
            cert_sha256: self.made.cert_sha256,
            api_key: self.made.api_key.clone(),
            aes_key: self.made.aes_key.clone(),
        }
    }

    /// TLS with this router's certificate, for a daemon that a test plays itself.
    fn acceptor(&self) -> TlsAcceptor {
        let folder = self.folder.path().join("routerd");
        let cert = CertificateDer::from_pem_file(folder.join("cert.pem")).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem")).expect("its key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("both versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("they fit");
        TlsAcceptor::from(Arc::new(config))
    }
}

async fn running() -> (Router, RouterTarget, RouterTarget, UdpSocket) {
    let sleeper = UdpSocket::bind("127.255.255.255:0").await.expect("binds");
    let router = Router::new();
    let (address, _) = router.start(sleeper.local_addr().expect("bound")).await;
    let ours = router.target(address, LinkProtocol::Gatehouse);
    let original = router.target(address, LinkProtocol::Original);
    (router, ours, original, sleeper)
}

fn rule() -> Rule {
    Rule {
        session_id: Uuid::from_u128(1),
        client_ip: [203, 0, 113, 7].into(),
        public_port: 7890,
        lan_ip: [192, 168, 1, 50].into(),
        lan_port: 80,
        transport: Transport::Tcp,
    }
}

/// What the daemon holds, asked in our own protocol: the rules without their ids, and their minutes.
async fn held(ours: &RouterTarget) -> Vec<(Rule, i64)> {
    let sessions = link().list(ours).await.expect("answers").expect("can tell");
    sessions
        .into_iter()
        .map(|held| {
            let session_id = Uuid::from_u128(1);
            let rule = Rule {
                session_id,
                ..held.rule
            };
            (rule, (held.remaining_ms + 30_000) / 60_000)
        })
        .collect()
}

#[tokio::test]
async fn rules_go_in_later_and_out_in_both_protocols() {
    let (_router, ours, original, _) = running().await;
    for target in [&ours, &original] {
        let send = async |command| link().send(target, command).await.expect("does it");
        assert!(send(RouterCommand::Add(rule(), 1799)).await.proves_keys);
        assert_eq!(held(&ours).await, [(rule(), 30)]);
        send(RouterCommand::Extend(rule(), 3599)).await;
        assert_eq!(held(&ours).await, [(rule(), 60)]);
        for _ in 0..2 {
            send(RouterCommand::Del(rule())).await;
            assert_eq!(held(&ours).await, []);
        }
    }
}

#[tokio::test]
async fn a_ping_tells_what_the_protocol_can() {
    let (_router, ours, original, _) = running().await;
    let full = link()
        .send(&ours, RouterCommand::Ping)
        .await
        .expect("is there");
    assert_eq!((full.sessions, full.proves_keys), (Some(0), true));
    assert!(full.clock_difference_ms.is_some_and(|ms| ms.abs() < 1000));
    let here = Some([127, 0, 0, 1].into());
    assert_eq!(full.reached_ip, here);
    let greeting = link().send(&original, RouterCommand::Ping).await;
    let greeting = greeting.expect("is there");
    assert_eq!((greeting.sessions, greeting.proves_keys), (None, false));
    assert_eq!(greeting.reached_ip, here);

    let mut stranger = original.clone();
    stranger.cert_sha256[0] ^= 1;
    let failure = link().send(&stranger, RouterCommand::Ping).await;
    assert!(
        matches!(&failure, Err(RouterFailure::Unreachable(detail)) if detail.contains("certificate")),
        "{failure:?}"
    );
}

#[tokio::test]
async fn what_the_original_has_no_words_for_is_refused_here() {
    let (_router, ours, original, _) = running().await;
    let v6 = "2001:db8::7".parse().expect("an address");
    for rule in [
        Rule {
            transport: Transport::Udp,
            ..rule()
        },
        Rule {
            client_ip: v6,
            lan_ip: v6,
            ..rule()
        },
    ] {
        let sent = link().send(&original, RouterCommand::Add(rule, 60)).await;
        assert!(matches!(sent, Err(RouterFailure::Refused(_))), "{sent:?}");
    }
    assert_eq!(held(&ours).await, []);
    assert_eq!(link().list(&original).await, Ok(None));
    let port = "127.0.0.1:80".parse().expect("an address");
    assert_eq!(link().probe(&original, port).await, Ok(None));
    let woken = link().wake(&original, [2, 0, 0, 0, 0, 1]).await;
    assert!(matches!(woken, Err(RouterFailure::Refused(_))), "{woken:?}");
}

#[tokio::test]
async fn ports_are_probed_and_hosts_woken() {
    let (_router, ours, _, sleeper) = running().await;
    let host = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let port = host.local_addr().expect("bound");
    let up = link().probe(&ours, port).await;
    assert!(matches!(up, Ok(Some(Probed::Up { .. }))), "{up:?}");
    drop(host);
    assert_eq!(link().probe(&ours, port).await, Ok(Some(Probed::Down)));
    let outside = "8.8.8.8:53".parse().expect("an address");
    let refused = link().probe(&ours, outside).await;
    assert!(matches!(refused, Err(RouterFailure::Refused(_))));

    let mac = [2, 0, 0, 0, 0, 1];
    assert_eq!(link().wake(&ours, mac).await, Ok(()));
    let mut packet = [0; 200];
    let received = sleeper.recv(&mut packet).await.expect("a packet");
    assert_eq!(&packet[6..received], mac.repeat(16));
    let group = link().wake(&ours, [1, 0, 0x5e, 0, 0, 1]).await;
    assert!(matches!(group, Err(RouterFailure::Refused(_))), "{group:?}");
}

#[tokio::test]
async fn wrong_keys_say_that_nothing_was_done() {
    let (_router, ours, original, _) = running().await;
    let add = RouterCommand::Add(rule(), 60);
    let with = |target: &RouterTarget, api_key: Option<&str>, aes_key: Option<&str>| {
        let mut target = target.clone();
        target.api_key = api_key.map_or(target.api_key, Into::into);
        target.aes_key = aes_key.map_or(target.aes_key, Into::into);
        target
    };
    let wrong = Some("wrong wrong wrong");
    for target in [with(&ours, wrong, None), with(&original, wrong, None)] {
        let sent = link().send(&target, add).await;
        assert!(matches!(sent, Err(RouterFailure::Refused(_))), "{sent:?}");
    }
    let sent = link().send(&with(&ours, None, wrong), add).await;
    assert!(
        matches!(sent, Err(RouterFailure::Unreachable(_))),
        "{sent:?}"
    );
    assert_eq!(held(&ours).await, []);
}

/// It may have let somebody in before it died.
#[tokio::test]
async fn a_daemon_that_dies_over_a_command_leaves_it_unsure() {
    let router = Router::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("bound");
    for protocol in [LinkProtocol::Gatehouse, LinkProtocol::Original] {
        let target = router.target(address, protocol);
        let dying = async {
            let (tcp, _) = listener.accept().await.expect("a portal");
            let mut stream = router.acceptor().accept(tcp).await.expect("TLS");
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.expect("a request") > 0);
            // Nobody is there any more for the next question.
            drop(stream);
            drop(listener.accept().await);
        };
        let (link, add) = (link(), RouterCommand::Add(rule(), 60));
        let sent = tokio::select! {
            sent = link.send(&target, add) => sent,
            () = async { dying.await; std::future::pending().await } => unreachable!(),
        };
        assert!(matches!(sent, Err(RouterFailure::Unsure(_))), "{sent:?}");
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_there_did_nothing() {
    let router = Router::new();
    // Bound without listening, so that no other test gets the port.
    let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
    taken
        .bind("127.0.0.1:0".parse().expect("an address"))
        .expect("binds");
    let address = taken.local_addr().expect("bound");
    for protocol in [LinkProtocol::Gatehouse, LinkProtocol::Original] {
        let target = router.target(address, protocol);
        let sent = link().send(&target, RouterCommand::Del(rule())).await;
        assert!(
            matches!(sent, Err(RouterFailure::Unreachable(_))),
            "{sent:?}"
        );
    }
}

#[test]
fn only_what_passes_by_itself_is_asked_again() {
    let refused = |code| {
        to_failure(&ClientError::Refused {
            code,
            reason: "it says so".into(),
        })
    };
    let busy = refused(ErrorCode::Busy);
    assert!(matches!(busy, RouterFailure::NotNow(_)), "{busy:?}");
    let failed = refused(ErrorCode::Internal);
    assert!(matches!(failed, RouterFailure::Failed(_)), "{failed:?}");
    for stays in [
        ErrorCode::InvalidRequest,
        ErrorCode::Unsupported,
        ErrorCode::SourceNotAllowed,
        ErrorCode::TargetNotAllowed,
        ErrorCode::PortNotAllowed,
        ErrorCode::PortInUse,
        ErrorCode::DurationNotAllowed,
        ErrorCode::TooManySessions,
        ErrorCode::UnknownSession,
    ] {
        let failure = refused(stays);
        assert!(matches!(failure, RouterFailure::Refused(_)), "{failure:?}");
    }
}
