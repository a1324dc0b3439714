//! Firmware as the original server offered it: `/firmware/<project>/<file>` and its documents.
//!
//! [`fetch`] is the one code path on which bytes leave, also for what speaks another dialect:
//! conditions, range, then the image from memory (small ones), streamed from the store, or by
//! the proxy in front.

mod asker;
pub(crate) mod conditions;
mod favicon;
mod fetch;
mod images;
mod range;
mod sendfile;

use axum::{
    Extension, Json, Router,
    extract::State,
    response::{IntoResponse, Response},
    routing::get,
};
use gatehouse_core::{
    Error,
    firmware::{CatalogRelease, Running},
};
use gatehouse_types::{Timestamp, firmware::Update};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    http::{
        extract::{Path, Query},
        headers::ForDevice,
        problem::Problem,
    },
    state::AppState,
};

pub(crate) use asker::Asker;
pub(crate) use favicon::own_favicon;
pub(crate) use fetch::Fetch;
pub use images::ImageCache;

/// What a client may say in its URL when its protocol has no place for it.
#[derive(Debug, Deserialize)]
pub(crate) struct Told {
    current_fw: Option<String>,
}

impl Told {
    pub(crate) fn running(&self) -> Running<'_> {
        let version = self.current_fw.as_deref();
        version.map_or(Running::AsBefore, Running::Version)
    }
}

/// What `/latest` tells whoever is no device about asking again, in seconds.
const NEXT_POLL_S: u64 = 3600;

/// The routes of the original server.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/firmware/{project}/latest", get(latest))
        .route("/firmware/{project}/versions", get(versions))
        .route("/firmware/{project}/{file}", get(image))
        .route("/status", get(status))
}

async fn image(
    State(app): State<AppState>,
    Path((project, file)): Path<(String, String)>,
    asker: Asker,
) -> Result<Response, Problem> {
    let actor = asker.actor(&app, &project).await?;
    let release = app.portal.firmware.image(&actor, &project, &file)?;
    asker.fetch.answer(&app, &actor, &release).await
}

async fn latest(
    State(app): State<AppState>,
    Path(project): Path<String>,
    Query(told): Query<Told>,
    asker: Asker,
) -> Result<Json<Update>, Problem> {
    let actor = asker.actor(&app, &project).await?;
    let firmware = &app.portal.firmware;
    let newest = firmware.latest(&actor, &project)?;
    if actor.device().is_err() {
        return Ok(Json(offer(&app, &project, &newest, NEXT_POLL_S)));
    }
    let answer = firmware.check_update(&actor, told.running()).await?;
    // There is a manifest of what should be installed, and of nothing else.
    let manifest_url = answer.release.as_ref().map(|_| manifest_url(&app, None));
    let release = answer.release.or(answer.runs);
    let release = release.ok_or(Error::NotFound("firmware"))?;
    Ok(Json(Update {
        manifest_url,
        ..offer(&app, &project, &release, answer.next_poll_s)
    }))
}

async fn versions(
    State(app): State<AppState>,
    Path(project): Path<String>,
    asker: Asker,
) -> Result<Json<Value>, Problem> {
    let actor = asker.actor(&app, &project).await?;
    let versions = app.portal.firmware.published_versions(&actor, &project)?;
    Ok(Json(
        json!({ "count": versions.len(), "latest": versions.last(), "versions": versions }),
    ))
}

async fn status(State(app): State<AppState>) -> Json<Value> {
    Json(json!({ "status": "ok", "time": Timestamp(app.clock.now_ms()).rfc3339() }))
}

/// Where a device gets what it may install, signed by both.
pub(crate) fn manifest_url(app: &AppState, current_fw: Option<&str>) -> String {
    let query = current_fw.map_or_else(String::new, |version| {
        format!(
            "?current_fw={}",
            utf8_percent_encode(version, NON_ALPHANUMERIC)
        )
    });
    format!("{}/api/v1/device/manifest{query}", app.public_url)
}

/// A manifest on its way to the one device that asked for it.
pub(crate) fn signed(manifest: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/jose+json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (Extension(ForDevice), headers, manifest).into_response()
}

/// What a device needs to know to install a release; where its manifest is depends on who asks.
pub(crate) fn offer(
    app: &AppState,
    project: &str,
    release: &CatalogRelease,
    next_poll_s: u64,
) -> Update {
    let record = &release.record;
    Update {
        version: record.version.clone(),
        file_name: record.file_name.clone(),
        url: format!("{}/firmware/{project}/{}", app.public_url, record.file_name),
        size_bytes: record.artifact.size_bytes,
        sha256: record.artifact.sha256.clone(),
        md5: record.artifact.md5.clone(),
        manifest_url: None,
        next_poll_s,
    }
}
