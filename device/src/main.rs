//! The command line of `gatehouse-device`.

mod arguments;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use gatehouse_device::simulate::{Fleet, simulate};
use gatehouse_device::update::{Outcome, update};
use gatehouse_device::{
    Answer, Failure, Guard, Keys, Kind, Memory, Offer, StateFile, growing_waits, offline,
};

use crate::arguments::{Access, Action, Cli, Signing};

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
        Action::Check {
            access,
            current,
            signing,
            state,
        } => check(&access, &current.current_fw, signing, state).await?,
        Action::Update {
            access,
            current,
            file,
            signing,
            state,
        } => {
            let state = state.map_or_else(|| StateFile::beside(&file), StateFile::at);
            let guard = signing.keys()?.map(|keys| Guard { keys, state });
            let (portal, waits) = (access.portal()?, growing_waits());
            let current_fw = &current.current_fw;
            let outcome = update(
                &portal,
                current_fw,
                &file,
                &waits,
                &show_progress,
                guard.as_ref(),
            );
            say_outcome(current_fw, &file, outcome.await?);
        }
        Action::Verify {
            manifest,
            keys,
            hardware,
            current_fw,
            state,
            image,
        } => {
            let keys = Keys::from_file(&keys, hardware)?;
            let memory = memory(&keys, state)?;
            say(offline::check(
                &manifest,
                &keys,
                current_fw.as_deref(),
                &memory,
                image.as_deref(),
            )?);
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
            signing,
            devices,
            seconds,
            fail_percent,
        } => {
            let keys = signing.keys()?;
            let members = access.members(current.current_fw, devices as usize)?;
            let portal = access.portal_for(&members[0].token)?;
            let fleet = Fleet {
                members,
                keys,
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

async fn check(
    access: &Access,
    current_fw: &str,
    signing: Signing,
    state: Option<PathBuf>,
) -> Result<(), Failure> {
    let keys = signing.keys()?;
    let portal = access.portal()?;
    let offer = match portal.check(current_fw).await? {
        Answer::Install(offer) => *offer,
        Answer::UpToDate { next_poll_s } => {
            say(up_to_date(current_fw, next_poll_s));
            return Ok(());
        }
    };
    let Some(keys) = keys else {
        say(describe(&offer));
        return Ok(());
    };
    let memory = memory(&keys, state)?;
    let waits = growing_waits();
    let offer = keys
        .sign_off(&portal, &offer, current_fw, &memory, &waits)
        .await?;
    say(describe(&offer));
    say("both signatures hold");
    Ok(())
}

/// What a device remembers, or nothing where no file was named.
fn memory(keys: &Keys, state: Option<PathBuf>) -> Result<Memory, Failure> {
    let nothing = keys.no_memory();
    match state {
        Some(path) => StateFile::at(path).read(nothing),
        None => Ok(nothing),
    }
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
        ..
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
