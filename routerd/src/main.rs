//! The command line of `gatehouse-routerd`.

use clap::{Parser, Subcommand};
use gatehouse_routerd::{Failure, commands};
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::runtime::Builder;

/// Lets a portal's visitors through to LAN services for a while.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gatehouse-routerd keygen --out /etc/gatehouse-routerd\n  gatehouse-routerd run --config /etc/gatehouse-routerd/routerd.toml"
)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs the daemon until SIGTERM.
    #[command(
        after_help = "Example:\n  gatehouse-routerd run --config /etc/gatehouse-routerd/routerd.toml"
    )]
    Run(ConfigArgument),
    /// Looks whether configuration, certificate, clock, rights and firewall are in order; prints the pin.
    #[command(
        after_help = "Example:\n  gatehouse-routerd check --config /etc/gatehouse-routerd/routerd.toml"
    )]
    Check(ConfigArgument),
    /// Lists the sessions that the running daemon keeps open; asks it over its own port.
    #[command(
        after_help = "Example:\n  gatehouse-routerd list --config /etc/gatehouse-routerd/routerd.toml"
    )]
    List(ConfigArgument),
    /// Ends all sessions of the running daemon; asks it over its own port.
    #[command(
        after_help = "Example:\n  gatehouse-routerd flush --config /etc/gatehouse-routerd/routerd.toml"
    )]
    Flush(ConfigArgument),
    /// Makes a certificate, keys and a configuration to edit, and prints what the portal needs.
    #[command(after_help = "Example:\n  gatehouse-routerd keygen --out /etc/gatehouse-routerd")]
    Keygen {
        /// The folder to write to; existing files are never overwritten.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(clap::Args)]
struct ConfigArgument {
    /// The configuration file (TOML).
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// One is for the replay window and one for the sessions, whose firewall may hang; nothing else takes
/// one, and each further one would keep memory of its own.
const WAITING_THREADS: usize = 2;

fn main() -> ExitCode {
    let action = Cli::parse().action;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(WAITING_THREADS)
        .build();
    let outcome = runtime
        .map_err(|error| Failure::new(format!("the program cannot start: {error}")))
        .and_then(|runtime| runtime.block_on(perform(action)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("gatehouse-routerd: {failure}");
            ExitCode::FAILURE
        }
    }
}

async fn perform(action: Action) -> Result<(), Failure> {
    match action {
        Action::Run(ConfigArgument { config }) => commands::run(&config).await,
        Action::Check(ConfigArgument { config }) => commands::check(&config).await,
        Action::List(ConfigArgument { config }) => commands::list(&config).await,
        Action::Flush(ConfigArgument { config }) => commands::flush(&config).await,
        Action::Keygen { out } => commands::keygen(&out),
    }
}
