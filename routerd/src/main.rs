//! The command line of `gatehouse-routerd`.

use clap::{Parser, Subcommand};
use gatehouse_routerd::{Failure, commands};
use std::path::PathBuf;
use std::process::ExitCode;

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
    /// Checks the configuration, the certificate and the keys, and prints the pin.
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match perform(Cli::parse().action).await {
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
        Action::Check(ConfigArgument { config }) => commands::check(&config),
        Action::List(ConfigArgument { config }) => commands::list(&config).await,
        Action::Flush(ConfigArgument { config }) => commands::flush(&config).await,
        Action::Keygen { out } => commands::keygen(&out),
    }
}
