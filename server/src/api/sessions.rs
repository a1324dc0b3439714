use axum::{Json, extract::State};
use gatehouse_core::Actor;
use gatehouse_types::{
    Page,
    access::{AccessSession, ExtendSession, OpenSession, SessionQuery},
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

/// Lists access sessions, newest first: one's own, or everybody's for an admin.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery), responses((status = 200, body = Page<AccessSession>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<SessionQuery>,
) -> Result<Json<Page<AccessSession>>, Problem> {
    Ok(Json(app.portal.access.list_sessions(&actor, &query).await?))
}

/// Opens a service to the address that asks; 200 when it was open already.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "sessions", request_body = OpenSession, responses((status = 201, body = AccessSession), (status = 200, body = AccessSession), Refusals))]
pub(super) async fn open(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(wish): ApiJson<OpenSession>,
) -> Result<(StatusCode, Json<AccessSession>), Problem> {
    open_as(&app, &actor, &wish).await
}

/// Shows an access session.
#[utoipa::path(get, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path)), responses((status = 200, body = AccessSession), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<AccessSession>, Problem> {
    Ok(Json(app.portal.access.session(&actor, id).await?))
}

/// Closes an access session.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "sessions", params(("id" = Uuid, Path)), responses((status = 200, body = AccessSession), Refusals))]
pub(super) async fn close(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<AccessSession>, Problem> {
    Ok(Json(app.portal.access.close(&actor, id).await?))
}

/// Moves the end of an open access session to so many minutes from now.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/extend", tag = "sessions", params(("id" = Uuid, Path)), request_body = ExtendSession, responses((status = 200, body = AccessSession), Refusals))]
pub(super) async fn extend(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    ApiJson(wish): ApiJson<ExtendSession>,
) -> Result<Json<AccessSession>, Problem> {
    Ok(Json(
        app.portal.access.extend(&actor, id, wish.minutes).await?,
    ))
}

/// Moves one's own open access session to the address that asks, with the time that is left; 200
/// when it is open there already.
///
/// The old one ends as `replaced` once the new one is open.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/move", tag = "sessions", params(("id" = Uuid, Path)), responses((status = 201, body = AccessSession), (status = 200, body = AccessSession), Refusals))]
pub(super) async fn follow(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<(StatusCode, Json<AccessSession>), Problem> {
    Ok(answer(app.portal.access.move_session(&actor, id).await?))
}

/// Opens a service for its default time under the original portal's path.
#[utoipa::path(post, path = "/conn/req/{service_id}", tag = "original paths", params(("service_id" = Uuid, Path)), responses((status = 201, body = AccessSession), (status = 200, body = AccessSession), Refusals))]
pub(super) async fn seed_open(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(service_id): Path<Uuid>,
) -> Result<(StatusCode, Json<AccessSession>), Problem> {
    open_as(
        &app,
        &actor,
        &OpenSession {
            service_id,
            minutes: None,
        },
    )
    .await
}

/// Closes an access session under the original portal's path.
#[utoipa::path(post, path = "/session/remove/{id}", tag = "original paths", params(("id" = Uuid, Path)), responses((status = 200, body = AccessSession), Refusals))]
pub(super) async fn seed_remove(
    app: State<AppState>,
    signed_in: SignedIn,
    id: Path<Uuid>,
) -> Result<Json<AccessSession>, Problem> {
    close(app, signed_in, id).await
}

async fn open_as(
    app: &AppState,
    actor: &Actor,
    wish: &OpenSession,
) -> Result<(StatusCode, Json<AccessSession>), Problem> {
    Ok(answer(app.portal.access.open(actor, wish).await?))
}

fn answer((session, is_new): (AccessSession, bool)) -> (StatusCode, Json<AccessSession>) {
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    (status, Json(session))
}
