//! The flags of `gatehouse-device`, and what they name.

use std::env;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use gatehouse_device::simulate::{Member, members};
use gatehouse_device::{Failure, Keys, Kind, Portal, Token, portal_url};
use gatehouse_types::{Version, firmware::ReportState};

/// A device as the portal knows it: asks for firmware, fetches it, reports.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  gatehouse-device update --url https://portal.example --token-file token.txt --current-fw 1.0.0 --file firmware.bin"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) action: Action,
}

#[derive(Subcommand)]
pub(crate) enum Action {
    /// Asks whether there is something to install, and installs nothing.
    #[command(
        after_help = "Example:\n  gatehouse-device check --url https://portal.example --token-file token.txt --current-fw 1.0.0"
    )]
    Check {
        #[command(flatten)]
        access: Access,
        #[command(flatten)]
        current: Current,
        #[command(flatten)]
        signing: Signing,
        /// What this device remembers of releases, as `update` keeps it.
        #[arg(long, value_name = "FILE", requires = "keys")]
        state: Option<PathBuf>,
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
        #[command(flatten)]
        signing: Signing,
        /// What this device remembers of releases; FILE.state beside --file unless given.
        #[arg(long, value_name = "FILE", requires = "keys")]
        state: Option<PathBuf>,
    },
    /// Checks a manifest in a file against the two public keys, without a portal.
    #[command(
        after_help = "Example:\n  gatehouse-device verify manifest.json --keys lamp-keys.json --hardware esp32s3 --image firmware.bin"
    )]
    Verify {
        /// The manifest, as the portal serves it.
        manifest: PathBuf,
        /// The keys of the project, as the portal exports them.
        #[arg(long, value_name = "BUNDLE.json")]
        keys: PathBuf,
        /// The chip or board of the device; without it only a manifest for any will do.
        #[arg(long, value_name = "CHIP")]
        hardware: Option<String>,
        /// The version the device runs, for a release that asks for an earlier one first.
        #[arg(long, value_name = "V", value_parser = version)]
        current_fw: Option<String>,
        /// What a device remembers of releases, as `update` keeps it; it is not changed.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        /// The image that the manifest is for, to be checked too.
        #[arg(long, value_name = "FILE")]
        image: Option<PathBuf>,
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
        #[command(flatten)]
        signing: Signing,
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
pub(crate) struct Access {
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
pub(crate) struct Current {
    /// The version this device runs now.
    #[arg(long, value_name = "V", value_parser = version)]
    pub(crate) current_fw: String,
}

#[derive(Args)]
pub(crate) struct Signing {
    /// The keys of the project, as the portal exports them; without them signatures are not checked.
    #[arg(long, value_name = "BUNDLE.json")]
    keys: Option<PathBuf>,
    /// The chip or board of this device; without it only a release for any is installed.
    #[arg(long, value_name = "CHIP", requires = "keys")]
    hardware: Option<String>,
}

impl Signing {
    /// The keys, or a word of warning that there are none.
    pub(crate) fn keys(self) -> Result<Option<Keys>, Failure> {
        let Some(path) = self.keys else {
            eprintln!(
                "gatehouse-device: signatures are not checked; pass the project's keys with --keys"
            );
            return Ok(None);
        };
        Keys::from_file(&path, self.hardware).map(Some)
    }
}

impl Access {
    pub(crate) fn portal(&self) -> Result<Portal, Failure> {
        self.portal_for(&self.token()?)
    }

    pub(crate) fn portal_for(&self, token: &Token) -> Result<Portal, Failure> {
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
    pub(crate) fn members(
        &self,
        current_fw: String,
        devices: usize,
    ) -> Result<Vec<Member>, Failure> {
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
