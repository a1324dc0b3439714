//! What is written to `nft`. One script is one transaction: all of it or nothing.

use super::Traffic;
use crate::config::Interface;
use crate::table::{Change, Flow, Passage};
use gatehouse_router_protocol::message::Protocol;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

const TABLE: &str = include_str!("gatehouse.nft");
const ARRIVING: &str = "@arriving@\n";

/// Shorter times become 0 in a kernel with 100 ticks a second, and 0 means for ever.
const MIN_TIMEOUT_MS: u64 = 100;

/// How many elements fit into the netlink message of a user who may not enlarge its buffer.
const PIECE_ELEMENTS: usize = 512;

/// Sets the table anew with these passages and nothing else. `now_ms` has to be read right before
/// the script is run: the kernel counts the time that is left from then on.
pub(super) fn whole(
    wan: &[Interface],
    wanted: &[Passage],
    traffic: &Traffic,
    now_ms: u64,
) -> String {
    let mut script = table(wan);
    add_all(
        &mut script,
        elements(&going_on(wanted, now_ms), traffic, now_ms),
    );
    script
}

/// Does the same in several transactions.
pub(super) fn pieces(
    wan: &[Interface],
    wanted: &[Passage],
    traffic: &Traffic,
    now_ms: u64,
) -> Vec<String> {
    let mut scripts = vec![table(wan)];
    let wanted = going_on(wanted, now_ms);
    let mut rest = elements(&wanted, traffic, now_ms).peekable();
    while rest.peek().is_some() {
        let mut script = String::new();
        add_all(&mut script, rest.by_ref().take(PIECE_ELEMENTS));
        scripts.push(script);
    }
    scripts
}

fn table(wan: &[Interface]) -> String {
    let arriving = wan.iter().fold(String::new(), |mut rules, interface| {
        let _ = writeln!(
            rules,
            "    iifname \"{interface}\" fib daddr type local jump doors"
        );
        rules
    });
    let rules = TABLE.replace(ARRIVING, &arriving);
    format!("add table inet gatehouse\ndelete table inet gatehouse\n{rules}")
}

/// Writes one command for as many elements in a row as belong to one set.
fn add_all(script: &mut String, elements: impl Iterator<Item = Element>) {
    let mut set = None;
    for element in elements {
        if set == Some(element.set) {
            script.push_str(",\n");
        } else {
            let end = if set.is_some() { "\n}\n" } else { "" };
            let _ = writeln!(script, "{end}add element inet gatehouse {} {{", element.set);
        }
        let _ = write!(script, "  {}", element.text());
        set = Some(element.set);
    }
    if set.is_some() {
        script.push_str("\n}\n");
    }
}

/// Takes out what was and puts in what has to be.
///
/// What was is added before it is deleted, since deleting an absent element would undo everything.
/// What has to be is created, not added: to add a known element leaves its end as it was in older
/// kernels, while to create one fails, and then everything is set anew.
pub(super) fn change(change: &Change, traffic: &Traffic, now_ms: u64) -> String {
    let mut script = String::new();
    for element in elements(&change.before, &Traffic::new(), now_ms) {
        let _ = writeln!(script, "add element {element}");
        let _ = writeln!(script, "delete element {}", element.name());
    }
    for element in elements(&going_on(&change.after, now_ms), traffic, now_ms) {
        let _ = writeln!(script, "create element {element}");
    }
    script
}

/// Gives the set and the key of a connection's element.
pub(super) fn live_key((ip_src, protocol, ip_dst_lan, port): &Flow) -> (&'static str, String) {
    let set = if ip_src.is_ipv4() { "live4" } else { "live6" };
    (
        set,
        format!("{ip_src} . {protocol} . {ip_dst_lan} . {port}"),
    )
}

struct Element {
    set: &'static str,
    key: String,
    counter: String,
    timeout_ms: u64,
    data: String,
}

impl Element {
    fn door(passage: &Passage, now_ms: u64) -> Self {
        let route = &passage.route;
        let (ip_src, protocol, port_dst): (IpAddr, Protocol, u16) = passage.door();
        Self {
            set: if ip_src.is_ipv4() { "sess4" } else { "sess6" },
            key: format!("{ip_src} . {protocol} . {port_dst}"),
            counter: String::new(),
            timeout_ms: timeout_ms(passage.ends_at_ms, now_ms),
            data: format!(" : {} . {}", route.ip_dst_lan, route.port_dst_lan),
        }
    }

    fn live(flow: &Flow, timeout_ms: u64, bytes: u64) -> Self {
        let (set, key) = live_key(flow);
        Self {
            set,
            key,
            counter: format!(" counter packets 0 bytes {bytes}"),
            timeout_ms,
            data: String::new(),
        }
    }

    fn text(&self) -> String {
        let Self {
            key,
            counter,
            timeout_ms,
            data,
            ..
        } = self;
        format!("{key}{counter} timeout {timeout_ms}ms{data}")
    }

    fn name(&self) -> String {
        format!("inet gatehouse {} {{ {} }}", self.set, self.key)
    }
}

impl std::fmt::Display for Element {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "inet gatehouse {} {{ {} }}",
            self.set,
            self.text()
        )
    }
}

fn timeout_ms(ends_at_ms: u64, now_ms: u64) -> u64 {
    ends_at_ms.saturating_sub(now_ms).max(MIN_TIMEOUT_MS)
}

/// Leaves out what has ended since the passages were listed.
fn going_on(passages: &[Passage], now_ms: u64) -> Vec<Passage> {
    let not_over = |passage: &&Passage| passage.ends_at_ms > now_ms;
    passages.iter().filter(not_over).copied().collect()
}

/// Passages through several doors to one target share the element of their connections, which ends
/// with the last.
fn elements(passages: &[Passage], traffic: &Traffic, now_ms: u64) -> impl Iterator<Item = Element> {
    let live = ends_by_flow(passages)
        .into_iter()
        .map(move |(flow, ends_at_ms)| {
            let bytes = traffic.get(&flow).copied().unwrap_or_default();
            Element::live(&flow, timeout_ms(ends_at_ms, now_ms), bytes)
        });
    passages
        .iter()
        .map(move |passage| Element::door(passage, now_ms))
        .chain(live)
}

/// Gives the connections that the passages let go on, and when the last of their passages ends.
pub(super) fn ends_by_flow(passages: &[Passage]) -> BTreeMap<Flow, u64> {
    let mut ends: BTreeMap<Flow, u64> = BTreeMap::new();
    for passage in passages {
        let end = ends.entry(passage.flow()).or_default();
        *end = passage.ends_at_ms.max(*end);
    }
    ends
}

#[cfg(test)]
mod tests;
