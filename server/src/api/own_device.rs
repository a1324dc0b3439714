//! What a device asks about itself, with its own token.

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use gatehouse_core::firmware::Running;
use gatehouse_types::firmware::{Report, Update};
use http::{StatusCode, header::RETRY_AFTER};
use serde::Deserialize;

use super::{Refusals, auth::Device};
use crate::{
    firmware,
    http::{extract::Query, headers::ForDevice, json::ApiJson, problem::Problem},
    state::AppState,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UpdateQuery {
    /// The version the device runs now; that of its token when missing.
    current_fw: Option<String>,
}

/// Tells a device what to install; 204 with `Retry-After` when it has the newest.
#[utoipa::path(get, path = "/api/v1/device/update", tag = "device", params(UpdateQuery), security(("device" = [])), responses((status = 200, body = Update), (status = 204, description = "Nothing to install; ask again after Retry-After seconds."), Refusals))]
pub(super) async fn update(
    State(app): State<AppState>,
    Device(actor): Device,
    Query(query): Query<UpdateQuery>,
) -> Result<Response, Problem> {
    let running = query
        .current_fw
        .as_deref()
        .map_or(Running::AsBefore, Running::Version);
    let answer = app.portal.firmware.check_update(&actor, running).await?;
    let Some(release) = answer.release else {
        return Ok((
            StatusCode::NO_CONTENT,
            Extension(ForDevice),
            [(RETRY_AFTER, answer.next_poll_s.to_string())],
        )
            .into_response());
    };
    let project = &actor.device()?.project;
    let update = firmware::offer(&app, project, &release, answer.next_poll_s);
    Ok((Extension(ForDevice), Json(update)).into_response())
}

/// Keeps what a device says of its update.
#[utoipa::path(post, path = "/api/v1/device/report", tag = "device", request_body = Report, security(("device" = [])), responses((status = 204), Refusals))]
pub(super) async fn report(
    State(app): State<AppState>,
    Device(actor): Device,
    ApiJson(report): ApiJson<Report>,
) -> Result<StatusCode, Problem> {
    app.portal.firmware.report(&actor, &report).await?;
    Ok(StatusCode::NO_CONTENT)
}
