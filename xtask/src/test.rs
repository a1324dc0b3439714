//! `cargo xtask test`: everything, with one table at the end.

use anyhow::{Result, bail};

use crate::browser_tests;
use crate::fuzz;
use crate::openapi::build_dev;
use crate::postgres::{self, Postgres};
use crate::process;
use crate::project;
use crate::setup;
use crate::site;
use crate::step::step;
use crate::summary::{self, Count};

/// How much of what the failed tests of one suite said is kept.
const MOST_TOLD_BYTES: usize = 8_000;

/// How long each fuzz target runs.
const FUZZ_SECONDS: u32 = 60;

/// A group of tests that ran together.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Suite {
    /// What it is called in the table.
    pub(crate) name: String,
    /// How its tests ended.
    pub(crate) count: Count,
}

/// What a part of the run found.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// The groups, in the order they ran.
    pub(crate) suites: Vec<Suite>,
    /// A line for each test that was skipped, with its reason, or that needs a second look.
    pub(crate) remarks: Vec<String>,
    /// What failed, each with what it said; CI repeats them at its end.
    pub(crate) failures: Vec<String>,
}

impl Findings {
    fn failure(name: &str, reason: &str) -> Self {
        let suite = Suite {
            name: name.to_owned(),
            count: Count::ONE_FAILED,
        };
        Self {
            suites: vec![suite],
            remarks: Vec::new(),
            failures: vec![format!("{name}: {reason}")],
        }
    }

    fn append(&mut self, part: Result<Findings>, name: &str) {
        let part = part.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Self::failure(name, &format!("{error:#}"))
        });
        self.suites.extend(part.suites);
        self.remarks.extend(part.remarks);
        self.failures.extend(part.failures);
    }
}

/// Installs what is missing, runs every test and prints what they found.
///
/// # Errors
/// When a test failed or could not run.
pub(crate) fn test() -> Result<()> {
    let prepared = setup::for_testing()
        .and_then(|()| site::build())
        .and_then(|()| build_dev());
    let mut findings = Findings::default();
    match prepared {
        Ok(()) => {
            findings.append(rust_tests(), "Rust tests");
            findings.append(browser_tests::run(), "browser tests");
            findings.append(fuzz::findings(FUZZ_SECONDS), "fuzzing what strangers send");
        }
        Err(error) => findings.append(Err(error), "installing and building"),
    }
    report(&findings)
}

fn report(findings: &Findings) -> Result<()> {
    let width = findings
        .suites
        .iter()
        .map(|suite| suite.name.len())
        .max()
        .unwrap_or_default();
    println!();
    for suite in &findings.suites {
        println!("{:width$}  {}", suite.name, suite.count);
    }
    findings
        .remarks
        .iter()
        .for_each(|remark| println!("{remark}"));
    let total: Count = findings.suites.iter().map(|suite| suite.count).sum();
    println!("tests: {total}");
    summary::store("test", total, &findings.failures)?;
    if total.failed > 0 {
        bail!("{} tests failed", total.failed);
    }
    Ok(())
}

fn rust_tests() -> Result<Findings> {
    let own_postgres = match std::env::var_os(postgres::URL_VARIABLE) {
        Some(_) => None,
        None => Some(step(
            "starting a PostgreSQL for the tests",
            Postgres::start,
        )?),
    };
    let mut cargo = process::cargo();
    cargo.args([
        "test",
        "--workspace",
        "--exclude",
        project::FRONTEND_PACKAGE,
        "--no-fail-fast",
    ]);
    if let Some(postgres) = &own_postgres {
        cargo.env(postgres::URL_VARIABLE, postgres.url());
    }
    step("Rust tests", || {
        let mut reader = CargoTestReader::default();
        let status = process::stream(cargo, |line| reader.line(line))?;
        Ok(reader.finish(status.success()))
    })
}

/// Reads what `cargo test` prints, line by line.
#[derive(Default)]
struct CargoTestReader {
    findings: Findings,
    running: Option<String>,
    /// What the failed tests of the running suite said, once it began to tell.
    told: Option<String>,
}

impl CargoTestReader {
    fn line(&mut self, line: &str) {
        let line = line.trim();
        if let Some(name) = suite_name(line) {
            self.close_unfinished();
            self.running = Some(name);
        } else if let Some(count) = line.strip_prefix("test result: ").and_then(parse_counts) {
            let name = self.running.take().unwrap_or_else(|| "unnamed".to_owned());
            if let Some(told) = self.told.take() {
                self.findings
                    .failures
                    .push(format!("{name}:\n{}", told.trim()));
            }
            if count != Count::default() {
                self.findings.suites.push(Suite { name, count });
            }
        } else if line == "failures:" {
            self.told.get_or_insert_default();
        } else if let Some(told) = &mut self.told {
            if told.len() < MOST_TOLD_BYTES {
                told.push_str(line);
                told.push('\n');
            }
        } else if let Some((test, reason)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... ignored"))
        {
            let reason = reason.trim_start_matches(',').trim();
            self.findings.remarks.push(format!(
                "skipped: {test}: {}",
                if reason.is_empty() {
                    "no reason given"
                } else {
                    reason
                }
            ));
        }
    }

    /// A suite that never printed its result has crashed.
    fn close_unfinished(&mut self) {
        if let Some(name) = self.running.take() {
            let name = format!("{name} (crashed)");
            let failure = Findings::failure(&name, "it ended without a result");
            self.findings.append(Ok(failure), &name);
        }
    }

    fn finish(mut self, success: bool) -> Findings {
        self.close_unfinished();
        let some_failed = self
            .findings
            .suites
            .iter()
            .any(|suite| suite.count.failed > 0);
        if !success && !some_failed {
            let failure = Findings::failure("cargo test", "it failed, though no test did");
            self.findings.append(Ok(failure), "cargo test");
        }
        self.findings
    }
}

/// The suite that a line of cargo's announces: `Running unittests src/lib.rs (target/…/name-0123)`.
fn suite_name(line: &str) -> Option<String> {
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{package} (documentation)"));
    }
    let (source, program) = line.strip_prefix("Running ")?.split_once(" (")?;
    let program = program.trim_end_matches(')').rsplit('/').next()?;
    let package = program
        .rsplit_once('-')
        .map_or(program, |(name, _hash)| name);
    Some(format!(
        "{package} ({})",
        source.trim_start_matches("unittests ")
    ))
}

/// `ok. 3 passed; 0 failed; 1 ignored; …`
fn parse_counts(text: &str) -> Option<Count> {
    let (_verdict, counts) = text.split_once(". ")?;
    let mut numbers = counts
        .split("; ")
        .map(|part| part.split_once(' ')?.0.parse().ok());
    let mut next = || numbers.next().flatten();
    Some(Count {
        passed: next()?,
        failed: next()?,
        skipped: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, success: bool) -> Findings {
        let mut reader = CargoTestReader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.finish(success)
    }

    #[test]
    fn suites_are_named_and_counted() {
        let text = "     Running unittests src/lib.rs (target/debug/deps/gatehouse_core-0a1b)\n\
                    test access::opens ... ok\n\
                    test access::slow ... ignored, needs a router\n\
                    test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
                    \u{20}  Doc-tests gatehouse_core\n\
                    test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
        let findings = read(text, true);
        let count = Count {
            passed: 1,
            failed: 0,
            skipped: 1,
        };
        assert_eq!(
            findings.suites,
            [Suite {
                name: "gatehouse_core (src/lib.rs)".to_owned(),
                count
            }]
        );
        assert_eq!(findings.remarks, ["skipped: access::slow: needs a router"]);
    }

    /// CI keeps the end of its output only, so what failed has to stand there.
    #[test]
    fn what_a_failed_test_said_is_kept() {
        let text = "     Running tests/api.rs (target/debug/deps/api-0a1b)\n\
                    test signs_in ... FAILED\n\
                    \n\
                    failures:\n\
                    \n\
                    ---- signs_in stdout ----\n\
                    thread 'signs_in' panicked at api.rs:7:\n\
                    no cookie\n\
                    \n\
                    failures:\n\
                    \u{20}   signs_in\n\
                    \n\
                    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured";
        let findings = read(text, false);
        assert_eq!(findings.suites[0].count, Count::ONE_FAILED);
        let failure = &findings.failures[0];
        assert!(failure.starts_with("api (tests/api.rs):"), "{failure}");
        assert!(failure.contains("no cookie"), "{failure}");
    }

    #[test]
    fn a_suite_that_dies_without_a_result_is_a_failure() {
        let findings = read(
            "Running tests/api.rs (target/debug/deps/api-0a1b)\ntest a ... ok",
            false,
        );
        assert_eq!(findings.suites[0].name, "api (tests/api.rs) (crashed)");
        assert_eq!(findings.suites[0].count, Count::ONE_FAILED);
    }

    #[test]
    fn a_failing_cargo_without_failing_tests_is_a_failure() {
        assert_eq!(
            read("error: could not compile", false).suites[0].count,
            Count::ONE_FAILED
        );
    }
}
