//! hawkBit's Direct Device Integration API, version 1: what SWUpdate, rauc-hawkbit-updater,
//! Zephyr and the `hawkbit` crate speak.
//!
//! Base `/{tenant}/controller/v1/{controllerId}`; names and shapes are those of eclipse-hawkbit.
//! A device follows its action by a number, tells how far it is, and is answered with an empty
//! body: SWUpdate repeats its feedback for ever after a 204.

mod answers;
mod controller;
mod failure;
mod feedback;

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use gatehouse_core::{
    Error,
    firmware::{AttributesMode, Deployment, ManifestWish, Running},
};
use gatehouse_types::{firmware::ReleaseState, rollout::ActionState};
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};

use self::{controller::Controller, failure::Failure, feedback::Feedback};
use crate::{
    firmware::Fetch,
    http::{
        extract::{Path, Query},
        headers::ForDevice,
    },
    state::AppState,
};

const MD5SUM: &str = ".MD5SUM";

#[derive(Deserialize)]
struct ManifestQuery {
    /// Which of the project's keys should sign, by its thumbprint.
    key: Option<String>,
}

/// The routes of the API.
pub(crate) fn router() -> Router<AppState> {
    let routes: Router<AppState> = Router::new()
        .route("/configData", put(take_attributes))
        .route("/deploymentBase/{id}", get(deployment))
        .route("/deploymentBase/{id}/feedback", post(take_feedback))
        .route("/cancelAction/{id}", get(cancel))
        .route("/cancelAction/{id}/feedback", post(take_cancel_feedback))
        .route("/installedBase/{id}", get(deployment))
        .route("/manifest", get(manifest))
        .route("/softwaremodules/{module}/artifacts", get(list_artifacts))
        .route("/softwaremodules/{module}/artifacts/{file}", get(artifact));
    Router::new()
        .route("/{tenant}/controller/v1/{controller_id}", get(poll))
        .route("/{tenant}/controller/v1/{controller_id}/", get(poll))
        .nest("/{tenant}/controller/v1/{controller_id}", routes)
}

async fn poll(
    State(app): State<AppState>,
    device: Controller,
) -> Result<(Extension<ForDevice>, Json<Value>), Failure> {
    let orders = app.portal.firmware.poll(&device.actor).await?;
    let answer = Json(answers::orders(&device.base, &orders));
    Ok((Extension(ForDevice), answer))
}

async fn deployment(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, id)): Path<(String, String, i32)>,
) -> Result<Json<Value>, Failure> {
    let deployment = shown(&app, &device, id).await?;
    if answers::is_called_off(&deployment) {
        return Err(Failure::not_found());
    }
    Ok(Json(answers::deployment(&device.base, &deployment)))
}

async fn take_feedback(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, id)): Path<(String, String, i32)>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let feedback = Feedback::read(&body)?;
    app.portal
        .firmware
        .take_step(
            &device.actor,
            id,
            feedback.state(),
            feedback.percent(),
            &feedback.detail(),
        )
        .await?;
    Ok(StatusCode::OK)
}

async fn cancel(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, id)): Path<(String, String, i32)>,
) -> Result<Json<Value>, Failure> {
    let deployment = shown(&app, &device, id).await?;
    if !answers::is_called_off(&deployment) {
        return Err(Failure::not_found());
    }
    Ok(Json(answers::cancel(id)))
}

async fn take_cancel_feedback(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, id)): Path<(String, String, i32)>,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let feedback = Feedback::read(&body)?;
    let firmware = &app.portal.firmware;
    match feedback.agrees_to_cancel() {
        Some(agrees) => {
            firmware
                .answer_cancel(&device.actor, id, agrees, &feedback.detail())
                .await?;
        }
        None => {
            firmware
                .take_step(&device.actor, id, None, None, &feedback.detail())
                .await?;
        }
    }
    Ok(StatusCode::OK)
}

async fn take_attributes(
    State(app): State<AppState>,
    device: Controller,
    body: Bytes,
) -> Result<StatusCode, Failure> {
    let told: Value = serde_json::from_slice(&body).map_err(|_| Failure::bad_body())?;
    let mode = match told["mode"].as_str() {
        None | Some("merge") => AttributesMode::Merge,
        Some("replace") => AttributesMode::Replace,
        Some("remove") => AttributesMode::Remove,
        Some(_) => return Err(Failure::bad_body()),
    };
    let data = feedback::texts(&told["data"]);
    app.portal
        .firmware
        .take_attributes(&device.actor, mode, &data)
        .await?;
    Ok(StatusCode::OK)
}

/// Not of hawkBit's: what both signed of the release that the device should install.
async fn manifest(
    State(app): State<AppState>,
    device: Controller,
    Query(ManifestQuery { key }): Query<ManifestQuery>,
) -> Result<Response, Failure> {
    let wish = ManifestWish {
        running: Running::AsBefore,
        key: key.as_deref(),
        address: &app.public_url,
    };
    let signed = app.portal.firmware.manifest(&device.actor, wish).await?;
    let signed = signed.ok_or_else(Failure::not_found)?;
    Ok(crate::firmware::signed(signed))
}

async fn list_artifacts(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, module)): Path<(String, String, i64)>,
) -> Result<Json<Value>, Failure> {
    let deployment = assigned(&app, &device, module).await?;
    Ok(Json(json!([answers::artifact(
        &device.base,
        &deployment.release
    )])))
}

async fn artifact(
    State(app): State<AppState>,
    device: Controller,
    Path((_, _, module, file)): Path<(String, String, i64, String)>,
    fetch: Fetch,
) -> Result<Response, Failure> {
    let deployment = assigned(&app, &device, module).await?;
    let record = &deployment.release.record;
    let file_name = answers::file_name(record);
    if file == file_name {
        return Ok(fetch
            .answer(&app, &device.actor, &deployment.release)
            .await?);
    }
    if file.strip_suffix(MD5SUM) != Some(&file_name) {
        return Err(Failure::not_found());
    }
    let line = format!("{}  {file_name}\n", record.artifact.md5);
    Ok(([(header::CONTENT_TYPE, "text/plain")], line).into_response())
}

/// The device's action of this number; one before it is no longer shown.
async fn shown(app: &AppState, device: &Controller, id: i32) -> Result<Deployment, Failure> {
    let found = app.portal.firmware.deployment(&device.actor, id).await;
    found.map_err(|error| match error {
        Error::Conflict { .. } => Failure::not_found(),
        other => other.into(),
    })
}

/// The device's action whose release has this number; nothing else is shown to it.
async fn assigned(app: &AppState, device: &Controller, module: i64) -> Result<Deployment, Failure> {
    let deployment = app.portal.firmware.newest_deployment(&device.actor).await?;
    let record = &deployment.release.record;
    let is_there =
        record.state == ReleaseState::Published || deployment.state == ActionState::Succeeded;
    if record.number != module || !is_there || answers::is_called_off(&deployment) {
        return Err(Failure::not_found());
    }
    Ok(deployment)
}
