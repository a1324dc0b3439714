//! The kernel ends a session at its time, for new and for live connections.

use crate::daemon::Home;
use crate::place::{echoed, echoed_udp};
use crate::world::{
    Backend, CLIENT_V4, CLIENT_V6, Scenario, World, dialled, gets_in, plain_route, route, run,
    until,
};
use gatehouse_router_protocol::message::{Protocol, Route};
use std::io::ErrorKind;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

pub(crate) const SCENARIOS: [Scenario; 4] = [
    (
        "tcp_ends_at_its_time_with_the_daemon_killed",
        tcp_ends_at_its_time_with_the_daemon_killed,
    ),
    (
        "udp_ends_at_its_time_with_the_daemon_killed",
        udp_ends_at_its_time_with_the_daemon_killed,
    ),
    (
        "a_restart_keeps_the_remaining_time",
        a_restart_keeps_the_remaining_time,
    ),
    (
        "extending_prolongs_and_shortens",
        extending_prolongs_and_shortens,
    ),
];

pub(crate) const NFT_SCENARIOS: [Scenario; 1] = [(
    "a_hundred_kills_prolong_nothing",
    a_hundred_kills_prolong_nothing,
)];

/// How much later than its end a session may be let through.
const LATENESS: Duration = Duration::from_secs(2);

/// The dates of iptables are whole seconds.
const EARLINESS: Duration = Duration::from_millis(1100);

/// How far what is told of a remaining time may be off, beside the time that asking takes.
const INEXACTNESS: Duration = Duration::from_millis(500);

fn tcp_ends_at_its_time_with_the_daemon_killed(backend: Backend) {
    let world = World::make();
    for client in [CLIENT_V4, CLIENT_V6] {
        let home = Home::make(backend);
        let daemon = home.start();
        let route = route(Protocol::Tcp, client);
        let opened = Instant::now();
        daemon.add(1, route, 3);
        let live = world.live(&route);
        let idle = world.live(&route);
        daemon.kill();
        let mut last_word = None;
        until(
            "the live connection ends",
            Duration::from_secs(3) + LATENESS,
            || {
                last_word = echoed(&live).err().map(|error| error.kind());
                last_word.is_some()
            },
        );
        assert!(opened.elapsed() > Duration::from_secs(3).saturating_sub(EARLINESS));
        if last_word == Some(ErrorKind::WouldBlock) {
            // The end fell between a word and its answer; who says one more is told.
            last_word = echoed(&live).err().map(|error| error.kind());
        }
        assert_eq!(
            last_word,
            Some(ErrorKind::ConnectionReset),
            "it is told, not left waiting"
        );
        assert!(!gets_in(&world.client, &route), "a fresh one");
        assert!(echoed(&idle).is_err(), "one that was silent at the end");
    }
}

fn udp_ends_at_its_time_with_the_daemon_killed(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let routes = [
        route(Protocol::Udp, CLIENT_V4),
        route(Protocol::Udp, CLIENT_V6),
    ];
    let opened = Instant::now();
    daemon.add(1, routes[0], 3);
    daemon.add(2, routes[1], 3);
    let live = routes.map(|route| world.client.udp(dialled(&route)));
    for socket in &live {
        echoed_udp(socket).unwrap();
    }
    daemon.kill();
    for (socket, route) in live.iter().zip(&routes) {
        until(
            "the datagrams end",
            Duration::from_secs(3) + LATENESS,
            || echoed_udp(socket).is_err(),
        );
        assert!(opened.elapsed() > Duration::from_secs(3).saturating_sub(EARLINESS));
        assert!(!gets_in(&world.client, route), "a fresh one");
    }
}

fn a_restart_keeps_the_remaining_time(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    let opened = Instant::now();
    daemon.add(1, plain_route(), 6);
    let granted = Instant::now();
    let live = world.live(&plain_route());
    sleep(Duration::from_secs(2));
    daemon.kill();
    echoed(&live).expect("it lives on without the daemon");
    let daemon = home.start();
    echoed(&live).expect("it lives on over the restart");
    let most = Duration::from_secs(6).saturating_sub(granted.elapsed());
    let remaining = Duration::from_millis(daemon.sessions()[0].remaining_ms);
    let expected = Duration::from_secs(6).saturating_sub(opened.elapsed());
    assert!(
        remaining + INEXACTNESS > expected && remaining < most + INEXACTNESS,
        "{expected:?} <= {remaining:?} <= {most:?}"
    );
    daemon.stop();
    echoed(&live).expect("a daemon that is stopped leaves the kernel's timers in place");
    until(
        "it ends at the time of the first grant",
        expected + LATENESS,
        || echoed(&live).is_err(),
    );
    assert!(opened.elapsed() > Duration::from_secs(6).saturating_sub(EARLINESS));
    assert!(!gets_in(&world.client, &plain_route()));
}

fn extending_prolongs_and_shortens(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let daemon = home.start();
    daemon.add(1, plain_route(), 2);
    let live = world.live(&plain_route());
    daemon.extend(1, 30);
    sleep(Duration::from_secs(3) + LATENESS);
    echoed(&live).expect("it lives beyond the first end");
    assert!(gets_in(&world.client, &plain_route()));
    daemon.extend(1, 2);
    daemon.kill();
    until(
        "it ends at the shorter end",
        Duration::from_secs(2) + LATENESS,
        || echoed(&live).is_err(),
    );
}

/// The daemon dies at any moment of a command, a hundred times.
fn a_hundred_kills_prolong_nothing(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    let mut daemon = home.start();
    let granted = Duration::from_secs(30);
    let opened = Instant::now();
    daemon.add(1, plain_route(), 30);
    let added = Instant::now();
    let live = world.live(&plain_route());
    // A machine that is too busy for a hundred within the session gets fewer.
    let in_time = |_: &u16| added.elapsed() < Duration::from_secs(22);
    for cycle in (0..100).take_while(in_time) {
        let short = Route {
            port_dst: 8000 + cycle,
            ..plain_route()
        };
        thread::scope(|scope| {
            scope.spawn(|| daemon.try_add(100 + u128::from(cycle), short, 2));
            sleep(Duration::from_millis(u64::from(cycle % 10) * 2));
            daemon.kill_while_asked();
        });
        daemon = home.start();
        echoed(&live).expect("the connection lives on");
        let most = granted.saturating_sub(added.elapsed());
        let left = daemon.remaining(1);
        assert!(left < most + INEXACTNESS, "{left:?} and not {most:?}");
    }
    daemon.kill();
    until(
        "all but the long one have ended",
        Duration::from_secs(2) + LATENESS,
        || {
            run("nft", &["list", "map", "inet", "gatehouse", "sess4"])
                .matches(" expires ")
                .count()
                <= 1
        },
    );
    let rest = granted.saturating_sub(opened.elapsed());
    until("the long one ends", rest + LATENESS, || {
        echoed(&live).is_err()
    });
    assert!(opened.elapsed() > granted.saturating_sub(EARLINESS));
}
