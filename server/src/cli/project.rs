//! The words of `gatehouse project`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Flags;
use crate::key_files::KeyFormat;

/// What can be done with projects from the terminal.
#[derive(Debug, Subcommand)]
pub enum ProjectCommand {
    /// Print what a device needs to check releases of this project by itself
    #[command(
        after_help = "Example:\n  gatehouse project keys --data-dir /var/lib/gatehouse lamp\n  gatehouse project keys lamp --format header --out firmware/include\n  gatehouse project keys lamp --rotate\n\nWhile a portal on SQLite runs, ask it instead: GET /api/v1/projects/lamp/keys."
    )]
    Keys(Keys),
}

/// What `gatehouse project keys` takes.
#[derive(Debug, Args)]
pub struct Keys {
    /// The configuration.
    #[command(flatten)]
    pub flags: Flags,
    /// The project's name
    pub project: String,
    /// How to write them
    #[arg(long, value_enum, default_value_t = KeyFormat::Json)]
    pub format: KeyFormat,
    /// Write files into this folder instead of printing
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// First make a second key; devices that know both go on taking every release
    #[arg(long, conflicts_with = "retire")]
    pub rotate: bool,
    /// First end the older of two keys; devices that know only that one take no release any more
    #[arg(long)]
    pub retire: bool,
}
