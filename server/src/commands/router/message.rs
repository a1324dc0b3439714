//! Completing what was typed: the original's few members are enough for either protocol.

use std::net::IpAddr;

use gatehouse_router_protocol::{
    VERSION,
    legacy_v1::{DEFAULT_TIMEOUT_MINUTES, LegacyRequest, session_id_of},
    message::{InvalidMessage, Request, RequestNonce},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::refusal::Refusal;

type Message = Map<String, Value>;

/// What every request has and the link fills in anew.
const ENVELOPE: [&str; 4] = ["v", "id", "ts_ms", "nonce"];

/// What the original's `del` names and ours does not.
const ROUTE: [&str; 5] = [
    "ip_src",
    "port_dst",
    "ip_dst_lan",
    "port_dst_lan",
    "protocol",
];

/// Completes a message to an original daemon: with the key that is in the configuration.
pub(super) fn original(mut message: Message, api_key: &str) -> Result<LegacyRequest, Refusal> {
    put(&mut message, "api_key", api_key.into());
    LegacyRequest::parse(&to_json(message)).map_err(|error| refuse(&error))
}

/// Completes a message to a daemon of ours.
pub(super) fn ours(mut message: Message, api_key: &str) -> Result<Request, Refusal> {
    if let Some(name) = ENVELOPE.iter().find(|name| message.contains_key(**name)) {
        return Err(Refusal::new(format!(
            "Leave {name} out of the message: it is made anew for each."
        )));
    }
    put(&mut message, "api_key", api_key.into());
    put(&mut message, "v", VERSION.into());
    put(&mut message, "id", json!(Uuid::nil()));
    put(&mut message, "ts_ms", 0.into());
    let nonce = RequestNonce([0; 16]).to_string();
    put(&mut message, "nonce", nonce.into());
    translate(&mut message);
    Request::parse(&to_json(message)).map_err(|error| refuse(&error))
}

/// Says in our words what was said in the original's.
fn translate(message: &mut Message) {
    let session_id = session_of_door(message);
    let minutes = message.remove("rule_timeout");
    match message.get("action").and_then(Value::as_str) {
        Some("add") => {
            let minutes = minutes.unwrap_or(DEFAULT_TIMEOUT_MINUTES.into());
            put(message, "duration_s", in_seconds(minutes));
            put(message, "protocol", "tcp".into());
            if let Some(port) = message.get("port_dst").cloned() {
                put(message, "port_dst_lan", port);
            }
        }
        Some("del") if session_id.is_some() && !message.contains_key("session_id") => {
            message.retain(|name, _| !ROUTE.contains(&name.as_str()));
        }
        _ => return,
    }
    if let Some(session_id) = session_id {
        put(message, "session_id", json!(session_id));
    }
}

/// The id that a door of the original protocol has among the daemon's sessions.
fn session_of_door(message: &Message) -> Option<Uuid> {
    let address = |name: &str| message.get(name)?.as_str()?.parse::<IpAddr>().ok();
    let port = message.get("port_dst")?.as_u64()?;
    let port = u16::try_from(port).ok()?;
    Some(session_id_of(
        address("ip_src")?,
        port,
        address("ip_dst_lan")?,
    ))
}

/// A number that is no duration is left as it is, for the protocol to refuse.
fn in_seconds(minutes: Value) -> Value {
    let seconds = minutes.as_u64().and_then(|minutes| minutes.checked_mul(60));
    seconds.map_or(minutes, Value::from)
}

/// Puts what is not there yet.
fn put(message: &mut Message, name: &str, value: Value) {
    message.entry(name).or_insert(value);
}

fn to_json(message: Message) -> Vec<u8> {
    Value::Object(message).to_string().into_bytes()
}

fn refuse(error: &InvalidMessage) -> Refusal {
    Refusal::new(format!("The message cannot be sent: {error}."))
}

#[cfg(test)]
mod tests {
    use gatehouse_router_protocol::{
        legacy_v1::{Door, LegacyCommand},
        message::{Command, Protocol},
    };
    use serde_json::json;

    use super::{Message, original, ours};

    const KEY: &str = "zzzzzzzzzzzzzzzz";

    fn message(value: serde_json::Value) -> Message {
        serde_json::from_value(value).expect("an object")
    }

    fn seeds() -> Message {
        message(json!({
            "ip_src": "1.1.1.1", "port_dst": 6599, "ip_dst_lan": "192.168.1.3",
            "port_dst_lan": 8080, "action": "add", "rule_timeout": 10,
        }))
    }

    fn door() -> Door {
        Door {
            ip_src: [1, 1, 1, 1].into(),
            port_dst: 6599,
            ip_dst_lan: [192, 168, 1, 3].into(),
        }
    }

    #[test]
    fn the_seeds_message_opens_the_same_door_in_both_protocols() {
        let request = original(seeds(), KEY).expect("complete");
        assert_eq!(request.api_key.expose(), KEY);
        let LegacyCommand::Add {
            door: opened,
            timeout_minutes: 10,
            port_dst_lan: 8080,
        } = request.command
        else {
            panic!("{request:?}")
        };
        assert_eq!(opened, door());

        let request = ours(seeds(), KEY).expect("complete");
        let Command::Add {
            session_id,
            route,
            duration_s: 600,
        } = request.command
        else {
            panic!("{request:?}")
        };
        assert_eq!(session_id, door().session_id());
        assert_eq!(route.target().to_string(), "192.168.1.3:8080");
        assert_eq!(route.protocol, Protocol::Tcp);
    }

    #[test]
    fn what_the_message_leaves_out_has_the_originals_defaults() {
        let mut short = seeds();
        short.remove("port_dst_lan");
        short.remove("rule_timeout");
        let Command::Add {
            route, duration_s, ..
        } = ours(short, KEY).expect("complete").command
        else {
            panic!("not an add")
        };
        assert_eq!((route.port_dst_lan, duration_s), (6599, 300));
    }

    #[test]
    fn the_seeds_words_close_what_they_opened() {
        let mut closing = seeds();
        closing.insert("action".into(), "del".into());
        let Command::Del { session_id } = ours(closing, KEY).expect("complete").command else {
            panic!("not a del")
        };
        assert_eq!(session_id, door().session_id());
    }

    #[test]
    fn an_original_daemon_hears_which_inner_port_to_close() {
        let mut closing = seeds();
        closing.insert("action".into(), "del".into());
        let request = original(closing, KEY).expect("complete");
        let named = LegacyCommand::Del {
            door: door(),
            port_dst_lan: Some(8080),
        };
        assert_eq!(request.command, named);
    }

    #[test]
    fn our_own_words_and_another_key_pass_as_they_are() {
        let id = "00000000-0000-7000-8000-000000000002";
        let typed =
            json!({ "action": "extend", "session_id": id, "duration_s": 90, "api_key": "another" });
        let request = ours(message(typed), KEY).expect("complete");
        assert_eq!(request.envelope.api_key.expose(), "another");
        assert_eq!(
            request.command,
            Command::Extend {
                session_id: id.parse().expect("an id"),
                duration_s: 90
            }
        );
        let typed = json!({ "action": "probe", "ip_dst_lan": "192.168.1.3", "port_dst_lan": 80 });
        assert!(ours(message(typed), KEY).is_ok());
    }

    #[test]
    fn what_no_daemon_would_take_is_not_sent() {
        for (member, value) in [
            ("ip_src", json!("1.1.1.1; reboot")),
            ("ip_dst_lan", json!("192.168.1.4/00")),
            ("port_dst", json!("-j ACCEPT")),
            ("port_dst", json!(65536)),
            ("rule_timeout", json!(-1)),
            ("rule_timeout", json!("30")),
            ("rule_timeout", json!(u64::MAX)),
            ("action", json!("exec")),
            ("table", json!("filter")),
        ] {
            let mut tricked = seeds();
            tricked.insert(member.into(), value.clone());
            assert!(ours(tricked.clone(), KEY).is_err(), "{member} {value}");
            assert!(original(tricked, KEY).is_err(), "{member} {value}");
        }
        for member in super::ENVELOPE {
            let mut forged = seeds();
            forged.insert(member.into(), json!(2));
            let refusal = ours(forged, KEY).expect_err(member).to_string();
            assert!(refusal.contains("Leave"), "{refusal}");
        }
    }
}
