use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response},
};
use gatehouse_types::manifest::{ProjectKeys, ProjectKeysInForce};
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::{
    Refusals,
    auth::{SignedIn, SignedInOrDevice},
};
use crate::{
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    key_files::{self, KeyFormat},
    state::AppState,
};

#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct KeysQuery {
    /// How to write them: `json` (as described), `pem`, `jwk` or `header`, for programs in C.
    #[param(inline)]
    #[serde(default)]
    format: KeyFormat,
}

/// Tells what a device has to know to check releases by itself.
#[utoipa::path(get, path = "/api/v1/projects/{project}/keys", tag = "projects", params(("project" = String, Path), KeysQuery), security(("account" = []), ("cookie" = []), ("device" = [])), responses((status = 200, body = ProjectKeys), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedInOrDevice(actor): SignedInOrDevice,
    Path(project): Path<String>,
    Query(query): Query<KeysQuery>,
) -> Result<Response, Problem> {
    let keys = app.portal.firmware.project_keys(&actor, &project).await?;
    let files = key_files::of(&keys, query.format).into_iter();
    let text: String = files.map(|file| file.text).collect();
    Ok(([(CONTENT_TYPE, query.format.content_type())], text).into_response())
}

/// Makes a second key for a project; the first goes on signing until it is retired.
#[utoipa::path(post, path = "/api/v1/projects/{project}/keys/rotate", tag = "projects", params(("project" = String, Path)), responses((status = 200, body = ProjectKeysInForce), Refusals))]
pub(super) async fn rotate(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<Json<ProjectKeysInForce>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(firmware.rotate_project_key(&actor, &project).await?))
}

/// Ends the older of a project's two keys; devices that know only that one take no release any more.
#[utoipa::path(post, path = "/api/v1/projects/{project}/keys/retire", tag = "projects", params(("project" = String, Path)), responses((status = 200, body = ProjectKeysInForce), Refusals))]
pub(super) async fn retire(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<Json<ProjectKeysInForce>, Problem> {
    let firmware = &app.portal.firmware;
    Ok(Json(firmware.retire_project_key(&actor, &project).await?))
}
