//! `HTTPUpdate` of Arduino for ESP32 and `ESP8266HTTPUpdate`, its twin.
//!
//! It understands 200 with a length, 304 (nothing new), 403 (refused) and 404 (not there);
//! everything else is "wrong HTTP code" to it.

use axum::{extract::State, response::Response};
use gatehouse_core::{Error, firmware::Running};
use http::{HeaderMap, StatusCode};

use super::nothing;
use crate::{
    firmware::Asker,
    http::{extract::Path, problem::Problem},
    state::AppState,
};

const SKETCH: &str = "sketch";

/// GET `/ota/arduino/{project}`.
pub(super) async fn sketch(
    State(app): State<AppState>,
    Path(project): Path<String>,
    asker: Asker,
) -> Result<Response, Problem> {
    let actor = asker.device(&app, &project).await.map_err(|refused| {
        if asker.is_revoked(&app) {
            Error::Forbidden("This token was revoked.").into()
        } else {
            refused
        }
    })?;
    let firmware = &app.portal.firmware;
    firmware.require_reader(&actor, &project)?;
    let said = Said::read(asker.fetch.headers());
    if said.mode.is_some_and(|mode| mode != SKETCH) {
        return Err(Error::NotFound("image of a file system").into());
    }
    let answer = firmware.check_update(&actor, said.running()).await?;
    match answer.release {
        Some(release) => asker.fetch.answer(&app, &actor, &release).await,
        None => Ok(nothing(StatusCode::NOT_MODIFIED, answer.next_poll_s)),
    }
}

/// What the device says of itself, each chip family with a prefix of its own.
struct Said<'a> {
    mode: Option<&'a str>,
    version: Option<&'a str>,
    sketch_md5: String,
}

impl<'a> Said<'a> {
    fn read(headers: &'a HeaderMap) -> Self {
        let text = |names: [&str; 2]| {
            let value = names.iter().find_map(|name| headers.get(*name));
            value.and_then(|value| value.to_str().ok()).map(str::trim)
        };
        let md5 = text(["x-esp32-sketch-md5", "x-esp8266-sketch-md5"]);
        Self {
            mode: text(["x-esp32-mode", "x-esp8266-mode"]),
            version: text(["x-esp32-version", "x-esp8266-version"]),
            sketch_md5: md5.unwrap_or_default().to_ascii_lowercase(),
        }
    }

    fn running(&self) -> Running<'_> {
        if self.sketch_md5.is_empty() && self.version.is_none() {
            return Running::AsBefore;
        }
        Running::Md5(&self.sketch_md5, self.version)
    }
}
