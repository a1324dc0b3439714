//! `cargo xtask fuzz`: coverage-guided fuzzing of what strangers send, with the stable compiler.
//!
//! libFuzzer needs three things: its runtime, which the crate `libfuzzer-sys` builds with the C++
//! compiler; a program around each target; and code that counts where it has been. The last is a
//! pass of LLVM that the stable compiler runs as well. What nightly and cargo-fuzz would add is
//! AddressSanitizer, which has nothing to find where unsafe code is forbidden.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process;
use crate::project;
use crate::step::{note, step};
use crate::summary::Count;
use crate::test::{Findings, Suite};

/// Each is a file in `fuzz/fuzz_targets` and a folder of inputs to start from in `fuzz/corpus`.
const TARGETS: [&str; 4] = ["v2_frame", "v1_blob", "json_message", "manifest"];

const COUNT_COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares";

/// Builds every target and runs each for so many seconds.
///
/// # Errors
/// When a target fails on an input, which is then kept in `target/tmp/fuzz`.
pub(crate) fn fuzz(seconds: u32) -> Result<()> {
    let found = findings(seconds)?;
    let failed: u32 = found.suites.iter().map(|suite| suite.count.failed).sum();
    if failed > 0 {
        bail!("{failed} targets failed");
    }
    Ok(())
}

/// The same as a part of `cargo xtask test`: one suite with a test for each target.
///
/// # Errors
/// When the targets cannot be built.
pub(crate) fn findings(seconds: u32) -> Result<Findings> {
    let host = host_triple()?;
    step("building the fuzz targets", || build(&host))?;
    let mut count = Count::default();
    let mut failures = Vec::new();
    for target in TARGETS {
        let program = project::target_dir()
            .join(&host)
            .join("release")
            .join(target);
        let outcome = step(&format!("fuzzing {target} for {seconds} s"), || {
            run(target, &program, seconds)
        });
        match outcome {
            Ok(()) => count.passed += 1,
            Err(error) => {
                eprintln!("error: {error:#}");
                failures.push(format!("fuzzing {target}: {error:#}"));
                count.failed += 1;
            }
        }
    }
    let suite = Suite {
        name: "fuzzing what strangers send".to_owned(),
        count,
    };
    Ok(Findings {
        suites: vec![suite],
        remarks: Vec::new(),
        failures,
    })
}

/// With the host named as a target, the flags stay off build scripts and macros.
fn build(host: &str) -> Result<()> {
    let mut cargo = process::cargo();
    cargo
        .args(["build", "--locked", "--release", "--bins", "--target", host])
        .args(["--manifest-path", "fuzz/Cargo.toml"])
        .env("RUSTFLAGS", COUNT_COVERAGE);
    process::run(&mut cargo)
}

fn run(target: &str, program: &Path, seconds: u32) -> Result<()> {
    let scratch = scratch_dir(target)?;
    let seeds = project::root().join("fuzz/corpus").join(target);
    if std::fs::read_dir(&seeds)?.next().is_none() {
        bail!("{} has no inputs to start from", seeds.display());
    }
    let mut fuzzer = process::command(program);
    fuzzer
        .arg(format!("-max_total_time={seconds}"))
        .args(["-timeout=10", "-rss_limit_mb=2048", "-max_len=20000"])
        .args(["-verbosity=0", "-print_final_stats=1"])
        .arg(format!("-artifact_prefix={}/", scratch.display()))
        // New inputs go into the first folder; the second is only read.
        .args([scratch.join("corpus"), seeds]);
    process::run(&mut fuzzer).with_context(|| {
        format!(
            "{target} failed: the input is in {}; run the program with that file to see it again",
            scratch.display()
        )
    })?;
    let found = std::fs::read_dir(scratch.join("corpus"))?.count();
    note(&format!(
        "{target}: {found} inputs that reach something new"
    ));
    Ok(())
}

/// An empty folder for this run's finds, inside `target`.
fn scratch_dir(target: &str) -> Result<PathBuf> {
    let dir = project::scratch_dir()?.join("fuzz").join(target);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(dir.join("corpus"))?;
    Ok(dir)
}

fn host_triple() -> Result<String> {
    let version = process::output(process::command("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not name its host")?.to_owned())
}
