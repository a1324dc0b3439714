//! The firewall is what the daemon says, whatever happened to it.

use crate::daemon::Home;
use crate::place::echoed;
use crate::world::{Backend, Scenario, World, feed, gets_in, plain_route, run, until};
use gatehouse_router_protocol::client::ClientError;
use gatehouse_router_protocol::message::{Answer, Command, ErrorCode, Route};
use gatehouse_routerd::backend::find_tool;
use std::time::Duration;
use uuid::Uuid;

pub(crate) const SCENARIOS: [Scenario; 2] = [
    (
        "an_emptied_firewall_is_set_up_again",
        an_emptied_firewall_is_set_up_again,
    ),
    (
        "check_finds_the_firewall_in_order",
        check_finds_the_firewall_in_order,
    ),
];

pub(crate) const NFT_SCENARIOS: [Scenario; 5] = [
    (
        "a_stranger_in_the_way_is_replaced",
        a_stranger_in_the_way_is_replaced,
    ),
    (
        "a_firewall_that_fails_opens_nothing_and_is_tried_again",
        a_firewall_that_fails_opens_nothing_and_is_tried_again,
    ),
    (
        "tricks_in_any_field_change_nothing",
        tricks_in_any_field_change_nothing,
    ),
    (
        "what_nobody_asked_for_is_removed_at_the_start",
        what_nobody_asked_for_is_removed_at_the_start,
    ),
    (
        "a_command_mends_an_emptied_firewall_at_once",
        a_command_mends_an_emptied_firewall_at_once,
    ),
];

/// The firewall is compared every 30 s; the session under test lasts 45.
const COMPARED: Duration = Duration::from_secs(40);

fn an_emptied_firewall_is_set_up_again(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 45);
    let live = world.live(&plain_route());
    run("nft", &["flush", "ruleset"]);
    assert!(!gets_in(&world.client, &plain_route()), "nothing is left");
    until("the session is back", COMPARED, || {
        gets_in(&world.client, &plain_route())
    });
    echoed(&live).expect("the connection lives on");
    daemon.kill();
    until("it ends at its own time", Duration::from_secs(47), || {
        echoed(&live).is_err()
    });
}

fn check_finds_the_firewall_in_order(backend: Backend) {
    let _world = World::make();
    let home = Home::make(backend);
    let (code, lines) = home.check();
    assert_eq!(code, Some(0), "{lines}");
    assert!(lines.contains("ok    firewall"), "{lines}");
    let left = run("nft", &["list", "ruleset"]);
    assert!(!left.contains("chain"), "nothing of the trial: {left}");
}

fn what_nobody_asked_for_is_removed_at_the_start(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    daemon.kill();
    feed(
        "nft",
        &["-f", "-"],
        "add element inet gatehouse sess4 { 203.0.113.6 . tcp . 7891 : 192.168.50.10 . 80 }\n\
         add element inet gatehouse live4 { 203.0.113.6 . tcp . 192.168.50.10 . 80 }\n\
         add rule inet gatehouse guard accept\n",
    );
    let stranger = Route {
        port_dst: 7891,
        ..plain_route()
    };
    assert!(gets_in(&world.stranger, &stranger), "the hole is real");
    let _daemon = home.start();
    assert!(!gets_in(&world.stranger, &stranger));
    assert!(gets_in(&world.client, &plain_route()));
    let shown = run("nft", &["list", "table", "inet", "gatehouse"]);
    assert!(!shown.contains("203.0.113.6"), "{shown}");
    assert_eq!(shown.matches("\t\taccept\n").count(), 0, "{shown}");
}

fn a_command_mends_an_emptied_firewall_at_once(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    run("nft", &["flush", "ruleset"]);
    let second = Route {
        port_dst: 7891,
        ..plain_route()
    };
    daemon.add(2, second, 60);
    assert!(gets_in(&world.client, &second));
    assert!(
        gets_in(&world.client, &plain_route()),
        "the first is back too"
    );
}

fn a_firewall_that_fails_opens_nothing_and_is_tried_again(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    let live = world.live(&plain_route());
    let second = Route {
        port_dst: 7891,
        ..plain_route()
    };
    let nft = find_tool("nft").unwrap();
    let nft = nft.to_str().unwrap();
    run("mount", &["--bind", "/dev/null", nft]);
    let code = |command| match daemon.try_ask(command) {
        Err(ClientError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let add = Command::Add {
        session_id: Uuid::from_u128(2),
        route: second,
        duration_s: 60,
    };
    let del = Command::Del {
        session_id: Uuid::from_u128(1),
    };
    assert_eq!(code(add), ErrorCode::Internal);
    assert_eq!(
        code(del.clone()),
        ErrorCode::Internal,
        "it must not say that it is closed"
    );
    assert_eq!(code(del.clone()), ErrorCode::Internal);
    echoed(&live).expect("nothing could be changed");
    run("umount", &[nft]);
    until("what was closed is closed", Duration::from_secs(20), || {
        echoed(&live).is_err()
    });
    assert_eq!(daemon.ask(del), Answer::Done);
    assert!(
        !gets_in(&world.client, &second),
        "the portal heard that it was not opened"
    );
    assert!(daemon.sessions().is_empty());
}

/// The fields are checked by type; this shows that none of it comes as far as the firewall.
fn tricks_in_any_field_change_nothing(backend: Backend) {
    let _world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    let rules = || run("nft", &["--stateless", "list", "ruleset"]);
    let before = rules();
    let plain = r#""action":"add","session_id":"00000000-0000-7000-8000-000000000002","ip_src":"203.0.113.2","port_dst":7891,"ip_dst_lan":"192.168.50.10","port_dst_lan":80,"protocol":"tcp","duration_s":60"#;
    for (from, to) in [
        ("203.0.113.2", "1.1.1.1; reboot"),
        ("203.0.113.2", "1.2.3.4/00"),
        ("203.0.113.2", "0.0.0.0/0"),
        ("203.0.113.2", "-j ACCEPT"),
        ("203.0.113.2", "203.0.113.2 }\\nflush ruleset\\n"),
        ("203.0.113.2", "::ffff:203.0.113.2"),
        ("203.0.113.2", "0x7f.1"),
        ("203.0.113.2", "203.0.113.02"),
        ("203.0.113.2", "2001:db8::1%wan0"),
        ("192.168.50.10", "192.168.50.10:22"),
        ("192.168.50.10", "$(reboot)"),
        ("192.168.50.10", "192.168.50.1"),
        ("192.168.50.10", "8.8.8.8"),
        ("\"tcp\"", "\"tcp . 1\""),
        ("\"tcp\"", "\"all\""),
        ("\"tcp\"", "6"),
        (":7891", ":\"7891\""),
        (":7891", ":7891.5"),
        (":7891", ":-1"),
        (":7891", ":65536"),
        (":7891", ":22"),
        (":80,", ":0,"),
        (":60", ":0"),
        (":60", ":-60"),
        (":60", ":1e9"),
        (":60", ":4294967296"),
        (":60", ":null"),
        ("00000000-0000-7000-8000-000000000002", "; drop table"),
        ("\"action\"", "\"comment\":\"x\",\"action\""),
    ] {
        assert!(plain.contains(from), "{from}");
        let answer = daemon.send_members(&plain.replacen(from, to, 1));
        assert!(answer.contains("\"ok\":false"), "{to}: {answer}");
        assert!(
            answer.contains("_request\"") || answer.contains("_allowed\""),
            "{to}: {answer}"
        );
    }
    assert_eq!(rules(), before);
    let answer = daemon.send_members(plain);
    assert!(answer.contains("\"ok\":true"), "{answer}");
    assert_ne!(rules(), before);
}

/// Elements without an end and to another target, where a session is to open.
fn a_stranger_in_the_way_is_replaced(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    feed(
        "nft",
        &["-f", "-"],
        "add element inet gatehouse sess4 { 203.0.113.2 . tcp . 7890 : 192.168.50.10 . 82 }\n\
         add element inet gatehouse live4 { 203.0.113.2 . tcp . 192.168.50.10 . 80 }\n",
    );
    daemon.add(1, plain_route(), 2);
    let live = world.live(&plain_route());
    daemon.kill();
    until("it ends at its time", Duration::from_secs(4), || {
        echoed(&live).is_err()
    });
}
