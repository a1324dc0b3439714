//! The manifest of ESPHome's `update: http_request`.

use axum::{Json, extract::State};
use gatehouse_core::{Error, firmware::CatalogRelease};
use serde_json::{Value, json};

use crate::{
    firmware::{Asker, Told},
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    state::AppState,
};

/// Home Assistant cuts longer ones.
const SUMMARY_MAX_CHARS: usize = 255;

/// GET `/ota/esphome/{project}.json`: what the node should have, or has already.
pub(super) async fn manifest(
    State(app): State<AppState>,
    Path(file): Path<String>,
    Query(told): Query<Told>,
    asker: Asker,
) -> Result<Json<Value>, Problem> {
    let project = file.strip_suffix(".json");
    let project = project.ok_or(Error::NotFound("manifest"))?;
    let actor = asker.device(&app, project).await?;
    let firmware = &app.portal.firmware;
    firmware.require_reader(&actor, project)?;
    let answer = firmware.check_update(&actor, told.running()).await?;
    let release = answer.release.or(answer.runs);
    let release = release.ok_or(Error::NotFound("firmware"))?;
    let catalog = firmware.catalog();
    let project = &catalog.project(project)?.record;

    let ota = ota(&app, &project.name, &release, asker.query_token());
    let chips = chips(&release, &project.hardware).into_iter();
    let builds: Vec<Value> = chips
        .map(|chip| json!({ "chipFamily": chip_family(chip), "ota": ota }))
        .collect();
    Ok(Json(json!({
        "name": project.title,
        "version": release.record.version,
        "builds": builds,
    })))
}

/// Where the image is; a node that shows its token in the URL goes on to do so.
fn ota(app: &AppState, project: &str, release: &CatalogRelease, token: Option<&str>) -> Value {
    let record = &release.record;
    let query = token.map_or_else(String::new, |token| format!("?token={token}"));
    let summary: String = record.notes.chars().take(SUMMARY_MAX_CHARS).collect();
    json!({
        "path": format!("/firmware/{project}/{}{query}", record.file_name),
        "md5": record.artifact.md5,
        "summary": summary,
        "release_url": format!("{}/admin/projects/{project}/releases/{}", app.public_url, release.version),
    })
}

/// The chips that the image is for: what it says itself, else what its project names.
fn chips<'a>(release: &'a CatalogRelease, hardware: &'a [String]) -> Vec<&'a str> {
    let image = release.record.image.as_ref();
    match image.and_then(|facts| facts.esp.as_ref()) {
        Some(esp) => vec![&esp.chip],
        None => hardware.iter().map(String::as_str).collect(),
    }
}

/// Spells a chip as ESPHome does: `esp32s3` is `ESP32-S3`.
fn chip_family(chip: &str) -> String {
    let plain = chip.replace(['-', '_'], "").to_ascii_uppercase();
    match plain.strip_prefix("ESP32") {
        Some(variant) if !variant.is_empty() => format!("ESP32-{variant}"),
        _ => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::chip_family;

    #[test]
    fn chips_are_spelled_as_esphome_spells_them() {
        for (ours, theirs) in [
            ("esp32", "ESP32"),
            ("esp32s3", "ESP32-S3"),
            ("esp32-c3", "ESP32-C3"),
            ("esp32c61", "ESP32-C61"),
            ("esp8266", "ESP8266"),
            ("rp2040", "RP2040"),
        ] {
            assert_eq!(chip_family(ours), theirs);
        }
    }
}
