//! Steps that say what they do and how long they took.

use std::time::Instant;

use anyhow::{Context, Result};

/// Runs one named piece of work, printing its name before and its time after.
///
/// # Errors
/// Whatever `work` fails with, under the step's name.
pub(crate) fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("==> {name}");
    let start = Instant::now();
    let value = work().with_context(|| format!("this step failed: {name}"))?;
    println!("    done in {:.1} s", start.elapsed().as_secs_f64());
    Ok(value)
}

/// Prints one remark below the running step.
pub(crate) fn note(text: &str) {
    println!("    {text}");
}
