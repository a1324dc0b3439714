//! RAUC from 1.15 on, which polls a URL and then reads the bundle in many small ranges.

use axum::{extract::State, response::Response};
use gatehouse_core::firmware::Running;
use http::{HeaderMap, StatusCode};

use super::{begun, nothing};
use crate::{
    firmware::{Asker, Told},
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    state::AppState,
};

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
    if let Some(release) = begun(&app, &actor, fetch.headers()) {
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

/// What `send-headers=system-version` tells; it need not be a version of ours.
fn system_version(headers: &HeaderMap) -> Option<Running<'_>> {
    let version = headers.get("rauc-system-version")?.to_str().ok()?;
    Some(Running::Md5("", Some(version.trim())))
}
