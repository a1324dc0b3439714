//! Strangers, wrong keys, old requests and broken bytes: nothing of it reaches the table.

use crate::harness::{Home, Running, add, fresh_stamp};
use gatehouse_router_protocol::client::{self, ClientError, Link};
use gatehouse_router_protocol::frame::{FrameBuffer, MAX_FRAME_BYTES, read_frame};
use gatehouse_router_protocol::message::{
    Command, Envelope, ErrorCode, Request, RequestNonce, Response,
};
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

async fn ask_over(daemon: &Running, link: Link) -> ClientError {
    client::exchange(&link, add(1, 60), daemon.stamp())
        .await
        .unwrap_err()
}

#[tokio::test]
async fn each_wrong_secret_has_its_own_error_and_opens_nothing() {
    let home = Home::make();
    let daemon = home.start().await;
    let right = &daemon.link;
    let mut wrong_pin = right.cert_sha256;
    wrong_pin[31] ^= 1;
    for (link, error) in [
        (
            Link {
                cert_sha256: wrong_pin,
                ..right.clone()
            },
            ClientError::WrongCertificate,
        ),
        (
            Link {
                api_key: "x".repeat(64),
                ..right.clone()
            },
            ClientError::NotAccepted,
        ),
        (
            Link {
                aes_key: "x".repeat(64),
                ..right.clone()
            },
            ClientError::NoAnswer,
        ),
    ] {
        assert_eq!(ask_over(&daemon, link).await, error);
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_request_counts_once_also_after_a_restart() {
    let home = Home::make();
    let daemon = home.start().await;
    let stamp = daemon.stamp();
    client::exchange(&daemon.link, add(1, 60), stamp)
        .await
        .unwrap();
    daemon.ask(Command::Flush).await.unwrap();
    let again = client::exchange(&daemon.link, add(1, 60), stamp).await;
    assert_eq!(again, Err(ClientError::NotAccepted));
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;

    let restarted = home.start().await;
    let again = client::exchange(&restarted.link, add(1, 60), stamp).await;
    assert_eq!(again, Err(ClientError::NotAccepted));
    assert!(restarted.sessions().await.is_empty());
    restarted
        .ask(add(2, 60))
        .await
        .expect("a fresh request is welcome");
    restarted.stop().await;
}

#[tokio::test]
async fn a_clock_that_is_off_is_told_by_how_much() {
    let home = Home::make();
    let daemon = home.start().await;
    for ts_ms in [
        crate::harness::START_MS - 90_000,
        crate::harness::START_MS + 90_000,
    ] {
        let outcome = client::exchange(&daemon.link, add(1, 60), fresh_stamp(ts_ms)).await;
        assert_eq!(
            outcome,
            Err(ClientError::ClockDifference { difference_s: 90 })
        );
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_peer_that_is_no_portal_is_hung_up_on_before_tls() {
    let home = Home::make();
    home.edit("\"127.0.0.1\", \"::1\"", "\"192.0.2.1\"");
    let daemon = home.start().await;
    assert_eq!(daemon.ask(Command::Ping).await, Err(ClientError::HungUp));
    daemon.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_not_there_and_hosts_that_cannot_be_are_told_apart() {
    let home = Home::make();
    let daemon = home.start().await;
    let link = daemon.link.clone();
    daemon.stop().await;
    let at = |address: &str| Link {
        address: address.into(),
        ..link.clone()
    };
    let ask = async |link: Link| {
        client::exchange(&link, Command::Ping, fresh_stamp(crate::harness::START_MS))
            .await
            .unwrap_err()
    };
    assert_eq!(ask(link.clone()).await, ClientError::ConnectionRefused);
    let metadata_service = ask(at("169.254.169.254:80")).await;
    assert_eq!(
        metadata_service,
        ClientError::ForbiddenAddress([169, 254, 169, 254].into())
    );
    assert_eq!(
        ask(at("192.168.1.1")).await,
        ClientError::UnknownHost("192.168.1.1".into())
    );
}

#[tokio::test]
async fn garbage_ends_the_connection_and_nothing_else() {
    let home = Home::make();
    let daemon = home.start().await;
    let oversize = vec![b'A'; MAX_FRAME_BYTES + 1];
    for bytes in [
        &b"\n"[..],
        b"hello\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\x00\xfe\n",
        &oversize,
    ] {
        let mut stream = daemon.raw().await;
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
    let mut plain = TcpStream::connect(daemon.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut alert = Vec::new();
    let _ = plain.read_to_end(&mut alert).await;
    assert!(!alert.starts_with(b"HTTP"));
    daemon
        .ask(Command::Ping)
        .await
        .expect("the daemon serves on");
    daemon.stop().await;
}

#[tokio::test]
async fn a_silent_peer_is_hung_up_on_after_five_seconds() {
    let home = Home::make();
    let daemon = home.start().await;
    let opened = Instant::now();
    let mut without_tls = TcpStream::connect(daemon.address).await.unwrap();
    let mut with_tls = daemon.raw().await;
    with_tls.write_all(b"QUJD").await.unwrap();
    let (mut first, mut second) = (Vec::new(), Vec::new());
    let _ = tokio::join!(
        without_tls.read_to_end(&mut first),
        with_tls.read_to_end(&mut second)
    );
    assert!(
        (4..8).contains(&opened.elapsed().as_secs()),
        "{:?}",
        opened.elapsed()
    );
    daemon.stop().await;
}

pub(crate) fn key(daemon: &Running) -> LinkKey {
    LinkKey::derive(&Secret::new(&daemon.link.aes_key))
}

fn envelope(daemon: &Running) -> Envelope {
    let random = daemon.stamp().random;
    Envelope {
        id: Uuid::from_u128(77),
        ts_ms: daemon.stamp().ts_ms,
        nonce: RequestNonce(std::array::from_fn(|index| random[index])),
        api_key: Secret::new(&daemon.link.api_key),
    }
}

pub(crate) fn json_of(daemon: &Running, command: Command) -> String {
    let request = Request {
        envelope: envelope(daemon),
        command,
    };
    String::from_utf8(request.to_json()).unwrap()
}

pub(crate) fn line_of(daemon: &Running, json: &str) -> String {
    key(daemon)
        .seal(Direction::Request, [5; 12], json.as_bytes())
        .unwrap()
        + "\n"
}

pub(crate) async fn next_answer(
    daemon: &Running,
    stream: &mut (impl tokio::io::AsyncRead + Unpin),
    received: &mut FrameBuffer,
) -> Response {
    let frame = read_frame(stream, received)
        .await
        .unwrap()
        .expect("an answer");
    Response::parse(&key(daemon).open(Direction::Answer, &frame).unwrap()).unwrap()
}

#[tokio::test]
async fn fields_with_shell_tricks_are_refused_with_a_code_and_change_nothing() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(9, 60)).await.unwrap();
    let before = daemon.sessions().await;
    let mut stream = daemon.raw().await;
    let mut received = FrameBuffer::default();
    for (from, to) in [
        ("\"203.0.113.7\"", "\"1.1.1.1; reboot\""),
        ("\"203.0.113.7\"", "\"1.2.3.4/00\""),
        ("\"192.168.1.50\"", "\"-j ACCEPT\""),
        ("\"192.168.1.50\"", "\"192.168.1.50:80\""),
        ("\"tcp\"", "\"tcp -j ACCEPT\""),
        ("7890", "\"7890; reboot\""),
        ("7890", "0"),
        ("\"add\"", "\"exec\""),
        ("\"v\":2", "\"v\":2,\"table\":\"filter\""),
        ("\"duration_s\":60", "\"duration_s\":-60"),
    ] {
        let json = json_of(&daemon, add(1, 60));
        assert!(json.contains(from), "{from}");
        let line = line_of(&daemon, &json.replacen(from, to, 1));
        stream.write_all(line.as_bytes()).await.unwrap();
        let response = next_answer(&daemon, &mut stream, &mut received).await;
        assert_eq!(response.id, Uuid::from_u128(77));
        assert_eq!(
            response.outcome.unwrap_err().code,
            ErrorCode::InvalidRequest,
            "{to}"
        );
    }
    assert_eq!(daemon.sessions().await, before);
    daemon.stop().await;
}

#[tokio::test]
async fn frames_are_understood_however_the_network_cuts_them() {
    let home = Home::make();
    let daemon = home.start().await;
    let mut stream = daemon.raw().await;
    let mut received = FrameBuffer::default();
    let lines: Vec<String> = (1..=3)
        .map(|session| line_of(&daemon, &json_of(&daemon, add(session, 60))))
        .collect();

    stream
        .write_all((lines[0].clone() + &lines[1]).as_bytes())
        .await
        .unwrap();
    for _ in 0..2 {
        assert!(
            next_answer(&daemon, &mut stream, &mut received)
                .await
                .outcome
                .is_ok()
        );
    }
    for byte in lines[2].as_bytes() {
        stream.write_all(&[*byte]).await.unwrap();
        stream.flush().await.unwrap();
    }
    assert!(
        next_answer(&daemon, &mut stream, &mut received)
            .await
            .outcome
            .is_ok()
    );
    assert_eq!(daemon.sessions().await.len(), 3);
    daemon.stop().await;
}

#[tokio::test]
async fn a_frame_cut_short_by_the_peer_opens_nothing() {
    let home = Home::make();
    let daemon = home.start().await;
    let line = line_of(&daemon, &json_of(&daemon, add(1, 60)));
    let mut stream = daemon.raw().await;
    stream.write_all(line.trim_end().as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(4), stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok() && answer.is_empty());
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}
