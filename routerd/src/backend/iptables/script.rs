//! What is written to `iptables-restore`, and what of ours `iptables-save` shows.

use crate::config::Interface;
use crate::table::Passage;
use std::fmt::Write as _;
use std::net::SocketAddr;
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

/// Writes our chains with these passages of one family and nothing else. `epoch_ms` is the date at
/// which the monotonic clock began, in milliseconds since the Unix epoch.
///
/// The guard comes first: a door that opens before its guard would lose its first packets.
pub(super) fn chains(family: Family, wanted: &[Passage], epoch_ms: u64) -> String {
    let mut script = format!("*filter\n:{GUARD} - [0:0]\n");
    let mut doors = String::new();
    for passage in wanted
        .iter()
        .filter(|passage| Family::of(passage) == family)
    {
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
    let mut script = chains(family, samples, epoch_ms).replace(PREFIX, TRIAL_PREFIX);
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

/// Picks our chains out of what `iptables-save` shows of one table, and as many of the first rules
/// of the router's own chains as we have jumps there.
pub(super) fn ours(saved: &str, table: &str, jumps: &[Jump]) -> Vec<String> {
    let mut shown: Vec<String> = saved
        .lines()
        .filter(|line| line.starts_with("-A GATEHOUSE-"))
        .map(str::to_owned)
        .collect();
    let own_chains = ["PREROUTING", "FORWARD"];
    for chain in own_chains {
        let of_chain = |jump: &&Jump| jump.table == table && jump.chain == chain;
        let first = jumps.iter().filter(of_chain).count();
        let prefix = format!("-A {chain} ");
        let rules = saved.lines().filter(|line| line.starts_with(&prefix));
        shown.extend(rules.take(first).map(str::to_owned));
    }
    shown
}

#[cfg(test)]
mod tests;
