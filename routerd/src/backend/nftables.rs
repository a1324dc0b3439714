//! The kernel keeps the time: one table of our own with timed sets, programmed through `nft`.
//!
//! The map `sess` leads a client's new connections on and marks them; the set `live` says which
//! marked connections may go on. An element ends by itself in both, so at the end of a session the
//! door is shut and the guard resets what is still running, without this daemon.
//!
//! Commands go to `nft -f -` in its own language, not in JSON: `nft` up to 1.0.6 at least refuses the
//! type of our maps in JSON, and JSON knows whole seconds only. Nothing but numbers, addresses and
//! checked interface names is ever written into them. What the kernel holds is read as JSON.

mod listing;
mod script;

use super::{Backend, Repairs, ToolError, Traffic, tool};
use crate::clock::Clock;
use crate::config::Interface;
use crate::table::{Change, Flow, Passage, Table};
use listing::Listing;
use std::collections::BTreeSet;
use std::sync::Arc;
use tracing::{debug, warn};

const NFT: &str = "nft";

/// What `nft` says about a table or an element that is not there.
const NOT_THERE: &str = "No such file or directory";

/// What it says about a transaction that does not fit into one message to the kernel.
const TOO_LONG: &str = "Message too long";

/// The backend for Linux since 5.10 with nftables.
pub struct Nftables {
    wan: Vec<Interface>,
    clock: Arc<dyn Clock>,
    /// Our rules as the kernel showed them right after they were set.
    rules: Option<Vec<String>>,
}

impl Nftables {
    /// Makes the backend for the interfaces that clients come in through.
    pub fn new(wan: Vec<Interface>, clock: Arc<dyn Clock>) -> Self {
        Self {
            wan,
            clock,
            rules: None,
        }
    }

    /// Lets the kernel check all of our rules and an element of each kind without changing anything.
    ///
    /// # Errors
    /// [`ToolError`] if `nft` is missing or refuses.
    pub fn try_rules(wan: &[Interface]) -> Result<(), ToolError> {
        let script = script::whole(wan, &super::samples(0), &Traffic::new(), 0);
        tool::run(NFT, &["-c", "-f", "-"], &script).map(drop)
    }

    /// Tells whether the router has flow tables, whose packets our guard does not see.
    ///
    /// # Errors
    /// [`ToolError`] if `nft` is missing or refuses.
    pub fn has_flowtables() -> Result<bool, ToolError> {
        let shown = tool::run(NFT, &["list", "flowtables"], "")?;
        Ok(String::from_utf8_lossy(&shown).contains("flowtable "))
    }

    fn list(options: &[&str]) -> Result<Option<Listing>, ToolError> {
        let arguments = [options, &["list", "table", "inet", "gatehouse"]].concat();
        match tool::run(NFT, &arguments, "") {
            Ok(json) => Ok(Listing::parse(json)
                .inspect_err(|reason| warn!("our table holds what is not ours: {reason}"))
                .ok()),
            Err(ToolError::Refused { complaint, .. }) if complaint.contains(NOT_THERE) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Does it in one transaction, in which no connection is cut, unless the kernel takes no message
    /// of that length from this user: without the rights of the machine's root it grants 200 kB.
    fn set_anew(&self, wanted: &[Passage], traffic: &Traffic) -> Result<(), ToolError> {
        let script = script::whole(&self.wan, wanted, traffic, self.clock.monotonic_ms());
        match tool::run(NFT, &["-f", "-"], &script) {
            Err(ToolError::Refused { complaint, .. }) if complaint.contains(TOO_LONG) => {
                script::pieces(&self.wan, wanted, traffic, self.clock.monotonic_ms())
                    .iter()
                    .try_for_each(|script| tool::run(NFT, &["-f", "-"], script).map(drop))
            }
            outcome => outcome.map(drop),
        }
    }

    fn amiss(&self, found: Option<&Listing>, wanted: &[Passage]) -> Repairs {
        match found {
            None => Repairs {
                missing: wanted.len(),
                rules: true,
                ..Repairs::default()
            },
            Some(listing) => Repairs {
                rules: self.rules.as_ref() != Some(&listing.rules),
                ..listing.compare(wanted, self.clock.monotonic_ms())
            },
        }
    }
}

impl Backend for Nftables {
    fn name(&self) -> &'static str {
        "nft"
    }

    /// Looks first, so that a table which is as it should be is left alone.
    fn enforce(&mut self, wanted: &[Passage]) -> Result<Repairs, ToolError> {
        let found = Self::list(&["-j"])?;
        let repairs = self.amiss(found.as_ref(), wanted);
        if repairs.is_none() {
            return Ok(repairs);
        }
        let traffic = found.map(|listing| listing.traffic()).unwrap_or_default();
        self.set_anew(wanted, &traffic)?;
        let without_elements = ["-j", "-t"];
        self.rules = Self::list(&without_elements)?.map(|listing| listing.rules);
        Ok(repairs)
    }

    /// Putting an element anew sets its counter to zero, so the count is carried over; taking one
    /// out forgets it.
    fn change(
        &mut self,
        change: &Change,
        _table: &Table,
        _now_ms: u64,
    ) -> Result<Traffic, ToolError> {
        let mut traffic = Traffic::new();
        for flow in change
            .before
            .iter()
            .map(Passage::flow)
            .collect::<BTreeSet<_>>()
        {
            traffic.extend(count_of(&flow)?.map(|bytes| (flow, bytes)));
        }
        let script = script::change(change, &traffic, self.clock.monotonic_ms());
        tool::run(NFT, &["-f", "-"], &script).map(|_| traffic)
    }

    fn keep_up(&mut self, _any_ended: bool, _: &Table, _now_ms: u64) -> Result<(), ToolError> {
        Ok(())
    }

    fn traffic(&mut self) -> Result<Traffic, ToolError> {
        let mut traffic = Traffic::new();
        for set in ["live4", "live6"] {
            let json = tool::run(NFT, &["-j", "list", "set", "inet", "gatehouse", set], "")?;
            let listing = Listing::parse(json)
                .map_err(|reason| ToolError::Unreadable(NFT, reason.to_string()))?;
            traffic.extend(listing.traffic());
        }
        Ok(traffic)
    }
}

/// Gives what was counted, `None` where there is no such element any more.
///
/// `nft` up to 1.0.6 at least shows a single element as text, also when asked for JSON.
///
/// # Errors
/// [`ToolError::TooSlow`]: what hangs would hang again.
fn count_of(flow: &Flow) -> Result<Option<u64>, ToolError> {
    let (set, key) = script::live_key(flow);
    let element = format!("{{ {key} }}");
    let arguments = ["get", "element", "inet", "gatehouse", set, &element];
    match tool::run(NFT, &arguments, "") {
        Ok(shown) => Ok(bytes_in(&String::from_utf8_lossy(&shown))),
        Err(hung @ ToolError::TooSlow(_)) => Err(hung),
        Err(failure) => {
            debug!("what went through a session is not known: {failure}");
            Ok(None)
        }
    }
}

fn bytes_in(shown: &str) -> Option<u64> {
    let (_, from_count) = shown.split_once(" bytes ")?;
    from_count.split_whitespace().next()?.parse().ok()
}
