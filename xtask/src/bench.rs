//! `cargo xtask bench`: the portal beside its peers on this machine, in one run.
//!
//! Every figure is taken from release builds over loopback, with the load generator on the same
//! cores, so ratios within one run mean more than the figures themselves. To add a figure, write
//! a function that returns its [`Row`] into the file of its group and call it in [`measure`].

mod downloads;
mod flask;
mod load;
mod nginx;
mod page_weight;
mod pages;
mod peer;
mod report;
mod rust_peers;
mod sessions;
mod stage;
mod start;

use anyhow::Result;

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

/// Builds, measures, prints a table and writes it to docs/PERFORMANCE.md.
///
/// # Errors
/// When something cannot be installed or built, or the portal or a peer answers a request wrongly.
pub(crate) fn bench(seconds: u32) -> Result<()> {
    install()?;
    build()?;
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let stage = step("setting the stage", || Stage::set(scratch.path()))?;
    report::publish(&measure(&stage, seconds)?, seconds)
}

fn install() -> Result<()> {
    setup::for_building()?;
    setup::tool("wrk", &["wrk"], "the load generator of the measurements")?;
    setup::tool(
        "nginx",
        &["nginx-light"],
        "the static file server that the measurements compare with",
    )?;
    flask::install()
}

fn build() -> Result<()> {
    site::build()?;
    run::build_release()?;
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
        downloads.plain(&portal)
    })?);
    rows.extend(step("pages beside the peer", || {
        pages::rows(stage, &portal, &services[0], seconds)
    })?);
    rows.push(step("opening access sessions", || {
        sessions::opening(&portal, &services[1])
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
