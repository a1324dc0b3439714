//! `gatehouse router send`, the built program, against a real daemon that speaks both protocols.

use std::{
    net::SocketAddr,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
};

use gatehouse_routerd::{
    clock::SystemClock,
    config::Config,
    keygen::{self, Made},
    listener::Daemon,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const SEEDS_ADD: &str = r#"{"ip_src":"203.0.113.7", "port_dst":6599, "ip_dst_lan": "192.168.1.3", "port_dst_lan": 8080, "action":"add", "rule_timeout": 10}"#;

struct Desk {
    folder: TempDir,
    made: Made,
    daemon: SocketAddr,
}

impl Desk {
    async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = keygen::generate(&folder.path().join("routerd")).expect("makes its keys");
        let path = folder.path().join("routerd/routerd.toml");
        let text = std::fs::read_to_string(&path).expect("reads");
        let own = text
            .replace("backend = \"nft\"", "backend = \"dry-run\"")
            .replace("0.0.0.0:9999", "127.0.0.1:0");
        std::fs::write(&path, format!("legacy_v1 = true\n{own}")).expect("writes");
        let config = Config::load(&path).expect("its own configuration");
        let daemon = Daemon::bind(config, Arc::new(SystemClock))
            .await
            .expect("binds");
        let address = daemon.local_addr();
        tokio::spawn(daemon.serve(std::future::pending()));
        std::fs::create_dir(folder.path().join("config")).expect("makes");
        Self {
            folder,
            made,
            daemon: address,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The original client's own file, with its names and a path from the current folder.
    fn seeds_config(&self) -> Value {
        json!({
            "port_dst": self.daemon.port(), "host_name_dst": "127.0.0.1",
            "ssl_cert_file": "routerd/cert.pem",
            "aes_key": self.made.aes_key, "api_key": self.made.api_key,
        })
    }

    fn write_config(&self, config: &Value) {
        let path = self.path("config/config_client.json");
        std::fs::write(path, config.to_string()).expect("writes");
    }

    fn send(&self, words: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gatehouse"))
            .env_clear()
            .args(["router", "send"])
            .args(words)
            .current_dir(self.folder.path())
            .output()
            .expect("starts")
    }

    /// Sends what must go well and gives what was printed.
    fn answer(&self, words: &[&str]) -> String {
        let output = self.send(words);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    fn json_answer(&self, message: &str) -> Value {
        serde_json::from_str(&self.answer(&["--config", "ours.toml", message])).expect("JSON")
    }

    fn write_ours(&self) {
        let config = format!(
            "protocol = 2\nhost_name_dst = \"127.0.0.1\"\nport_dst = {}\ncert_sha256 = \"{}\"\napi_key_file = \"routerd/api_key\"\naes_key_file = \"routerd/aes_key\"\n",
            self.daemon.port(),
            hex::encode(self.made.cert_sha256)
        );
        std::fs::write(self.path("ours.toml"), config).expect("writes");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_client_works_as_the_seed_says() {
    let desk = Desk::new().await;
    desk.write_config(&desk.seeds_config());
    desk.write_ours();
    assert_eq!(desk.answer(&["-m", SEEDS_ADD]), "OK\n");
    let listed = desk.json_answer(r#"{"action":"list"}"#);
    let session = &listed["sessions"][0];
    assert_eq!(session["ip_dst_lan"], "192.168.1.3", "{listed}");
    assert_eq!(
        (&session["port_dst"], &session["port_dst_lan"]),
        (&6599.into(), &8080.into())
    );
    assert!(
        session["remaining_ms"]
            .as_u64()
            .is_some_and(|ms| (590_000..=600_000).contains(&ms))
    );
    let closing = SEEDS_ADD.replace("add", "del");
    assert_eq!(desk.answer(&["-P", "-m", &closing]), "OK\n");
    assert_eq!(
        desk.json_answer(r#"{"action":"list"}"#)["sessions"],
        json!([])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_seeds_words_do_the_same_in_our_protocol() {
    let desk = Desk::new().await;
    desk.write_ours();
    for _ in 0..2 {
        let opened = desk.json_answer(SEEDS_ADD);
        assert_eq!(
            (&opened["ok"], &opened["v"]),
            (&true.into(), &2.into()),
            "{opened}"
        );
        assert_eq!(opened["session"]["port_dst"], 6599);
        let closed = desk.json_answer(&SEEDS_ADD.replace("add", "del"));
        assert_eq!(closed["ok"], true);
    }
    let pinged = desk.json_answer(r#"{"action":"ping"}"#);
    assert_eq!(pinged["daemon"]["sessions"], 0, "{pinged}");
}

/// Gives the exit code and the one sentence on standard error.
fn refusal(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8(output.stderr.clone()).expect("text"),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_is_one_sentence_and_an_exit_code() {
    let desk = Desk::new().await;
    desk.write_config(&desk.seeds_config());
    for words in [
        &[][..],
        &["no json"],
        &["[]"],
        &["-m", SEEDS_ADD, SEEDS_ADD],
        &["--confg", "x", "{}"],
    ] {
        assert_eq!(desk.send(words).status.code(), Some(2), "{words:?}");
    }
    let tricked = SEEDS_ADD.replace("203.0.113.7", "1.1.1.1; reboot");
    let (code, sentence) = refusal(&desk.send(&[&tricked]));
    assert_eq!(code, Some(1));
    assert!(
        sentence.contains("The message cannot be sent"),
        "{sentence}"
    );

    let forbidden = SEEDS_ADD.replace("192.168.1.3", "8.8.8.8");
    let output = desk.send(&[&forbidden]);
    assert_eq!(output.stdout, b"FAIL\n");
    let (code, sentence) = refusal(&output);
    assert_eq!((code, sentence.lines().count()), (Some(1), 1), "{sentence}");

    desk.write_ours();
    let (code, sentence) = refusal(&desk.send(&["--config", "ours.toml", &forbidden]));
    assert_eq!(code, Some(1));
    assert!(sentence.contains("target_not_allowed"), "{sentence}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_configuration_is_named_and_no_key_printed() {
    let desk = Desk::new().await;
    let (code, sentence) = refusal(&desk.send(&[SEEDS_ADD]));
    assert_eq!(code, Some(1));
    assert!(
        sentence.contains("config/config_client.json cannot be read"),
        "{sentence}"
    );
    for (member, value, complaint) in [
        (
            "ssl_cert_file",
            json!(null),
            "give ssl_cert_file or cert_sha256",
        ),
        ("ssl_cert_file", json!("routerd/api_key"), "cannot be used"),
        (
            "cert_sha256",
            json!("ab"),
            "give ssl_cert_file or cert_sha256",
        ),
        (
            "api_key_file",
            json!("routerd/api_key"),
            "give api_key or api_key_file",
        ),
        ("protocol", json!(3), "protocol must be 1"),
        ("portdst", json!(1), "unknown field `portdst`"),
        ("port_dst", json!(70000), "invalid value"),
        ("port_dst", json!("9999"), "invalid type"),
    ] {
        let mut config = desk.seeds_config();
        config[member] = value.clone();
        desk.write_config(&config);
        let (code, sentence) = refusal(&desk.send(&[SEEDS_ADD]));
        assert_eq!(code, Some(1), "{member} {value}");
        assert!(sentence.contains(complaint), "{member} {value}: {sentence}");
        assert_eq!(sentence.lines().count(), 1, "{sentence}");
        for key in [&desk.made.api_key, &desk.made.aes_key] {
            assert!(!sentence.contains(key.as_str()), "{sentence}");
        }
    }
    let mut config = desk.seeds_config();
    config["ssl_cert_file"] = Value::Null;
    config["cert_sha256"] = "ab".repeat(32).into();
    desk.write_config(&config);
    let (code, sentence) = refusal(&desk.send(&[SEEDS_ADD]));
    assert_eq!(code, Some(1));
    assert!(sentence.contains("another certificate"), "{sentence}");
}
