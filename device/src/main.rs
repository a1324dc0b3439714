//! The command line of `gatehouse-device`.

use std::env;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use gatehouse_device::simulate::{Fleet, Member, members, simulate};
use gatehouse_device::update::{Outcome, update};
use gatehouse_device::{Answer, Failure, Kind, Offer, Portal, Token, growing_waits, portal_url};
use gatehouse_types::{Version, firmware::ReportState};

/// A device as the portal knows it: asks for firmware, fetches it, reports.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gatehouse-device update --url https://portal.example --token-file token.txt --current-fw 1.0.0 --file firmware.bin"
)]
struct Cli {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Asks whether there is something to install, and installs nothing.
    #[command(
        after_help = "Example:\n  gatehouse-device check --url https://portal.example --token-file token.txt --current-fw 1.0.0"
    )]
    Check {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        current: Current,
    },
    /// Fetches the update, checks it and puts it in its place; goes on where an earlier run was cut off.
    #[command(
        after_help = "Example:\n  gatehouse-device update --url https://portal.example --token-file token.txt --current-fw 1.0.0 --file firmware.bin"
    )]
    Update {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        current: Current,
        /// Where the image goes; half-fetched bytes stay beside it as FILE.part.
        #[arg(long, value_name = "PATH")]
        file: PathBuf,
    },
    /// Tells the portal how far this device is with a version.
    #[command(
        after_help = "Example:\n  gatehouse-device report --url https://portal.example --token-file token.txt --version 1.1.0 --state rolled_back --detail \"no sensor found\""
    )]
    Report {
        #[command(flatten)]
        access: Access,
        /// The version the report is about.
        #[arg(long, value_name = "V", value_parser = version)]
        version: String,
        /// downloading, installing, succeeded, failed or rolled_back.
        #[arg(long, value_name = "S", value_parser = state)]
        state: ReportState,
        /// More words; the portal keeps 4,000 characters.
        #[arg(long, value_name = "D", default_value = "")]
        detail: String,
    },
    /// Plays many devices that update themselves, then prints what they met.
    #[command(
        after_help = "Example:\n  gatehouse-device simulate --url http://127.0.0.1:3000 --token-file tokens.txt --current-fw 1.0.0 --devices 100 --seconds 30 --fail-percent 10"
    )]
    Simulate {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        current: Current,
        /// How many devices. Each shows a token of its own: one a line in --token-file, and behind it the
        /// version the device runs if that is not --current-fw.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
        devices: u32,
        /// How long; Ctrl-C ends it earlier.
        #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..))]
        seconds: u64,
        /// So many of a hundred updates fail on purpose, so that a rollout can be seen to halt.
        #[arg(long, value_name = "P", default_value_t = 0, value_parser = clap::value_parser!(u8).range(0..=100))]
        fail_percent: u8,
    },
}

#[derive(Args)]
struct Access {
    /// The portal's address.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The device's token; others on this machine may see it, so prefer --token-file or GATEHOUSE_TOKEN.
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// A file that holds the token.
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Trust the authorities in this PEM file instead of the system's.
    #[arg(long, value_name = "PEM")]
    ca_file: Option<PathBuf>,
}

#[derive(Args)]
struct Current {
    /// The version this device runs now.
    #[arg(long, value_name = "V", value_parser = version)]
    current_fw: String,
}

impl Access {
    fn portal(&self) -> Result<Portal, Failure> {
        self.portal_for(&self.token()?)
    }

    fn portal_for(&self, token: &Token) -> Result<Portal, Failure> {
        Portal::new(portal_url(&self.url)?, token, self.ca_file.as_deref())
    }

    fn token(&self) -> Result<Token, Failure> {
        if let Some(path) = &self.token_file {
            return Token::from_file(path);
        }
        let from_environment = || env::var("GATEHOUSE_TOKEN").ok();
        let Some(token) = self.token.clone().or_else(from_environment) else {
            let sentence =
                "a token is needed: pass --token-file or --token, or set GATEHOUSE_TOKEN";
            return Err(Failure::new(Kind::Usage, sentence));
        };
        Token::new(&token)
    }

    /// So many devices, each with a token of its own.
    fn members(&self, current_fw: String, devices: usize) -> Result<Vec<Member>, Failure> {
        let mut members = match &self.token_file {
            Some(path) => members(path, &current_fw)?,
            None => vec![Member {
                token: self.token()?,
                current_fw,
            }],
        };
        let found = members.len();
        if found < devices {
            let sentence = format!(
                "{devices} devices need {devices} tokens, and there are {found}: put one a line \
                 into --token-file, or simulate fewer devices"
            );
            return Err(Failure::new(Kind::Usage, sentence));
        }
        members.truncate(devices);
        Ok(members)
    }
}

fn version(text: &str) -> Result<String, String> {
    let parsed: Result<Version, _> = text.parse();
    parsed
        .map(|_| text.to_owned())
        .map_err(|invalid| invalid.detail)
}

fn state(text: &str) -> Result<ReportState, String> {
    ReportState::parse(text).ok_or_else(|| {
        "a state is downloading, installing, succeeded, failed or rolled_back".to_owned()
    })
}

#[tokio::main]
async fn main() -> ExitCode {
    let Err(failure) = perform(Cli::parse().action).await else {
        return ExitCode::SUCCESS;
    };
    eprintln!("gatehouse-device: {failure}");
    match failure.kind() {
        Kind::Usage => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}

async fn perform(action: Action) -> Result<(), Failure> {
    match action {
        Action::Check { access, current } => {
            let current_fw = current.current_fw;
            match access.portal()?.check(&current_fw).await? {
                Answer::Install(offer) => say(describe(&offer)),
                Answer::UpToDate { next_poll_s } => say(up_to_date(&current_fw, next_poll_s)),
            }
        }
        Action::Update {
            access,
            current,
            file,
        } => {
            let waits = growing_waits();
            let portal = access.portal()?;
            let outcome =
                update(&portal, &current.current_fw, &file, &waits, &show_progress).await?;
            say_outcome(&current.current_fw, &file, outcome);
        }
        Action::Report {
            access,
            version,
            state,
            detail,
        } => {
            access.portal()?.report(&version, state, &detail).await?;
            say(format_args!("reported {} for {version}", state.as_str()));
        }
        Action::Simulate {
            access,
            current,
            devices,
            seconds,
            fail_percent,
        } => {
            let members = access.members(current.current_fw, devices as usize)?;
            let portal = access.portal_for(&members[0].token)?;
            let fleet = Fleet {
                members,
                fail_percent,
                first_check_ms: 0..=2_000,
                poll_ms: 2_000..=6_000,
                restart_ms: 500..=2_000,
            };
            let tally = simulate(&portal, &fleet, time_up_or_stopped(seconds)).await;
            say(tally);
        }
    }
    Ok(())
}

fn say_outcome(current_fw: &str, file: &Path, outcome: Outcome) {
    match outcome {
        Outcome::Installed {
            version,
            unreported,
        } => {
            let file = file.display();
            say(format_args!("installed {version} to {file}"));
            if let Some(failure) = unreported {
                eprintln!("gatehouse-device: the portal has not heard of it yet: {failure}");
            }
        }
        Outcome::UpToDate { next_poll_s } => {
            say(up_to_date(current_fw, next_poll_s));
            if !file.exists() {
                let file = file.display();
                say(format_args!(
                    "{file} does not exist, and nothing was written to it"
                ));
            }
        }
    }
}

fn describe(offer: &Offer) -> String {
    let Offer {
        version,
        file_name,
        url,
        size_bytes,
        sha256,
        next_poll_s,
    } = offer;
    format!(
        "install {version}: {file_name}, {size_bytes} bytes, SHA-256 {sha256}\n\
         from {url}\n\
         ask again in {next_poll_s} s"
    )
}

fn up_to_date(current_fw: &str, next_poll_s: Option<u64>) -> String {
    match next_poll_s {
        Some(seconds) => format!("{current_fw} is up to date; ask again in {seconds} s"),
        None => format!("{current_fw} is up to date; ask again when you like"),
    }
}

/// Prints to standard output; whoever closed it does not want to read on.
fn say(text: impl Display) {
    let _ = writeln!(io::stdout(), "{text}");
}

fn show_progress(so_far_bytes: u64, all_bytes: u64) {
    let mut terminal = io::stderr();
    if !terminal.is_terminal() {
        return;
    }
    let percent = so_far_bytes.saturating_mul(100) / all_bytes;
    let end = if so_far_bytes == all_bytes { "\n" } else { "" };
    let _ = write!(terminal, "\r{percent:3} % of {all_bytes} bytes{end}");
}

async fn time_up_or_stopped(seconds: u64) {
    tokio::select! {
        () = tokio::time::sleep(Duration::from_secs(seconds)) => {}
        // Without a signal handler Ctrl-C ends the program by itself.
        Ok(()) = tokio::signal::ctrl_c() => {}
    }
}
