//! `gatehouse`: see `gatehouse --help`.

use std::process::ExitCode;

use clap::Parser;
use gatehouse_server::{cli::Cli, commands};
use mimalloc::MiMalloc;

// glibc keeps what password hashes and bursts of pages took: the portal stayed at twice the memory
// after a load and drew a dashboard half as fast (docs/PERFORMANCE.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match commands::run(cli().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            eprintln!("{refusal}");
            ExitCode::FAILURE
        }
    }
}

/// `cargo leptos watch` starts the program without a word; it sets this variable.
fn cli() -> Cli {
    let is_watched =
        std::env::args_os().len() == 1 && std::env::var_os("LEPTOS_SITE_ROOT").is_some();
    if is_watched {
        Cli::parse_from(["gatehouse", "serve"])
    } else {
        Cli::parse()
    }
}
