//! As many sessions as a router may have.

use crate::daemon::{Daemon, Home, is_for_a_router};
use crate::world::{Backend, Scenario, World, gets_in, plain_route, run};
use gatehouse_router_protocol::message::Route;
use gatehouse_routerd::clock::{Clock, SystemClock};
use gatehouse_routerd::session_journal::SessionJournal;
use gatehouse_routerd::table::{Session, Table};
use std::time::Instant;
use uuid::Uuid;

pub(crate) const NFT_SCENARIOS: [Scenario; 1] = [(
    "a_full_router_starts_lists_and_ends_one",
    a_full_router_starts_lists_and_ends_one,
)];

const FULL: u16 = 4096;

/// By how much that many sessions may make the daemon grow.
const MAX_GROWTH_KB: u64 = 5 * 1024;

/// What a build for routers may take with all of them; a build for tests is bigger by itself.
const MAX_OF_RELEASE_KB: u64 = 8 * 1024;

/// How many times as long it may take to add one where the router is full.
const MAX_SLOWDOWN: f64 = 5.0;

fn a_full_router_starts_lists_and_ends_one(backend: Backend) {
    let world = World::make();
    let home = Home::make(backend);
    home.edit("max_sessions = 256", "max_sessions = 4096");
    let empty = home.start();
    let empty_kb = resident_kb(empty.process_id());
    let first_ms = median_add_ms(&empty, 1_000_000);
    empty.kill();
    fill_journal(&home);
    let daemon = home.start();
    assert_eq!(daemon.sessions().len(), usize::from(FULL));
    assert_eq!(expiring_elements(), 2 * usize::from(FULL));
    assert!(gets_in(&world.client, &route(0)));
    let full_kb = resident_kb(daemon.process_id());
    daemon.del(1);
    // The machine may do something else meanwhile, but hardly three times in a row.
    let last_ms = (2_u128..5)
        .map(|turn| median_add_ms(&daemon, turn * 1_000_000))
        .fold(f64::INFINITY, f64::min);
    println!(
        "{FULL} sessions: resident {empty_kb} kB without, {full_kb} kB with; \
         adding one {first_ms:.1} ms without, {last_ms:.1} ms with"
    );
    assert!(
        last_ms <= MAX_SLOWDOWN * first_ms,
        "adding one takes {first_ms:.1} ms without the others and {last_ms:.1} ms with them"
    );
    assert!(
        !is_for_a_router() || full_kb < MAX_OF_RELEASE_KB,
        "{full_kb} kB"
    );
    assert!(
        full_kb < empty_kb + MAX_GROWTH_KB,
        "{empty_kb} kB, then {full_kb} kB"
    );
    daemon.del(0);
    assert!(!gets_in(&world.client, &route(0)));
    daemon.add(u128::from(FULL), route(0), 60);
    assert!(gets_in(&world.client, &route(0)));
    // Less the one that made room for measuring.
    assert_eq!(expiring_elements(), 2 * usize::from(FULL - 1));
}

/// Each has a client of its own; the first is the one that exists.
fn route(number: u16) -> Route {
    let plain = plain_route();
    let [high, low] = number.to_be_bytes();
    match number {
        0 => plain,
        _ => Route {
            ip_src: [198, 51, high, low].into(),
            ..plain
        },
    }
}

/// Adds and deletes one over the link, TLS and all.
fn median_add_ms(daemon: &Daemon, first_id: u128) -> f64 {
    let mut times: Vec<f64> = (0..50)
        .map(|turn| {
            let id = first_id + turn;
            let asked = Instant::now();
            daemon.add(id, route(1), 60);
            let passed_ms = asked.elapsed().as_secs_f64() * 1000.0;
            daemon.del(id);
            passed_ms
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn fill_journal(home: &Home) {
    let state_dir = home.path().join("routerd/state");
    let mut table = Table::new(u32::from(FULL));
    let (mut journal, _) = SessionJournal::open(&state_dir, &mut table, &SystemClock).unwrap();
    for number in 0..FULL {
        let session = Session {
            route: route(number),
            ends_at_ms: SystemClock.monotonic_ms() + 600_000,
        };
        table.restore(Uuid::from_u128(number.into()), session);
    }
    journal.note_all(&table, &SystemClock);
}

fn expiring_elements() -> usize {
    run("nft", &["list", "table", "inet", "gatehouse"])
        .matches(" expires ")
        .count()
}

fn resident_kb(process_id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
