//! Broken, altered and overlong frames, and every member of the message with tricks in it: each is
//! tried over real TLS, and the table stays as it was.

use crate::harness::{Home, Running, add};
use crate::refusals::{json_of, key, line_of, next_answer};
use gatehouse_router_protocol::frame::{FrameBuffer, MAX_FRAME_BYTES};
use gatehouse_router_protocol::mac::MacAddress;
use gatehouse_router_protocol::message::{Command, ErrorCode, Response};
use gatehouse_router_protocol::seal::Direction;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Sends bytes over a connection of its own and gives all that comes back.
///
/// A newline behind them makes the daemon judge at once what has none.
pub(crate) async fn answer_to(daemon: &Running, bytes: &[u8]) -> Vec<u8> {
    let mut stream = daemon.raw().await;
    // A daemon that has hung up already takes no more bytes.
    let _ = stream.write_all(&[bytes, b"\n"].concat()).await;
    let _ = stream.shutdown().await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    answer
}

#[tokio::test]
async fn no_flipped_bit_and_no_cut_goes_through() {
    let home = Home::make();
    let daemon = home.start().await;
    let line = line_of(&daemon, &json_of(&daemon, add(1, 60)));
    let line = line.trim_end().as_bytes();
    for position in (0..line.len()).step_by(3) {
        let mut flipped = line.to_vec();
        flipped[position] ^= 1 << (position % 8);
        assert_eq!(answer_to(&daemon, &flipped).await, b"", "bit at {position}");
    }
    for length in (0..line.len()).step_by(9) {
        assert_eq!(answer_to(&daemon, &line[..length]).await, b"", "{length}");
        assert_eq!(
            answer_to(&daemon, &line[length + 1..]).await,
            b"",
            "{length}"
        );
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn lengths_that_lie_end_the_connection() {
    let home = Home::make();
    let daemon = home.start().await;
    let line = line_of(&daemon, &json_of(&daemon, add(1, 60)));
    let line = line.trim_end();
    let (head, tail) = line.split_at(200);
    for lie in [
        format!("{line}="),
        format!("{line}AAAA"),
        format!(" {line}"),
        format!("{line}\r"),
        format!("{head}\n{tail}"),
        format!("{head}\r\n{tail}"),
        format!("{}{line}", "A".repeat(MAX_FRAME_BYTES)),
        format!("400\r\n{line}"),
        "A".repeat(MAX_FRAME_BYTES),
        "AAAA".into(),
        String::new(),
    ] {
        assert_eq!(answer_to(&daemon, lie.as_bytes()).await, b"", "{lie:.40}");
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_frame_cut_in_two_at_any_byte_is_one_frame() {
    let home = Home::make();
    let daemon = home.start().await;
    let mut stream = daemon.raw().await;
    // Two writes are two segments only where the second does not wait for the first.
    stream.get_ref().0.set_nodelay(true).unwrap();
    let mut received = FrameBuffer::default();
    for cut in 0.. {
        let line = line_of(&daemon, &json_of(&daemon, Command::Ping));
        let Some((head, tail)) = line.as_bytes().split_at_checked(cut) else {
            break;
        };
        stream.write_all(head).await.unwrap();
        stream.flush().await.unwrap();
        stream.write_all(tail).await.unwrap();
        let answer = next_answer(&daemon, &mut stream, &mut received).await;
        assert!(answer.outcome.is_ok(), "cut at {cut}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn an_answer_sent_back_as_a_request_is_not_taken() {
    let home = Home::make();
    let daemon = home.start().await;
    let line = line_of(&daemon, &json_of(&daemon, Command::Ping));
    let answer = answer_to(&daemon, line.trim_end().as_bytes()).await;
    assert!(answer.len() > 100, "a proper answer");
    assert_eq!(answer_to(&daemon, answer.trim_ascii_end()).await, b"");
    daemon.stop().await;
}

pub(crate) const TRICKS: [&str; 22] = [
    "\"1.1.1.1; reboot\"",
    "\"1.2.3.4/00\"",
    "\"-j ACCEPT\"",
    "\"$(reboot)\"",
    "\"`reboot`\"",
    "\"a\\nb\"",
    "\"a\\u0000b\"",
    "\"../../etc/passwd\"",
    "\"--dport\"",
    "\"0x7f.1\"",
    "\"\"",
    "\" \"",
    "-1",
    "0.5",
    "1e400",
    "99999999999999999999999",
    "true",
    "null",
    "[]",
    "{}",
    "[\"203.0.113.7\"]",
    "{\"$ne\":1}",
];

/// Replaces the value of one member.
pub(crate) fn with_value(json: &str, member: &str, value: &str) -> String {
    let name = format!("\"{member}\":");
    let start = json.find(&name).expect(member) + name.len();
    let end = start + json[start..].find([',', '}']).expect("an end");
    format!("{}{value}{}", &json[..start], &json[end..])
}

/// Gives the refusal's code, or `None` when the daemon hung up without a word.
pub(crate) async fn refusal_of(daemon: &Running, json: &str) -> Option<ErrorCode> {
    let line = line_of(daemon, json);
    let answer = answer_to(daemon, line.trim_end().as_bytes()).await;
    if answer.is_empty() {
        return None;
    }
    let json = key(daemon).open(Direction::Answer, answer.trim_ascii_end());
    let response = Response::parse(&json.expect("the daemon's seal")).expect("an answer");
    Some(response.outcome.expect_err("a refusal").code)
}

#[tokio::test]
async fn every_member_refuses_every_trick() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(9, 60)).await.unwrap();
    let before = daemon.sessions().await;
    let wake = Command::Wake {
        mac: MacAddress::new([2, 0, 0, 0, 0, 1]).unwrap(),
    };
    let members = [
        "action",
        "session_id",
        "ip_src",
        "port_dst",
        "ip_dst_lan",
        "port_dst_lan",
        "protocol",
        "duration_s",
        "mac",
    ];
    for member in members {
        let command = if member == "mac" { &wake } else { &add(1, 60) };
        for trick in TRICKS {
            let json = with_value(&json_of(&daemon, command.clone()), member, trick);
            let code = refusal_of(&daemon, &json).await;
            assert_eq!(code, Some(ErrorCode::InvalidRequest), "{member}: {trick}");
        }
    }
    for member in ["v", "id", "ts_ms", "nonce", "api_key"] {
        for trick in TRICKS {
            let json = with_value(&json_of(&daemon, add(1, 60)), member, trick);
            let code = refusal_of(&daemon, &json).await;
            // Who cannot say who they are gets no word, or the one for strangers.
            let told = [None, Some(ErrorCode::NotAccepted)];
            assert!(told.contains(&code), "{member}: {trick}: {code:?}");
        }
    }
    assert_eq!(daemon.sessions().await, before);
    daemon.stop().await;
}
