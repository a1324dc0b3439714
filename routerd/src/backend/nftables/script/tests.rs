use super::{change, whole};
use crate::backend::Traffic;
use crate::config::Interface;
use crate::table::{Change, Passage};
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

fn passage_v6() -> Passage {
    let route = Route {
        ip_src: "2001:db8::7".parse().unwrap(),
        port_dst: 7890,
        ip_dst_lan: "fd00:50::10".parse().unwrap(),
        port_dst_lan: 53,
        protocol: Protocol::Udp,
    };
    Passage {
        route,
        ends_at_ms: 60_000,
    }
}

fn interfaces() -> Vec<Interface> {
    ["wan", "ppp*"]
        .map(|name| Interface::parse(name).unwrap())
        .to_vec()
}

#[test]
fn the_whole_table() {
    let wanted = [
        passage(7890, 1_800_000),
        passage(7891, 600_000),
        passage_v6(),
    ];
    let traffic = Traffic::from([(wanted[0].flow(), 4096)]);
    insta::assert_snapshot!(whole(&interfaces(), &wanted, &traffic, 0));
}

#[test]
fn opening() {
    let opened = Change {
        before: Vec::new(),
        after: vec![passage(7890, 1_800_000)],
    };
    insta::assert_snapshot!(change(&opened, &Traffic::new(), 0));
}

#[test]
fn extending_with_its_count() {
    let extended = Change {
        before: vec![passage(7890, 60_000)],
        after: vec![passage(7890, 1_800_000)],
    };
    let traffic = Traffic::from([(passage(7890, 1).flow(), 4096)]);
    insta::assert_snapshot!(change(&extended, &traffic, 0));
}

#[test]
fn closing_one_of_two_doors_to_a_target() {
    let closed = Change {
        before: vec![passage(7890, 60_000), passage(7891, 1_800_000)],
        after: vec![passage(7890, 60_000)],
    };
    insta::assert_snapshot!(change(&closed, &Traffic::new(), 0));
}

#[test]
fn no_element_is_without_an_end() {
    let ending = [passage(7890, 1)];
    let script = whole(&interfaces(), &ending, &Traffic::new(), 0);
    assert_eq!(script.matches("timeout 100ms").count(), 2, "{script}");
}

/// Listing and writing to disk take a while, during which the end comes closer.
#[test]
fn an_element_lives_only_for_what_is_left_when_it_is_written() {
    let wanted = [passage(7890, 60_000), passage_v6()];
    let script = whole(&interfaces(), &wanted, &Traffic::new(), 50_000);
    assert_eq!(script.matches("timeout 10000ms").count(), 4, "{script}");
    let opened = Change {
        before: Vec::new(),
        after: wanted.to_vec(),
    };
    let script = change(&opened, &Traffic::new(), 50_000);
    assert_eq!(script.matches("timeout 10000ms").count(), 4, "{script}");
}

#[test]
fn what_has_ended_before_it_is_written_is_left_out() {
    let wanted = [passage(7890, 60_000), passage(7891, 60_001)];
    let script = whole(&interfaces(), &wanted, &Traffic::new(), 60_000);
    assert!(!script.contains("tcp . 7890"), "{script}");
    assert!(script.contains("tcp . 7891"), "{script}");
    let moved = Change {
        before: vec![wanted[0]],
        after: vec![wanted[0]],
    };
    let script = change(&moved, &Traffic::new(), 60_000);
    assert!(script.contains("delete element"), "{script}");
    assert!(!script.contains("create element"), "{script}");
}
