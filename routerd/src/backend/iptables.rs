//! For routers without nftables: rules that carry their end as a date, through `iptables`.
//!
//! Each session is a rule that leads new connections on, in the chain `GATEHOUSE-DOORS` of the table
//! `nat`, and one that lets marked connections go on, in `GATEHOUSE-GUARD` of `filter`. Both match
//! until a date (`-m time --datestop`, in UTC by the kernel's clock), so the kernel ends them without
//! this daemon. Our chains are always written whole, each in one transaction and with the counts that
//! they had; nothing else is changed but the jumps to them.

mod script;

use super::{Backend, Repairs, ToolError, Traffic, tool};
use crate::clock::Clock;
use crate::config::Interface;
use crate::table::{Change, Passage, Table};
use script::{Counts, Family, Jump};
use std::sync::Arc;
use tracing::warn;

/// By how much the date may move before the ends in the rules are set anew.
const MAX_DRIFT_MS: u64 = 1000;

/// Another program may hold the lock of `iptables` for a moment.
const WAIT: [&str; 2] = ["-w", "5"];

/// How many jumps of ours are taken out at most; there is one for each interface, if all is well.
const MAX_JUMPS: usize = 32;

/// What the kernel holds of ours.
struct Holding {
    /// The rules of our chains, and what stands before and at our jumps.
    rules: Vec<String>,
    counts: Counts,
}

/// The backend for routers with `iptables` only.
pub struct Iptables {
    jumps: Vec<Jump>,
    families: Vec<Family>,
    clock: Arc<dyn Clock>,
    /// What `iptables-save` showed of ours right after it was set, by family.
    saved: [Option<Vec<String>>; 2],
    /// What the rules let through; `None` while unsure.
    written: Option<Vec<Passage>>,
    /// The date at which the monotonic clock began, as it was when the dates were written.
    epoch_ms: u64,
}

impl Iptables {
    /// Makes the backend for the interfaces that clients come in through.
    pub fn new(wan: &[Interface], clock: Arc<dyn Clock>) -> Self {
        Self {
            jumps: script::jumps(wan),
            families: families(),
            clock,
            saved: [None, None],
            written: None,
            epoch_ms: 0,
        }
    }

    /// Puts a rule of each kind into chains that nothing leads to, and takes them away again: the
    /// kernel looks at rules only when it gets them. `now_ms` is the date.
    ///
    /// # Errors
    /// [`ToolError`] if a program is missing or refuses.
    pub fn try_rules(wan: &[Interface], now_ms: u64) -> Result<(), ToolError> {
        let jumps = script::jumps(wan);
        for family in families() {
            let trial = script::trial(family, &jumps, &super::samples(0), now_ms);
            let taken = restore(family, &trial);
            let removed = restore(family, &script::without_trial());
            taken.and(removed)?;
        }
        Ok(())
    }

    /// Brings chains and jumps to what is wanted, and leaves alone what is so already. Tells also
    /// what was counted until then.
    fn bring_to(&mut self, wanted: &[Passage]) -> Result<(Repairs, Counts), ToolError> {
        let mut repairs = Repairs::default();
        let mut counts = Counts::new();
        for family in self.families.clone() {
            let mut held = self.look(family)?;
            repairs = repairs + self.amiss(family, &held.rules);
            counts.append(&mut held.counts);
        }
        if repairs.is_none() && self.written.as_deref() == Some(wanted) {
            return Ok((repairs, counts));
        }
        // Whatever fails from here on is tried again as a whole.
        self.written = None;
        self.saved = [None, None];
        self.write_chains(wanted, &counts)?;
        // A jump needs the chain that it leads to.
        if !repairs.is_none() {
            for family in &self.families {
                self.set_jumps(*family)?;
            }
        }
        for family in &self.families {
            self.saved[*family as usize] = Some(self.look(*family)?.rules);
        }
        self.written = Some(wanted.to_vec());
        Ok((repairs, counts))
    }

    fn write_chains(&mut self, wanted: &[Passage], counts: &Counts) -> Result<(), ToolError> {
        let epoch_ms = self.epoch_now_ms();
        refuse_missing_family(&self.families, wanted)?;
        for family in &self.families {
            let chains = script::chains(*family, wanted, counts, epoch_ms);
            restore(*family, &chains)?;
        }
        self.epoch_ms = epoch_ms;
        Ok(())
    }

    /// Reckons from the clocks as they are now; it moves when somebody sets the date.
    fn epoch_now_ms(&self) -> u64 {
        self.clock
            .now_ms()
            .saturating_sub(self.clock.monotonic_ms())
    }

    fn look(&self, family: Family) -> Result<Holding, ToolError> {
        let show = |table| tool::run(family.save(), &["-c", "-t", table], "");
        let (nat, filter) = (show("nat")?, show("filter")?);
        let (nat, filter) = (
            String::from_utf8_lossy(&nat),
            String::from_utf8_lossy(&filter),
        );
        let mut rules = script::ours(&nat, "nat", &self.jumps);
        rules.extend(script::ours(&filter, "filter", &self.jumps));
        Ok(Holding {
            rules,
            counts: script::counts(&filter),
        })
    }

    /// Our jumps have to be the first: an ACCEPT before the guard would let connections live on.
    fn set_jumps(&self, family: Family) -> Result<(), ToolError> {
        for jump in &self.jumps {
            for _ in 0..MAX_JUMPS {
                if tool::run(family.program(), &jump.arguments("-D"), "").is_err() {
                    break;
                }
            }
            tool::run(family.program(), &jump.arguments("-I"), "")?;
        }
        Ok(())
    }

    fn amiss(&self, family: Family, shown: &[String]) -> Repairs {
        let Some(saved) = &self.saved[family as usize] else {
            return Repairs {
                rules: true,
                ..Repairs::default()
            };
        };
        let count_without = |these: &[String], those: &[String]| {
            these.iter().filter(|line| !those.contains(line)).count()
        };
        Repairs {
            missing: count_without(saved, shown),
            strangers: count_without(shown, saved),
            different: 0,
            rules: saved != shown,
        }
    }
}

impl Backend for Iptables {
    fn name(&self) -> &'static str {
        "iptables"
    }

    fn enforce(&mut self, wanted: &[Passage]) -> Result<Repairs, ToolError> {
        self.bring_to(wanted).map(|(repairs, _)| repairs)
    }

    fn change(
        &mut self,
        _change: &Change,
        table: &Table,
        now_ms: u64,
    ) -> Result<Traffic, ToolError> {
        let (_, counts) = self.bring_to(&table.passages(now_ms))?;
        Ok(script::by_flow(&counts))
    }

    /// A rule that has ended stays in the list until it is cleared away, and a date that was set
    /// moves all ends.
    fn keep_up(&mut self, any_ended: bool, table: &Table, now_ms: u64) -> Result<(), ToolError> {
        let moved = self.epoch_now_ms().abs_diff(self.epoch_ms) > MAX_DRIFT_MS;
        if moved && !table.is_empty() {
            warn!("the date was set: all ends are written anew");
            self.written = None;
        }
        if any_ended || (moved && !table.is_empty()) {
            return self.bring_to(&table.passages(now_ms)).map(drop);
        }
        Ok(())
    }

    fn traffic(&mut self) -> Result<Traffic, ToolError> {
        let mut counts = Counts::new();
        for family in &self.families {
            counts.append(&mut self.look(*family)?.counts);
        }
        Ok(script::by_flow(&counts))
    }
}

fn restore(family: Family, script: &str) -> Result<(), ToolError> {
    let arguments = ["--noflush", "--counters", WAIT[0], WAIT[1]];
    tool::run(family.restore(), &arguments, script).map(drop)
}

/// A router may do without IPv6, or have its program and not the table that leads connections on;
/// then sessions of that family are refused.
fn families() -> Vec<Family> {
    let serves_ipv6 = tool::find(Family::Ipv6.program()).is_some() && leads_on(Family::Ipv6);
    let ipv6 = serves_ipv6.then_some(Family::Ipv6);
    std::iter::once(Family::Ipv4).chain(ipv6).collect()
}

fn leads_on(family: Family) -> bool {
    let shown = tool::run(family.save(), &["-t", "nat"], "");
    if let Err(failure) = &shown {
        warn!("sessions over IPv6 are refused: there is no table nat for it ({failure})");
    }
    shown.is_ok()
}

/// Tells whether sessions over IPv6 can be let through.
pub fn serves_ipv6() -> bool {
    families().contains(&Family::Ipv6)
}

fn refuse_missing_family(available: &[Family], wanted: &[Passage]) -> Result<(), ToolError> {
    let all_served = wanted
        .iter()
        .all(|passage| available.contains(&Family::of(passage)));
    if all_served {
        Ok(())
    } else {
        Err(ToolError::NoIpv6)
    }
}
