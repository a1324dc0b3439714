//! What a device asks about itself, with its own token.

use axum::{
    Extension, Json,
    extract::State,
    response::{IntoResponse, Response},
};
use gatehouse_core::firmware::{ManifestWish, Running};
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
    let running = running(query.current_fw.as_deref());
    let answer = app.portal.firmware.check_update(&actor, running).await?;
    let Some(release) = answer.release else {
        return Ok(nothing(answer.next_poll_s));
    };
    let project = &actor.device()?.project;
    let update = Update {
        manifest_url: Some(firmware::manifest_url(&app, query.current_fw.as_deref())),
        ..firmware::offer(&app, project, &release, answer.next_poll_s)
    };
    Ok((Extension(ForDevice), Json(update)).into_response())
}

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ManifestQuery {
    /// The version the device runs now; that of its token when missing.
    current_fw: Option<String>,
    /// Which of the project's keys should sign, by its RFC 7638 thumbprint; the oldest when missing.
    key: Option<String>,
}

/// What a device should install, signed by the project and by the co-signer: a JWS in general JSON
/// serialization (RFC 7515), good for 15 minutes and for one installation.
#[derive(utoipa::ToSchema)]
#[schema(as = Manifest)]
#[expect(dead_code, reason = "describes the shape only; the core writes it")]
pub(super) struct ManifestDocument {
    /// The claims as JSON, base64url without padding.
    payload: String,
    /// Two of them, by `<project_id>` and by `project/<project_id>`.
    signatures: Vec<ManifestSignature>,
}

/// One signature of a manifest.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the shape only; the core writes it")]
pub(super) struct ManifestSignature {
    /// `typ`, `alg` and `kid` as JSON, base64url without padding.
    protected: String,
    /// Over `protected.payload`: `r` and `s`, 64 bytes, base64url without padding.
    signature: String,
}

/// Gives a device what both signed of the release it should install; 204 with `Retry-After` when
/// it has the newest.
#[utoipa::path(get, path = "/api/v1/device/manifest", tag = "device", params(ManifestQuery), security(("device" = [])), responses((status = 200, body = ManifestDocument, content_type = "application/jose+json"), (status = 204, description = "Nothing to install; ask again after Retry-After seconds."), Refusals))]
pub(super) async fn manifest(
    State(app): State<AppState>,
    Device(actor): Device,
    Query(query): Query<ManifestQuery>,
) -> Result<Response, Problem> {
    let wish = ManifestWish {
        running: running(query.current_fw.as_deref()),
        key: query.key.as_deref(),
        address: &app.public_url,
    };
    let firmware = &app.portal.firmware;
    if let Some(manifest) = firmware.manifest(&actor, wish).await? {
        return Ok(firmware::signed(manifest));
    }
    let answer = firmware.check_update(&actor, running(query.current_fw.as_deref()));
    Ok(nothing(answer.await?.next_poll_s))
}

fn running(current_fw: Option<&str>) -> Running<'_> {
    current_fw.map_or(Running::AsBefore, Running::Version)
}

fn nothing(next_poll_s: u64) -> Response {
    let ask_again = [(RETRY_AFTER, next_poll_s.to_string())];
    (StatusCode::NO_CONTENT, Extension(ForDevice), ask_again).into_response()
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
