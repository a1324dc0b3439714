//! What is written to `iptables-restore`, and what of ours `iptables-save` shows.

use super::Traffic;
use crate::config::Interface;
use crate::table::Passage;
use gatehouse_router_protocol::message::{Protocol, Route};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use time::OffsetDateTime;

const DOORS: &str = "GATEHOUSE-DOORS";
const GUARD: &str = "GATEHOUSE-GUARD";
/// How the names of our chains begin, and those of a trial, which the daemon must not take for ours.
const PREFIX: &str = "GATEHOUSE-";
const TRIAL_PREFIX: &str = "TRIAL-GATEHOUSE-";
const MARK: &str = "0x1000000/0x1000000";

/// One of the two halves of `iptables`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Ipv4 = 0,
    Ipv6 = 1,
}

impl Family {
    pub(super) fn of(passage: &Passage) -> Self {
        if passage.route.ip_src.is_ipv4() {
            Self::Ipv4
        } else {
            Self::Ipv6
        }
    }

    pub(super) fn program(self) -> &'static str {
        match self {
            Self::Ipv4 => "iptables",
            Self::Ipv6 => "ip6tables",
        }
    }

    pub(super) fn restore(self) -> &'static str {
        match self {
            Self::Ipv4 => "iptables-restore",
            Self::Ipv6 => "ip6tables-restore",
        }
    }

    pub(super) fn save(self) -> &'static str {
        match self {
            Self::Ipv4 => "iptables-save",
            Self::Ipv6 => "ip6tables-save",
        }
    }

    fn icmp(self) -> &'static str {
        match self {
            Self::Ipv4 => "icmp",
            Self::Ipv6 => "ipv6-icmp",
        }
    }
}

/// A rule in one of the router's own chains that leads to one of ours.
#[derive(Debug)]
pub(super) struct Jump {
    table: &'static str,
    chain: &'static str,
    condition: Vec<String>,
    target: &'static str,
}

impl Jump {
    /// Gives the arguments that put it first (`-I`) or take it out (`-D`).
    pub(super) fn arguments(&self, action: &str) -> Vec<String> {
        let mut arguments = [
            super::WAIT[0],
            super::WAIT[1],
            "-t",
            self.table,
            action,
            self.chain,
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(self.condition.iter().cloned());
        arguments.extend(["-j", self.target].map(str::to_owned));
        arguments
    }
}

/// Gives the jumps for clients that come in through these interfaces to an address of the router,
/// and for marked packets that are forwarded.
pub(super) fn jumps(wan: &[Interface]) -> Vec<Jump> {
    let words = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let guard = Jump {
        table: "filter",
        chain: "FORWARD",
        condition: words(&["-m", "connmark", "--mark", MARK]),
        target: GUARD,
    };
    let doors = wan.iter().map(|interface| Jump {
        table: "nat",
        chain: "PREROUTING",
        condition: words(&[
            "-i",
            &interface.for_iptables(),
            "-m",
            "addrtype",
            "--dst-type",
            "LOCAL",
        ]),
        target: DOORS,
    });
    // In this order they are set: no door is open before the guard stands.
    std::iter::once(guard).chain(doors).collect()
}

/// What the guard let through: `[packets:bytes]`, as it stands before a rule.
pub(super) type Count = (u64, u64);

/// A rule of the guard has a count of its own: client, protocol, public port and LAN target.
pub(super) type Way = (IpAddr, Protocol, u16, SocketAddr);

/// What was counted on each way.
pub(super) type Counts = BTreeMap<Way, Count>;

fn way_of(route: &Route) -> Way {
    (route.ip_src, route.protocol, route.port_dst, route.target())
}

/// Sums up what was counted by client and LAN target, whatever the public port.
pub(super) fn by_flow(counts: &Counts) -> Traffic {
    let mut traffic = Traffic::new();
    for ((ip_src, protocol, _, target), (_, bytes)) in counts {
        let flow = (*ip_src, *protocol, target.ip(), target.port());
        *traffic.entry(flow).or_default() += bytes;
    }
    traffic
}

/// Writes our chains with these passages of one family and nothing else; they go on to count from
/// `counts`. `epoch_ms` is the date at which the monotonic clock began, in milliseconds since the
/// Unix epoch.
///
/// The guard comes first: a door that opens before its guard would lose its first packets.
pub(super) fn chains(family: Family, wanted: &[Passage], counts: &Counts, epoch_ms: u64) -> String {
    let mut script = format!("*filter\n:{GUARD} - [0:0]\n");
    let mut doors = String::new();
    for passage in wanted
        .iter()
        .filter(|passage| Family::of(passage) == family)
    {
        if let Some((packets, bytes)) = counts.get(&way_of(&passage.route)) {
            let _ = write!(script, "[{packets}:{bytes}] ");
        }
        write_passage(&mut script, &mut doors, passage, epoch_ms);
    }
    let icmp = family.icmp();
    let _ = writeln!(
        script,
        "-A {GUARD} -p {icmp} -m conntrack --ctstate RELATED -j ACCEPT\n\
         -A {GUARD} -p tcp -j REJECT --reject-with tcp-reset\n\
         -A {GUARD} -j REJECT\n\
         COMMIT\n\
         *nat\n\
         :{DOORS} - [0:0]\n\
         {doors}COMMIT"
    );
    script
}

fn write_passage(guard: &mut String, doors: &mut String, passage: &Passage, epoch_ms: u64) {
    let route = &passage.route;
    let (client, protocol, port) = (route.ip_src, route.protocol, route.port_dst);
    let until = format!("-m time --datestop {}", date_stop(passage, epoch_ms));
    let _ = writeln!(
        guard,
        "-A {GUARD} -p {protocol} -m conntrack --ctorigsrc {client} --ctorigdstport {port} \
         --ctreplsrc {} --ctreplsrcport {} {until} -j ACCEPT",
        route.ip_dst_lan, route.port_dst_lan
    );
    let door = format!("-A {DOORS} -s {client} -p {protocol} --dport {port} {until}");
    let target = SocketAddr::new(route.ip_dst_lan, route.port_dst_lan);
    let _ = writeln!(
        doors,
        "{door} -j CONNMARK --set-xmark {MARK}\n{door} -j DNAT --to-destination {target}"
    );
}

/// A rule matches until the second of its date is over, so the second is the one before the end.
fn date_stop(passage: &Passage, epoch_ms: u64) -> String {
    let end_ms = epoch_ms
        .saturating_add(passage.ends_at_ms)
        .saturating_sub(1);
    let end_s = i64::try_from(end_ms / 1000).unwrap_or(i64::MAX);
    let end = OffsetDateTime::from_unix_timestamp(end_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = end.to_hms();
    format!("{}T{hour:02}:{minute:02}:{second:02}", end.date())
}

/// Writes a rule of each kind into chains that nothing leads to: ours under other names, with what
/// our jumps look at.
pub(super) fn trial(family: Family, jumps: &[Jump], samples: &[Passage], epoch_ms: u64) -> String {
    let mut script =
        chains(family, samples, &Counts::new(), epoch_ms).replace(PREFIX, TRIAL_PREFIX);
    for jump in jumps {
        let (chain, condition) = (trial_name(jump.target), jump.condition.join(" "));
        let _ = writeln!(
            script,
            "*{}\n-A {chain} {condition} -j RETURN\nCOMMIT",
            jump.table
        );
    }
    script
}

/// Takes the chains of a trial away, also those that it did not come to make.
pub(super) fn without_trial() -> String {
    let removal = |table, chain| {
        let chain = trial_name(chain);
        format!("*{table}\n:{chain} - [0:0]\n-F {chain}\n-X {chain}\nCOMMIT\n")
    };
    removal("filter", GUARD) + &removal("nat", DOORS)
}

fn trial_name(chain: &str) -> String {
    chain.replace(PREFIX, TRIAL_PREFIX)
}

/// Picks our chains out of what `iptables-save -c` shows of one table, and as many of the first
/// rules of the router's own chains as we have jumps there; without the counts.
pub(super) fn ours(saved: &str, table: &str, jumps: &[Jump]) -> Vec<String> {
    let rules: Vec<&str> = saved.lines().map(|line| split_count(line).1).collect();
    let own_rules = rules
        .iter()
        .filter(|rule| rule.starts_with("-A GATEHOUSE-"));
    let mut shown: Vec<String> = own_rules.map(|rule| (*rule).to_owned()).collect();
    let own_chains = ["PREROUTING", "FORWARD"];
    for chain in own_chains {
        let of_chain = |jump: &&Jump| jump.table == table && jump.chain == chain;
        let first = jumps.iter().filter(of_chain).count();
        let prefix = format!("-A {chain} ");
        let rules = rules.iter().filter(|rule| rule.starts_with(&prefix));
        shown.extend(rules.take(first).map(|rule| (*rule).to_owned()));
    }
    shown
}

/// Reads what the guard counted out of what `iptables-save -c` shows.
pub(super) fn counts(saved: &str) -> Counts {
    let counted = saved.lines().filter_map(|line| {
        let (count, rule) = split_count(line);
        Some((way_in(rule)?, count?))
    });
    counted.collect()
}

/// Parts `[packets:bytes] ` from the rule behind it.
fn split_count(line: &str) -> (Option<Count>, &str) {
    let parts = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    let Some((count, rule)) = parts else {
        return (None, line);
    };
    let numbers = count.split_once(':');
    let count =
        numbers.and_then(|(packets, bytes)| Some((packets.parse().ok()?, bytes.parse().ok()?)));
    (count, rule)
}

/// Gives the way that a rule of the guard lets go on.
fn way_in(rule: &str) -> Option<Way> {
    let words: Vec<&str> = rule
        .strip_prefix("-A GATEHOUSE-GUARD ")?
        .split_whitespace()
        .collect();
    let value = |option: &str| {
        let position = words.iter().position(|word| *word == option)?;
        words.get(position + 1).copied()
    };
    // Some versions show a host as a network of one.
    let host = |option| value(option)?.split('/').next()?.parse::<IpAddr>().ok();
    let port = |option| value(option)?.parse::<u16>().ok();
    let protocol = match value("-p")? {
        "tcp" => Protocol::Tcp,
        "udp" => Protocol::Udp,
        _ => return None,
    };
    Some((
        host("--ctorigsrc")?,
        protocol,
        port("--ctorigdstport")?,
        SocketAddr::new(host("--ctreplsrc")?, port("--ctreplsrcport")?),
    ))
}

#[cfg(test)]
mod tests;
