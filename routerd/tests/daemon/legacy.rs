//! Protocol version 1 on the daemon's port, over real TLS.

use crate::harness::{Home, Running, add};
use gatehouse_router_protocol::client::ClientError;
use gatehouse_router_protocol::legacy_v1::{Door, IV_BYTES, LegacyCommand, LegacyKey, client};
use gatehouse_router_protocol::message::{Command, Protocol};
use gatehouse_router_protocol::secret::Secret;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The client's address of `harness::route`, so that both protocols fit the same policy.
pub(crate) const DOOR: Door = Door {
    ip_src: std::net::Ipv4Addr::new(203, 0, 113, 7),
    port_dst: 7890,
    ip_dst_lan: std::net::Ipv4Addr::new(192, 168, 1, 50),
};

const ADD: LegacyCommand = LegacyCommand::Add {
    door: DOOR,
    port_dst_lan: 80,
    timeout_minutes: 30,
};

const DEL: LegacyCommand = LegacyCommand::Del {
    door: DOOR,
    port_dst_lan: None,
};

pub(crate) fn home_with_version_1() -> Home {
    let home = Home::make();
    home.edit("max_sessions = 256", "max_sessions = 256\nlegacy_v1 = true");
    home
}

fn fresh_iv(daemon: &Running) -> [u8; IV_BYTES] {
    let random = daemon.stamp().random;
    std::array::from_fn(|index| random[index])
}

async fn ask(daemon: &Running, command: LegacyCommand) -> Result<(), ClientError> {
    client::exchange(&daemon.link, command, fresh_iv(daemon)).await
}

/// Writes a message as the original's client does, in any words.
fn blob_of(daemon: &Running, json: &str) -> String {
    LegacyKey::derive(&Secret::new(&daemon.link.aes_key))
        .seal(fresh_iv(daemon), json.as_bytes())
        .unwrap()
}

fn json_of(daemon: &Running, action: &str) -> String {
    format!(
        r#"{{"ip_src": "203.0.113.7", "port_dst": 7890, "ip_dst_lan": "192.168.1.50", "port_dst_lan": 80, "rule_timeout": 30, "action": "{action}", "api_key": "{}"}}"#,
        daemon.link.api_key
    )
}

/// Sends bytes, keeps this side open, and gives all that comes back until the daemon hangs up.
async fn answer_to(daemon: &Running, pieces: &[&[u8]]) -> String {
    let mut stream = daemon.raw().await;
    for piece in pieces {
        stream.write_all(piece).await.unwrap();
        stream.flush().await.unwrap();
    }
    let mut answer = Vec::new();
    // A daemon that hangs up while bytes are still on their way to it resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_door_is_opened_prolonged_and_closed() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    assert_eq!(ask(&daemon, ADD).await, Ok(()));
    let session = daemon.sessions().await[0];
    assert_eq!(session.session_id, DOOR.session_id());
    assert_eq!(session.route.target().to_string(), "192.168.1.50:80");
    assert_eq!(session.route.protocol, Protocol::Tcp);
    assert_eq!(session.remaining_ms, 30 * 60_000);

    daemon.clock.pass_ms(29 * 60_000);
    assert_eq!(ask(&daemon, ADD).await, Ok(()));
    let sessions = daemon.sessions().await;
    assert_eq!(sessions.len(), 1, "opened again, it is the same door");
    assert_eq!(sessions[0].remaining_ms, 30 * 60_000);

    for port_dst_lan in [Some(80), None] {
        let door = DOOR;
        let closing = LegacyCommand::Del { door, port_dst_lan };
        assert_eq!(ask(&daemon, closing).await, Ok(()));
        assert!(daemon.sessions().await.is_empty());
    }
    daemon.stop().await;
}

/// Sessions of our own protocol have an id each and never come back. A door is the same each time.
#[tokio::test]
async fn a_closed_door_opens_again_also_after_a_restart() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    for close in [DEL, LegacyCommand::Flush] {
        assert_eq!(ask(&daemon, ADD).await, Ok(()));
        assert_eq!(ask(&daemon, close).await, Ok(()));
        assert_eq!(ask(&daemon, ADD).await, Ok(()), "after {close:?}");
        assert_eq!(ask(&daemon, close).await, Ok(()));
    }
    daemon.stop().await;
    let restarted = home.start().await;
    assert_eq!(ask(&restarted, ADD).await, Ok(()));
    restarted.stop().await;
}

#[tokio::test]
async fn both_protocols_share_port_and_table() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    ask(&daemon, ADD).await.unwrap();
    daemon.ask(add(1, 60)).await.unwrap();
    assert_eq!(daemon.sessions().await.len(), 2);
    ask(&daemon, LegacyCommand::Flush).await.unwrap();
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn it_is_off_unless_the_owner_turns_it_on() {
    let home = Home::make();
    let daemon = home.start().await;
    let blob = blob_of(&daemon, &json_of(&daemon, "add"));
    assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "");
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn the_originals_words_are_understood_however_the_network_cuts_them() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    let blob = blob_of(&daemon, &json_of(&daemon, "add"));
    let bytes: Vec<&[u8]> = blob.as_bytes().chunks(1).collect();
    assert_eq!(answer_to(&daemon, &bytes).await, "OK");
    for cut in (0..blob.len()).step_by(5) {
        let blob = blob_of(&daemon, &json_of(&daemon, "add"));
        let (head, tail) = blob.as_bytes().split_at(cut);
        assert_eq!(
            answer_to(&daemon, &[head, tail]).await,
            "OK",
            "cut at {cut}"
        );
    }
    assert_eq!(daemon.sessions().await.len(), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_request_counts_once_also_with_another_iv_and_after_a_restart() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    let blob = blob_of(&daemon, &json_of(&daemon, "add"));
    assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "OK");
    ask(&daemon, LegacyCommand::Flush).await.unwrap();
    assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "FAIL");

    // The IV lies in the open and can be altered so that the message names another client.
    let position = r#"{"ip_src": "203"#.len() - 1;
    let altered = with_flipped_iv_byte(&blob, position, b'3' ^ b'5');
    assert_eq!(answer_to(&daemon, &[altered.as_bytes()]).await, "FAIL");
    assert!(daemon.sessions().await.is_empty());

    // Days later no time of its own refuses it.
    daemon.clock.pass_ms(1000 * 60 * 60 * 72);
    assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "FAIL");
    daemon.stop().await;
    let restarted = home.start().await;
    assert_eq!(answer_to(&restarted, &[blob.as_bytes()]).await, "FAIL");
    assert!(restarted.sessions().await.is_empty());
    assert_eq!(ask(&restarted, ADD).await, Ok(()), "a fresh one is welcome");
    restarted.stop().await;
}

fn with_flipped_iv_byte(blob: &str, position: usize, flip: u8) -> String {
    use base64::Engine as _;
    let standard = base64::engine::general_purpose::STANDARD;
    let mut sealed = standard.decode(blob).unwrap();
    assert!(position < IV_BYTES);
    sealed[position] ^= flip;
    standard.encode(sealed)
}

#[tokio::test]
async fn wrong_keys_have_one_answer() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    let mut link = daemon.link.clone();
    link.api_key = "x".repeat(64);
    for command in [ADD, DEL, LegacyCommand::Flush] {
        let outcome = client::exchange(&link, command, fresh_iv(&daemon)).await;
        assert_eq!(outcome, Err(ClientError::AnsweredFail));
    }
    daemon.ask(add(1, 60)).await.unwrap();
    let keyless = blob_of(&daemon, r#"{"action": "flush"}"#);
    assert_eq!(answer_to(&daemon, &[keyless.as_bytes()]).await, "FAIL");
    assert_eq!(daemon.sessions().await.len(), 1, "flush wants the key too");

    let foreign = LegacyKey::derive(&Secret::new("x".repeat(64)));
    let blob = foreign
        .seal(fresh_iv(&daemon), json_of(&daemon, "add").as_bytes())
        .unwrap();
    let asked = Instant::now();
    assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "FAIL");
    assert!((4..8).contains(&asked.elapsed().as_secs()));
    assert_eq!(daemon.sessions().await.len(), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_that_ends_its_side_is_answered_at_once() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    let whole = blob_of(&daemon, &json_of(&daemon, "add"));
    for (text, expected) in [(&whole[..], "OK"), (&whole[..100], "FAIL")] {
        let mut stream = daemon.raw().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        tokio::time::timeout(Duration::from_secs(4), read)
            .await
            .expect("no waiting for more")
            .unwrap();
        assert_eq!(answer, expected);
    }
    daemon.stop().await;
}

#[tokio::test]
async fn fields_with_tricks_and_forbidden_targets_fail_and_change_nothing() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    daemon.ask(add(9, 60)).await.unwrap();
    let before = daemon.sessions().await;
    for (from, to) in [
        ("\"203.0.113.7\"", "\"1.1.1.1; reboot\""),
        ("\"203.0.113.7\"", "\"1.2.3.4/00\""),
        ("\"203.0.113.7\"", "\"-j ACCEPT\""),
        ("\"203.0.113.7\"", "\"2001:db8::7\""),
        ("\"203.0.113.7\"", "\"0.0.0.0\""),
        ("\"203.0.113.7\"", "\"10.0.0.1\""),
        ("\"203.0.113.7\"", "\"127.0.0.1\""),
        ("\"192.168.1.50\"", "\"192.168.1.50:80\""),
        ("\"192.168.1.50\"", "\"$(reboot)\""),
        ("\"192.168.1.50\"", "\"8.8.8.8\""),
        (": 7890", ": \"7890; reboot\""),
        (": 7890", ": 22"),
        (": 80", ": 0"),
        (": 80", ": \"80 -j ACCEPT\""),
        (": 30", ": 999"),
        (": 30", ": 481"),
        ("\"add\"", "\"exec\""),
        ("{", "{\"table\": \"filter\", "),
        ("{", "{\"port_dst\": 7891, "),
    ] {
        let json = json_of(&daemon, "add");
        assert!(json.contains(from), "{from}");
        let blob = blob_of(&daemon, &json.replacen(from, to, 1));
        assert_eq!(answer_to(&daemon, &[blob.as_bytes()]).await, "FAIL", "{to}");
    }
    assert_eq!(daemon.sessions().await, before);
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_neither_protocol_ends_its_connection_and_nothing_else() {
    let home = home_with_version_1();
    let daemon = home.start().await;
    let daemon = &daemon;
    let endless = vec![b'A'; 16 * 1024 + 1];
    let two_at_once = blob_of(daemon, &json_of(daemon, "add")).repeat(2);
    let one_answer = async |bytes: &[u8]| answer_to(daemon, &[bytes]).await;
    let (http, longest, both, silent) = tokio::join!(
        one_answer(b"GET / HTTP/1.1\r\n\r\n"),
        one_answer(&endless),
        one_answer(two_at_once.as_bytes()),
        one_answer(b""),
    );
    assert_eq!((http.as_str(), silent.as_str()), ("", ""));
    assert!(["FAIL", ""].contains(&longest.as_str()), "{longest}");
    assert_eq!(both, "FAIL");
    assert!(daemon.sessions().await.is_empty());
    daemon.ask(Command::Ping).await.expect("it serves on");
}
