//! Who gets in, to what, and what is counted.

use crate::daemon::Home;
use crate::place::{echoed, echoed_udp};
use crate::world::{
    Backend, CLIENT_V4, CLIENT_V6, NO_SERVICE, SECOND_SERVICE, Scenario, World, dialled, feed,
    gets_in, plain_route, route, run, until,
};
use gatehouse_router_protocol::message::{Protocol, Route};
use std::io::ErrorKind;
use std::time::Duration;

pub(crate) const SCENARIOS: [Scenario; 6] = [
    (
        "only_the_allowed_address_gets_in",
        only_the_allowed_address_gets_in,
    ),
    (
        "the_routers_own_forwards_are_untouched",
        the_routers_own_forwards_are_untouched,
    ),
    (
        "a_user_with_one_capability_is_enough",
        a_user_with_one_capability_is_enough,
    ),
    (
        "errors_about_a_live_flow_come_through",
        errors_about_a_live_flow_come_through,
    ),
    (
        "bytes_are_counted_and_survive_extending",
        bytes_are_counted_and_survive_extending,
    ),
    (
        "the_count_outlives_its_session",
        the_count_outlives_its_session,
    ),
];

pub(crate) const NFT_SCENARIOS: [Scenario; 2] = [
    (
        "the_rule_for_openwrt_opens_a_closed_forward_chain",
        the_rule_for_openwrt_opens_a_closed_forward_chain,
    ),
    (
        "traffic_to_other_hosts_is_left_alone",
        traffic_to_other_hosts_is_left_alone,
    ),
];

fn only_the_allowed_address_gets_in(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let routes = [
        route(Protocol::Tcp, CLIENT_V4),
        route(Protocol::Udp, CLIENT_V4),
        route(Protocol::Tcp, CLIENT_V6),
        route(Protocol::Udp, CLIENT_V6),
    ];
    for (route, session) in routes.iter().zip(1..) {
        assert!(!gets_in(&world.client, route), "before: {route:?}");
        daemon.add(session, *route, 30);
        assert!(gets_in(&world.client, route), "{route:?}");
        assert!(!gets_in(&world.stranger, route), "{route:?}");
        let next_port = Route {
            port_dst: route.port_dst + 1,
            ..*route
        };
        assert!(!gets_in(&world.client, &next_port), "{route:?}");
        daemon.del(session);
        assert!(!gets_in(&world.client, route), "after: {route:?}");
    }
}

/// A forward that the owner made, beside ours and with the port that we use last.
fn the_routers_own_forwards_are_untouched(backend: Backend) {
    let world = World::make();
    feed(
        "nft",
        &["-f", "-"],
        "table ip own { chain pre { type nat hook prerouting priority dstnat; \
         tcp dport 8080 dnat to 192.168.50.10:81; }; }",
    );
    let own = Route {
        port_dst: 8080,
        ..plain_route()
    };
    let both_get_in = |moment: &str| {
        assert!(gets_in(&world.client, &own), "{moment}");
        assert!(gets_in(&world.stranger, &own), "{moment}");
    };
    both_get_in("before the daemon");
    let home = Home::make(backend);
    let daemon = home.start();
    let live = world.live(&own);
    daemon.add(1, plain_route(), 30);
    both_get_in("with a session");
    daemon.ask(gatehouse_router_protocol::message::Command::Flush);
    both_get_in("after the sessions were flushed");
    daemon.stop();
    both_get_in("after the daemon");
    echoed(&live).expect("a connection through the own forward lives on");
}

fn a_user_with_one_capability_is_enough(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let only = "-all,+net_admin";
    let mut arguments = vec!["--bounding-set", only, "--no-new-privs"];
    if can_become_nobody() {
        run("chown", &["-R", "nobody:", home.path().to_str().unwrap()]);
        // A folder of root's, which nobody could not pass.
        run(
            "chmod",
            &["0711", home.path().parent().unwrap().to_str().unwrap()],
        );
        arguments.extend(["--reuid", "nobody", "--clear-groups"]);
        arguments.extend(["--inh-caps", only, "--ambient-caps", only]);
    }
    let daemon = home.start_through("setpriv", &arguments);
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.process_id())).unwrap();
    assert!(status.contains("CapEff:\t0000000000001000"), "{status}");
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    let live_route = plain_route();
    daemon.add(1, live_route, 30);
    let live = world.live(&live_route);
    daemon.del(1);
    assert!(echoed(&live).is_err());
    assert!(!gets_in(&world.client, &live_route));
}

/// Whoever made a namespace for users is the only user in it.
fn can_become_nobody() -> bool {
    std::fs::read_to_string("/proc/self/uid_map")
        .is_ok_and(|map| map.trim_end().ends_with("4294967295"))
}

/// A guard that lets only the flow's own packets pass would swallow these, and with them the news
/// that a packet was too big.
fn errors_about_a_live_flow_come_through(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    for (client, session) in [(CLIENT_V4, 1), (CLIENT_V6, 2)] {
        let to_nobody = Route {
            port_dst_lan: NO_SERVICE,
            ..route(Protocol::Udp, client)
        };
        daemon.add(session, to_nobody, 30);
        let socket = world.client.udp(dialled(&to_nobody));
        let refused = echoed_udp(&socket).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{client}");
    }
}

fn bytes_are_counted_and_survive_extending(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let counted = || daemon.sessions()[0].bytes.expect("it is counted");
    daemon.add(1, plain_route(), 30);
    assert_eq!(counted(), 0);
    let live = world.live(&plain_route());
    for _ in 0..100 {
        echoed(&live).unwrap();
    }
    // A count that was told is told again for two seconds.
    until("bytes are counted", Duration::from_secs(5), || {
        counted() > 100 * 2 * 4
    });
    let before = counted();
    daemon.extend(1, 60);
    echoed(&live).expect("extending does not cut");
    until("it counts on", Duration::from_secs(5), || {
        counted() != before
    });
    assert!(counted() > before, "{before} and then {}", counted());
}

/// Four bytes there and back again, each with the least that its headers take.
const ECHO_BYTES: u64 = 2 * (20 + 20 + 4);

/// More than the portal's list told, which it asks for each 10 s.
fn the_count_outlives_its_session(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    for (session, client) in [(1, CLIENT_V4), (2, CLIENT_V6)] {
        let way = route(Protocol::Tcp, client);
        daemon.add(session, way, 60);
        let told = daemon.sessions()[0].bytes;
        assert!(
            matches!(told, None | Some(0)),
            "{client} begins at {told:?}"
        );
        let live = world.live(&way);
        for _ in 0..100 {
            echoed(&live).unwrap();
        }
        let told = daemon.close(session).expect("it is counted");
        assert!(told >= 100 * ECHO_BYTES, "{client}: {told}");
        assert_eq!(daemon.close(session), Some(told), "asked again");
    }

    daemon.add(3, plain_route(), 3);
    let live = world.live(&plain_route());
    let mut echoes = 0;
    while echoed(&live).is_ok() {
        echoes += 1;
    }
    until("it has ended", Duration::from_secs(5), || {
        daemon.sessions().is_empty()
    });
    let told = daemon.close(3).expect("it is counted");
    assert!(
        told > echoes * 4,
        "{told} bytes of {echoes} echoes both ways"
    );
}

/// Behind a router with IPv6 the hosts have public addresses; who reaches them is not our business.
fn traffic_to_other_hosts_is_left_alone(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, route(Protocol::Tcp, CLIENT_V6), 30);
    let elsewhere = Route {
        port_dst: SECOND_SERVICE,
        ..route(Protocol::Tcp, CLIENT_V6)
    };
    daemon.add(
        2,
        Route {
            port_dst: 8081,
            ..elsewhere
        },
        30,
    );
    let direct = |port| {
        format!("[{}]:{port}", crate::world::SERVER_V6)
            .parse()
            .unwrap()
    };
    let stream = world.client.connect(direct(SECOND_SERVICE)).unwrap();
    echoed(&stream).unwrap();
    assert!(
        world
            .client
            .connect(direct(plain_route().port_dst))
            .is_err(),
        "a LAN host's own port of that number is not ours to lead elsewhere"
    );
    daemon.ask(gatehouse_router_protocol::message::Command::Flush);
    echoed(&stream).expect("a connection that is not ours lives on");
}

/// fw4 includes the file at this place; its own rules let nothing new in from the WAN.
fn the_rule_for_openwrt_opens_a_closed_forward_chain(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 30);
    let include = include_str!("../../../deploy/openwrt/forward_wan.nft");
    let fw4 = |include: &str| {
        let rules = format!(
            "table inet fw4 {{\n\
             chain forward {{\n\
             type filter hook forward priority filter; policy drop;\n\
             ct state established,related accept\n\
             iifname \"wan*\" jump forward_wan\n\
             }}\n\
             chain forward_wan {{\n{include}\n}}\n\
             }}\n"
        );
        let replace = "add table inet fw4\ndelete table inet fw4\n";
        feed("nft", &["-f", "-"], &format!("{replace}{rules}"));
    };
    fw4("");
    assert!(
        !gets_in(&world.client, &plain_route()),
        "a drop elsewhere has the last word"
    );
    fw4(include);
    assert!(gets_in(&world.client, &plain_route()));
    assert!(!gets_in(&world.stranger, &plain_route()));
    let direct = world.client.connect("192.168.50.10:80".parse().unwrap());
    assert!(
        direct.is_err(),
        "without a session nothing new gets through"
    );
    daemon.del(1);
    assert!(!gets_in(&world.client, &plain_route()));
}
