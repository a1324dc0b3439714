use std::net::IpAddr;

use proptest::prelude::*;

use super::{ForwardHeader, NoClientAddress, Resolver};

const PROXY: &str = "10.0.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address in a test")
}

fn resolver(header: ForwardHeader) -> Resolver {
    let trusted = ["10.0.0.0/8", "fd00::/8"].map(|net| net.parse().expect("a network in a test"));
    Resolver::new(trusted.to_vec(), header)
}

fn through_proxy(header: ForwardHeader, lines: &[&str]) -> Result<IpAddr, NoClientAddress> {
    resolver(header).resolve(ip(PROXY), lines.iter().map(|line| line.as_bytes()))
}

fn x_forwarded_for(lines: &[&str]) -> Result<IpAddr, NoClientAddress> {
    through_proxy(ForwardHeader::XForwardedFor, lines)
}

fn forwarded(lines: &[&str]) -> Result<IpAddr, NoClientAddress> {
    through_proxy(ForwardHeader::Forwarded, lines)
}

#[test]
fn a_stranger_cannot_say_who_he_is() {
    let answer = resolver(ForwardHeader::XForwardedFor)
        .resolve(ip("203.0.113.7"), [b"198.51.100.1".as_slice()].into_iter());
    assert_eq!(answer, Ok(ip("203.0.113.7")));
}

#[test]
fn a_mapped_peer_is_an_ipv4_peer() {
    let resolver = resolver(ForwardHeader::XForwardedFor);
    assert_eq!(
        resolver.resolve(ip("::ffff:203.0.113.7"), std::iter::empty()),
        Ok(ip("203.0.113.7"))
    );
    let behind = resolver.resolve(
        ip("::ffff:10.0.0.1"),
        [b"198.51.100.1".as_slice()].into_iter(),
    );
    assert_eq!(behind, Ok(ip("198.51.100.1")));
}

#[test]
fn the_first_stranger_from_the_right_is_the_client() {
    let cases: &[(&[&str], &str)] = &[
        (&["198.51.100.1"], "198.51.100.1"),
        (&["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
        (
            &["6.6.6.6, 198.51.100.1, 10.0.0.2,10.9.9.9"],
            "198.51.100.1",
        ),
        (&["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
        (&["198.51.100.1", "10.0.0.2, fd00::2"], "198.51.100.1"),
        (&["nonsense, \", 198.51.100.1"], "198.51.100.1"),
        (&["198.51.100.1:5555"], "198.51.100.1"),
        (&["2001:db8::5"], "2001:db8::5"),
        (&["[2001:db8::5]"], "2001:db8::5"),
        (&["[2001:db8::5]:80"], "2001:db8::5"),
        (&["::ffff:203.0.113.7"], "203.0.113.7"),
        (&["[::ffff:203.0.113.7]:80"], "203.0.113.7"),
        (&["198.51.100.1, ::ffff:10.0.0.3"], "198.51.100.1"),
        (&["192.168.1.5"], "192.168.1.5"),
    ];
    for (lines, client) in cases {
        assert_eq!(x_forwarded_for(lines), Ok(ip(client)), "{lines:?}");
    }
}

#[test]
fn a_chain_that_cannot_be_read_gives_no_address() {
    let cases: &[&[&str]] = &[
        &[],
        &[""],
        &[" "],
        &[","],
        &["a"],
        &["unknown"],
        &["198.51.100.1,"],
        &["198.51.100.1, , 10.0.0.2"],
        &["198.51.100.1", ""],
        &["10.0.0.2"],
        &["10.0.0.2, 10.0.0.3, fd00::1"],
        &["0x7f.1"],
        &["127.1"],
        &["0177.0.0.1"],
        &["198.051.100.1"],
        &["3325256705"],
        &["198.51.100.1:"],
        &["198.51.100.1:+80"],
        &["198.51.100.1:65536"],
        &["198.51.100.1/32"],
        &["198.51.100.1 10.0.0.2"],
        &["[198.51.100.1]"],
        &["[2001:db8::5"],
        &["2001:db8::5]"],
        &["fe80::1%eth0"],
        &["0.0.0.0"],
        &["::"],
        &["255.255.255.255"],
        &["224.0.0.1"],
        &["ff02::1"],
        &["1.1.1.1; reboot"],
    ];
    for lines in cases {
        assert_eq!(x_forwarded_for(lines), Err(NoClientAddress), "{lines:?}");
    }
}

#[test]
fn forwarded_is_read_as_rfc_7239_writes_it() {
    let cases: &[(&[&str], &str)] = &[
        (&["for=192.0.2.43"], "192.0.2.43"),
        (&["For=\"192.0.2.43:47011\""], "192.0.2.43"),
        (&["for=\"[2001:db8:cafe::17]:4711\""], "2001:db8:cafe::17"),
        (&["for=192.0.2.60;proto=http;by=203.0.113.43"], "192.0.2.60"),
        (&["proto=https; FOR=192.0.2.60"], "192.0.2.60"),
        (&["for=6.6.6.6, for=192.0.2.43, for=10.0.0.7"], "192.0.2.43"),
        (&["for=6.6.6.6;x=\", for=\"[2001:db8::9]\""], "2001:db8::9"),
        (&["for=6.6.6.6", "for=192.0.2.43;host=h"], "192.0.2.43"),
    ];
    for (lines, client) in cases {
        assert_eq!(forwarded(lines), Ok(ip(client)), "{lines:?}");
    }
}

#[test]
fn forwarded_without_one_plain_address_gives_none() {
    let cases = [
        "",
        "for",
        "for=",
        "for=unknown",
        "for=_hidden",
        "for=\"_hidden\"",
        "for=\"192.0.2.43",
        "for=192.0.2.43:80",
        "for=[2001:db8::1]",
        "for=2001:db8::1",
        "for=\"2001:db8::1\"",
        "for=\"192.0.2.43\\\"\"",
        "for=192.0.2.43;for=192.0.2.44",
        "by=192.0.2.43",
        "192.0.2.43",
        "for=10.0.0.5",
    ];
    for line in cases {
        assert_eq!(forwarded(&[line]), Err(NoClientAddress), "{line:?}");
    }
}

#[test]
fn five_thousand_entries_are_no_burden() {
    let line = format!("198.51.100.1{}", ", 10.0.0.2".repeat(5_000));
    assert_eq!(x_forwarded_for(&[&line]), Ok(ip("198.51.100.1")));
}

fn addresses() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(IpAddr::from),
        any::<[u8; 16]>().prop_map(IpAddr::from),
        any::<[u8; 3]>().prop_map(|[a, b, c]| IpAddr::from([10, a, b, c])),
    ]
}

/// Splits a chain at random places into header lines.
fn lines_of(chain: &[IpAddr], cuts: &[bool]) -> Vec<String> {
    let mut lines = vec![String::new()];
    for (at, hop) in chain.iter().enumerate() {
        let line = lines.last_mut().expect("one line at least");
        match (at, cuts.get(at)) {
            (0, _) => line.push_str(&hop.to_string()),
            (_, Some(true)) => lines.push(hop.to_string()),
            _ => line.extend([" ,", &hop.to_string()]),
        }
    }
    lines
}

proptest! {
    #[test]
    fn arbitrary_bytes_give_a_stranger_or_nothing(
        lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..4),
        rfc_7239 in any::<bool>(),
    ) {
        let header = if rfc_7239 { ForwardHeader::Forwarded } else { ForwardHeader::XForwardedFor };
        let resolver = resolver(header);
        if let Ok(client) = resolver.resolve(ip(PROXY), lines.iter().map(Vec::as_slice)) {
            prop_assert!(!resolver.trusts(client));
        }
    }

    #[test]
    fn the_answer_is_the_rightmost_stranger(
        chain in prop::collection::vec(addresses(), 1..12),
        cuts in prop::collection::vec(any::<bool>(), 12),
    ) {
        let resolver = resolver(ForwardHeader::XForwardedFor);
        let lines = lines_of(&chain, &cuts);
        let stranger = chain.iter().map(IpAddr::to_canonical).rev().find(|hop| !resolver.trusts(*hop));
        let expected = stranger.filter(|hop| super::names_one_host(*hop)).ok_or(NoClientAddress);
        let answer = resolver.resolve(ip(PROXY), lines.iter().map(String::as_bytes));
        prop_assert_eq!(answer, expected);
    }

    #[test]
    fn nothing_prepended_changes_the_answer(junk in "\\PC{0,80}", client in any::<[u8; 4]>()) {
        let client = IpAddr::from(client);
        prop_assume!(super::names_one_host(client) && client.to_string().split('.').next() != Some("10"));
        let line = format!("{junk},{client}, 10.1.1.1");
        prop_assert_eq!(x_forwarded_for(&[&line]), Ok(client));
    }

    #[test]
    fn an_untrusted_peer_stays_itself(peer in addresses(), line in prop::collection::vec(any::<u8>(), 0..100)) {
        let resolver = resolver(ForwardHeader::XForwardedFor);
        prop_assume!(!resolver.trusts(peer.to_canonical()));
        let answer = resolver.resolve(peer, std::iter::once(line.as_slice()));
        prop_assert_eq!(answer, Ok(peer.to_canonical()));
    }
}
