//! `esp_https_ota` of ESP-IDF: the image at one URL, whole, resumed, or in windows after a HEAD.

use axum::{extract::State, response::Response};
use http::StatusCode;

use super::{begun, nothing};
use crate::{
    firmware::{Asker, Told},
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    state::AppState,
};

/// GET and HEAD `/ota/esp-idf/{project}`.
pub(super) async fn image(
    State(app): State<AppState>,
    Path(project): Path<String>,
    Query(told): Query<Told>,
    asker: Asker,
) -> Result<Response, Problem> {
    let actor = asker.device(&app, &project).await?;
    let firmware = &app.portal.firmware;
    firmware.require_reader(&actor, &project)?;
    if let Some(release) = begun(&app, &actor, asker.fetch.headers()) {
        return asker.fetch.answer(&app, &actor, &release).await;
    }
    let answer = firmware.check_update(&actor, told.running()).await?;
    match answer.release {
        Some(release) => asker.fetch.answer(&app, &actor, &release).await,
        None => Ok(nothing(StatusCode::NOT_MODIFIED, answer.next_poll_s)),
    }
}
