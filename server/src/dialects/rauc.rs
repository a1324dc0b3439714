//! RAUC from 1.15 on, which polls a URL and then reads the bundle in many small ranges.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use gatehouse_core::{
    Actor,
    firmware::{CatalogRelease, Running},
};
use http::{HeaderMap, StatusCode};

use super::{nothing, range};
use crate::{
    firmware::{Asker, Told},
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    state::AppState,
};

/// The range with which RAUC asks whether there is a bundle, and how long it is.
const POLL: &str = "bytes=0-3";

/// GET and HEAD `/ota/rauc/{project}`.
pub(super) async fn bundle(
    State(app): State<AppState>,
    Path(project): Path<String>,
    Query(told): Query<Told>,
    asker: Asker,
) -> Result<Response, Problem> {
    let actor = asker.device(&app, &project).await?;
    let (firmware, fetch) = (&app.portal.firmware, &asker.fetch);
    firmware.require_reader(&actor, &project)?;
    if let Some(release) = being_read(&app, &actor, fetch.headers()) {
        return fetch.answer_in_any_order(&app, &actor, &release).await;
    }
    let running = system_version(fetch.headers()).unwrap_or_else(|| told.running());
    let answer = firmware.check_update(&actor, running).await?;
    let known = answer.runs.filter(|running| fetch.knows(running));
    match answer.release.or(known) {
        Some(release) => fetch.answer_in_any_order(&app, &actor, &release).await,
        None => Ok(nothing(StatusCode::NO_CONTENT, answer.next_poll_s)),
    }
}

/// The bundle in whose middle a system is.
///
/// RAUC reads the end first and the beginning afterwards, so a range from byte 0 on asks nothing
/// anew: a release that was published in between would be mixed into the one that was begun.
fn being_read(app: &AppState, actor: &Actor, headers: &HeaderMap) -> Option<Arc<CatalogRelease>> {
    let reads_on = range(headers)? != POLL;
    reads_on.then(|| app.portal.firmware.fetching(actor))?
}

/// What `send-headers=system-version` tells; it need not be a version of ours.
fn system_version(headers: &HeaderMap) -> Option<Running<'_>> {
    let version = headers.get("rauc-system-version")?.to_str().ok()?;
    Some(Running::Md5("", Some(version.trim())))
}
