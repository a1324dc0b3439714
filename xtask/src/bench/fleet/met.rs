//! What simulated devices met, as the reference device tells it.

use std::fmt;

use anyhow::{Context, Result, bail};

/// What devices met that updated themselves.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Met {
    checks: u64,
    updates: u64,
    errors: u64,
    /// As the reference device prints them, with their unit.
    p50: String,
    p99: String,
}

impl Met {
    /// Reads the tally that `gatehouse-device simulate` prints.
    ///
    /// # Errors
    /// When nothing was asked or no device came through its update: such a row would mean nothing.
    pub(super) fn parse(tally: &str) -> Result<Self> {
        let value = |label: &str| {
            let found = tally.lines().find_map(|line| line.strip_prefix(label));
            found
                .map(str::trim)
                .with_context(|| format!("the devices' tally has no line of {label}"))
        };
        let met = Self {
            checks: value("checks ")?.parse()?,
            updates: value("updates ")?.parse()?,
            errors: value("errors ")?.parse()?,
            p50: value("check p50 ")?.to_owned(),
            p99: value("check p99 ")?.to_owned(),
        };
        if met.checks == 0 || met.updates == 0 {
            bail!("the devices asked nothing or updated nothing:\n{tally}");
        }
        Ok(met)
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} updates, {} errors, {} checks (p50 {}, p99 {})",
            self.updates, self.errors, self.checks, self.p50, self.p99
        )
    }
}

#[cfg(test)]
mod tests {
    use super::Met;

    #[test]
    fn what_devices_met_is_read_out_of_their_tally() {
        let tally = "checks       2500\nupdates      498\nmishaps      0\nbytes        42\n\
            check p50    1.5 ms\ncheck p99    20.0 ms\nerrors       3\n  unreachable: 3\n";
        assert_eq!(
            Met::parse(tally).unwrap().to_string(),
            "498 updates, 3 errors, 2500 checks (p50 1.5 ms, p99 20.0 ms)"
        );
    }

    #[test]
    fn devices_that_updated_nothing_are_no_measurement() {
        let tally = "checks       0\nupdates      0\nmishaps      0\nbytes        0\n\
            check p50    none answered\ncheck p99    none answered\nerrors       9\n  unreachable: 9\n";
        assert!(Met::parse(tally).is_err());
    }
}
