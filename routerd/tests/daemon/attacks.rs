//! What somebody tries who has the keys, and somebody who has only heard the traffic.

use crate::harness::{Home, Running, START_MS, add, route};
use crate::link_attacks::{TRICKS, answer_to, refusal_of, with_value};
use crate::refusals::{json_of, key, line_of};
use gatehouse_router_protocol::message::{Answer, Command, ErrorCode, Refusal, Response, Route};
use gatehouse_router_protocol::seal::Direction;
use uuid::Uuid;

/// Sends a request in any words and gives the answer, or `None` when the daemon hung up.
async fn response_to(daemon: &Running, line: &str) -> Option<Response> {
    let answer = answer_to(daemon, line.trim_end().as_bytes()).await;
    (!answer.is_empty()).then(|| {
        let json = key(daemon).open(Direction::Answer, answer.trim_ascii_end());
        Response::parse(&json.expect("the daemon's seal")).expect("an answer")
    })
}

/// What of a session may not change, whatever is tried: the time that is left goes on its way.
async fn routes(daemon: &Running) -> Vec<(Uuid, Route)> {
    let sessions = daemon.sessions().await;
    sessions
        .iter()
        .map(|open| (open.session_id, open.route))
        .collect()
}

#[tokio::test]
async fn every_member_of_every_action_refuses_every_trick() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(9, 60)).await.unwrap();
    let before = daemon.sessions().await;
    let session_id = Uuid::from_u128(9);
    let extend = Command::Extend {
        session_id,
        duration_s: 60,
    };
    let list = Command::List {
        after: Some(Uuid::nil()),
    };
    let probe = Command::Probe {
        target: route().target(),
    };
    for (command, members) in [
        (extend, &["action", "session_id", "duration_s"][..]),
        (Command::Del { session_id }, &["action", "session_id"]),
        (list, &["action", "session_id"]),
        (probe, &["action", "ip_dst_lan", "port_dst_lan"]),
        (Command::Flush, &["action"]),
        (Command::Ping, &["action"]),
    ] {
        for member in members {
            for trick in TRICKS {
                let begins_a_list = matches!(command, Command::List { .. });
                if begins_a_list && *member == "session_id" && trick == "null" {
                    continue;
                }
                let json = with_value(&json_of(&daemon, command.clone()), member, trick);
                let code = refusal_of(&daemon, &json).await;
                let shown = format!("{command:?} {member}: {trick}");
                assert_eq!(code, Some(ErrorCode::InvalidRequest), "{shown}");
            }
        }
    }
    assert_eq!(daemon.sessions().await, before);
    daemon.stop().await;
}

#[tokio::test]
async fn members_of_other_actions_and_programs_are_refused() {
    let home = Home::make();
    let daemon = home.start().await;
    daemon.ask(add(9, 60)).await.unwrap();
    let before = routes(&daemon).await;
    let id = Uuid::from_u128(9);
    for (command, extra) in [
        (Command::Flush, format!("\"session_id\":\"{id}\"")),
        (Command::Ping, "\"duration_s\":60".into()),
        (Command::Del { session_id: id }, "\"port_dst\":7890".into()),
        (add(1, 60), "\"mac\":\"02:00:00:00:00:01\"".into()),
        (add(1, 60), "\"chain\":\"INPUT\"".into()),
        (add(1, 60), "\"ip_src\":\"203.0.113.8\"".into()),
        (add(1, 60), "\"ip\\u005fsrc\":\"203.0.113.8\"".into()),
        (add(1, 60), "\"Ip_src\":\"203.0.113.8\"".into()),
        (add(1, 60), "\"action\":\"flush\"".into()),
    ] {
        let json = json_of(&daemon, command);
        let json = format!("{},{extra}}}", json.strip_suffix('}').unwrap());
        let code = refusal_of(&daemon, &json).await;
        assert_eq!(code, Some(ErrorCode::InvalidRequest), "{extra}");
    }
    let twice = json_of(&daemon, add(1, 60)).replace("\"v\":2", "\"v\":2,\"v\":2");
    assert_eq!(refusal_of(&daemon, &twice).await, None);
    assert_eq!(routes(&daemon).await, before);
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_no_json_in_a_proper_seal_ends_the_connection() {
    let home = Home::make();
    let daemon = home.start().await;
    let good = json_of(&daemon, add(1, 60));
    let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let with_mark = with_value(&good, "api_key", "\"@\"");
    let (head, tail) = with_mark.split_once('@').unwrap();
    let overlong = [head.as_bytes(), b"\xc0\xaf", tail.as_bytes()].concat();
    for bytes in [
        b"".to_vec(),
        b"{}".to_vec(),
        b"null".to_vec(),
        format!("[{good}]").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("{good}\0").into_bytes(),
        good.trim_end_matches('}').as_bytes().to_vec(),
        good.replace("\"v\":2", "\"v\":\"2\"").into_bytes(),
        good.replace("\"v\":2", "\"v\":2.0").into_bytes(),
        good.replace("\"v\":2", &format!("\"v\":{}", "2".repeat(400)))
            .into_bytes(),
        good.replace("\"v\":2", "\"v\":1").into_bytes(),
        "[".repeat(6_000).into_bytes(),
        "{\"a\":".repeat(1_000).into_bytes(),
        utf_16,
        overlong,
    ] {
        let line = key(&daemon).seal(Direction::Request, [6; 12], &bytes);
        let answer = answer_to(&daemon, line.unwrap().as_bytes()).await;
        let shown = String::from_utf8_lossy(&bytes);
        assert_eq!(answer, b"", "{shown:.60}");
    }
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn addresses_that_are_no_client_or_no_host_of_the_lan_are_refused_by_code() {
    let home = Home::make();
    let daemon = home.start().await;
    let refused = async |member: &str, values: &[&str], expected: ErrorCode| {
        for value in values {
            let json = json_of(&daemon, add(1, 60));
            let json = with_value(&json, member, &format!("\"{value}\""));
            let code = refusal_of(&daemon, &json).await;
            assert_eq!(code, Some(expected), "{member}: {value}");
        }
    };
    let spellings = [
        "::ffff:203.0.113.7",
        "203.0.113.007",
        "0313.0.113.7",
        "3405803783",
        "203.0.28935",
        "203.0.113.7:80",
        "[2001:db8::7]",
        "fe80::1%eth0",
        " 203.0.113.7",
        "203.0.113.7\\u0000",
        "203.0.113.0/24",
        "203.0.113.7-203.0.113.9",
        "localhost",
    ];
    for member in ["ip_src", "ip_dst_lan"] {
        refused(member, &spellings, ErrorCode::InvalidRequest).await;
    }
    let sources = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.1.7",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "fd00::1",
        "ff02::1",
    ];
    refused("ip_src", &sources, ErrorCode::SourceNotAllowed).await;
    let targets = [
        "0.0.0.0",
        "8.8.8.8",
        "192.168.1.0",
        "192.168.1.255",
        "192.168.2.50",
        "224.0.0.1",
        "255.255.255.255",
        "2001:db8::7",
        "::",
        "::1",
    ];
    refused("ip_dst_lan", &targets, ErrorCode::TargetNotAllowed).await;
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

/// Gives the refusal of a request with this envelope, as the wire tells it.
async fn refusal_on_the_wire(daemon: &Running, json: &str) -> Refusal {
    let response = response_to(daemon, &line_of(daemon, json)).await;
    response.expect("an answer").outcome.expect_err("a refusal")
}

#[tokio::test]
async fn a_wrong_key_a_wrong_clock_and_a_replay_have_one_answer() {
    let home = Home::make();
    let daemon = home.start().await;
    let fresh = || json_of(&daemon, add(1, 60));
    let taken = json_of(&daemon, Command::Ping);
    let first = response_to(&daemon, &line_of(&daemon, &taken)).await;
    assert!(first.is_some_and(|response| response.outcome.is_ok()));
    let key_of = |text: &str| format!("\"{text}\"");
    let own_key = daemon.link.api_key.as_str();
    let one_off = format!("x{}", &own_key[1..]);
    let mut told = Vec::new();
    for json in [
        with_value(&fresh(), "api_key", &key_of(&one_off)),
        with_value(&fresh(), "api_key", &key_of("k")),
        with_value(&fresh(), "api_key", &key_of("")),
        with_value(&fresh(), "api_key", &key_of(&own_key[1..])),
        with_value(&fresh(), "api_key", &key_of(&own_key.to_uppercase())),
        with_value(&fresh(), "ts_ms", &(START_MS - 60_001).to_string()),
        with_value(&fresh(), "ts_ms", &(START_MS + 60_001).to_string()),
        with_value(&fresh(), "ts_ms", "0"),
        with_value(&fresh(), "ts_ms", &u64::MAX.to_string()),
        with_value(&fresh(), "ts_ms", &(START_MS / 1000).to_string()),
        taken,
    ] {
        told.push(refusal_on_the_wire(&daemon, &json).await);
    }
    let generic = Refusal {
        code: ErrorCode::NotAccepted,
        reason: "the daemon's log has the reason".into(),
        now_ms: START_MS,
    };
    assert_eq!(told, vec![generic; 11]);
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}

#[tokio::test]
async fn a_request_that_is_played_on_many_connections_at_once_counts_once() {
    let home = Home::make();
    let daemon = home.start().await;
    let line = line_of(&daemon, &json_of(&daemon, add(1, 60)));
    let play = || response_to(&daemon, &line);
    let (first, second, third, fourth, fifth, sixth) =
        tokio::join!(play(), play(), play(), play(), play(), play());
    let answers = [first, second, third, fourth, fifth, sixth];
    let outcomes = answers.into_iter().map(|answer| answer.unwrap().outcome);
    let (taken, refused): (Vec<_>, Vec<_>) = outcomes.partition(Result::is_ok);
    assert!(matches!(taken[..], [Ok(Answer::Session(_))]), "{taken:?}");
    assert_eq!(refused.len(), 5);
    for refusal in refused {
        assert_eq!(refusal.unwrap_err().code, ErrorCode::NotAccepted);
    }
    assert_eq!(daemon.sessions().await.len(), 1);
    daemon.stop().await;
}

/// Whoever recorded an `add` cannot prolong or reopen by it, whatever happened since.
#[tokio::test]
async fn a_recorded_add_is_worth_nothing_after_its_session_was_closed_or_ended() {
    let home = Home::make();
    let daemon = home.start().await;
    let recorded = line_of(&daemon, &json_of(&daemon, add(1, 30)));
    let first = response_to(&daemon, &recorded).await;
    assert!(first.is_some_and(|response| response.outcome.is_ok()));
    let refused = async |daemon: &Running| {
        let again = response_to(daemon, &recorded).await.unwrap();
        again.outcome.unwrap_err().code
    };
    daemon.clock.pass_ms(20_000);
    assert_eq!(refused(&daemon).await, ErrorCode::NotAccepted);
    assert_eq!(daemon.sessions().await[0].remaining_ms, 10_000);
    daemon.clock.pass_ms(15_000);
    assert_eq!(refused(&daemon).await, ErrorCode::NotAccepted);
    assert!(daemon.sessions().await.is_empty(), "it ended by itself");
    daemon.clock.pass_ms(60 * 60_000);
    assert_eq!(refused(&daemon).await, ErrorCode::NotAccepted);
    assert!(daemon.sessions().await.is_empty());
    daemon.stop().await;
}
