//! The command line of `gatehouse-cosigner`.

mod cli;
mod commands;
mod console;
mod system;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match commands::perform(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("gatehouse-cosigner: {sentence}");
            ExitCode::FAILURE
        }
    }
}
