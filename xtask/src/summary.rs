//! The count of what passed, kept between `test` and `check` so that CI can print one sum.

use std::collections::BTreeMap;
use std::ops::Add;
use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::project;

const COMMANDS: [&str; 2] = ["test", "check"];

/// How many tests or checks ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Count {
    /// Those that found what they expected.
    pub(crate) passed: u32,
    /// Those that did not.
    pub(crate) failed: u32,
    /// Those that could not run, each with a reason printed.
    pub(crate) skipped: u32,
}

impl Count {
    /// One failure and nothing else.
    pub(crate) const ONE_FAILED: Self = Self {
        passed: 0,
        failed: 1,
        skipped: 0,
    };
}

impl Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl std::iter::Sum for Count {
    fn sum<I: Iterator<Item = Self>>(counts: I) -> Self {
        counts.fold(Self::default(), Add::add)
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}

/// What one command leaves behind for [`print_total`].
#[derive(Debug, Serialize, Deserialize)]
struct Outcome {
    count: Count,
    failures: Vec<String>,
}

/// Keeps the count of one command, and what failed, for [`print_total`].
///
/// # Errors
/// When the file in `target` cannot be written.
pub(crate) fn store(command: &str, count: Count, failures: &[String]) -> Result<()> {
    let mut outcomes = stored();
    let failures = failures.to_vec();
    outcomes.insert(command.to_owned(), Outcome { count, failures });
    Ok(std::fs::write(
        file(),
        serde_json::to_vec_pretty(&outcomes)?,
    )?)
}

/// Prints the sum of `test` and `check`; one that left no count behind is one failure.
///
/// What failed is repeated first, on stderr, since the end of a long log is what people keep.
///
/// # Errors
/// When anything failed.
pub(crate) fn print_total() -> Result<()> {
    let outcomes = stored();
    let mut total = Count::default();
    for command in COMMANDS {
        let Some(outcome) = outcomes.get(command) else {
            eprintln!("failed: cargo xtask {command} left no result behind");
            total = total + Count::ONE_FAILED;
            continue;
        };
        total = total + outcome.count;
        for failure in &outcome.failures {
            eprintln!("failed: {failure}");
        }
    }
    println!("{total}");
    if total.failed > 0 {
        bail!("{} of the tests and checks failed", total.failed);
    }
    Ok(())
}

/// What was stored; a missing or broken file counts as nothing, and `print_total` says so.
fn stored() -> BTreeMap<String, Outcome> {
    let text = std::fs::read(file()).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

fn file() -> PathBuf {
    project::root().join("target/xtask-summary.json")
}
