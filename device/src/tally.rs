//! What a simulated fleet met.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::time::Duration;

use crate::Kind;

/// A run of days must not fill the memory: the percentiles are those of the latest checks.
const LATENCIES_KEPT: usize = 100_000;

/// Counts of a simulation; `Display` writes the summary.
#[derive(Debug, Default)]
pub struct Tally {
    checks: u64,
    updates: u64,
    mishaps: u64,
    downloaded_bytes: u64,
    errors: BTreeMap<Kind, u64>,
    check_latencies: VecDeque<Duration>,
}

impl Tally {
    /// How many checks were answered.
    pub const fn checks(&self) -> u64 {
        self.checks
    }

    /// How many updates were fetched whole and confirmed by the new version.
    pub const fn updates(&self) -> u64 {
        self.updates
    }

    /// How many updates failed because the fleet was told so.
    pub const fn mishaps(&self) -> u64 {
        self.mishaps
    }

    /// How many bytes of whole images came.
    pub const fn downloaded_bytes(&self) -> u64 {
        self.downloaded_bytes
    }

    /// How many errors of this kind were met.
    pub fn errors(&self, kind: Kind) -> u64 {
        self.errors.get(&kind).copied().unwrap_or_default()
    }

    /// The time within which `percent` of the latest checks were answered; 1..=100.
    pub fn check_latency(&self, percent: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.check_latencies.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }

    pub(crate) fn note_check(&mut self, latency: Duration) {
        self.checks += 1;
        if self.check_latencies.len() == LATENCIES_KEPT {
            self.check_latencies.pop_front();
        }
        self.check_latencies.push_back(latency);
    }

    pub(crate) fn note_update(&mut self, image_bytes: u64) {
        self.updates += 1;
        self.downloaded_bytes += image_bytes;
    }

    pub(crate) fn note_mishap(&mut self) {
        self.mishaps += 1;
    }

    pub(crate) fn note_error(&mut self, kind: Kind) {
        *self.errors.entry(kind).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "checks       {}", self.checks)?;
        writeln!(f, "updates      {}", self.updates)?;
        writeln!(f, "mishaps      {}", self.mishaps)?;
        writeln!(f, "bytes        {}", self.downloaded_bytes)?;
        for (label, percent) in [("check p50", 50), ("check p99", 99)] {
            match self.check_latency(percent) {
                Some(latency) => writeln!(f, "{label}    {:.1} ms", latency.as_secs_f64() * 1e3)?,
                None => writeln!(f, "{label}    none answered")?,
            }
        }
        write!(f, "errors       {}", self.errors.values().sum::<u64>())?;
        for (kind, count) in &self.errors {
            write!(f, "\n  {}: {count}", kind.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_percentiles_are_those_of_the_nearest_rank() {
        let mut tally = Tally::default();
        assert_eq!(tally.check_latency(50), None);
        for ms in (1..=200).rev() {
            tally.note_check(Duration::from_millis(ms));
        }
        assert_eq!(tally.check_latency(50), Some(Duration::from_millis(100)));
        assert_eq!(tally.check_latency(99), Some(Duration::from_millis(198)));
    }

    #[test]
    fn the_summary_names_each_kind_of_error() {
        let mut tally = Tally::default();
        tally.note_check(Duration::from_micros(1_500));
        tally.note_update(42);
        tally.note_mishap();
        tally.note_error(Kind::Unreachable);
        tally.note_error(Kind::Unauthorized);
        tally.note_error(Kind::Unreachable);
        assert_eq!(
            tally.to_string(),
            "checks       1\n\
             updates      1\n\
             mishaps      1\n\
             bytes        42\n\
             check p50    1.5 ms\n\
             check p99    1.5 ms\n\
             errors       3\n  token refused (401): 1\n  unreachable: 2"
        );
    }
}
