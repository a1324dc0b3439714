//! Exact bytes on the wire. The sealed lines were computed with another implementation of
//! HKDF-SHA256 and AES-256-GCM (Python's `cryptography`).

use gatehouse_router_protocol::message::{
    Answer, Command, Envelope, Protocol, Refusal, Request, RequestNonce, Response, Route,
};
use gatehouse_router_protocol::message::{ErrorCode, OpenSession};
use gatehouse_router_protocol::seal::{Direction, LinkKey, OpenError};
use gatehouse_router_protocol::secret::Secret;
use uuid::{Uuid, uuid};

const REQUEST_JSON: &str = r#"{"v":2,"id":"00000000-0000-4000-8000-000000000001","ts_ms":1700000000000,"nonce":"000102030405060708090a0b0c0d0e0f","api_key":"zzzzzzzzzzzzzzzz","action":"add","session_id":"00000000-0000-7000-8000-000000000002","ip_src":"203.0.113.7","port_dst":7890,"ip_dst_lan":"192.168.1.50","port_dst_lan":80,"protocol":"tcp","duration_s":1800}"#;
const REQUEST_LINE: &str = "AAECAwQFBgcICQoLdc9iJk6pIJzDQUNLh+UJWKGVb/zWuMnEdsLprNfDv4kSt+FNTwVOD9gIjHiQ1GKzBFK2GZ52s4A2JwWUeODIPW2wQJzaet/MsOIkQrDIvvm9IaO6fakK7vQTJllyvNJQLDRhmudYw3/mjZmajKQt0REDTjnUlowIw9emOwbzZbkMRVo9CuLZHKLZnYkM1InBWSp1l+i+FrI0BBMSi1hn7lIADkZKkzZGfFHdQkmmwWpZ8KJiVRkKAcg5Xg2xPkvfOk8Ljmt33LZiLiYrJ9tWHCW2kBBC5fAuflnFToyXVL4I0/mq1gAKTvfZYBOU63ZwMaxQcZ3U8/cHKvMJZLfGw7tMuHDXDVWdi8myP1HsFSuPZ0X/dRH1UyATLV7chZy+1pZIAHfleF+ow/xHUHOnEpPZFhF5B6IO5w9aqWImIb9hslTE0zwVzYffYTgWalsaDp+8LWWHyMX9zm2Z";
const ANSWER_JSON: &str = r#"{"v":2,"id":"00000000-0000-4000-8000-000000000001","ok":true}"#;
const ANSWER_LINE: &str = "AAECAwQFBgcICQoLdc9iJk6pIJzDQUNLh+UJWKGVb/zWuMnEdsLprNfDv4kSt+FNTwVOD9gIjHiQ1GKzBFK2GYVuztcxd0rAMsetOVDEb8rkPRo2fhXpe50=";
const SEAL_NONCE: [u8; 12] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const REQUEST_ID: Uuid = uuid!("00000000-0000-4000-8000-000000000001");
const SESSION_ID: Uuid = uuid!("00000000-0000-7000-8000-000000000002");

fn key() -> LinkKey {
    LinkKey::derive(&Secret::new("z".repeat(21)))
}

fn route() -> Route {
    Route {
        ip_src: [203, 0, 113, 7].into(),
        port_dst: 7890,
        ip_dst_lan: [192, 168, 1, 50].into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    }
}

fn request() -> Request {
    Request {
        envelope: Envelope {
            id: REQUEST_ID,
            ts_ms: 1_700_000_000_000,
            nonce: RequestNonce(std::array::from_fn(|index| u8::try_from(index).unwrap())),
            api_key: Secret::new("z".repeat(16)),
        },
        command: Command::Add {
            session_id: SESSION_ID,
            route: route(),
            duration_s: 1800,
        },
    }
}

#[test]
fn a_request_has_these_bytes() {
    let json = request().to_json();
    assert_eq!(String::from_utf8_lossy(&json), REQUEST_JSON);
    assert_eq!(
        key().seal(Direction::Request, SEAL_NONCE, &json).unwrap(),
        REQUEST_LINE
    );
    let opened = key()
        .open(Direction::Request, REQUEST_LINE.as_bytes())
        .unwrap();
    assert_eq!(Request::parse(&opened).unwrap(), request());
    assert_eq!(Envelope::parse(&opened).unwrap(), request().envelope);
}

#[test]
fn an_answer_has_these_bytes() {
    let response = Response {
        id: REQUEST_ID,
        outcome: Ok(Answer::Done),
    };
    assert_eq!(String::from_utf8_lossy(&response.to_json()), ANSWER_JSON);
    let line = key()
        .seal(Direction::Answer, SEAL_NONCE, &response.to_json())
        .unwrap();
    assert_eq!(line, ANSWER_LINE);
}

#[test]
fn answers_have_these_members() {
    let session = OpenSession {
        session_id: SESSION_ID,
        route: route(),
        remaining_ms: 1_799_500,
        bytes: None,
    };
    let list = Answer::Sessions {
        sessions: vec![session],
        next: Some(SESSION_ID),
    };
    let refusal = Refusal {
        code: ErrorCode::PortInUse,
        reason: "port 7890 is taken".into(),
        now_ms: 5,
    };
    for (outcome, json) in [
        (
            Ok(list),
            r#"{"v":2,"id":"00000000-0000-4000-8000-000000000001","ok":true,"sessions":[{"session_id":"00000000-0000-7000-8000-000000000002","ip_src":"203.0.113.7","port_dst":7890,"ip_dst_lan":"192.168.1.50","port_dst_lan":80,"protocol":"tcp","remaining_ms":1799500}],"next":"00000000-0000-7000-8000-000000000002"}"#,
        ),
        (
            Ok(Answer::Closed { bytes: 4096 }),
            r#"{"v":2,"id":"00000000-0000-4000-8000-000000000001","ok":true,"bytes":4096}"#,
        ),
        (
            Err(refusal),
            r#"{"v":2,"id":"00000000-0000-4000-8000-000000000001","ok":false,"code":"port_in_use","reason":"port 7890 is taken","now_ms":5}"#,
        ),
    ] {
        let response = Response {
            id: REQUEST_ID,
            outcome,
        };
        assert_eq!(String::from_utf8_lossy(&response.to_json()), json);
        assert_eq!(Response::parse(json.as_bytes()).unwrap(), response);
    }
}

#[test]
fn a_frame_opens_only_in_its_own_direction() {
    let reflected = key().open(Direction::Answer, REQUEST_LINE.as_bytes());
    assert_eq!(reflected, Err(OpenError::WrongSeal));
}

#[test]
fn another_aes_key_opens_nothing() {
    let other = LinkKey::derive(&Secret::new("z".repeat(22)));
    let opened = other.open(Direction::Request, REQUEST_LINE.as_bytes());
    assert_eq!(opened, Err(OpenError::WrongSeal));
}

fn refusal_of(member: &str, replacement: &str) -> String {
    assert!(
        REQUEST_JSON.contains(member),
        "{member} is part of the request"
    );
    let json = REQUEST_JSON.replace(member, replacement);
    Request::parse(json.as_bytes())
        .expect_err(replacement)
        .to_string()
}

#[test]
fn fields_with_shell_mask_or_spelling_tricks_are_refused() {
    for address in [
        "1.1.1.1; reboot",
        "1.2.3.4/00",
        "1.2.3.4/32",
        "-j ACCEPT",
        "$(reboot)",
        "1.1.1",
        "127.1",
        "0x7f.0.0.1",
        "010.0.0.1",
        "1.1.1.1 ",
        "1.1.1.1\\n",
        "1.1.1.1:80",
        "fe80::1%eth0",
        "[::1]",
        "::ffff:192.168.1.50",
        "example.org",
        "",
    ] {
        refusal_of(
            r#""ip_src":"203.0.113.7""#,
            &format!(r#""ip_src":"{address}""#),
        );
        refusal_of(
            r#""ip_dst_lan":"192.168.1.50""#,
            &format!(r#""ip_dst_lan":"{address}""#),
        );
    }
    for number in [
        "0", "-1", "65536", "80.5", "1e3", "\"80\"", "null", "[80]", "1e400",
    ] {
        refusal_of(r#""port_dst":7890"#, &format!(r#""port_dst":{number}"#));
        refusal_of(
            r#""port_dst_lan":80"#,
            &format!(r#""port_dst_lan":{number}"#),
        );
    }
    for duration in ["0", "-1", "1.5", "1e9", "\"30\"", "null", "4294967296"] {
        refusal_of(
            r#""duration_s":1800"#,
            &format!(r#""duration_s":{duration}"#),
        );
    }
    for protocol in ["TCP", "icmp", "tcp -j ACCEPT", ""] {
        refusal_of(
            r#""protocol":"tcp""#,
            &format!(r#""protocol":"{protocol}""#),
        );
    }
}

#[test]
fn only_one_cards_address_is_woken() {
    let envelope = REQUEST_JSON.split_once(r#","action""#).unwrap().0;
    let request = |mac: &str| format!(r#"{envelope},"action":"wake","mac":{mac}}}"#);
    let wake = Request::parse(request(r#""02:00:5e:10:00:01""#).as_bytes()).unwrap();
    assert!(matches!(wake.command, Command::Wake { .. }));
    for mac in [
        r#""ff:ff:ff:ff:ff:ff""#,
        r#""01:00:5e:00:00:01""#,
        r#""00:00:00:00:00:00""#,
        r#""02:00:5e:10:00:01; reboot""#,
        r#""02:00:5e:10:00""#,
        r#""""#,
        "null",
        "[2,0,94,16,0,1]",
    ] {
        assert!(Request::parse(request(mac).as_bytes()).is_err(), "{mac}");
    }
}

#[test]
fn members_must_be_known_single_and_belong_to_the_action() {
    assert!(refusal_of(r#""v":2"#, r#""v":2,"user_id":1"#).contains("unknown field"));
    assert!(
        refusal_of(r#""port_dst":7890"#, r#""port_dst":7890,"port_dst":22"#).contains("duplicate")
    );
    assert_eq!(
        refusal_of(r#""action":"add""#, r#""action":"del""#),
        "ip_src does not belong to this action"
    );
    assert_eq!(
        refusal_of(r#","duration_s":1800"#, ""),
        "duration_s is missing"
    );
    assert_eq!(
        refusal_of(r#""v":2"#, r#""v":1"#),
        "v is 1, this side speaks version 2"
    );
    assert!(refusal_of(r#""action":"add""#, r#""action":"exec""#).contains("unknown variant"));
}

#[test]
fn a_reason_that_quotes_the_peer_is_short_and_printable() {
    let reason = refusal_of(
        r#""v":2"#,
        &format!(r#""v":2,"\u001b[31m{}":1"#, "x".repeat(5000)),
    );
    assert!(reason.chars().count() <= 200);
    assert!(reason.chars().all(|symbol| !symbol.is_control()));
}

#[test]
fn debug_output_hides_the_key() {
    assert!(!format!("{:?}", request()).contains("zzzz"));
}
