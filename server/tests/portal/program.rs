//! The built binary, started as a person starts it.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// The words that start a portal on a free port.
pub(crate) const SERVE: [&str; 3] = ["serve", "--listen", "127.0.0.1:0"];

/// A folder of its own for a program, its log and its data.
pub(crate) struct Home(TempDir);

/// How a run of the program that ended by itself went.
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program with nothing of this process's environment.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse"));
        command.env_clear().args(words).current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, words: &[&str], stdin: &str) -> Run {
        let mut child = self
            .command(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        // A program that refuses at once may have closed its end.
        let _ = child
            .stdin
            .take()
            .expect("piped")
            .write_all(stdin.as_bytes());
        let output = child.wait_with_output().expect("ends");
        Run {
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Runs what must be refused and answers its sentence.
    #[track_caller]
    pub(crate) fn refusal(&self, words: &[&str]) -> String {
        let run = self.run(words, "");
        assert_eq!(run.status.code(), Some(1), "{words:?}: {}", run.stderr);
        let sentence = run.stderr.trim_end();
        assert!(
            sentence.ends_with(['.', '?']) && !sentence.contains("panicked"),
            "{sentence}"
        );
        sentence.to_owned()
    }

    /// Starts the portal on a free port and waits until it listens.
    pub(crate) fn serve(&self, words: &[&str]) -> Serving {
        self.start(self.command(&[&SERVE, words].concat()))
    }

    /// Starts a portal by a command of one's own and waits until it listens.
    pub(crate) fn start(&self, mut command: Command) -> Serving {
        let log = self.path("log");
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        lines.read_line(&mut line).expect("a line");
        let address = line
            .trim()
            .rsplit_once("://")
            .unwrap_or_else(|| panic!("{line}{}", read(&log)))
            .1
            .to_owned();
        Serving {
            child,
            lines,
            address,
            log,
        }
    }
}

/// A portal in a process of its own.
pub(crate) struct Serving {
    child: Child,
    lines: BufReader<ChildStdout>,
    pub(crate) address: String,
    log: PathBuf,
}

impl Serving {
    /// Sends one request and answers everything that comes back.
    pub(crate) fn ask(&self, head: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("connects");
        let length = body.len();
        write!(
            stream,
            "{head}\r\nHost: {}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}",
            self.address
        )
        .expect("sends");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answers");
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    /// Sends SIGTERM and answers how and how quickly it ended, and what it logged.
    pub(crate) fn terminate(mut self) -> (ExitStatus, Duration, String) {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .expect("kill is there");
        assert!(sent.success());
        let status = self.child.wait().expect("ends");
        (status, started.elapsed(), read(&self.log))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A test that failed must not leave the program behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

mod stories {
    use serde_json::Value;

    use super::Home;
    use crate::{
        furnish::{ADMIN, DEVICE, PASSWORD, PROJECT},
        harness::ADMIN_SECRET,
    };

    #[test]
    fn the_first_start_prints_a_link_and_sigterm_ends_it_well() {
        let home = Home::new();
        let mut portal = home.serve(&[]);
        assert!(portal.line().starts_with("No account exists yet."));
        let link = portal.line();
        let own = format!("http://{}/setup?token=", portal.address);
        assert!(
            link.starts_with(&own) && link.len() > own.len() + 40,
            "{link}"
        );
        let page = portal.ask(
            &format!(
                "GET {} HTTP/1.1",
                link.trim_start_matches(&format!("http://{}", portal.address))
            ),
            "",
        );
        assert!(page.starts_with("HTTP/1.1 200"), "{page:.200}");
        let mut idle = std::net::TcpStream::connect(&portal.address).expect("connects");
        std::io::Write::write_all(&mut idle, b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .expect("sends");
        let (status, took, log) = portal.terminate();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(took < std::time::Duration::from_secs(10), "{took:?}");
        assert!(log.contains("stopped"), "{log}");
    }

    /// Everything that must never be in a log is used once, then looked for.
    #[test]
    fn the_log_tells_no_secret_of_anybody() {
        let home = Home::new();
        let made = home.run(
            &["admin", "create", "--email", ADMIN, "--password-stdin"],
            PASSWORD,
        );
        assert!(made.status.success(), "{}", made.stderr);
        std::fs::write(home.path("secret"), ADMIN_SECRET).expect("writes");
        std::fs::write(
            home.path("portal.toml"),
            "admin_secret_file = \"secret\"\nquery_token = \"warn\"\n[log]\nfilter = \"trace\"\n",
        )
        .expect("writes");
        let portal = home.serve(&["--config", "portal.toml"]);

        let form = format!("email={ADMIN}&password={}", PASSWORD.replace(' ', "+"));
        let signed_in = portal.ask(
            "POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
            &form,
        );
        let cookie = between(&signed_in, "gatehouse=", ";");
        portal.ask(
            "POST /login HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded",
            &form.replace("seven", "eight"),
        );
        portal.ask(&format!("GET /login?email={ADMIN} HTTP/1.1"), "");
        let login = portal.ask(
            "POST /api/login HTTP/1.1\r\nContent-Type: application/json",
            &format!("{{\"user\":\"{ADMIN}\",\"pass\":\"{PASSWORD}\"}}"),
        );
        let account_token = between(&login, "\"token\":\"", "\"");
        let with_cookie = |head: &str, body: &str| {
            portal.ask(
                &format!("{head}\r\nCookie: gatehouse={cookie}\r\nContent-Type: application/json"),
                body,
            )
        };
        with_cookie(
            "POST /api/v1/projects HTTP/1.1",
            &format!("{{\"name\":\"{PROJECT}\"}}"),
        );
        with_cookie(
            "PUT /api/v1/projects/lamp/releases/1.0.0 HTTP/1.1",
            "an image",
        );
        with_cookie(
            "POST /api/v1/projects/lamp/releases/1.0.0/publish HTTP/1.1",
            "",
        );
        let made = portal.ask(
            &format!("POST /admin/generate_token HTTP/1.1\r\nX-Admin-Secret: {ADMIN_SECRET}\r\nContent-Type: application/json"),
            &format!("{{\"device_id\":\"{DEVICE}\",\"project\":\"{PROJECT}\"}}"),
        );
        let device_token = between(&made, "\"token\":\"", "\"");
        let image = portal.ask(
            &format!("GET /firmware/lamp/lamp-1.0.0.bin?token={device_token} HTTP/1.1"),
            "",
        );
        assert!(image.ends_with("an image"), "{image}");
        portal.ask(
            &format!("GET /firmware/lamp/nothing?token={device_token} HTTP/1.1"),
            "",
        );
        with_cookie(
            "POST /api/v1/users HTTP/1.1",
            &format!("{{\"email\":\"{ADMIN}\",\"password\":\"{PASSWORD}\",\"role\":\"owner\"}}"),
        );

        let (status, _, log) = portal.terminate();
        assert!(status.success());
        assert!(
            log.contains("path=/firmware/lamp/lamp-1.0.0.bin") && log.contains("generate_token"),
            "the log says what went on"
        );
        assert!(log.contains(DEVICE), "ids are logged");
        for (what, secret) in [
            ("password", PASSWORD),
            ("password of a form", "seven+quiet"),
            ("wrong password", "eight"),
            ("cookie", &cookie),
            ("account token", &account_token),
            ("device token", &device_token),
            (
                "its signature",
                device_token.rsplit('.').next().expect("a part"),
            ),
            ("admin secret", ADMIN_SECRET),
            ("e-mail address", ADMIN),
            ("e-mail address in a query", "ada%40"),
        ] {
            let line = log.lines().find(|line| line.contains(secret));
            assert!(
                line.is_none(),
                "the {what} is in the log: {}",
                line.unwrap_or_default()
            );
        }
    }

    fn between(text: &str, start: &str, end: &str) -> String {
        let rest = text
            .split_once(start)
            .unwrap_or_else(|| panic!("{start} in {text}"))
            .1;
        rest.split_once(end).expect("an end").0.to_owned()
    }

    #[test]
    fn a_visitor_cannot_forge_a_line_of_the_log() {
        let home = Home::new();
        let portal = home.serve(&["--log-format", "json"]);
        portal.ask(
            "GET /%0d%0a2026%20ERROR%20forged%1b%5b2J HTTP/1.1\r\nUser-Agent: \u{1b}[31mred",
            "",
        );
        let (_, _, log) = portal.terminate();
        for line in log.lines() {
            let event: Value =
                serde_json::from_str(line).unwrap_or_else(|_| panic!("no event: {line}"));
            assert!(event["level"].is_string());
        }
        assert!(!log.contains('\u{1b}'));
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn tls_from_files_serves_https_and_says_so() {
        use gatehouse_router_protocol::client::{fingerprint, tls_config};
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let home = Home::new();
        let made =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        std::fs::write(home.path("cert.pem"), made.cert.pem()).expect("writes");
        std::fs::write(home.path("key.pem"), made.signing_key.serialize_pem()).expect("writes");
        let portal = home.serve(&["--tls-cert", "cert.pem", "--tls-key", "key.pem"]);
        let config = std::sync::Arc::new(tls_config(fingerprint(made.cert.der())));
        let tcp = tokio::net::TcpStream::connect(&portal.address)
            .await
            .expect("connects");
        let name = "localhost".try_into().expect("a name");
        let mut stream = tokio_rustls::TlsConnector::from(config)
            .connect(name, tcp)
            .await
            .expect("the certificate of the file");
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .expect("sends");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answers");
        assert!(
            answer.ends_with("ok\n") && answer.contains("strict-transport-security"),
            "{answer}"
        );
        let mut plain = tokio::net::TcpStream::connect(&portal.address)
            .await
            .expect("connects");
        plain
            .write_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .expect("sends");
        let mut garbage = Vec::new();
        let _ = plain.read_to_end(&mut garbage).await;
        assert!(!garbage.starts_with(b"HTTP/1.1 200"));

        let url = format!("https://{}/readyz", portal.address);
        let words = ["health", "--tls-cert", "cert.pem", "--tls-key", "key.pem"];
        let well = home.run(&[&words[..], &["--url", &url]].concat(), "");
        assert_eq!(well.status.code(), Some(0), "{}", well.stderr);
        assert_eq!(well.stdout, format!("{url} answers 200 OK.\n"));
    }
}
