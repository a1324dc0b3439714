//! Figures of the portal as a program: how soon it is ready, how much memory it holds.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::report::Row;
use super::stage::ANY_PORT;
use super::times::Times;
use crate::portal;
use crate::process::Managed;

const STARTS: usize = 5;

/// The middle one of several starts with an existing database, from the program's start to `/readyz`.
///
/// # Errors
/// When the portal does not get ready.
pub(super) fn until_ready(data_dir: &Path) -> Result<Row> {
    let mut times_ms = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let running = portal::start(data_dir, ANY_PORT, false)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1000.0);
        drop(running);
    }
    Ok(Row::alone(
        format!("start to /readyz, median of {STARTS}"),
        format!("{:.0} ms", Times::of(times_ms).median_ms()),
    ))
}

/// What the kernel counts as resident of a running program, a second after the work is over.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn resident_memory(process: &Managed, what: impl Into<String>) -> Result<Row> {
    // The work that the start or the load has left behind is over after a second.
    std::thread::sleep(Duration::from_secs(1));
    let resident_mb = resident_mb(process.id())?;
    Ok(Row::alone(what, format!("{resident_mb:.1} MB")))
}

/// What the kernel counts as resident of a process and of all that it started, added up.
///
/// # Errors
/// When the kernel does not tell, for one because the process has ended.
pub(super) fn resident_mb(id: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let own_kilobytes: f64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .context("the kernel does not tell the resident memory")?;
    let mut sum_mb = own_kilobytes * 1024.0 / 1e6;
    for child in fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?.split_whitespace() {
        sum_mb += resident_mb(child.parse()?)?;
    }
    Ok(sum_mb)
}
