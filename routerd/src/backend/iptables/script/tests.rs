use super::{Counts, Family, by_flow, chains, counts, jumps, ours, trial, way_of, without_trial};
use crate::backend::samples;
use crate::config::Interface;
use crate::table::Passage;
use gatehouse_router_protocol::message::{Protocol, Route};

/// 2026-11-22 04:26:40 UTC and half a second, at which the monotonic clock begins.
const NOW_MS: u64 = 1_795_321_600_500;

fn passage(protocol: Protocol, client: &str, target: &str, ends_at_ms: u64) -> Passage {
    let route = Route {
        ip_src: client.parse().unwrap(),
        port_dst: 7890,
        ip_dst_lan: target.parse().unwrap(),
        port_dst_lan: 80,
        protocol,
    };
    Passage { route, ends_at_ms }
}

#[test]
fn the_chains_of_both_families() {
    let wanted = [
        passage(Protocol::Tcp, "203.0.113.7", "192.168.50.10", 1_800_000),
        passage(Protocol::Udp, "2001:db8::7", "fd00:50::10", 60_000),
    ];
    insta::assert_snapshot!(
        "ipv4",
        chains(Family::Ipv4, &wanted, &Counts::new(), NOW_MS)
    );
    insta::assert_snapshot!(
        "ipv6",
        chains(Family::Ipv6, &wanted, &Counts::new(), NOW_MS)
    );
}

/// Rules that are written anew count on from where they were; what `iptables-save` shows is as of
/// version 1.8.9.
#[test]
fn what_was_counted_is_read_and_written_again() {
    let wanted = [
        passage(Protocol::Tcp, "203.0.113.7", "192.168.50.10", 1_800_000),
        passage(Protocol::Udp, "203.0.113.8", "192.168.50.10", 1_800_000),
    ];
    let saved = ":FORWARD ACCEPT [7:420]\n:GATEHOUSE-GUARD - [0:0]\n\
        [9:540] -A FORWARD -m connmark --mark 0x1000000/0x1000000 -j GATEHOUSE-GUARD\n\
        [3:180] -A GATEHOUSE-GUARD -p tcp -m conntrack --ctorigsrc 203.0.113.7 --ctreplsrc 192.168.50.10 --ctorigdstport 7890 --ctreplsrcport 80 -m time --datestop 2026-11-22T04:56:40 -j ACCEPT\n\
        [1:60] -A GATEHOUSE-GUARD -p tcp -j REJECT --reject-with tcp-reset\n";
    let counted = counts(saved);
    assert_eq!(counted.len(), 1);
    let script = chains(Family::Ipv4, &wanted, &counted, NOW_MS);
    assert!(
        script
            .contains("\n[3:180] -A GATEHOUSE-GUARD -p tcp -m conntrack --ctorigsrc 203.0.113.7 "),
        "{script}"
    );
    assert_eq!(
        script.matches('[').count(),
        3,
        "two chains and one rule: {script}"
    );
    let written = script.replace("--ctorigsrc 203.0.113.7", "--ctorigsrc 203.0.113.7/32");
    assert_eq!(counts(&written), counted, "as other versions show a host");
    let traffic = by_flow(&counted);
    assert_eq!(traffic.get(&wanted[0].flow()), Some(&180));
}

#[test]
fn doors_to_one_target_are_summed_up() {
    let mut behind_another = passage(Protocol::Tcp, "2001:db8::7", "fd00:50::10", 60_000);
    let first = behind_another;
    behind_another.route.port_dst += 1;
    let counted = [
        (way_of(&first.route), (1, 60)),
        (way_of(&behind_another.route), (2, 120)),
    ];
    let traffic = by_flow(&counted.into());
    assert_eq!(traffic.get(&first.flow()), Some(&180));
    assert_eq!(traffic.len(), 1);
}

#[test]
fn a_rule_stops_with_the_second_in_which_it_ends() {
    for (remaining_ms, second) in [(500, "04:26:40"), (501, "04:26:41"), (1500, "04:26:41")] {
        let wanted = [passage(
            Protocol::Tcp,
            "203.0.113.7",
            "192.168.50.10",
            remaining_ms,
        )];
        let script = chains(Family::Ipv4, &wanted, &Counts::new(), NOW_MS);
        let stop = format!("--datestop 2026-11-22T{second} ");
        assert_eq!(script.matches(&stop).count(), 3, "{remaining_ms}: {script}");
    }
}

#[test]
fn jumps_are_arguments_each() {
    let wan = ["wan", "ppp*"].map(|name| Interface::parse(name).unwrap());
    let lines: Vec<String> = jumps(&wan)
        .iter()
        .map(|jump| jump.arguments("-I").join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "-w 5 -t filter -I FORWARD -m connmark --mark 0x1000000/0x1000000 -j GATEHOUSE-GUARD",
            "-w 5 -t nat -I PREROUTING -i wan -m addrtype --dst-type LOCAL -j GATEHOUSE-DOORS",
            "-w 5 -t nat -I PREROUTING -i ppp+ -m addrtype --dst-type LOCAL -j GATEHOUSE-DOORS",
        ]
    );
}

#[test]
fn ours_is_our_chains_and_what_stands_first() {
    let wan = ["wan"].map(|name| Interface::parse(name).unwrap());
    let saved = ":FORWARD DROP [3:180]\n:GATEHOUSE-GUARD - [0:0]\n[5:300] -A FORWARD -j ACCEPT\n\
                 [0:0] -A FORWARD -m connmark --mark 0x1000000/0x1000000 -j GATEHOUSE-GUARD\n\
                 [0:0] -A GATEHOUSE-GUARD -j REJECT\nCOMMIT\n";
    assert_eq!(
        ours(saved, "filter", &jumps(&wan)),
        ["-A GATEHOUSE-GUARD -j REJECT", "-A FORWARD -j ACCEPT"],
        "the owner's rule stands before our jump, which shows"
    );
}

#[test]
fn a_trial_has_a_rule_of_each_kind_in_chains_that_are_not_ours() {
    let wan = ["wan", "ppp*"].map(|name| Interface::parse(name).unwrap());
    for family in [Family::Ipv4, Family::Ipv6] {
        let script = trial(family, &jumps(&wan), &samples(0), NOW_MS);
        for kind in [
            "-m time --datestop",
            "-m conntrack --ctorigsrc",
            "-m connmark --mark",
            "-m addrtype --dst-type LOCAL",
            "-j CONNMARK --set-xmark",
            "-j DNAT --to-destination",
            "-j REJECT --reject-with tcp-reset",
            "-p tcp ",
            "-p udp ",
            "-i ppp+ ",
        ] {
            assert!(script.contains(kind), "{kind}: {script}");
        }
        let saved = format!("{script}{}", without_trial());
        assert!(ours(&saved, "nat", &[]).is_empty(), "{saved}");
    }
}
