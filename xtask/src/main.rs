//! What people do with this repository, behind `cargo xtask <command>`: install what is missing,
//! build the browser half, run a demo, run every test and check, measure.
//!
//! A new command is a file here with one `pub(crate)` function, a variant of [`Task`] and an arm
//! in [`perform`]. Anything that takes more than a second runs inside [`step::step`], so that a
//! first start on a bare machine always shows what it is doing.
#![expect(
    clippy::disallowed_methods,
    reason = "a build tool has no clock and no dice to inject: its passwords are random and its figures are measured"
)]

mod bench;
mod browser_tests;
mod check;
mod demo;
mod fleet;
mod fuzz;
mod npm;
mod openapi;
mod portal;
mod postgres;
mod process;
mod project;
mod python;
mod run;
mod setup;
mod site;
mod step;
mod summary;
mod test;
mod tidy;
mod wasm;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What shells report for a program that Ctrl-C has ended.
const INTERRUPTED_STATUS: u8 = 130;

/// The tasks of this repository. On a new machine start with `cargo xtask run`.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Example: cargo xtask run --listen 127.0.0.1:8080"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Installs what is missing to build, and with --test also what the tests need.
    Setup {
        /// Also Chromium, Node.js, PostgreSQL and the browser tests' packages.
        #[arg(long)]
        test: bool,
    },
    /// Builds the browser half into target/site: scripts, WebAssembly, style, pictures.
    Site,
    /// Builds the portal and starts it with a demo, or empty.
    Run(run::Options),
    /// Runs every test, those in the browser too, and prints a table.
    Test,
    /// Runs formatting, lints, tidy, licences and the generated files' comparison.
    Check,
    /// Checks the invariants of docs/ARCHITECTURE.md that a machine can check.
    Tidy,
    /// Writes the generated files: docs/openapi.json.
    Gen,
    /// Measures speed and weight beside peers and writes docs/PERFORMANCE.md.
    Bench {
        /// How long each load runs, in seconds.
        #[arg(long, default_value_t = 10)]
        seconds: u32,
        /// Measures one group of figures and leaves the others as they are.
        #[arg(long)]
        only: Option<bench::Group>,
    },
    /// The part of `bench` that runs in network namespaces, which `bench` starts there.
    #[command(hide = true)]
    BenchInNamespaces {
        /// An empty folder, where the rows are written to.
        folder: PathBuf,
    },
    /// Fuzzes what comes in over the router link, each target for a while.
    Fuzz {
        /// How long each target runs, in seconds.
        #[arg(long, default_value_t = 60)]
        seconds: u32,
    },
    /// Prints the sum of the last `test` and `check` on one line.
    Summary,
    /// Writes a small valid ESP32-S3 image, for trying an upload by hand.
    Image {
        /// Where to write it.
        file: PathBuf,
        /// The version in the image's application descriptor.
        #[arg(long, default_value = "1.1.0")]
        version: String,
    },
}

fn main() -> ExitCode {
    let done = process::stop_children_on_signals().and_then(|()| perform(Cli::parse().task));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) if process::interrupted() => {
            eprintln!("stopped before the end");
            ExitCode::from(INTERRUPTED_STATUS)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> anyhow::Result<()> {
    match task {
        Task::Setup { test: false } => setup::for_building(),
        Task::Setup { test: true } => setup::for_testing(),
        Task::Site => setup::for_building().and_then(|()| site::build()),
        Task::Run(options) => run::run(&options),
        Task::Test => test::test(),
        Task::Check => check::check(),
        Task::Tidy => tidy::tidy(),
        Task::Gen => setup::for_building()
            .and_then(|()| site::build())
            .and_then(|()| openapi::generate()),
        Task::Bench { seconds, only } => bench::bench(seconds, only),
        Task::BenchInNamespaces { folder } => bench::firewall::measure(&folder),
        Task::Fuzz { seconds } => fuzz::fuzz(seconds),
        Task::Summary => summary::print_total(),
        Task::Image { file, version } => Ok(std::fs::write(
            file,
            gatehouse_esp_image::EspImage::demo(&version).to_bytes(),
        )?),
    }
}
