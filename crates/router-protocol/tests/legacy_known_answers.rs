//! Exact bytes of protocol version 1. The first two were computed from the original's source, the
//! one with ordinary padding with Python's `cryptography`.

use gatehouse_router_protocol::legacy_v1::{
    Door, LegacyCommand, LegacyKey, LegacyRequest, is_door, is_whole_request,
};
use gatehouse_router_protocol::secret::Secret;

const FLUSH_JSON: &str = r#"{"action": "flush"}"#;
const FLUSH_BLOB: &str = "AAECAwQFBgcICQoLDA0OD+BV7tzrQD3aIBbCWtjfn8OJJmGBQ39MTvyGW3bnY/L8";
const ADD_JSON: &str = r#"{"ip_src": "1.1.1.1", "port_dst": 7890, "ip_dst_lan": "192.168.1.50", "port_dst_lan": 80, "rule_timeout": 30, "action": "add", "api_key": "zzzzzzzzzzzzzzzz"}"#;
const ADD_BLOB: &str = "AAECAwQFBgcICQoLDA0OD76xYowJZV4PNOieGvB1LrQ7z04zBgekWhvnkS7PuD71fysUhvDfTprXNNCGQFOb84gYh8dwUvDMhtTVWwwRed9eQEaxW6CT/EyjEhIqCr0VjFogxk1YPnnpFJxT08tidbDTeAtFHsjgZ5fy1GRNCWr2G772aKvRLUzQEFgYhYUc5cyQDDGuoT2DorfuOr84AuBt67UShJvbBYHY6kuq9bU=";
const ORDINARY_PADDING_BLOB: &str =
    "AAECAwQFBgcICQoLDA0OD+BV7tzrQD3aIBbCWtjfn8OJJmGBQ39MTvyGW3bnY/L8";
const IV: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

fn key() -> LegacyKey {
    LegacyKey::derive(&Secret::new("z".repeat(21)))
}

fn opened(blob: &str) -> Option<String> {
    let opened = key().open(blob.as_bytes())?;
    Some(String::from_utf8(opened.message).unwrap())
}

#[test]
fn both_messages_have_these_bytes_in_both_directions() {
    for (json, blob) in [(FLUSH_JSON, FLUSH_BLOB), (ADD_JSON, ADD_BLOB)] {
        assert_eq!(key().seal(IV, json.as_bytes()).unwrap(), blob);
        assert_eq!(opened(blob).as_deref(), Some(json));
    }
}

#[test]
fn ordinary_padding_opens_too() {
    assert_eq!(opened(ORDINARY_PADDING_BLOB).as_deref(), Some(FLUSH_JSON));
}

#[test]
fn the_seeds_message_says_what_it_says() {
    let request = LegacyRequest::parse(ADD_JSON.as_bytes()).unwrap();
    let expected = LegacyRequest {
        api_key: Secret::new("z".repeat(16)),
        command: LegacyCommand::Add {
            door: Door {
                ip_src: [1, 1, 1, 1].into(),
                port_dst: 7890,
                ip_dst_lan: [192, 168, 1, 50].into(),
            },
            port_dst_lan: 80,
            timeout_minutes: 30,
        },
    };
    assert_eq!(request, expected);
    let json: String = ADD_JSON.split(' ').collect();
    assert_eq!(String::from_utf8(request.to_json()).unwrap(), json);
}

#[test]
fn no_action_goes_without_the_key() {
    let error = LegacyRequest::parse(FLUSH_JSON.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "api_key is missing");
}

#[test]
fn defaults_are_the_originals() {
    let json = r#"{"ip_src":"1.1.1.1","port_dst":6599,"ip_dst_lan":"192.168.1.3","action":"add","api_key":"k"}"#;
    let LegacyCommand::Add {
        port_dst_lan,
        timeout_minutes,
        ..
    } = LegacyRequest::parse(json.as_bytes()).unwrap().command
    else {
        panic!("not an add")
    };
    assert_eq!((port_dst_lan, timeout_minutes), (6599, 5));
}

#[test]
fn closing_needs_neither_inner_port_nor_time_and_knows_the_same_door() {
    let add = LegacyRequest::parse(ADD_JSON.as_bytes()).unwrap();
    let del = ADD_JSON.replace("add", "del");
    let bare = del.replace(r#""port_dst_lan": 80, "rule_timeout": 30, "#, "");
    for json in [del, bare] {
        let LegacyCommand::Del { door, .. } =
            LegacyRequest::parse(json.as_bytes()).unwrap().command
        else {
            panic!("not a del")
        };
        let LegacyCommand::Add { door: opened, .. } = add.command else {
            panic!("not an add")
        };
        assert_eq!(door.session_id(), opened.session_id());
    }
}

/// The original's client may leave the inner port out, and its daemon then finds another rule.
#[test]
fn closing_names_the_inner_port_only_where_it_was_named() {
    let del = ADD_JSON
        .replace("add", "del")
        .replace(r#""rule_timeout": 30, "#, "");
    let bare = del.replace(r#""port_dst_lan": 80, "#, "");
    for (json, named) in [(del, Some(80)), (bare, None)] {
        let request = LegacyRequest::parse(json.as_bytes()).unwrap();
        let LegacyCommand::Del { port_dst_lan, .. } = request.command else {
            panic!("not a del")
        };
        assert_eq!(port_dst_lan, named);
        let compact: String = json.split(' ').collect();
        assert_eq!(String::from_utf8(request.to_json()).unwrap(), compact);
    }
}

/// The same text in the daemon of tomorrow must find the session of today's.
#[test]
fn a_door_has_this_id() {
    let door = Door {
        ip_src: [1, 1, 1, 1].into(),
        port_dst: 7890,
        ip_dst_lan: [192, 168, 1, 50].into(),
    };
    assert_eq!(
        door.session_id().to_string(),
        "db535cc4-0cec-8028-9e4c-f1d3395c5a61"
    );
    assert!(is_door(door.session_id()));
    assert!(!is_door(uuid::uuid!(
        "00000000-0000-7000-8000-000000000002"
    )));
    let other = Door {
        port_dst: 7891,
        ..door
    };
    assert_ne!(door.session_id(), other.session_id());
}

#[test]
fn a_start_of_a_text_never_passes_for_the_whole() {
    for length in 0..ADD_BLOB.len() {
        let start = key().open(&ADD_BLOB.as_bytes()[..length]);
        let is_whole = start.is_some_and(|opened| is_whole_request(&opened.message));
        assert!(!is_whole, "cut to {length}");
    }
    assert!(is_whole_request(ADD_JSON.as_bytes()));
    for part in ["", "{", "{\"a\":1", "1", "\"{}\"", "{}x", "[]"] {
        assert!(!is_whole_request(part.as_bytes()), "{part}");
    }
}

#[test]
fn no_newline_stands_in_a_text() {
    let longest = "a".repeat(4000);
    assert!(!key().seal(IV, longest.as_bytes()).unwrap().contains('\n'));
    let with_newline = format!("{FLUSH_BLOB}\n");
    assert_eq!(opened(&with_newline), None);
}

#[test]
fn another_key_opens_nothing() {
    let other = LegacyKey::derive(&Secret::new("z".repeat(22)));
    assert_eq!(other.open(ADD_BLOB.as_bytes()), None);
    assert_eq!(format!("{other:?}"), "LegacyKey(hidden)");
}

#[test]
fn another_iv_changes_the_message_and_not_its_digest() {
    let mut flipped = IV;
    flipped[12] ^= b'1' ^ b'9';
    let genuine = key().open(ADD_BLOB.as_bytes()).unwrap();
    let blob = {
        use base64::Engine as _;
        let standard = base64::engine::general_purpose::STANDARD;
        let mut sealed = standard.decode(ADD_BLOB).unwrap();
        sealed[..16].copy_from_slice(&flipped);
        standard.encode(sealed)
    };
    let altered = key().open(blob.as_bytes()).unwrap();
    assert!(String::from_utf8_lossy(&altered.message).contains("9.1.1.1"));
    assert_eq!(altered.digest, genuine.digest);
}

fn refusal_of(member: &str, replacement: &str) -> String {
    assert!(ADD_JSON.contains(member), "{member} is part of the request");
    LegacyRequest::parse(ADD_JSON.replace(member, replacement).as_bytes())
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
        "127.1",
        "0x7f.0.0.1",
        "010.0.0.1",
        "1.1.1.1 ",
        "1.1.1.1\\n",
        "1.1.1.1:80",
        "2001:db8::7",
        "::ffff:1.1.1.1",
        "example.org",
        "",
    ] {
        refusal_of("\"1.1.1.1\"", &format!("\"{address}\""));
        refusal_of("\"192.168.1.50\"", &format!("\"{address}\""));
    }
    for number in [
        "0", "-1", "1023", "65535", "80.5", "1e4", "\"7890\"", "[7890]", "true",
    ] {
        refusal_of("7890", number);
    }
    for number in ["0", "-1", "65536", "\"80\"", "80.0"] {
        refusal_of(": 80,", &format!(": {number},"));
    }
    for minutes in ["0", "999", "-5", "1.5", "\"30\"", "1e1"] {
        refusal_of(": 30,", &format!(": {minutes},"));
    }
    for action in ["ADD", "exec", "add;reboot", "ping", ""] {
        refusal_of("\"add\"", &format!("\"{action}\""));
    }
    assert!(refusal_of("{", r#"{"table": "filter", "#).contains("unknown field"));
    assert!(refusal_of("{", r#"{"port_dst": 22, "#).contains("duplicate"));
    assert!(refusal_of(": 7890", ": null").contains("missing"));
}
