use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    firmware::{ApproveRelease, GatewayToken, Release},
    rollout::{Action, ActionEvent, ActionState, RolloutPlan, RolloutProgress},
};
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{
        extract::{Path, Query},
        json::ApiJson,
        problem::Problem,
    },
    state::AppState,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ActionQuery {
    /// Only devices in this state.
    state: Option<ActionState>,
    /// How many rows at the most, 1..=500; 100 when missing.
    limit: Option<i64>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// Agrees to the publication that another admin asked for.
#[utoipa::path(post, path = "/api/v1/projects/{project}/releases/{version}/approve", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), request_body = Option<ApproveRelease>, responses((status = 200, body = Release), Refusals))]
pub(super) async fn approve(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    seen: Option<ApiJson<ApproveRelease>>,
) -> Result<Json<Release>, Problem> {
    let seen = seen.map(|ApiJson(seen)| seen).unwrap_or_default();
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware.approve(&actor, &project, &version, &seen).await?,
    ))
}

/// Shows how a rollout stands and how it came there.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases/{version}/rollout", tag = "rollouts", params(("project" = String, Path), ("version" = String, Path)), responses((status = 200, body = RolloutProgress), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
) -> Result<Json<RolloutProgress>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware
            .rollout_progress(&actor, &project, &version)
            .await?,
    ))
}

/// Sets which devices get a release when; a halt stays until somebody resumes.
#[utoipa::path(put, path = "/api/v1/projects/{project}/releases/{version}/rollout", tag = "rollouts", params(("project" = String, Path), ("version" = String, Path)), request_body = RolloutPlan, responses((status = 200, body = Release), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    ApiJson(plan): ApiJson<RolloutPlan>,
) -> Result<Json<Release>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware
            .change_rollout(&actor, &project, &version, &plan)
            .await?,
    ))
}

/// Lets a rollout go on that was paused or halted.
#[utoipa::path(post, path = "/api/v1/projects/{project}/releases/{version}/rollout/resume", tag = "rollouts", params(("project" = String, Path), ("version" = String, Path)), responses((status = 200, body = Release), Refusals))]
pub(super) async fn resume(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
) -> Result<Json<Release>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware.resume_rollout(&actor, &project, &version).await?,
    ))
}

/// Lists the devices of a rollout with how far each is.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases/{version}/actions", tag = "rollouts", params(("project" = String, Path), ("version" = String, Path), ActionQuery), responses((status = 200, body = Page<Action>), Refusals))]
pub(super) async fn list_actions(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    Query(query): Query<ActionQuery>,
) -> Result<Json<Page<Action>>, Problem> {
    let page = PageQuery {
        limit: query.limit,
        after: query.after,
    };
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware
            .release_actions(&actor, &project, &version, query.state, &page)
            .await?,
    ))
}

/// Lists a device's actions, the newest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/devices/{device_id}/actions", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 200, body = Vec<Action>), Refusals))]
pub(super) async fn device_actions(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<Json<Vec<Action>>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware.device_actions(&actor, &project, device_id).await?,
    ))
}

/// Tells what became of a device's updates, the newest line first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/devices/{device_id}/timeline", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 200, body = Vec<ActionEvent>), Refusals))]
pub(super) async fn device_timeline(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<Json<Vec<ActionEvent>>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(
        firmware
            .device_timeline(&actor, &project, device_id)
            .await?,
    ))
}

/// Stops a device's update; the device agrees at its next word.
#[utoipa::path(post, path = "/api/v1/projects/{project}/devices/{device_id}/cancel", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn cancel(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    let firmware = &app.portal.firmware;
    firmware.cancel_action(&actor, &project, device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a device try again at once what failed or was cancelled.
#[utoipa::path(post, path = "/api/v1/projects/{project}/devices/{device_id}/retry", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn retry(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    let firmware = &app.portal.firmware;
    firmware.retry_action(&actor, &project, device_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the token with which a gateway speaks for the project's devices; the one before ends.
#[utoipa::path(post, path = "/api/v1/projects/{project}/gateway_token", tag = "projects", params(("project" = String, Path)), responses((status = 201, body = GatewayToken), Refusals))]
pub(super) async fn create_gateway_token(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<(StatusCode, Json<GatewayToken>), Problem> {
    let firmware = &app.portal.firmware;
    let token = firmware.create_gateway_token(&actor, &project).await?;
    Ok((StatusCode::CREATED, Json(token)))
}

/// Ends the project's gateway token.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/gateway_token", tag = "projects", params(("project" = String, Path)), responses((status = 204), Refusals))]
pub(super) async fn revoke_gateway_token(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<StatusCode, Problem> {
    let firmware = &app.portal.firmware;
    firmware.revoke_gateway_token(&actor, &project).await?;
    Ok(StatusCode::NO_CONTENT)
}
