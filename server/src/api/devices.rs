use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    firmware::{Device, DeviceChange, DeviceToken, DeviceWithToken, NewDevice, NewDeviceToken},
};
use http::StatusCode;
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

/// Lists a project's devices.
#[utoipa::path(get, path = "/api/v1/projects/{project}/devices", tag = "devices", params(("project" = String, Path), PageQuery), responses((status = 200, body = Page<Device>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Device>>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .list_devices(&actor, &project, &query)
            .await?,
    ))
}

/// Registers a device; its target token is shown this once.
#[utoipa::path(post, path = "/api/v1/projects/{project}/devices", tag = "devices", params(("project" = String, Path)), request_body = NewDevice, responses((status = 201, body = DeviceWithToken), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    ApiJson(new): ApiJson<NewDevice>,
) -> Result<(StatusCode, Json<DeviceWithToken>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(
            app.portal
                .firmware
                .create_device(&actor, &project, &new)
                .await?,
        ),
    ))
}

/// Shows a device.
#[utoipa::path(get, path = "/api/v1/projects/{project}/devices/{device_id}", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 200, body = Device), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<Json<Device>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .device(&actor, &project, device_id)
            .await?,
    ))
}

/// Changes a device.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/devices/{device_id}", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), request_body = DeviceChange, responses((status = 200, body = Device), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
    ApiJson(change): ApiJson<DeviceChange>,
) -> Result<Json<Device>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .change_device(&actor, &project, device_id, &change)
            .await?,
    ))
}

/// Removes a device and revokes its tokens.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/devices/{device_id}", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn remove(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
) -> Result<StatusCode, Problem> {
    app.portal
        .firmware
        .remove_device(&actor, &project, device_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a token for a device.
#[utoipa::path(post, path = "/api/v1/projects/{project}/devices/{device_id}/tokens", tag = "devices", params(("project" = String, Path), ("device_id" = Uuid, Path)), request_body = NewDeviceToken, responses((status = 201, body = DeviceToken), Refusals))]
pub(super) async fn create_token(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, device_id)): Path<(String, Uuid)>,
    ApiJson(wish): ApiJson<NewDeviceToken>,
) -> Result<(StatusCode, Json<DeviceToken>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(
            app.portal
                .firmware
                .create_token(&actor, &project, device_id, &wish)
                .await?,
        ),
    ))
}
