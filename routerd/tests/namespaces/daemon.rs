//! The daemon as a program on the router, and the portal's end of its link.

use crate::world::{Backend, feed};
use gatehouse_router_protocol::client::{self, ClientError, Link, Stamp, tls_config};
use gatehouse_router_protocol::message::{Answer, Command as Ask, OpenSession, Route};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use gatehouse_routerd::clock::{Clock, SystemClock};
use gatehouse_routerd::keygen::{self, Made};
use rustls::pki_types::ServerName;
use std::ffi::OsString;
use std::io::BufRead;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use uuid::Uuid;

/// Names a daemon to test instead of this build's: that of a release.
const OF_RELEASE: &str = "GATEHOUSE_ROUTERD";

/// Whether the daemon is the one that routers get.
pub(crate) fn is_for_a_router() -> bool {
    std::env::var_os(OF_RELEASE).is_some()
}

fn program() -> OsString {
    std::env::var_os(OF_RELEASE).unwrap_or_else(|| env!("CARGO_BIN_EXE_gatehouse-routerd").into())
}

/// The daemon's folder, which outlives the daemon.
pub(crate) struct Home {
    folder: TempDir,
    made: Made,
}

impl Home {
    pub(crate) fn make(backend: Backend) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = keygen::generate(&folder.path().join("routerd")).unwrap();
        let home = Self { folder, made };
        home.edit(
            "backend = \"nft\"",
            &format!("backend = \"{}\"", backend.name()),
        );
        home.edit("wan_interface = \"wan\"", "wan_interface = \"wan*\"");
        home.edit("0.0.0.0:9999", "127.0.0.1:0");
        home.edit("192.168.1.0/24", "192.168.50.0/24\", \"fd00:50::/64");
        home
    }

    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config_path()).unwrap();
        assert!(text.contains(from), "{from} is part of the configuration");
        std::fs::write(self.config_path(), text.replace(from, to)).unwrap();
    }

    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.path().join("routerd/routerd.toml")
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn start(&self) -> Daemon {
        self.start_by(Command::new(program()))
    }

    /// Starts the daemon through another program, which gets the daemon's own as an argument.
    pub(crate) fn start_through(&self, starter: &str, arguments: &[&str]) -> Daemon {
        let mut command = Command::new(starter);
        command.args(arguments).arg(program());
        self.start_by(command)
    }

    pub(crate) fn check(&self) -> (Option<i32>, String) {
        let output = Command::new(program())
            .args(["check", "--config"])
            .arg(self.config_path())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap(),
        )
    }

    fn start_by(&self, mut command: Command) -> Daemon {
        let mut child = command
            .args(["run", "--config"])
            .arg(self.config_path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address: SocketAddr = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect("the daemon starts")
            .parse()
            .unwrap();
        Daemon {
            child,
            link: Link {
                address: address.to_string(),
                cert_sha256: self.made.cert_sha256,
                api_key: self.made.api_key.clone(),
                aes_key: self.made.aes_key.clone(),
            },
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
        }
    }
}

/// A running daemon; killed with its test.
pub(crate) struct Daemon {
    child: Child,
    link: Link,
    runtime: Runtime,
}

impl Daemon {
    pub(crate) fn try_ask(&self, command: Ask) -> Result<Answer, ClientError> {
        self.runtime
            .block_on(client::exchange(&self.link, command, stamp()))
    }

    pub(crate) fn ask(&self, command: Ask) -> Answer {
        self.try_ask(command).unwrap()
    }

    /// Sends a request with these members, which no client would make, and gives the answer's JSON.
    pub(crate) fn send_members(&self, members: &str) -> String {
        let Stamp { ts_ms, random } = stamp();
        let (id, nonce) = (hex::encode(&random[..16]), hex::encode(&random[16..32]));
        let json = format!(
            r#"{{"v":2,"id":"{id}","ts_ms":{ts_ms},"nonce":"{nonce}","api_key":"{}",{members}}}"#,
            self.link.api_key
        );
        let key = LinkKey::derive(&Secret::new(self.link.aes_key.clone()));
        let seal_nonce = std::array::from_fn(|index| random[32 + index]);
        let line = key
            .seal(Direction::Request, seal_nonce, json.as_bytes())
            .unwrap();
        let answer = self.runtime.block_on(self.exchange_line(&line));
        let opened = key
            .open(Direction::Answer, answer.trim_end().as_bytes())
            .unwrap();
        String::from_utf8(opened).unwrap()
    }

    async fn exchange_line(&self, line: &str) -> String {
        let tcp = TcpStream::connect(&self.link.address).await.unwrap();
        let name = ServerName::try_from("any.example").unwrap();
        let config = Arc::new(tls_config(self.link.cert_sha256));
        let mut stream = TlsConnector::from(config).connect(name, tcp).await.unwrap();
        stream
            .write_all(format!("{line}\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).await.unwrap();
        answer
    }

    pub(crate) fn add(&self, session: u128, route: Route, duration_s: u32) {
        self.try_add(session, route, duration_s).unwrap();
    }

    pub(crate) fn try_add(
        &self,
        session: u128,
        route: Route,
        duration_s: u32,
    ) -> Result<Answer, ClientError> {
        self.try_ask(Ask::Add {
            session_id: Uuid::from_u128(session),
            route,
            duration_s,
        })
    }

    pub(crate) fn extend(&self, session: u128, duration_s: u32) {
        self.ask(Ask::Extend {
            session_id: Uuid::from_u128(session),
            duration_s,
        });
    }

    pub(crate) fn del(&self, session: u128) {
        self.close(session);
    }

    /// Ends a session and gives the bytes that were counted on it.
    pub(crate) fn close(&self, session: u128) -> Option<u64> {
        let answer = self.ask(Ask::Del {
            session_id: Uuid::from_u128(session),
        });
        match answer {
            Answer::Closed { bytes } => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn sessions(&self) -> Vec<OpenSession> {
        self.runtime
            .block_on(client::list_all(&self.link, stamp))
            .unwrap()
    }

    /// How long a session still is to be open.
    pub(crate) fn remaining(&self, session: u128) -> Duration {
        let sessions = self.sessions();
        let wanted = Uuid::from_u128(session);
        let session = sessions.iter().find(|open| open.session_id == wanted);
        Duration::from_millis(session.expect("it is open").remaining_ms)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Ends the daemon so that it can do nothing more.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends the daemon while another thread waits for its answer.
    pub(crate) fn kill_while_asked(&self) {
        let process = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(process, rustix::process::Signal::KILL).unwrap();
    }

    /// Asks the daemon to end, as a service manager does.
    pub(crate) fn stop(mut self) {
        feed("kill", &[&self.child.id().to_string()], "");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the daemon under test refuses a nonce seen before"
)]
fn stamp() -> Stamp {
    let mut random = [0; Stamp::RANDOM_BYTES];
    getrandom::fill(&mut random).unwrap();
    Stamp {
        ts_ms: SystemClock.now_ms(),
        random,
    }
}
