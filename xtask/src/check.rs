//! `cargo xtask check`: what has to hold besides the tests.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::openapi;
use crate::process::{self, find};
use crate::project;
use crate::setup;
use crate::site;
use crate::step::{note, step};
use crate::summary::{self, Count};
use crate::tidy;

/// The cargo-deny that is installed where there is none; it knows the form of our `deny.toml`.
const CARGO_DENY_VERSION: &str = "=0.20.2";

/// How a check ended that did not fail.
enum Verdict {
    Passed,
    /// It could not run here, for this reason.
    Skipped(String),
}

/// A check, which runs by itself.
type Check = fn() -> Result<Verdict>;

/// Runs every check, all of them even when one fails.
///
/// # Errors
/// When a check failed.
pub(crate) fn check() -> Result<()> {
    setup::for_building()?;
    site::build()?;
    let checks: [(&str, Check); 7] = [
        ("formatting", formatting),
        ("clippy, server side", clippy_server),
        ("clippy, browser side", clippy_browser),
        ("tidy", || tidy::tidy().map(|()| Verdict::Passed)),
        ("licences, bans and sources", licences),
        ("known vulnerabilities", advisories),
        ("generated files are up to date", generated_files),
    ];
    let mut failures = Vec::new();
    let total: Count = checks
        .into_iter()
        .map(|(name, check)| count(name, check, &mut failures))
        .sum();
    println!("checks: {total}");
    summary::store("check", total, &failures)?;
    if total.failed > 0 {
        bail!("{} checks failed", total.failed);
    }
    Ok(())
}

fn count(name: &str, check: Check, failures: &mut Vec<String>) -> Count {
    match step(name, check) {
        Ok(Verdict::Passed) => Count {
            passed: 1,
            ..Count::default()
        },
        Ok(Verdict::Skipped(reason)) => {
            note(&format!("skipped: {reason}"));
            Count {
                skipped: 1,
                ..Count::default()
            }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            failures.push(format!("{name}: {error:#}"));
            Count::ONE_FAILED
        }
    }
}

fn formatting() -> Result<Verdict> {
    process::run(process::cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Verdict::Passed)
}

fn clippy_server() -> Result<Verdict> {
    let packages = [
        "--workspace",
        "--exclude",
        project::FRONTEND_PACKAGE,
        "--all-targets",
    ];
    process::run(
        process::cargo()
            .arg("clippy")
            .args(packages)
            .args(["--", "-D", "warnings"]),
    )?;
    Ok(Verdict::Passed)
}

/// Alone, so that the pages are seen with `hydrate` and without `ssr`.
fn clippy_browser() -> Result<Verdict> {
    process::run(process::cargo().args([
        "clippy",
        "--package",
        project::FRONTEND_PACKAGE,
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    Ok(Verdict::Passed)
}

fn licences() -> Result<Verdict> {
    process::run(cargo_deny()?.args(["check", "licenses", "bans", "sources"]))?;
    Ok(Verdict::Passed)
}

/// Known vulnerabilities come from a database on the network, which not every machine reaches.
fn advisories() -> Result<Verdict> {
    let mut fetched = Ok(());
    let mut deny = cargo_deny()?;
    deny.args(["check", "advisories"]);
    let status = process::stream(deny, |line| {
        if line.contains("failed to fetch advisory database")
            || line.contains("failed to load advisory database")
        {
            fetched = Err("the database of vulnerabilities cannot be fetched from here".to_owned());
        }
    })?;
    match (status.success(), fetched) {
        (true, _) => Ok(Verdict::Passed),
        (false, Err(reason)) => Ok(Verdict::Skipped(reason)),
        (false, Ok(())) => bail!("cargo deny found vulnerable or withdrawn dependencies"),
    }
}

/// cargo-deny from PATH, or from `target/tools`, where it is put at the first need.
fn cargo_deny() -> Result<Command> {
    if let Some(program) = find("cargo-deny") {
        return Ok(process::command(program));
    }
    let tools = project::target_dir().join("tools");
    let program = tools.join("bin/cargo-deny");
    if !program.exists() {
        note(
            "installing cargo-deny into target/tools: it checks licences and known vulnerabilities",
        );
        let package = ["cargo-deny", "--version", CARGO_DENY_VERSION];
        let mut install = process::cargo();
        if find("cargo-binstall").is_some() {
            install
                .args(["binstall", "--no-confirm", "--root"])
                .arg(tools)
                .args(package);
        } else {
            // Unoptimised: it compiles in a third of the time and still checks in seconds.
            install
                .args(["install", "--locked", "--debug", "--root"])
                .arg(tools)
                .args(package);
        }
        process::run(&mut install)?;
    }
    Ok(process::command(program))
}

fn generated_files() -> Result<Verdict> {
    let file = project::root().join(openapi::FILE);
    let before = std::fs::read(&file)
        .with_context(|| format!("{} is missing; `cargo xtask gen` writes it", openapi::FILE))?;
    openapi::generate()?;
    if std::fs::read(&file)? != before {
        bail!(
            "{} was out of date; commit what `cargo xtask gen` has written",
            openapi::FILE
        );
    }
    if std::env::var_os("CI").is_some() {
        nothing_changed()?;
    }
    Ok(Verdict::Passed)
}

/// In CI the checkout was clean, so whatever differs now was written by a test or a build.
fn nothing_changed() -> Result<()> {
    let changes = process::output(process::command("git").args(["status", "--porcelain"]))?;
    if !changes.is_empty() {
        bail!("building and testing changed files of the repository:\n{changes}");
    }
    Ok(())
}
