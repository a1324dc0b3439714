use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    account::{LoginSession, NewUser, User, UserChange},
};
use http::StatusCode;
use uuid::Uuid;

use super::{Refusals, auth::SignedIn, page_of};
use crate::{
    http::{
        extract::{Path, Query},
        json::ApiJson,
        problem::Problem,
    },
    state::AppState,
};

/// Lists accounts.
#[utoipa::path(get, path = "/api/v1/users", tag = "users", params(PageQuery), responses((status = 200, body = Page<User>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<User>>, Problem> {
    Ok(Json(app.portal.identity.list_users(&actor, &query).await?))
}

/// Makes an account.
#[utoipa::path(post, path = "/api/v1/users", tag = "users", request_body = NewUser, responses((status = 201, body = User), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(new): ApiJson<NewUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(app.portal.identity.create_user(&actor, &new).await?),
    ))
}

/// Shows an account.
#[utoipa::path(get, path = "/api/v1/users/{id}", tag = "users", params(("id" = Uuid, Path)), responses((status = 200, body = User), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app.portal.identity.user(&actor, id).await?))
}

/// Changes an account.
#[utoipa::path(patch, path = "/api/v1/users/{id}", tag = "users", params(("id" = Uuid, Path)), request_body = UserChange, responses((status = 200, body = User), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    ApiJson(change): ApiJson<UserChange>,
) -> Result<Json<User>, Problem> {
    Ok(Json(app.portal.change_user(&actor, id, &change).await?))
}

/// Removes an account.
#[utoipa::path(delete, path = "/api/v1/users/{id}", tag = "users", params(("id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn remove(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal.remove_user(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists an account's sign-in sessions.
#[utoipa::path(get, path = "/api/v1/users/{id}/logins", tag = "users", params(("id" = Uuid, Path), PageQuery), responses((status = 200, body = Page<LoginSession>), Refusals))]
pub(super) async fn list_logins(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LoginSession>>, Problem> {
    let logins = app.portal.identity.list_sign_ins(&actor, id).await?;
    page_of(logins, &query, |login| login.id)
}

/// Ends one of an account's sign-in sessions.
#[utoipa::path(delete, path = "/api/v1/users/{id}/logins/{login_id}", tag = "users", params(("id" = Uuid, Path), ("login_id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn end_login(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((id, login_id)): Path<(Uuid, Uuid)>,
) -> Result<StatusCode, Problem> {
    app.portal
        .identity
        .end_sign_in(&actor, id, login_id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
