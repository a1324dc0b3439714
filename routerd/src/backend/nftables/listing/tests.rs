use super::Listing;
use crate::backend::Repairs;
use crate::table::Passage;
use gatehouse_router_protocol::message::{Protocol, Route};

fn passage(port_dst: u16, ends_at_ms: u64) -> Passage {
    let route = Route {
        ip_src: [203, 0, 113, 7].into(),
        port_dst,
        ip_dst_lan: [192, 168, 50, 10].into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    };
    Passage { route, ends_at_ms }
}

/// What `nft` 1.0.6 says, with the elements put in.
fn listing(doors: &str, live: &str) -> Listing {
    let json = format!(
        r#"{{"nftables": [
        {{"metainfo": {{"version": "1.0.6", "json_schema_version": 1}}}},
        {{"table": {{"family": "inet", "name": "gatehouse", "handle": 7}}}},
        {{"map": {{"family": "inet", "name": "sess4", "table": "gatehouse", "type": ["ipv4_addr", "inet_proto", "inet_service"], "handle": 2, "map": "ipv4_addr . inet_service", "size": 8192, "flags": ["timeout"], "elem": [{doors}]}}}},
        {{"set": {{"family": "inet", "name": "live6", "table": "gatehouse", "type": ["ipv6_addr", "inet_proto", "ipv6_addr", "inet_service"], "handle": 5, "size": 8192, "flags": ["timeout"]}}}},
        {{"set": {{"family": "inet", "name": "live4", "table": "gatehouse", "type": ["ipv4_addr", "inet_proto", "ipv4_addr", "inet_service"], "handle": 4, "size": 8192, "flags": ["timeout"], "elem": [{live}], "stmt": [{{"counter": null}}]}}}},
        {{"rule": {{"family": "inet", "table": "gatehouse", "chain": "guard", "handle": 23, "expr": [{{"accept": null}}]}}}}
        ]}}"#
    );
    Listing::parse(json.into()).unwrap()
}

const DOOR: &str = r#"[{"elem": {"val": {"concat": ["203.0.113.7", "tcp", 7890]}, "timeout": 1800, "expires": 1799}}, {"concat": ["192.168.50.10", 80]}]"#;
const LIVE: &str = r#"{"elem": {"val": {"concat": ["203.0.113.7", "tcp", "192.168.50.10", 80]}, "timeout": 1800, "expires": 1799, "counter": {"packets": 8, "bytes": 1000}}}"#;

#[test]
fn what_is_as_wanted_needs_no_repair() {
    let listing = listing(DOOR, LIVE);
    for remaining_ms in [1_799_000, 1_798_000, 1_801_000] {
        assert_eq!(
            listing.compare(&[passage(7890, remaining_ms)], 0),
            Repairs::default()
        );
    }
    let (flow, bytes) = listing.traffic().pop_first().unwrap();
    assert_eq!((flow, bytes), (passage(7890, 1).flow(), 1000));
}

#[test]
fn what_is_missing_and_what_nobody_wants_is_counted() {
    let two_missing_one_stranger = Repairs {
        missing: 1,
        strangers: 1,
        ..Repairs::default()
    };
    let other_door = [passage(7891, 1_799_000)];
    assert_eq!(
        listing(DOOR, LIVE).compare(&other_door, 0),
        two_missing_one_stranger
    );
    let all_strangers = Repairs {
        strangers: 2,
        ..Repairs::default()
    };
    assert_eq!(listing(DOOR, LIVE).compare(&[], 0), all_strangers);
}

#[test]
fn another_end_another_target_and_no_end_at_all_are_different() {
    let different = |count| Repairs {
        different: count,
        ..Repairs::default()
    };
    let wanted = |remaining_ms| [passage(7890, remaining_ms)];
    assert_eq!(
        listing(DOOR, LIVE).compare(&wanted(1_790_000), 0),
        different(2),
        "too late"
    );
    assert_eq!(
        listing(DOOR, LIVE).compare(&wanted(1_805_000), 0),
        different(2),
        "too early"
    );
    let elsewhere = DOOR.replace("192.168.50.10", "192.168.50.11");
    assert_eq!(
        listing(&elsewhere, LIVE).compare(&wanted(1_799_000), 0),
        different(1)
    );
    let for_ever = r#"{"concat": ["203.0.113.7", "tcp", "192.168.50.10", 80]}"#;
    assert_eq!(
        listing(DOOR, for_ever).compare(&wanted(1_799_000), 0),
        different(1)
    );
}

#[test]
fn what_ends_at_this_moment_may_be_there_or_not() {
    assert_eq!(
        listing("", "").compare(&[passage(7890, 900)], 0),
        Repairs::default()
    );
    let ending = LIVE.replace("\"expires\": 1799, ", "");
    let ending_door = DOOR.replace("\"expires\": 1799", "\"expires\": 1");
    assert_eq!(
        listing(&ending_door, &ending).compare(&[], 0),
        Repairs::default()
    );
}

#[test]
fn rules_are_the_same_whatever_their_handles_and_elements() {
    let renumbered = listing("", "");
    assert_eq!(listing(DOOR, LIVE).rules, renumbered.rules);
    assert_eq!(renumbered.rules.len(), 5);
}

#[test]
fn what_is_not_ours_is_an_error() {
    for foreign in [
        "{}",
        r#"{"nftables": [{"counter": {"family": "inet", "name": "c", "table": "gatehouse"}}]}"#,
        r#"{"nftables": [{"set": {"name": "live4", "type": ["ipv4_addr"], "elem": ["203.0.113.7"]}}]}"#,
        r#"{"nftables": [{"set": {"name": "live4", "type": ["a"], "elem": [{"concat": ["203.0.113.7", "sctp", "192.168.50.10", 80]}]}}]}"#,
    ] {
        assert!(Listing::parse(foreign.into()).is_err(), "{foreign}");
    }
}
