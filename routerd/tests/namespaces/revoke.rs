//! Ending a session before its time.

use crate::daemon::Home;
use crate::place::{echoed, echoed_udp};
use crate::world::{
    Backend, CLIENT_V4, CLIENT_V6, SECOND_SERVICE, Scenario, World, dialled, gets_in, plain_route,
    route, until,
};
use gatehouse_router_protocol::client::ClientError;
use gatehouse_router_protocol::message::{Command, ErrorCode, Protocol, Route};
use std::time::{Duration, Instant};
use uuid::Uuid;

pub(crate) const SCENARIOS: [Scenario; 6] = [
    (
        "revoking_ends_live_connections_within_a_second",
        revoking_ends_live_connections_within_a_second,
    ),
    ("two_sessions_on_one_service", two_sessions_on_one_service),
    ("two_sessions_with_one_door", two_sessions_with_one_door),
    (
        "moving_a_session_cuts_its_former_way",
        moving_a_session_cuts_its_former_way,
    ),
    ("a_late_request_opens_nothing", a_late_request_opens_nothing),
    ("a_flush_ends_what_lives", a_flush_ends_what_lives),
];

const SOON: Duration = Duration::from_secs(1);

fn revoking_ends_live_connections_within_a_second(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    for (client, session) in [(CLIENT_V4, 1), (CLIENT_V6, 2)] {
        let tcp = route(Protocol::Tcp, client);
        let udp = route(Protocol::Udp, client);
        daemon.add(session, tcp, 60);
        daemon.add(session + 10, udp, 60);
        let live = world.live(&tcp);
        let datagrams = world.client.udp(dialled(&udp));
        echoed_udp(&datagrams).unwrap();
        let asked = Instant::now();
        daemon.del(session);
        daemon.del(session + 10);
        assert!(echoed(&live).is_err(), "{client}");
        assert!(echoed_udp(&datagrams).is_err(), "{client}");
        let wait_for_echoes = Duration::from_secs(1);
        assert!(
            asked.elapsed() < SOON + wait_for_echoes,
            "{:?}",
            asked.elapsed()
        );
        assert!(!gets_in(&world.client, &tcp));
    }
}

fn a_flush_ends_what_lives(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let way = plain_route();
    daemon.add(1, way, 60);
    let live = world.live(&way);
    daemon.ask(Command::Flush);
    assert!(echoed(&live).is_err());
    assert!(!gets_in(&world.client, &way));
}

fn two_sessions_on_one_service(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let first = plain_route();
    let second = Route {
        port_dst: first.port_dst + 1,
        ..first
    };
    for (shorter, longer) in [(first, second), (second, first)] {
        daemon.add(1, shorter, 3);
        daemon.add(2, longer, 60);
        let live = world.live(&longer);
        until("the shorter one ends", Duration::from_secs(5), || {
            !gets_in(&world.client, &shorter)
        });
        echoed(&live).expect("the longer one goes on");
    }
    // The last pass left the second door shut and the first one open.
    daemon.add(1, second, 60);
    daemon.del(2);
    assert!(!gets_in(&world.client, &first));
    let live = world.live(&second);
    daemon.del(1);
    assert!(echoed(&live).is_err());
}

/// The owner and a guest behind one address, or two instances of the portal.
fn two_sessions_with_one_door(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    daemon.add(2, plain_route(), 4);
    let live = world.live(&plain_route());
    daemon.del(1);
    echoed(&live).expect("the other session goes on");
    daemon.kill();
    until(
        "it ends with the session that is left",
        Duration::from_secs(6),
        || echoed(&live).is_err(),
    );
    assert!(!gets_in(&world.client, &plain_route()));
}

fn moving_a_session_cuts_its_former_way(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 60);
    let live = world.live(&plain_route());
    let moved = Route {
        port_dst_lan: SECOND_SERVICE,
        ..plain_route()
    };
    daemon.add(1, moved, 60);
    assert!(echoed(&live).is_err(), "the way to the former service");
    assert!(gets_in(&world.client, &moved));
    assert_eq!(daemon.sessions().len(), 1);
}

fn a_late_request_opens_nothing(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let add = |session| Command::Add {
        session_id: Uuid::from_u128(session),
        route: plain_route(),
        duration_s: 60,
    };
    daemon.ask(add(1));
    daemon.del(1);
    daemon.del(2);
    let refused = |daemon: &crate::daemon::Daemon| {
        for session in [1, 2] {
            let late = daemon.try_ask(add(session));
            let Err(ClientError::Refused { code, .. }) = late else {
                panic!("{late:?}")
            };
            assert_eq!(code, ErrorCode::UnknownSession);
        }
        assert!(!gets_in(&world.client, &plain_route()));
    };
    refused(&daemon);
    daemon.kill();
    refused(&home.start());
}
