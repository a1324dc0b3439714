use super::{Change, Session, Table};
use gatehouse_router_protocol::message::{ErrorCode, Protocol, Route};
use std::net::IpAddr;
use uuid::Uuid;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn route(client: u8, port_dst: u16, host: u8) -> Route {
    Route {
        ip_src: [203, 0, 113, client].into(),
        port_dst,
        ip_dst_lan: [192, 168, 50, host].into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    }
}

fn until(route: Route, ends_at_ms: u64) -> Session {
    Session { route, ends_at_ms }
}

fn ends(passages: &[super::Passage]) -> Vec<(u16, u64)> {
    passages
        .iter()
        .map(|passage| (passage.route.port_dst, passage.ends_at_ms))
        .collect()
}

#[test]
fn a_session_is_gone_at_its_end_and_there_just_before() {
    let mut table = Table::new(8);
    table.put(id(1), until(route(7, 7890, 10), 61_000), 1000);
    assert!(table.take_ended(60_999).is_empty());
    assert_eq!(table.passages(60_999)[0].ends_at_ms, 61_000);
    assert!(table.passages(61_000).is_empty(), "also before it is taken");
    assert_eq!(table.take_ended(61_000), [(id(1), route(7, 7890, 10))]);
    assert!(table.is_empty());
}

#[test]
fn putting_again_replaces_route_and_end() {
    let mut table = Table::new(1);
    table.put(id(1), until(route(7, 7890, 10), 60_000), 0);
    table.check(id(1), &route(8, 7890, 11)).unwrap();
    let change = table.put(id(1), until(route(8, 7890, 11), 90_000), 0);
    assert_eq!(
        change.closed_routes().collect::<Vec<_>>(),
        [&route(7, 7890, 10)]
    );
    assert_eq!(change.after[0].route, route(8, 7890, 11));
    assert_eq!(table.len(), 1);
}

#[test]
fn sessions_with_one_route_share_a_passage_that_ends_with_the_later() {
    let mut table = Table::new(8);
    table.put(id(1), until(route(7, 7890, 10), 60_000), 0);
    let later = table.put(id(2), until(route(7, 7890, 10), 90_000), 0);
    assert_eq!(ends(&later.after), [(7890, 90_000)]);
    let revoked = table.take(id(2), 0).unwrap();
    assert_eq!(ends(&revoked.before), [(7890, 90_000)]);
    assert_eq!(ends(&revoked.after), [(7890, 60_000)]);
    assert_eq!(revoked.closed_routes().count(), 0);
}

#[test]
fn a_change_names_what_shares_the_target_and_leaves_out_the_rest() {
    let mut table = Table::new(8);
    table.put(id(1), until(route(7, 7001, 10), 60_000), 0);
    table.put(id(2), until(route(7, 7002, 10), 90_000), 0);
    table.put(id(3), until(route(8, 7002, 10), 90_000), 0);
    table.put(id(4), until(route(7, 7003, 11), 90_000), 0);
    let Change { before, after } = table.take(id(2), 0).unwrap();
    assert_eq!(ends(&before), [(7001, 60_000), (7002, 90_000)]);
    assert_eq!(ends(&after), [(7001, 60_000)]);
    assert_eq!(before[0].flow(), before[1].flow());
}

#[test]
fn a_port_is_shared_only_by_sessions_with_the_same_target() {
    let mut table = Table::new(8);
    table.put(id(1), until(route(7, 7890, 10), 60_000), 0);
    table.check(id(2), &route(8, 7890, 10)).unwrap();
    for client in [7, 9] {
        let denied = table.check(id(4), &route(client, 7890, 11)).unwrap_err();
        assert_eq!(denied.code, ErrorCode::PortInUse);
    }
    let udp = Route {
        protocol: Protocol::Udp,
        ..route(7, 7890, 11)
    };
    table.check(id(5), &udp).unwrap();
    let ipv6 = Route {
        ip_src: IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 7]),
        ip_dst_lan: IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 10]),
        ..route(7, 7890, 10)
    };
    table
        .check(id(6), &ipv6)
        .expect("IPv4 and IPv6 have their own way through the same port");
    table.take_ended(60_000);
    table
        .check(id(4), &route(7, 7890, 11))
        .expect("the port is free after their end");
}

#[test]
fn the_limit_counts_open_sessions_only_and_lets_known_ones_in() {
    let mut table = Table::new(2);
    table.put(id(1), until(route(7, 7001, 10), 10_000), 0);
    table.put(id(2), until(route(7, 7002, 10), 60_000), 0);
    let denied = table.check(id(3), &route(7, 7003, 10)).unwrap_err();
    assert_eq!(denied.code, ErrorCode::TooManySessions);
    table
        .check(id(2), &route(7, 7002, 10))
        .expect("a known id needs no room");
    table.take_ended(10_000);
    table
        .check(id(3), &route(7, 7003, 10))
        .expect("the first has ended");
}

#[test]
fn a_closed_session_stays_closed_until_its_possible_end() {
    let mut table = Table::new(8);
    table.remember_closed(id(1), 60_000);
    table.take_ended(59_999);
    let denied = table.check(id(1), &route(7, 7890, 10)).unwrap_err();
    assert_eq!(denied.code, ErrorCode::UnknownSession);
    table.take_ended(60_000);
    table.check(id(1), &route(7, 7890, 10)).unwrap();
}

#[test]
fn of_too_many_closed_sessions_the_first_to_end_is_forgotten() {
    let mut table = Table::new(8);
    for number in 0..=super::MAX_CLOSED as u64 {
        table.remember_closed(id(number.into()), 1_000_000 - number);
    }
    assert_eq!(table.closed().count(), super::MAX_CLOSED);
    table
        .check(id(super::MAX_CLOSED as u128), &route(7, 7890, 10))
        .expect("the last one ends first");
    assert!(table.check(id(0), &route(7, 7890, 10)).is_err());
}
