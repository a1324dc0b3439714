//! Looks whether a router is ready: what `gatehouse-routerd check` prints, a line for each thing.

use crate::backend::{
    find_tool,
    iptables::{Iptables, serves_ipv6},
    nftables::Nftables,
};
use crate::clock::Clock;
use crate::config::{BackendKind, Config};
use crate::tls::{Identity, Validity};
use ipnet::IpNet;
use std::fmt;
use std::fs::OpenOptions;
use std::path::Path;
use time::OffsetDateTime;

/// Bit of CAP_NET_ADMIN in the kernel's capability sets.
const NET_ADMIN_BIT: u64 = 1 << 12;

/// The first of January 2026, in milliseconds since the Unix epoch: this program is younger.
const YOUNGER_THAN_MS: u64 = 1_767_225_600_000;

/// How a thing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    verdict: Verdict,
    subject: &'static str,
    text: String,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Ok, subject, text)
    }

    fn warn(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Warn, subject, text)
    }

    fn fail(subject: &'static str, text: impl Into<String>) -> Self {
        Self::new(Verdict::Fail, subject, text)
    }

    fn new(verdict: Verdict, subject: &'static str, text: impl Into<String>) -> Self {
        Self {
            verdict,
            subject,
            text: text.into(),
        }
    }

    /// Tells whether the daemon cannot work because of it.
    pub fn is_failure(&self) -> bool {
        self.verdict == Verdict::Fail
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "fail",
        };
        write!(formatter, "{verdict:<4}  {}: {}", self.subject, self.text)
    }
}

/// Looks at everything that the daemon needs. All that it changes it puts back.
///
/// It blocks; call it from a thread that may.
pub fn examine(config: &Config, clock: &dyn Clock) -> Vec<Finding> {
    let mut findings = vec![
        certificate(config, clock.now_ms()),
        date(clock.now_ms()),
        state_dir(&config.state_dir),
        allowed_portals(&config.allowed_portals),
    ];
    if config.backend == BackendKind::DryRun {
        let text = "the dry run opens nothing and only says what it would do";
        findings.push(Finding::warn("firewall", text));
        return findings;
    }
    findings.extend([
        capability(),
        forwarding(&config.lan_cidrs),
        wan_interface(config),
        firewall(config, clock.now_ms()),
        offload(config),
    ]);
    findings
}

fn certificate(config: &Config, now_ms: u64) -> Finding {
    let identity = match Identity::load(&config.cert, &config.key) {
        Ok(identity) => identity,
        Err(failure) => return Finding::fail("certificate", failure.to_string()),
    };
    let pin = format!("SHA-256 {}", hex::encode(identity.cert_sha256));
    match identity.validity(now_ms) {
        Validity::Now => Finding::ok("certificate", pin),
        Validity::NotYet => Finding::warn("certificate", format!("not valid yet; {pin}")),
        Validity::Expired => Finding::warn(
            "certificate",
            format!("expired; the portal looks at the pin only; {pin}"),
        ),
    }
}

fn date(now_ms: u64) -> Finding {
    let now_s = i64::try_from(now_ms / 1000).unwrap_or(i64::MAX);
    let now = OffsetDateTime::from_unix_timestamp(now_s).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (hour, minute, second) = now.to_hms();
    let shown = format!("{} {hour:02}:{minute:02}:{second:02} UTC", now.date());
    if now_ms < YOUNGER_THAN_MS {
        let text =
            format!("{shown} cannot be right: set it by NTP, the portal's must agree to 60 s");
        return Finding::fail("clock", text);
    }
    Finding::ok("clock", format!("{shown}; the portal's must agree to 60 s"))
}

/// `keygen` cannot know the portal's address.
fn allowed_portals(networks: &[IpNet]) -> Finding {
    let is_here = |network: &IpNet| network.addr().is_loopback();
    if networks.iter().all(is_here) {
        return Finding::warn(
            "allowed_portals",
            "only this machine may connect: add the portal's address, unless it runs here",
        );
    }
    Finding::ok("allowed_portals", "other machines may connect")
}

fn state_dir(path: &Path) -> Finding {
    let shown = path.display();
    if !path.exists() {
        return Finding::warn(
            "state_dir",
            format!("{shown} is not there yet; the daemon makes it when it starts"),
        );
    }
    let probe = path.join("check");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&probe);
    match written.and_then(|_| std::fs::remove_file(&probe)) {
        Ok(()) => Finding::ok("state_dir", format!("{shown} can be written")),
        Err(error) => Finding::fail("state_dir", format!("{shown} cannot be written: {error}")),
    }
}

fn capability() -> Finding {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if effective_capabilities(&status) & NET_ADMIN_BIT != 0 {
        return Finding::ok("capability", "this user has CAP_NET_ADMIN");
    }
    Finding::fail(
        "capability",
        "this user has no CAP_NET_ADMIN: run it as the service manager does, or as root",
    )
}

fn effective_capabilities(status: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or_default()
}

fn forwarding(lan_cidrs: &[IpNet]) -> Finding {
    let is_on = |path| std::fs::read_to_string(path).is_ok_and(|text| text.trim() != "0");
    let lan_has_ipv6 = lan_cidrs.iter().any(|cidr| cidr.addr().is_ipv6());
    if !is_on("/proc/sys/net/ipv4/ip_forward") {
        return Finding::warn(
            "forwarding",
            "this machine forwards no IPv4 packets: is it the router? (sysctl net.ipv4.ip_forward)",
        );
    }
    if lan_has_ipv6 && !is_on("/proc/sys/net/ipv6/conf/all/forwarding") {
        return Finding::warn(
            "forwarding",
            "lan_cidrs has an IPv6 network, but this machine forwards no IPv6 packets (sysctl net.ipv6.conf.all.forwarding)",
        );
    }
    Finding::ok("forwarding", "this machine forwards packets")
}

fn wan_interface(config: &Config) -> Finding {
    let devices = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let present: Vec<&str> = devices
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, _)| name.trim())
        .collect();
    let absent: Vec<String> = config
        .wan_interfaces
        .iter()
        .filter(|wanted| !present.iter().any(|name| wanted.covers(name)))
        .map(ToString::to_string)
        .collect();
    if absent.is_empty() {
        return Finding::ok("wan_interface", "there");
    }
    Finding::warn(
        "wan_interface",
        format!("there is no {} at the moment", absent.join(" and no ")),
    )
}

fn firewall(config: &Config, now_ms: u64) -> Finding {
    let tried = match config.backend {
        BackendKind::Nft => Nftables::try_rules(&config.wan_interfaces),
        BackendKind::Iptables | BackendKind::DryRun => {
            Iptables::try_rules(&config.wan_interfaces, now_ms)
        }
    };
    match tried {
        Ok(()) if config.backend == BackendKind::Iptables && !serves_ipv6() => Finding::warn(
            "firewall",
            "it takes our rules over IPv4; sessions over IPv6 need ip6tables and its table nat (kmod-ipt-nat6 on OpenWrt)",
        ),
        Ok(()) => Finding::ok("firewall", "it takes our rules"),
        Err(failure) => Finding::fail("firewall", failure.to_string()),
    }
}

fn offload(config: &Config) -> Finding {
    let has_conntrack = find_tool("conntrack").is_some();
    let has_flowtables =
        config.backend == BackendKind::Nft && Nftables::has_flowtables().unwrap_or(false);
    match (config.flow_offload, has_conntrack) {
        (true, false) => Finding::fail(
            "flow_offload",
            "conntrack is not installed: offloaded connections would outlive their session",
        ),
        (false, _) if has_flowtables => Finding::warn(
            "flow_offload",
            "the router has flow tables: set flow_offload = true, or offloaded connections outlive their session",
        ),
        (false, false) if config.backend == BackendKind::Iptables => Finding::warn(
            "flow_offload",
            "conntrack is not installed: connections end by the guard alone",
        ),
        _ => Finding::ok("flow_offload", "as configured"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Finding, NET_ADMIN_BIT, allowed_portals, date, effective_capabilities};

    #[test]
    fn a_capability_is_read_from_the_kernels_words() {
        let of = |digits: &str| effective_capabilities(&format!("Name:\tx\nCapEff:\t{digits}\n"));
        assert_eq!(of("0000000000001000"), NET_ADMIN_BIT);
        assert_eq!(of("000001ffffffffff") & NET_ADMIN_BIT, NET_ADMIN_BIT);
        assert_eq!(of("0000000000000000"), 0);
        assert_eq!(effective_capabilities(""), 0);
    }

    #[test]
    fn a_clock_before_this_program_was_made_is_wrong() {
        assert!(date(0).is_failure());
        let right = date(1_795_312_800_000);
        assert!(!right.is_failure());
        assert!(right.to_string().contains("2026-11-22 "), "{right}");
    }

    /// The commonest reason for a portal that cannot reach its router.
    #[test]
    fn a_daemon_that_only_hears_its_own_machine_is_told() {
        let of = |networks: &[&str]| {
            let networks: Vec<_> = networks.iter().map(|text| text.parse().unwrap()).collect();
            allowed_portals(&networks).to_string()
        };
        assert!(of(&["127.0.0.1/32", "::1/128"]).starts_with("warn  allowed_portals: only this"));
        assert!(of(&["127.0.0.1/32", "203.0.113.4/32"]).starts_with("ok"));
    }

    #[test]
    fn a_finding_is_one_line_that_begins_with_its_verdict() {
        assert_eq!(Finding::ok("a", "b").to_string(), "ok    a: b");
        assert_eq!(Finding::warn("a", "b").to_string(), "warn  a: b");
        assert_eq!(Finding::fail("a", "b").to_string(), "fail  a: b");
    }
}
