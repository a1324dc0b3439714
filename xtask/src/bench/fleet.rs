//! A portal with a thousand and with a million devices that ask what to install.
//!
//! Half of the devices run the newest release, the other half were told of it and have not begun,
//! so every other answer names something to install. The devices come from `bench/fleet/fill.py`,
//! which of them ask is drawn by the scripts beside it. Last, a thousand are played by the
//! reference device, which also fetches what it is told to install.

mod met;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::json;

use self::met::Met;
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
    let stage = set_stage(scratch.path())?;
    let mut rows = Vec::new();
    for devices in SIZES {
        let fleet = Fleet {
            stage: &stage,
            devices,
            seconds,
        };
        rows.extend(fleet.rows()?);
    }
    rows.push(updating(seconds)?);
    report::publish("fleet", &conditions(seconds)?, &rows)
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk with 32 kept-alive connections and a script that \
         draws a device for each request, {seconds} s each) shares; plain HTTP where a row does not say TLS. Half of the \
         devices run the newest release, half have something to install. Update checks come from {WITH_TOKEN} devices all \
         over the fleet, each with its token; polls (hawkBit DDI, one gateway token) from all of it. A row of wrk stands only if \
         every answer was a success and no connection broke. Devices that update themselves are played by \
         `gatehouse-device simulate` over plain HTTP, on the same cores; that row tells what they met, errors included."
    ))
}

fn set_stage(dir: &Path) -> Result<Stage> {
    let stage = step("setting the stage for a fleet", || Stage::set(dir))?;
    step("publishing releases", || publish(&stage))?;
    Ok(stage)
}

fn publish(stage: &Stage) -> Result<()> {
    let (_process, mut portal) = portal::start(&stage.data_dir(), ANY_PORT, false)?;
    stage.sign_in(&mut portal)?;
    stage::publish_images(&portal)
}

/// What devices met that fetch the image and go on with the new version, on a stage of their own:
/// wrk's scripts go by what each device ran at first.
fn updating(seconds: u32) -> Result<Row> {
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let fleet = Fleet {
        stage: &set_stage(scratch.path())?,
        devices: WITH_TOKEN,
        seconds,
    };
    fleet.fill()?;
    let devices = in_thousands(fleet.devices);
    let met = step(&format!("{devices} devices update themselves"), || {
        fleet.simulate()
    })?;
    let what = format!(
        "{devices} devices that update themselves (gatehouse-device simulate, {seconds} s)"
    );
    Ok(Row::alone(what, met.to_string()))
}

/// One size of the fleet.
struct Fleet<'a> {
    stage: &'a Stage,
    devices: u32,
    seconds: u32,
}

/// What lets the load generator ask as a device.
struct Passes {
    /// A file with a line for each device that has a token.
    tokens: PathBuf,
    gateway_token: String,
}

/// The portal that is asked, and with what.
struct Asked<'a> {
    process: &'a Managed,
    url: &'a str,
    passes: &'a Passes,
    /// What the rows say of the way to it.
    how: &'static str,
}

impl Fleet<'_> {
    fn rows(&self) -> Result<Vec<Row>> {
        let devices = in_thousands(self.devices);
        step(&format!("registering {devices} devices"), || self.fill())?;
        let (mut rows, passes) = step(&format!("{devices} devices ask"), || self.plain())?;
        rows.extend(step(&format!("{devices} devices ask over TLS"), || {
            self.over_tls(&passes)
        })?);
        Ok(rows)
    }

    /// The start, the memory and the load; and what the load over TLS can use again.
    fn plain(&self) -> Result<(Vec<Row>, Passes)> {
        let devices = in_thousands(self.devices);
        let (process, portal, read_ms) = self.start_signed_in()?;
        let mut rows = vec![
            Row::alone(
                format!("{devices} devices: reading them into memory after the start"),
                format!("{read_ms} ms"),
            ),
            start::resident_memory(
                &process,
                format!("{devices} devices: resident memory before they ask"),
            )?,
        ];
        let passes = self.passes(&portal)?;
        rows.extend(self.ask(&Asked {
            process: &process,
            url: &portal.url,
            passes: &passes,
            how: "",
        })?);
        Ok((rows, passes))
    }

    /// The load on a portal that is started for it.
    fn over_tls(&self, passes: &Passes) -> Result<Vec<Row>> {
        let (process, url, _) = start_reading(self.stage.serve_over_tls())?;
        self.ask(&Asked {
            process: &process,
            url: &url,
            passes,
            how: " over TLS",
        })
    }

    fn ask(&self, asked: &Asked<'_>) -> Result<Vec<Row>> {
        let (devices, how) = (in_thousands(self.devices), asked.how);
        Ok(vec![
            Row::alone(
                format!("{devices} devices: update check{how}"),
                self.update_check(asked)?.to_string(),
            ),
            Row::alone(
                format!("{devices} devices: DDI poll{how}"),
                self.ddi_poll(asked)?.to_string(),
            ),
        ])
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

    /// Starts the portal as [`start_reading`] does and signs the administrator in.
    fn start_signed_in(&self) -> Result<(Managed, Portal, u64)> {
        let serve = portal::serve(&self.stage.data_dir(), ANY_PORT);
        let (process, url, read_ms) = start_reading(serve)?;
        let mut portal = Portal::at(url);
        portal.wait_until_ready()?;
        self.stage.sign_in(&mut portal)?;
        Ok((process, portal, read_ms))
    }

    fn passes(&self, portal: &Portal) -> Result<Passes> {
        Ok(Passes {
            tokens: self.write_tokens(portal)?,
            gateway_token: gateway_token(portal)?,
        })
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

    fn update_check(&self, asked: &Asked<'_>) -> Result<Load> {
        let tokens = asked.passes.tokens.to_str();
        let tokens = tokens.context("the folder's name is no text")?;
        let url = format!("{}/api/v1/device/update", asked.url);
        let settings = [("TOKENS", tokens)];
        Load::drawn(
            &self.wrk(),
            &url,
            "update_check.lua",
            &settings,
            asked.process,
        )
    }

    fn ddi_poll(&self, asked: &Asked<'_>) -> Result<Load> {
        let url = format!("{}/{PROJECT}/controller/v1/{ID_PREFIX}", asked.url);
        let devices = self.devices.to_string();
        let settings = [
            ("GATEWAY_TOKEN", asked.passes.gateway_token.as_str()),
            ("DEVICES", &devices),
        ];
        Load::drawn(&self.wrk(), &url, "ddi_poll.lua", &settings, asked.process)
    }

    /// Lets every device that has a token live for some seconds as the reference device does.
    fn simulate(&self) -> Result<Met> {
        let (_process, portal, _) = self.start_signed_in()?;
        let tokens = self.write_tokens(&portal)?;
        let mut simulate = process::command(project::binary("release", "gatehouse-device"));
        simulate
            .args(["simulate", "--url", &portal.url])
            .args(["--current-fw", OLD_VERSION])
            .args(["--devices", &WITH_TOKEN.to_string()])
            .args(["--seconds", &self.seconds.to_string()])
            .arg("--token-file")
            .arg(tokens);
        Met::parse(&process::output(&mut simulate)?)
    }

    const fn wrk(&self) -> Wrk {
        Wrk::crowd(self.seconds)
    }
}

/// Starts a portal and waits until it has every device in memory; tells its address and in how many
/// milliseconds it read them.
fn start_reading(serve: Command) -> Result<(Managed, String, u64)> {
    let (mut url, mut read_ms) = (None, None);
    // A small fleet is read before the portal listens, a large one after.
    let (process, (url, read_ms)) = process::start_saying(serve, false, |line| {
        url = url.take().or_else(|| process::listening_address(line));
        read_ms = read_ms.or_else(|| {
            let (_, figures) = line.split_once("read the fleet into memory")?;
            number_in(figures, "duration_ms=")
        });
        Some((url.clone()?, read_ms?))
    })?;
    Ok((process, url, read_ms))
}

fn gateway_token(portal: &Portal) -> Result<String> {
    let path = format!("/api/v1/projects/{PROJECT}/gateway_token");
    let made = portal.post(&path, &json!({}))?;
    let token = made["gateway_token"].as_str();
    Ok(token
        .context("the portal gave no gateway token")?
        .to_owned())
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
