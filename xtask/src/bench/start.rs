//! Figures of the portal as a program: how soon it is ready, how much memory it holds.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::report::Row;
use super::stage::ANY_PORT;
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
    times_ms.sort_by(f64::total_cmp);
    Ok(Row::alone(
        format!("start to /readyz, median of {STARTS}"),
        format!("{:.0} ms", times_ms[STARTS / 2]),
    ))
}

/// What the kernel counts as resident of a running program.
///
/// # Errors
/// When the kernel does not tell.
pub(super) fn resident_memory(process: &Managed, what: &str) -> Result<Row> {
    // The work that the start or the load has left behind is over after a second.
    std::thread::sleep(Duration::from_secs(1));
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .context("the kernel does not tell the resident memory")?;
    Ok(Row::alone(
        what,
        format!("{:.1} MB", kilobytes * 1024.0 / 1e6),
    ))
}
