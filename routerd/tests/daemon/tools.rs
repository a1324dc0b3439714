//! The system's firewall programs as scripts that are slow, hang or refuse, and tell how they were
//! called. They stand before the real ones in the daemon's `PATH`.

use crate::harness::{Home, add, fresh_stamp, route};
use crate::program::{PROGRAM, Process, run_command};
use gatehouse_router_protocol::client::{self, ClientError};
use gatehouse_router_protocol::message::{Answer, Command as Ask, ErrorCode, Route};
use gatehouse_routerd::clock::{Clock, SystemClock};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};
use uuid::Uuid;

const DEADLINE: Duration = Duration::from_secs(30);

/// How long a slow script sleeps.
const SLOW_MS: u64 = 2000;

/// Tells how it was called, hangs if it is told to, is slow in what it is told to, and takes all.
const NFT: &str = r#"echo "$*" >> "$here/calls"
if [ -e "$here/hang" ]; then echo $$ > "$here/hung"; exec sleep 600; fi
if [ -e "$here/refuse" ]; then echo 'not now' >&2; exit 1; fi
case "$*" in
  *-f*) cat > "$here/script"; if [ -e "$here/slow-to-write" ]; then sleep 2; fi ;;
  *) if [ -e "$here/slow-to-look" ]; then sleep 2; fi ;;
esac
echo '{"nftables": []}'"#;

const CONNTRACK: &str = r#"echo "$(date +%s%3N) $*" >> "$here/cuts""#;

/// Knows no `-m time`, as a router without that module.
const RESTORE_WITHOUT_TIME: &str =
    r#"if grep -q -- '-m time'; then echo "Couldn't load match time" >&2; exit 2; fi"#;

/// A router whose firewall programs are scripts.
struct Router {
    home: Home,
}

impl Router {
    fn make(backend: &str) -> Self {
        let home = Home::make();
        home.edit("\"dry-run\"", &format!("\"{backend}\""));
        home.edit("flow_offload = false", "flow_offload = true");
        std::fs::create_dir(home.path().join("tools")).unwrap();
        let router = Self { home };
        router.put("nft", NFT);
        router.put("conntrack", CONNTRACK);
        router
    }

    fn put(&self, program: &str, script: &str) {
        let path = self.file(program);
        let here = self.file("");
        let text = format!("#!/bin/sh\nhere='{}'\n{script}\n", here.display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn file(&self, name: &str) -> PathBuf {
        self.home.path().join("tools").join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    fn tell(&self, word: &str) {
        std::fs::write(self.file(word), "").unwrap();
    }

    fn with_tools(&self, mut command: Command) -> Command {
        let path = std::env::var("PATH").unwrap();
        command.env("PATH", format!("{}:{path}", self.file("").display()));
        command
    }

    fn start(&self) -> Process {
        Process::start(self.with_tools(run_command(&self.home)))
    }

    fn check(&self) -> String {
        let mut command = Command::new(PROGRAM);
        command.arg("check").arg("--config");
        command.arg(self.home.config_path());
        let output = self.with_tools(command).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    async fn ask(&self, address: SocketAddr, command: Ask) -> Result<Answer, ClientError> {
        let stamp = fresh_stamp(SystemClock.now_ms());
        client::exchange(&self.home.link(address), command, stamp).await
    }

    /// Gives the times that the last script set, in milliseconds.
    fn timeouts_ms(&self) -> Vec<u64> {
        let script = self.read("script");
        let after = script.split("timeout ").skip(1);
        let digits = after.filter_map(|rest| rest.split_once("ms")?.0.parse().ok());
        digits.collect()
    }
}

async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn connections_are_cut_again_when_the_kernel_has_surely_ended_its_rule() {
    let router = Router::make("nft");
    let daemon = router.start();
    let asked_ms = SystemClock.now_ms();
    router.ask(daemon.address, add(1, 1)).await.unwrap();
    until("it is cut twice", || {
        router.read("cuts").lines().count() >= 2
    })
    .await;
    let cuts = router.read("cuts");
    let moments_ms: Vec<u64> = cuts
        .lines()
        .map(|line| line.split_once(' ').unwrap().0.parse().unwrap())
        .collect();
    assert!(moments_ms[0] + 100 > asked_ms + 1000, "{cuts}");
    assert!(moments_ms[1] + 100 > asked_ms + 3000, "{cuts}");
    assert!(
        cuts.lines()
            .all(|line| line.contains("--orig-src 203.0.113.7 --orig-port-dst 7890")),
        "{cuts}"
    );
}

#[tokio::test]
async fn what_ended_or_is_forbidden_while_the_daemon_is_away_is_cut_when_it_starts() {
    let router = Router::make("nft");
    let daemon = router.start();
    let to = |session, port_dst, lan_host| Ask::Add {
        session_id: Uuid::from_u128(session),
        route: Route {
            port_dst,
            ip_dst_lan: [192, 168, 1, lan_host].into(),
            ..route()
        },
        duration_s: if session == 1 { 1 } else { 600 },
    };
    for command in [to(1, 7001, 11), to(2, 7002, 200), to(3, 7003, 13)] {
        router.ask(daemon.address, command).await.unwrap();
    }
    daemon.kill();
    let _ = std::fs::remove_file(router.file("cuts"));
    router.home.edit("192.168.1.0/24", "192.168.1.0/25");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let _daemon = router.start();
    let cuts = router.read("cuts");
    assert!(cuts.contains("--reply-src 192.168.1.11 "), "ended: {cuts}");
    assert!(
        cuts.contains("--reply-src 192.168.1.200 "),
        "forbidden: {cuts}"
    );
    assert!(!cuts.contains("--reply-src 192.168.1.13 "), "open: {cuts}");
}

/// Every cut is a process; commands must not wait for all of them.
#[tokio::test]
async fn many_connections_are_cut_little_by_little_and_first_those_that_were_asked_for() {
    let router = Router::make("nft");
    let daemon = router.start();
    let many = 200;
    let to = |number: u16| Ask::Add {
        session_id: Uuid::from_u128(number.into()),
        route: Route {
            port_dst: 7000 + number,
            ..route()
        },
        duration_s: 600,
    };
    for number in 0..=many {
        router.ask(daemon.address, to(number)).await.unwrap();
    }
    // Somebody takes all of it back, and one more that was opened since.
    router.ask(daemon.address, Ask::Flush).await.unwrap();
    let at_once = router.read("cuts").lines().count();
    assert!((1..=60).contains(&at_once), "{at_once} of {many} at once");
    let last = Ask::Add {
        session_id: Uuid::from_u128(1000),
        route: Route {
            port_dst: 7999,
            ..route()
        },
        duration_s: 600,
    };
    router.ask(daemon.address, last).await.unwrap();
    let close = Ask::Del {
        session_id: Uuid::from_u128(1000),
    };
    router.ask(daemon.address, close).await.unwrap();
    let cuts = router.read("cuts");
    assert!(cuts.contains("--orig-port-dst 7999 "), "{cuts}");
    until("all are cut", || {
        router.read("cuts").lines().count() >= usize::from(many) + 2
    })
    .await;
}

#[tokio::test]
async fn looking_for_long_prolongs_nothing() {
    let router = Router::make("nft");
    let daemon = router.start();
    router.ask(daemon.address, add(1, 60)).await.unwrap();
    let fresh = router.timeouts_ms();
    assert!(
        fresh.len() == 2 && fresh.iter().all(|left_ms| *left_ms <= 60_000),
        "{fresh:?}"
    );

    router.tell("slow-to-look");
    let extend = Ask::Extend {
        session_id: Uuid::from_u128(1),
        duration_s: 60,
    };
    router.ask(daemon.address, extend).await.unwrap();
    let extended = router.timeouts_ms();
    assert_eq!(extended.len(), 4, "two are taken out and two put in");
    assert!(
        extended.iter().all(|left_ms| *left_ms <= 60_000 - SLOW_MS),
        "{extended:?}"
    );

    daemon.kill();
    let _daemon = router.start();
    let restored = router.timeouts_ms();
    assert_eq!(restored.len(), 2);
    // It looked once for the extension's count and once at the start.
    assert!(
        restored
            .iter()
            .all(|left_ms| *left_ms <= 60_000 - 2 * SLOW_MS),
        "{restored:?}"
    );
}

/// The kernel counts from the end of a call, so after a slow one the ends are too late.
#[tokio::test]
async fn after_a_slow_change_the_firewall_is_compared_at_once() {
    let router = Router::make("nft");
    let daemon = router.start();
    let looks = || router.read("calls").matches("list table").count();
    let before = looks();
    router.tell("slow-to-write");
    router.ask(daemon.address, add(1, 60)).await.unwrap();
    std::fs::remove_file(router.file("slow-to-write")).unwrap();
    let begun = Instant::now();
    until("it looks again", || looks() > before).await;
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "not with the next regular look"
    );
}

#[tokio::test]
async fn a_program_that_hangs_holds_up_nobody_else_and_is_ended() {
    let router = Router::make("nft");
    let daemon = router.start();
    let address = daemon.address;
    router.ask(address, add(1, 60)).await.unwrap();
    router.tell("hang");
    let (first, second, others) = tokio::join!(
        router.ask(address, add(2, 60)),
        router.ask(address, add(3, 60)),
        async {
            until("the program hangs", || !router.read("hung").is_empty()).await;
            // Now both of the waiting commands have come as far as they get.
            tokio::time::sleep(Duration::from_millis(200)).await;
            answers_of_others(&router, address).await;
            router.read("hung").trim().to_owned()
        }
    );
    assert_eq!(first, Err(ClientError::AnswerTimeout));
    assert_eq!(second, Err(ClientError::AnswerTimeout));
    let process = PathBuf::from("/proc").join(others);
    until("the hung program is ended", || !process.exists()).await;
    std::fs::remove_file(router.file("hang")).unwrap();
    let begun = Instant::now();
    while let Err(failure) = router.ask(address, add(4, 60)).await {
        assert!(begun.elapsed() < DEADLINE, "{failure}");
    }
}

async fn answers_of_others(router: &Router, address: SocketAddr) {
    let Ok(Answer::Status(status)) = router.ask(address, Ask::Ping).await else {
        panic!("no answer to ping")
    };
    assert_eq!(status.sessions, 1);
    let Ok(Answer::Sessions { sessions, .. }) =
        router.ask(address, Ask::List { after: None }).await
    else {
        panic!("no list")
    };
    assert_eq!(
        sessions.len(),
        1,
        "what was not taken yet is not shown as open"
    );
    let forbidden = router.ask(address, add(5, 480 * 60 + 1)).await;
    let Err(ClientError::Refused { code, .. }) = forbidden else {
        panic!("{forbidden:?}")
    };
    assert_eq!(code, ErrorCode::DurationNotAllowed);
}

#[tokio::test]
async fn what_the_firewall_did_not_take_away_is_shown_until_it_has() {
    let router = Router::make("nft");
    let daemon = router.start();
    router.ask(daemon.address, add(1, 60)).await.unwrap();
    let link = router.home.link(daemon.address);
    let shown = async || {
        let stamp = || fresh_stamp(SystemClock.now_ms());
        client::list_all(&link, stamp).await.unwrap().len()
    };
    router.tell("refuse");
    for command in [
        Ask::Del {
            session_id: Uuid::from_u128(1),
        },
        Ask::Flush,
    ] {
        router.ask(daemon.address, command).await.unwrap_err();
        assert_eq!(shown().await, 1);
    }
    std::fs::remove_file(router.file("refuse")).unwrap();
    let begun = Instant::now();
    while shown().await > 0 {
        assert!(begun.elapsed() < DEADLINE, "it is closed by now");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_program_that_hangs_does_not_keep_the_daemon_from_stopping() {
    let router = Router::make("nft");
    let daemon = router.start();
    router.tell("hang");
    let asked = router.ask(daemon.address, add(1, 60)).await;
    assert_eq!(asked, Err(ClientError::AnswerTimeout));
    let (code, log) = daemon.terminate();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
}

#[test]
fn check_finds_out_that_iptables_knows_no_time() {
    let router = Router::make("iptables");
    for family in ["iptables", "ip6tables"] {
        router.put(family, "");
        router.put(&format!("{family}-save"), "");
        router.put(&format!("{family}-restore"), "cat >> \"$here/written\"");
    }
    let lines = router.check();
    assert!(lines.contains("ok    firewall"), "{lines}");
    let written = router.read("written");
    let made = written.matches("\n:TRIAL-").count();
    let removed = written.matches("\n-X TRIAL-").count();
    assert_eq!(
        (made, removed),
        (8, 4),
        "each is made, or emptied, and removed: {written}"
    );

    router.put("iptables-restore", RESTORE_WITHOUT_TIME);
    let lines = router.check();
    let complaint = "fail  firewall: iptables-restore refused: Couldn't load match time";
    assert!(lines.contains(complaint), "{lines}");
}
