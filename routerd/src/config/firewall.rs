//! What enforces the sessions, and where clients come in.

use crate::Failure;
use serde::Deserialize;
use std::fmt;

/// A key whose value may be one text or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What enforces the sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendKind {
    /// nftables.
    Nft,
    /// iptables and ip6tables.
    Iptables,
    /// Nothing; the log says what would be done.
    DryRun,
}

/// A network interface's name, or the beginning of several names and `*`; safe to be written into a
/// firewall rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface(String);

impl Interface {
    /// Linux allows 15 characters; of those in use only these are allowed here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.strip_suffix('*').unwrap_or(text);
        let allowed = |symbol: char| symbol.is_ascii_alphanumeric() || "._-@".contains(symbol);
        let is_name = (1..=15).contains(&name.len()) && name.chars().all(allowed);
        (is_name && !name.starts_with('-')).then(|| Self(text.to_owned()))
    }

    /// Tells whether it names this interface.
    pub fn covers(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == self.0,
        }
    }

    /// Writes the name as `iptables` knows it, with `+` for any ending.
    pub fn for_iptables(&self) -> String {
        self.0.replace('*', "+")
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Reads the name of a backend.
///
/// # Errors
/// [`Failure`] if there is no such backend.
pub(super) fn parse_backend(name: &str) -> Result<BackendKind, Failure> {
    match name {
        "nft" | "nftables" => Ok(BackendKind::Nft),
        "iptables" => Ok(BackendKind::Iptables),
        "dry-run" => Ok(BackendKind::DryRun),
        _ => Err(Failure::new(
            "backend must be \"nft\", \"iptables\" or \"dry-run\"",
        )),
    }
}

/// Reads the names of the interfaces; every backend but the dry run needs one.
///
/// # Errors
/// [`Failure`] with what is missing or no name.
pub(super) fn interfaces(
    names: Option<OneOrMany>,
    backend: BackendKind,
) -> Result<Vec<Interface>, Failure> {
    let names = match names {
        None => Vec::new(),
        Some(OneOrMany::One(name)) => vec![name],
        Some(OneOrMany::Many(names)) => names,
    };
    if names.is_empty() && backend != BackendKind::DryRun {
        return Err(Failure::new(
            "wan_interface is missing: name the interface that clients come in through, such as \"wan\" or \"ppp*\"",
        ));
    }
    names
        .iter()
        .map(|name| {
            Interface::parse(name).ok_or_else(|| {
                Failure::new(format!(
                    "wan_interface holds {name:?}, which is no interface's name such as \"wan\" or \"ppp*\""
                ))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::Interface;

    #[test]
    fn an_interface_may_be_named_by_its_beginning() {
        let covers = |named: &str, name: &str| Interface::parse(named).unwrap().covers(name);
        assert!(covers("wan", "wan") && covers("ppp*", "ppp0") && covers("ppp*", "ppp"));
        assert!(!covers("wan", "wan6") && !covers("ppp*", "pp"));
        assert_eq!(Interface::parse("ppp*").unwrap().for_iptables(), "ppp+");
    }

    #[test]
    fn interface_names_hold_nothing_that_a_rule_could_take_for_more() {
        for name in ["wan", "eth0.7", "ppp*", "br-lan", "pppoe-wan", "eth0@if3"] {
            assert!(Interface::parse(name).is_some(), "{name}");
        }
        for name in [
            "",
            "*",
            "wan\" accept",
            "a b",
            "wan\n",
            "-j",
            "${x}",
            "a*b",
            "ab**",
            "abcdefghijklmnop",
        ] {
            assert!(Interface::parse(name).is_none(), "{name:?}");
        }
    }
}
