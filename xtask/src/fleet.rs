//! The demo's fleet: lamps that ask, update themselves and report while somebody looks.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::demo::{OLD_VERSION, item_with, write_secret};
use crate::portal::Portal;

/// The lamp that `gatehouse-device update` plays, with a file for a flash.
const FIRST_LAMP: &str = "Lamp in the hall";
const FURTHER_LAMPS: u32 = 12;
const GROUPS: [&str; 2] = ["house", "garden"];

/// A fresh token for the first lamp of a project, which is made when it is not there.
///
/// # Errors
/// When the portal refuses.
pub(crate) fn device_token(portal: &Portal, project: &str) -> Result<String> {
    let lamp = lamp(portal, project, &json!({ "name": FIRST_LAMP }))?;
    token(portal, project, id_of(&lamp)?, OLD_VERSION)
}

/// Registers the lamps that are not there yet, and writes a line for each into `file`: a fresh
/// token and the version it runs by now. Answers how many there are.
///
/// # Errors
/// When the portal refuses, or `file` cannot be written.
pub(crate) fn gather(portal: &Portal, project: &str, file: &Path) -> Result<usize> {
    let further = (1..=FURTHER_LAMPS)
        .zip(GROUPS.into_iter().cycle())
        .map(|(number, group)| json!({ "name": format!("Lamp {number}"), "group": group }));
    let mut lines = Vec::new();
    for wanted in std::iter::once(json!({ "name": FIRST_LAMP })).chain(further) {
        let lamp = lamp(portal, project, &wanted)?;
        let version = lamp["current_version"].as_str().unwrap_or(OLD_VERSION);
        let token = token(portal, project, id_of(&lamp)?, version)?;
        lines.push(format!("{token} {version}\n"));
    }
    write_secret(file, lines.concat().as_bytes())?;
    Ok(lines.len())
}

fn lamp(portal: &Portal, project: &str, wanted: &Value) -> Result<Value> {
    let devices = format!("/api/v1/projects/{project}/devices");
    let name = wanted["name"].as_str().unwrap_or_default();
    match item_with(portal, &devices, "name", name)? {
        Some(lamp) => Ok(lamp),
        None => portal.post(&devices, wanted),
    }
}

fn id_of(lamp: &Value) -> Result<&str> {
    lamp["device_id"]
        .as_str()
        .context("the portal named no device_id")
}

/// A fresh token for a device that says it runs `version`.
///
/// # Errors
/// When the portal refuses.
pub(crate) fn token(
    portal: &Portal,
    project: &str,
    device_id: &str,
    version: &str,
) -> Result<String> {
    let tokens = format!("/api/v1/projects/{project}/devices/{device_id}/tokens");
    let wish = json!({ "expires_minutes": 1440, "current_fw": version });
    let made = portal.post(&tokens, &wish)?;
    Ok(made["token"]
        .as_str()
        .context("the portal gave no device token")?
        .to_owned())
}
