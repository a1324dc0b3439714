//! Manifests that devices fetch, with both signatures made on this machine.

use anyhow::{Result, bail};
use ureq::http::Method;

use super::load::{Load, Wrk};
use super::report::{self, Row};
use super::stage::{self, ANY_PORT, PROJECT, Stage};
use crate::fleet::device_token;
use crate::portal::{self, Portal};
use crate::project;
use crate::step::step;

const MANIFEST: &str = "/api/v1/device/manifest";

/// Measures, prints a table and writes it to docs/PERFORMANCE.md.
///
/// # Errors
/// When something cannot be installed, or the portal answers a device wrongly.
pub(super) fn rows(seconds: u32) -> Result<()> {
    super::install_wrk()?;
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let stage = step("setting the stage for manifests", || {
        Stage::set(scratch.path())
    })?;
    let (process, mut portal) = portal::start(&stage.data_dir(), ANY_PORT, false)?;
    stage.sign_in(&mut portal)?;
    stage::publish_images(&portal)?;
    let token = format!("Bearer {}", device_token(&portal, PROJECT)?);
    refuse_without_manifest(&portal, &token)?;
    let url = format!("{}{MANIFEST}", portal.url);
    let header = format!("Authorization: {token}");
    let load = step("devices fetch manifests", || {
        Load::of(&Wrk::crowd(seconds), &url, Some(&header), &process)
    })?;
    let what = "fetched manifest, signed and co-signed in process, 32 connections";
    let row = Row::alone(what, load.to_string());
    report::publish("manifests", &conditions(seconds)?, &[row])
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk, 32 connections, {seconds} s) shares. Each answer \
         has an id and two ES256 signatures of its own; the row stands only if every answer was a success and no connection \
         broke. The mark is 2,000 a second on 2 cores."
    ))
}

/// A device that has the newest release is answered with nothing, which would be quick.
fn refuse_without_manifest(portal: &Portal, token: &str) -> Result<()> {
    let headers = [("authorization", token)];
    let answer = portal
        .as_nobody()
        .exchange(&Method::GET, MANIFEST, &headers, Vec::new())?;
    if answer.status != 200 {
        bail!("the device was answered {} and no manifest", answer.status);
    }
    Ok(())
}
