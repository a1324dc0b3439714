//! The program itself: arguments, exit codes, output, signals, and running out of descriptors.

use crate::harness::{Home, fresh_stamp};
use gatehouse_router_protocol::client;
use gatehouse_router_protocol::message::{Answer, Command as Ask};
use gatehouse_routerd::clock::{Clock, SystemClock};
use std::io::{BufRead, BufReader, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_gatehouse-routerd");

fn output(arguments: &[&str]) -> Output {
    Command::new(PROGRAM).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A started daemon; killed with its test.
pub(crate) struct Process {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line
            .trim_end()
            .strip_prefix("listening on ")
            .expect(&line)
            .parse()
            .unwrap();
        Self { child, address }
    }

    /// Sends SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The most memory that it has had at once.
    fn peak_kb(&self) -> u64 {
        let file = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(file).unwrap();
        let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
        let peak = peak.unwrap().split_whitespace().nth(1).unwrap();
        peak.parse().unwrap()
    }

    /// Sends SIGTERM and gives the exit code and what was logged.
    pub(crate) fn terminate(mut self) -> (Option<i32>, String) {
        let killed = Command::new("kill")
            .arg(self.child.id().to_string())
            .status()
            .unwrap();
        assert!(killed.success());
        let code = self.child.wait().unwrap().code();
        let mut log = String::new();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut log)
            .unwrap();
        (code, log)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

pub(crate) fn run_command(home: &Home) -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg("run").arg("--config").arg(home.config_path());
    command
}

/// Gives a port that was free a moment ago, for a daemon that `list` must find again.
fn fix_port(home: &Home) {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    home.edit("127.0.0.1:0", &free.to_string());
}

async fn ask(home: &Home, address: SocketAddr, command: Ask) -> Answer {
    let stamp = fresh_stamp(SystemClock.now_ms());
    client::exchange(&home.link(address), command, stamp)
        .await
        .unwrap()
}

#[test]
fn wrong_usage_exits_with_2_and_help_with_0_and_an_example() {
    for arguments in [&[][..], &["run"], &["fly"], &["run", "--config"]] {
        assert_eq!(output(arguments).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [&["--help"][..], &["run", "--help"], &["keygen", "--help"]] {
        let help = output(arguments);
        assert_eq!(help.status.code(), Some(0));
        assert!(text(&help.stdout).contains("Example:"), "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_is_one_sentence_and_exit_1() {
    let home = Home::make();
    home.edit("backend = \"dry-run\"", "backend = \"pf\"");
    let path = home.config_path();
    for subcommand in ["run", "check", "list", "flush"] {
        let refused = output(&[subcommand, "--config", path.to_str().unwrap()]);
        assert_eq!(refused.status.code(), Some(1));
        let complaint = text(&refused.stderr);
        assert_eq!(complaint.lines().count(), 1, "{complaint}");
        assert!(complaint.contains("backend must be"), "{complaint}");
    }
}

#[test]
fn keygen_and_check_tell_the_same_pin() {
    let home = Home::make();
    let out = home.path().join("second");
    let made = output(&["keygen", "--out", out.to_str().unwrap()]);
    assert_eq!(made.status.code(), Some(0));
    let pin = std::fs::read_to_string(out.join("cert_sha256")).unwrap();
    assert!(text(&made.stdout).contains(pin.trim_end()));
    let config = out.join("routerd.toml");
    let opens_nothing = std::fs::read_to_string(&config)
        .unwrap()
        .replace("\"nft\"", "\"dry-run\"");
    std::fs::write(&config, opens_nothing).unwrap();
    let checked = output(&["check", "--config", config.to_str().unwrap()]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(text(&checked.stdout).contains(pin.trim_end()));
    let again = output(&["keygen", "--out", out.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
}

#[test]
fn check_tells_each_thing_in_a_line_and_exits_1_for_a_wrong_one() {
    let home = Home::make();
    let check = || output(&["check", "--config", home.config_path().to_str().unwrap()]);
    let lines = text(&check().stdout);
    for begin in [
        "ok    configuration: ",
        "ok    certificate: SHA-256 ",
        "ok    clock: ",
        "warn  state_dir: ",
        "warn  firewall: the dry run",
    ] {
        assert!(
            lines.lines().any(|line| line.starts_with(begin)),
            "{begin}: {lines}"
        );
    }
    std::fs::write(home.path().join("routerd/key.pem"), "no key").unwrap();
    let refused = check();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stdout).contains("fail  certificate: "),
        "{refused:?}"
    );
    assert!(
        text(&refused.stderr).contains("one thing is wrong"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn the_program_serves_lists_flushes_and_stops_on_sigterm() {
    let home = Home::make();
    fix_port(&home);
    let process = Process::start(run_command(&home));
    ask(&home, process.address, crate::harness::add(1, 60)).await;
    let path = home.config_path();
    let listed = output(&["list", "--config", path.to_str().unwrap()]);
    assert!(text(&listed.stdout).contains("203.0.113.7"), "{listed:?}");
    assert!(text(&listed.stdout).contains("192.168.1.50:80"));
    let flushed = output(&["flush", "--config", path.to_str().unwrap()]);
    assert_eq!(text(&flushed.stdout), "ended 1 sessions\n");

    let asked = Instant::now();
    let (code, log) = process.terminate();
    assert_eq!(code, Some(0));
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody is served");
    let sentence = "would let 203.0.113.7 reach 192.168.1.50:80/tcp through port 7890 for 60 s";
    assert!(log.contains(sentence), "{log}");
    assert!(!log.contains(&home.made.api_key) && !log.contains(&home.made.aes_key));
}

#[test]
fn list_says_that_loopback_must_be_allowed() {
    let home = Home::make();
    fix_port(&home);
    home.edit("\"127.0.0.1\", \"::1\"", "\"192.0.2.1\"");
    let refused = output(&["list", "--config", home.config_path().to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("add \"127.0.0.1\" to them"),
        "{refused:?}"
    );
}

#[tokio::test]
async fn running_out_of_descriptors_pauses_and_passes() {
    let home = Home::make();
    let mut limited = Command::new("sh");
    limited.args([
        "-c",
        "ulimit -n 24; exec \"$0\" run --config \"$1\"",
        PROGRAM,
    ]);
    limited.arg(home.config_path());
    let process = Process::start(limited);
    let crowd: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(process.address).unwrap())
        .collect();
    let descriptors = format!("/proc/{}/fd", process.child.id());
    while std::fs::read_dir(&descriptors).unwrap().count() < 24 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(crowd);
    ask(&home, process.address, Ask::Ping).await;
    let (code, log) = process.terminate();
    assert_eq!(code, Some(0));
    assert_eq!(
        log.matches("no connection can be accepted").count(),
        1,
        "{log}"
    );
}

/// A router has little memory, and whoever may connect could take all of it.
#[test]
fn connections_that_have_ended_take_no_memory() {
    // A tenth of a kilobyte for each; one that is kept takes a quarter here and nine in a release.
    const LITTLE_KB: u64 = 300;
    let home = Home::make();
    let mut daemon = Process::start(run_command(&home));
    let mut log = daemon.child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
    knock(daemon.address, 100);
    let before_kb = daemon.peak_kb();
    knock(daemon.address, 3000);
    let after_kb = daemon.peak_kb();
    assert!(
        after_kb < before_kb + LITTLE_KB,
        "{before_kb} kB, and {after_kb} kB after 3,000 connections"
    );
    drop(daemon);
    reader.join().unwrap().unwrap();
}

/// Connects, says nothing, and hangs up, one time after the other.
fn knock(address: SocketAddr, times: usize) {
    for _ in 0..times {
        let mut tcp = TcpStream::connect(address).unwrap();
        tcp.shutdown(Shutdown::Write).unwrap();
        // However the daemon ends it, it has by then.
        let _ = tcp.read_to_end(&mut Vec::new());
    }
}
