//! A portal with a thousand and with a million devices that ask what to install.
//!
//! Half of the devices run the newest release, the other half were told of it and have not begun,
//! so every other answer names something to install. The rows come from `bench/fleet/fill.py`,
//! which devices ask is drawn by the scripts beside it.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::json;

use super::load::{Load, Wrk};
use super::report::{self, Row};
use super::stage::{self, ANY_PORT, IMAGES, PROJECT, Stage};
use super::start;
use crate::demo::{OLD_VERSION, write_secret};
use crate::fleet::token;
use crate::portal::{self, Portal};
use crate::process::{self, Managed};
use crate::project;
use crate::setup;
use crate::step::step;

const SIZES: [u32; 2] = [1_000, 1_000_000];
/// Update checks come from so many devices, spread over the fleet.
const WITH_TOKEN: u32 = 1_000;
/// The first 24 characters of every device's id; 12 hex digits follow.
const ID_PREFIX: &str = "00000000-0000-4000-8000-";

/// Measures, prints a table and writes it to docs/PERFORMANCE.md.
///
/// # Errors
/// When something cannot be installed, or the portal answers a device wrongly.
pub(super) fn rows(seconds: u32) -> Result<()> {
    super::install_wrk()?;
    setup::tool(
        "python3",
        &["python3"],
        "what fills a database with devices",
    )?;
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let stage = step("setting the stage for a fleet", || {
        Stage::set(scratch.path())
    })?;
    step("publishing releases", || publish(&stage))?;
    let mut rows = Vec::new();
    for devices in SIZES {
        let fleet = Fleet {
            stage: &stage,
            devices,
            seconds,
        };
        rows.extend(fleet.rows()?);
    }
    report::publish("fleet", &conditions(seconds)?, &rows)
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk with 32 connections and a script that \
         draws a device for each request, {seconds} s each) shares. Half of the devices run the newest release, half have \
         something to install. Update checks come from {WITH_TOKEN} devices all over the fleet, each with its token; polls \
         (hawkBit DDI, one gateway token) from all of it. A row stands only if every answer was a success and no connection broke."
    ))
}

fn publish(stage: &Stage) -> Result<()> {
    let (_process, mut portal) = portal::start(&stage.data_dir(), ANY_PORT, false)?;
    stage.sign_in(&mut portal)?;
    stage::publish_images(&portal)
}

/// One size of the fleet.
struct Fleet<'a> {
    stage: &'a Stage,
    devices: u32,
    seconds: u32,
}

impl Fleet<'_> {
    fn rows(&self) -> Result<Vec<Row>> {
        let devices = in_thousands(self.devices);
        step(&format!("registering {devices} devices"), || self.fill())?;
        let (process, portal, read_ms) = self.start()?;
        let rows = step(&format!("{devices} devices ask"), || {
            Ok(vec![
                Row::alone(
                    format!("{devices} devices: reading them into memory after the start"),
                    format!("{read_ms} ms"),
                ),
                start::resident_memory(
                    &process,
                    format!("{devices} devices: resident memory before they ask"),
                )?,
                Row::alone(
                    format!("{devices} devices: update check"),
                    self.update_check(&process, &portal)?.to_string(),
                ),
                Row::alone(
                    format!("{devices} devices: DDI poll"),
                    self.ddi_poll(&process, &portal)?.to_string(),
                ),
            ])
        })?;
        Ok(rows)
    }

    fn fill(&self) -> Result<()> {
        let [_, newest] = &IMAGES;
        let mut fill = process::command("python3");
        fill.arg("bench/fleet/fill.py")
            .arg(self.stage.data_dir().join("gatehouse.db"))
            .args([PROJECT, &self.devices.to_string()])
            .args([OLD_VERSION, newest.version]);
        process::run(&mut fill)
    }

    /// Starts the portal and waits until it has every device in memory, and tells in how many milliseconds.
    fn start(&self) -> Result<(Managed, Portal, u64)> {
        let (mut url, mut read_ms) = (None, None);
        let serve = portal::serve(&self.stage.data_dir(), ANY_PORT);
        // A small fleet is read before the portal listens, a large one after.
        let (process, (url, read_ms)) = process::start_saying(serve, false, |line| {
            url = url.take().or_else(|| process::listening_address(line));
            read_ms = read_ms.or_else(|| {
                let (_, figures) = line.split_once("read the fleet into memory")?;
                number_in(figures, "duration_ms=")
            });
            Some((url.clone()?, read_ms?))
        })?;
        let mut portal = Portal::at(url);
        portal.wait_until_ready()?;
        self.stage.sign_in(&mut portal)?;
        Ok((process, portal, read_ms))
    }

    fn update_check(&self, process: &Managed, portal: &Portal) -> Result<Load> {
        let tokens = self.write_tokens(portal)?;
        let tokens = tokens.to_str().context("the folder's name is no text")?;
        let url = format!("{}/api/v1/device/update", portal.url);
        let settings = [("TOKENS", tokens)];
        Load::drawn(&self.wrk(), &url, "update_check.lua", &settings, process)
    }

    /// Writes a line for each device that has a token: the token and what the device runs.
    fn write_tokens(&self, portal: &Portal) -> Result<PathBuf> {
        let [_, newest] = &IMAGES;
        let mut lines = String::new();
        for place in 0..WITH_TOKEN {
            // Every other one is odd, however far apart they are.
            let number = place * (self.devices / WITH_TOKEN) / 2 * 2 + place % 2;
            let version = if number % 2 == 1 {
                newest.version
            } else {
                OLD_VERSION
            };
            let id = format!("{ID_PREFIX}{number:012x}");
            writeln!(lines, "{} {version}", token(portal, PROJECT, &id, version)?)?;
        }
        let file = self.stage.new_folder()?.join("tokens.txt");
        write_secret(&file, lines.as_bytes())?;
        Ok(file)
    }

    fn ddi_poll(&self, process: &Managed, portal: &Portal) -> Result<Load> {
        let path = format!("/api/v1/projects/{PROJECT}/gateway_token");
        let made = portal.post(&path, &json!({}))?;
        let token = made["gateway_token"]
            .as_str()
            .context("the portal gave no gateway token")?;
        let url = format!("{}/{PROJECT}/controller/v1/{ID_PREFIX}", portal.url);
        let devices = self.devices.to_string();
        let settings = [("GATEWAY_TOKEN", token), ("DEVICES", &devices)];
        Load::drawn(&self.wrk(), &url, "ddi_poll.lua", &settings, process)
    }

    const fn wrk(&self) -> Wrk {
        Wrk::crowd(self.seconds)
    }
}

/// The number that follows on a name in a log line.
fn number_in(line: &str, name: &str) -> Option<u64> {
    let (_, rest) = line.split_once(name)?;
    rest.split_whitespace().next()?.parse().ok()
}

/// A number with commas between its thousands.
fn in_thousands(number: u32) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .filter_map(|group| std::str::from_utf8(group).ok())
        .collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_read_out_of_a_log_line() {
        let line = "INFO gatehouse_core: read the fleet into memory devices=1000 duration_ms=42";
        assert_eq!(number_in(line, "devices="), Some(1000));
        assert_eq!(number_in(line, "duration_ms="), Some(42));
        assert_eq!(number_in(line, "other="), None);
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(in_thousands(7), "7");
        assert_eq!(in_thousands(1_000), "1,000");
        assert_eq!(in_thousands(12_345_678), "12,345,678");
    }
}
