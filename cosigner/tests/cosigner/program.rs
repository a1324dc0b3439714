//! The program itself: processes, what they say over the wire, and what is left when they are killed.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::crypto::ring;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;

use crate::harness::{PROJECT, Sender, claims_at};

const PROGRAM: &str = env!("CARGO_BIN_EXE_gatehouse-cosigner");
const PATIENCE: Duration = Duration::from_secs(30);

#[expect(
    clippy::disallowed_methods,
    reason = "the processes have the machine's clock"
)]
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("after 1970");
    i64::try_from(since.as_secs()).expect("fits")
}

/// A folder for processes.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn make() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self { folder }
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.folder.path().join("cosigner")
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("writes");
        path.display().to_string()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--dir").arg(self.dir());
        command
    }

    pub(crate) fn output(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("runs")
    }

    /// Runs a command that has to succeed and gives what it printed.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {complaint}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// Runs a command that has to fail and gives what it complained.
    pub(crate) fn fail(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).expect("text")
    }

    pub(crate) fn trust(&self, sender: &Sender, more: &[&str]) {
        let key = self.file("identity.pem", &sender.key.public_key().to_pem());
        let said = self.run(&[&["trust", "workshop", "--key", &key], more].concat());
        assert!(said.contains(&sender.server_id), "{said}");
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let arguments = [&["run", "--listen", "127.0.0.1:0"], arguments].concat();
        Process::start(self.command(&arguments))
    }
}

/// A running service; killed with its test.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped"))
            .read_line(&mut line)
            .expect("says where it listens");
        let address = line.trim_end().strip_prefix("listening on ").expect(&line);
        Self {
            address: address.parse().expect("an address"),
            child,
        }
    }

    fn kill(mut self) {
        self.child.kill().expect("kills");
        self.child.wait().expect("ends");
    }

    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").arg(id).status().expect("runs kill");
        assert!(sent.success());
        self.child.wait().expect("ends").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What came back over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect(&self.body)
    }
}

pub(crate) fn dial(address: SocketAddr) -> TcpStream {
    let tcp = TcpStream::connect_timeout(&address, PATIENCE).expect("connects");
    tcp.set_read_timeout(Some(PATIENCE)).expect("sets it");
    tcp
}

/// Sends one request and reads the answer to its end.
pub(crate) fn exchange(mut stream: impl Read + Write, request: &str) -> std::io::Result<Answer> {
    stream.write_all(request.as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::UnexpectedEof)?;
    Ok(Answer {
        status: head[9..12].parse().expect(head),
        head: head.to_ascii_lowercase(),
        body: body.to_owned(),
    })
}

pub(crate) fn post(path: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: cosigner\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
}

pub(crate) fn get(path: &str, headers: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: cosigner\r\nConnection: close\r\n{headers}\r\n")
}

pub(crate) fn message(sender: &Sender) -> String {
    let bearer = sender.bearer(now_s());
    format!("Content-Type: application/jwt\r\nAuthorization: Bearer {bearer}\r\n")
}

pub(crate) fn cosign_path(sender: &Sender) -> String {
    format!("/projects/{PROJECT}/cosign_for_server/{}", sender.server_id)
}

/// Asks a service for a signature over release 1.0.`counter`.
pub(crate) fn ask(address: SocketAddr, sender: &Sender, counter: u64) -> std::io::Result<Answer> {
    let body = sender.signed(&claims_at(counter, now_s()));
    let request = post(&cosign_path(sender), &message(sender), &body);
    exchange(dial(address), &request)
}

fn tls_to(address: SocketAddr, cert: &Path) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let cert = CertificateDer::from_pem_file(cert).expect("reads");
    roots.add(cert).expect("a root");
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").expect("a name");
    let connection = ClientConnection::new(Arc::new(config), name).expect("a client");
    StreamOwned::new(connection, dial(address))
}

#[test]
fn it_signs_over_tls() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &[]);
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    let cert = place.file("cert.pem", &made.cert.pem());
    let key = place.file("key.pem", &made.signing_key.serialize_pem());
    let service = place.start(&["--tls-cert", &cert, "--tls-key", &key]);
    let body = sender.signed(&claims_at(1, now_s()));
    let request = post(&cosign_path(&sender), &message(&sender), &body);
    let stream = tls_to(service.address, Path::new(&cert));
    let answer = exchange(stream, &request).expect("answers");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn it_listens_without_tls_for_this_machine_only_unless_told() {
    let place = Place::make();
    let public = ["run", "--listen", "0.0.0.0:0"];
    let complaint = place.fail(&public);
    assert!(complaint.contains("--tls-cert"), "{complaint}");
    let half = place.fail(&["run", "--tls-cert", "cert.pem"]);
    assert!(half.contains("--tls-key"), "{half}");
    let told = Process::start(place.command(&[&public[..], &["--insecure-http"]].concat()));
    assert_ne!(told.address.port(), 0);
}

#[test]
fn another_process_trusts_approves_and_revokes_while_it_runs() {
    let (place, sender) = (Place::make(), Sender::new(7));
    let service = place.start(&[]);
    let code = || {
        let answer = ask(service.address, &sender, 1).expect("answers");
        match answer.status {
            200 => "signed".to_owned(),
            _ => answer.json()["code"].as_str().expect("text").to_owned(),
        }
    };
    assert_eq!(code(), "unknown_portal");
    assert!(place.run(&["portals"]).contains("No portal is trusted"));
    place.trust(&sender, &["--approval", "--per-hour", "99"]);
    let listed = place.run(&["portals"]);
    assert!(
        listed.contains("workshop: any project, 99 an hour, with approval"),
        "{listed}"
    );
    assert_eq!(code(), "awaits_approval");

    let project = PROJECT.to_string();
    let waiting = place.run(&["pending"]);
    assert!(
        waiting.contains(&format!("{project} 1: lamp 1.0.1")),
        "{waiting}"
    );
    let password = place.file("password", "a horse that reads slowly\n");
    let wrong = place.file("wrong", "a horse that reads fast\n");
    place.run(&["approver", "add", "grace", "--password-file", &password]);
    let approve = ["approve", &project, "1", "--as", "grace", "--password-file"];
    let complaint = place.fail(&[&approve[..], &[&wrong]].concat());
    assert!(complaint.contains("not the password"), "{complaint}");
    assert_eq!(code(), "awaits_approval");
    let said = place.run(&[&approve[..], &[&password]].concat());
    assert!(
        said.contains("lamp 1.0.1") && said.contains("Approved"),
        "{said}"
    );
    assert_eq!(code(), "signed");
    assert!(place.run(&["pending"]).contains("No release waits"));

    place.run(&["revoke", &sender.server_id]);
    assert_eq!(code(), "revoked");
    assert!(place.run(&["portals"]).contains("REVOKED"));
    assert_eq!(service.terminate(), Some(0));
    let audit = place.run(&["audit", "--last", "50"]);
    let record = audit + &place.run(&["requests", "--last", "50"]);
    for event in [
        "trusted",
        "asked",
        "approval_refused",
        "approved",
        "released",
        "signed",
        "revoked",
    ] {
        assert!(
            record.contains(&format!("\"event\":\"{event}\"")),
            "{event}: {record}"
        );
    }
    assert_eq!(place.run(&["audit", "--last", "1"]).lines().count(), 1);
}

#[test]
fn keys_are_shown_rotated_and_retired() {
    let place = Place::make();
    let project = PROJECT.to_string();
    let first = place.run(&["keys", &project]);
    assert!(first.starts_with("-----BEGIN PUBLIC KEY-----"), "{first}");
    let both = place.run(&["rotate", &project]);
    assert!(both.starts_with(&first) && both.contains("next"), "{both}");
    assert!(place.fail(&["rotate", &project]).contains("retire"));
    let after = place.run(&["retire", &project]);
    assert!(both.ends_with(&after) && after != first, "{after}");
    assert!(place.fail(&["retire", &project]).contains("rotate"));
}

#[test]
fn words_that_a_portal_chose_stay_on_their_line() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &["--approval"]);
    let service = place.start(&[]);
    let mut claims = claims_at(1, now_s());
    claims.version = "1.0\n\u{1b}[2J\u{202e}9".into();
    let request = post(
        &cosign_path(&sender),
        &message(&sender),
        &sender.signed(&claims),
    );
    let answer = exchange(dial(service.address), &request).expect("answers");
    assert_eq!(answer.json()["code"], "awaits_approval");
    let shown = place.run(&["pending"]);
    assert_eq!(shown.lines().count(), 1, "{shown:?}");
    let hidden = ['\u{1b}', '\u{202e}'];
    assert!(!shown.contains(hidden), "{shown:?}");
}

#[test]
fn what_was_signed_is_remembered_by_the_next_process_wherever_the_last_was_killed() {
    let (place, sender) = (Place::make(), Sender::new(7));
    place.trust(&sender, &[]);
    let (mut counter, mut signed) = (0, 0);
    for round in 0..8 {
        let service = place.start(&[]);
        if signed > 1 {
            let below = ask(service.address, &sender, signed - 1).expect("answers");
            assert_eq!(
                below.json()["code"],
                "counter_fell",
                "round {round}: {below:?}"
            );
        }
        let address = service.address;
        let killer = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20 + 13 * round));
            service.kill();
        });
        // The last one may or may not have been written: its counter is not used again.
        counter += 1;
        while ask_until_dead(address, &sender, counter) {
            signed = counter;
            counter += 1;
        }
        killer.join().expect("no panic");
    }
    let service = place.start(&[]);
    let answer = ask(service.address, &sender, counter + 1).expect("answers");
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Whether the service still lived to answer.
fn ask_until_dead(address: SocketAddr, sender: &Sender, counter: u64) -> bool {
    let body = sender.signed(&claims_at(counter, now_s()));
    let request = post(&cosign_path(sender), &message(sender), &body);
    let Ok(tcp) = TcpStream::connect_timeout(&address, PATIENCE) else {
        return false;
    };
    tcp.set_read_timeout(Some(PATIENCE)).expect("sets it");
    match exchange(tcp, &request) {
        Ok(answer) => {
            assert_eq!(answer.status, 200, "{answer:?}");
            true
        }
        Err(_died) => false,
    }
}
