//! `cargo xtask bench`: the portal beside its peers on this machine, in one run.
//!
//! Every figure is taken from release builds over loopback, with the load generator on the same
//! cores, so ratios within one run mean more than the figures themselves. To add a figure, write
//! a function that returns its [`Row`] into the file of its group and call it in [`measure`].
//! Figures of the router daemon and the kernel's packet filter are a group of their own, [`firewall`],
//! and so are those of a portal with a million devices, [`fleet`], and of signed [`manifests`].

mod downloads;
pub(crate) mod firewall;
mod flask;
mod fleet;
mod load;
mod manifests;
mod nginx;
mod page_weight;
mod pages;
mod peer;
mod report;
mod rust_peers;
mod sessions;
mod stage;
mod start;
mod times;

use anyhow::Result;
use clap::ValueEnum;

use crate::portal;
use crate::process;
use crate::project;
use crate::run;
use crate::setup;
use crate::site;
use crate::step::step;
use downloads::Downloads;
use report::Row;
use stage::{ANY_PORT, Stage};

/// Figures that are measured together and stand in one table.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// The portal beside other servers, over loopback.
    Peers,
    /// The router daemon with the kernel's packet filter, in network namespaces.
    Firewall,
    /// Devices that ask what to install, with a thousand and with a million of them.
    Fleet,
    /// Devices that fetch a release's manifest with its two signatures.
    Manifests,
}

/// Builds, measures, prints a table for each group (or the one that is wanted) and writes it to
/// docs/PERFORMANCE.md.
///
/// # Errors
/// When something cannot be installed or built, or the portal or a peer answers a request wrongly.
pub(crate) fn bench(seconds: u32, only: Option<Group>) -> Result<()> {
    let is_wanted = |group| only.is_none_or(|only| only == group);
    setup::for_building()?;
    site::build()?;
    run::build_release()?;
    if is_wanted(Group::Peers) {
        beside_peers(seconds)?;
    }
    if is_wanted(Group::Firewall) {
        firewall::rows()?;
    }
    if is_wanted(Group::Fleet) {
        fleet::rows(seconds)?;
    }
    if is_wanted(Group::Manifests) {
        manifests::rows(seconds)?;
    }
    Ok(())
}

fn beside_peers(seconds: u32) -> Result<()> {
    install()?;
    build_peers()?;
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let stage = step("setting the stage", || Stage::set(scratch.path()))?;
    report::publish("bench", &conditions(seconds)?, &measure(&stage, seconds)?)
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let rustc = process::output(process::command("rustc").arg("--version"))?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk, 32 connections, {seconds} s each; one for ranges) shares; \
         {}. A row stands only if every answer was a success and no connection broke. \
         Resident memory is read right after the load, that of all processes of a server added up. \
         Each peer ran right after the portal. A ratio is the portal's rate divided by the peer's. \
         Flask is `bench/flask` under gunicorn with {}; the Rust peers are in `bench/peers`.",
        rustc.trim(),
        flask::setting()?
    ))
}

fn install() -> Result<()> {
    install_wrk()?;
    setup::tool(
        "nginx",
        &["nginx-light"],
        "the static file server that the measurements compare with",
    )?;
    flask::install()
}

fn install_wrk() -> Result<()> {
    setup::tool("wrk", &["wrk"], "the load generator of the measurements")
}

fn build_peers() -> Result<()> {
    let mut peers = process::cargo();
    peers.args(["build", "--release", "--package", "gatehouse-bench-peers"]);
    step("compiling the peers in Rust", || process::run(&mut peers))
}

fn measure(stage: &Stage, seconds: u32) -> Result<Vec<Row>> {
    let (process, mut portal) = portal::start(&stage.data_dir(), ANY_PORT, false)?;
    let mut rows = vec![start::resident_memory(
        &process,
        "resident memory, idle after the start",
    )?];
    let services = step("filling the portal", || stage.fill(&mut portal))?;
    let downloads = Downloads::prepare(stage, &portal, seconds)?;
    rows.extend(step("downloads beside the peers", || {
        downloads.plain(&process, &portal)
    })?);
    rows.extend(step("pages beside the peer", || {
        pages::rows(stage, &process, &portal, &services[0], seconds)
    })?);
    rows.push(step("opening access sessions", || {
        sessions::opening(&portal, &services[1], "a dry-run daemon")
    })?);
    rows.push(start::resident_memory(
        &process,
        "resident memory after the load",
    )?);
    drop(process);
    rows.extend(step("downloads over TLS beside the peers", || {
        downloads.over_tls()
    })?);
    rows.push(step("start-up", || start::until_ready(&stage.data_dir()))?);
    Ok(rows)
}
