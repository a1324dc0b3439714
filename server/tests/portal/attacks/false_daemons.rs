//! Daemons with the right certificate and keys that answer late, wrongly or with somebody's words.

use std::{net::SocketAddr, sync::Arc};

use gatehouse_router_protocol::{
    frame::{FrameBuffer, MAX_FRAME_BYTES, read_frame},
    message::{Answer, ErrorCode, Refusal, Request, Response},
    seal::{Direction, LinkKey},
    secret::Secret,
};
use gatehouse_routerd::{
    clock::{Clock, SystemClock},
    config::Config,
    keygen::{self, Made},
    listener::Daemon,
};
use rustls::{ServerConfig, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::AsyncWriteExt,
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use uuid::Uuid;

use super::Watch;
use crate::{
    daemon::open,
    furnish::{Person, text_of},
    harness::{Portal, get, post},
};

const EVIL: &str = "\"><svg onload=1>\r\n2026 INFO forged \u{1b}[2J\u{202e}";

/// What a daemon makes of a request's frame.
type Reply = fn(&LinkKey, &[u8]) -> Vec<u8>;

/// Keys and certificate of a daemon, in a folder of their own.
struct Keys {
    folder: TempDir,
    made: Made,
}

impl Keys {
    fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = keygen::generate(&folder.path().join("routerd")).expect("makes its keys");
        Self { folder, made }
    }

    fn entry(&self, address: SocketAddr) -> Value {
        json!({
            "name": address.to_string(), "address": address.to_string(), "protocol": 2,
            "api_key": self.made.api_key, "aes_key": self.made.aes_key,
            "cert_sha256": hex::encode(self.made.cert_sha256),
        })
    }

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

    /// Answers each request with what `reply` makes of it, and hangs up.
    async fn impersonate(&self, reply: Reply, all: &mut JoinSet<()>) -> (SocketAddr, AbortHandle) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let acceptor = self.acceptor();
        let key = LinkKey::derive(&Secret::new(&self.made.aes_key));
        let answering = all.spawn(async move {
            loop {
                let (tcp, _) = listener.accept().await.expect("accepts");
                let mut stream = acceptor.accept(tcp).await.expect("the portal's TLS");
                let frame = read_frame(&mut stream, &mut FrameBuffer::default()).await;
                let Ok(Some(frame)) = frame else { continue };
                // A portal that has read enough may be gone.
                let _ = stream.write_all(&reply(&key, &frame)).await;
                let _ = stream.shutdown().await;
            }
        });
        (address, answering)
    }
}

fn sealed(key: &LinkKey, response: &Response) -> Vec<u8> {
    let line = key.seal(Direction::Answer, [1; 12], &response.to_json());
    (line.expect("is short enough") + "\n").into_bytes()
}

fn id_of(key: &LinkKey, frame: &[u8]) -> Uuid {
    let json = key.open(Direction::Request, frame).expect("its seal");
    Request::parse(&json).expect("a request").envelope.id
}

const REPLIES: [(&str, Reply); 9] = [
    ("nothing", |_, _| Vec::new()),
    ("words of version 1", |_, _| b"OK\n".to_vec()),
    ("bytes", |_, _| vec![0xff; 64]),
    ("a redirect", |_, _| {
        b"HTTP/1.1 302 Found\r\nLocation: https://169.254.169.254/\r\n\r\n".to_vec()
    }),
    ("the request itself", |_, frame| [frame, b"\n"].concat()),
    ("no end", |_, _| vec![b'A'; MAX_FRAME_BYTES + 1]),
    ("an answer to another request", |key, _| {
        let outcome = Ok(Answer::Done);
        sealed(
            key,
            &Response {
                id: Uuid::from_u128(5),
                outcome,
            },
        )
    }),
    ("half an answer", |key, frame| {
        let id = id_of(key, frame);
        let mut line = sealed(
            key,
            &Response {
                id,
                outcome: Ok(Answer::Done),
            },
        );
        line.truncate(line.len() / 2);
        line
    }),
    ("a refusal in somebody's words", |key, frame| {
        let refusal = Refusal {
            code: ErrorCode::Internal,
            reason: EVIL.repeat(20),
            now_ms: 0,
        };
        let (id, outcome) = (id_of(key, frame), Err(refusal));
        sealed(key, &Response { id, outcome })
    }),
];

/// Tries to open a service on this router and answers the session.
async fn opened(portal: &Portal, admin: &Person, router_id: &str, port: u16) -> Value {
    let service = portal.add_service(admin, router_id, port, &[admin]).await;
    portal
        .send(open(admin, &service, &json!(5)))
        .await
        .expect(201)
}

async fn tested(portal: &Portal, admin: &Person, router_id: &str) -> Value {
    let test = post(&format!("/api/v1/routers/{router_id}/test")).cookie(&admin.cookie);
    portal.send(test).await.expect(200)
}

#[tokio::test]
async fn no_answer_but_the_proper_one_opens_a_session() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let keys = Keys::make();
    let watch = Watch::begin();
    let mut impostors = JoinSet::new();
    for (what, reply) in REPLIES {
        let (address, answering) = keys.impersonate(reply, &mut impostors).await;
        let router_id = portal.add_router(&admin, &keys.entry(address)).await;
        let session = opened(&portal, &admin, &router_id, 8001).await;
        let state = text_of(&session, "state");
        assert!(["failed", "closing"].contains(&state), "{what}: {session}");
        assert_eq!(session["url"], Value::Null, "{what}");
        let test = tested(&portal, &admin, &router_id).await;
        assert_eq!(test["reachable"], false, "{what}: {test}");
        let is_plain = |mark: char| !mark.is_control() && mark != '\u{202e}';
        let detail = text_of(&test, "detail");
        assert!(detail.chars().all(is_plain), "{what}: {detail:?}");
        assert!(detail.len() < 1000, "{what}: {detail}");
        for page in [
            format!("/sessions/{}", text_of(&session, "id")),
            format!("/admin/routers/{router_id}?test=1"),
        ] {
            let page = portal.send(get(&page).cookie(&admin.cookie)).await;
            assert_eq!(page.status, 200, "{what}");
            assert!(!page.text().contains("<svg onload"), "{what}");
        }
        answering.abort();
    }
    let secrets = [&*keys.made.api_key, &keys.made.aes_key];
    let log = watch.end(&portal, &secrets).await;
    assert!(!log.contains(['\u{1b}', '\u{202e}']), "{log}");
    assert!(!log.lines().any(|line| line.starts_with("2026 INFO")));
}

/// A daemon's clock that is an hour late.
struct LateClock;

impl Clock for LateClock {
    fn now_ms(&self) -> u64 {
        SystemClock.now_ms() - 60 * 60 * 1000
    }

    fn monotonic_ms(&self) -> u64 {
        SystemClock.monotonic_ms()
    }

    fn boot_id(&self) -> String {
        SystemClock.boot_id()
    }
}

#[tokio::test]
async fn a_router_whose_clock_is_off_opens_nothing_and_the_admin_learns_why() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let keys = Keys::make();
    let path = keys.folder.path().join("routerd/routerd.toml");
    let text = std::fs::read_to_string(&path).expect("reads");
    let own = text
        .replace("backend = \"nft\"", "backend = \"dry-run\"")
        .replace("0.0.0.0:9999", "127.0.0.1:0");
    std::fs::write(&path, own).expect("writes");
    let config = Config::load(&path).expect("its own configuration");
    let daemon = Daemon::bind(config, Arc::new(LateClock)).await;
    let daemon = daemon.expect("binds");
    let address = daemon.local_addr();
    let serving = tokio::spawn(daemon.serve(std::future::pending()));
    let watch = Watch::begin();
    let router_id = portal.add_router(&admin, &keys.entry(address)).await;
    let session = opened(&portal, &admin, &router_id, 8001).await;
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_refused"))
    );
    let test = tested(&portal, &admin, &router_id).await;
    let detail = text_of(&test, "detail");
    assert!(detail.contains("clocks of portal and router"), "{detail}");
    serving.abort();
    let secrets = [&*keys.made.api_key, &keys.made.aes_key];
    watch.end(&portal, &secrets).await;
}

#[tokio::test]
async fn a_router_that_takes_a_connection_and_says_nothing_keeps_only_its_own_click_waiting() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let keys = Keys::make();
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = silent.local_addr().expect("an address");
    let watch = Watch::begin();
    let router_id = portal.add_router(&admin, &keys.entry(address)).await;
    let click = opened(&portal, &admin, &router_id, 8001);
    tokio::pin!(click);
    let held = tokio::select! {
        session = &mut click => panic!("nobody answered it: {session}"),
        accepted = silent.accept() => accepted.expect("accepts"),
    };
    for page in ["/livez", "/", "/api/v1/sessions"] {
        tokio::select! {
            session = &mut click => panic!("{page} took longer than {session}"),
            answer = portal.send(get(page).cookie(&admin.cookie)) => assert_eq!(answer.status, 200),
        }
    }
    let session = click.await;
    drop(held);
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_unreachable"))
    );
    let secrets = [&*keys.made.api_key, &keys.made.aes_key];
    watch.end(&portal, &secrets).await;
}
