use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    access::{NewRouter, Router, RouterChange, RouterTest},
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

/// Lists routers.
#[utoipa::path(get, path = "/api/v1/routers", tag = "routers", params(PageQuery), responses((status = 200, body = Page<Router>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Router>>, Problem> {
    let routers = app.portal.access.list_routers(&actor).await?;
    page_of(routers, &query, |router| router.id)
}

/// Adds a router.
#[utoipa::path(post, path = "/api/v1/routers", tag = "routers", request_body = NewRouter, responses((status = 201, body = Router), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(new): ApiJson<NewRouter>,
) -> Result<(StatusCode, Json<Router>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(app.portal.access.create_router(&actor, &new).await?),
    ))
}

/// Shows a router; its keys never come back.
#[utoipa::path(get, path = "/api/v1/routers/{id}", tag = "routers", params(("id" = Uuid, Path)), responses((status = 200, body = Router), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<Router>, Problem> {
    Ok(Json(app.portal.access.router(&actor, id).await?))
}

/// Changes a router.
#[utoipa::path(patch, path = "/api/v1/routers/{id}", tag = "routers", params(("id" = Uuid, Path)), request_body = RouterChange, responses((status = 200, body = Router), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    ApiJson(change): ApiJson<RouterChange>,
) -> Result<Json<Router>, Problem> {
    Ok(Json(
        app.portal.access.change_router(&actor, id, &change).await?,
    ))
}

/// Removes a router with its services and closes what is open on it.
#[utoipa::path(delete, path = "/api/v1/routers/{id}", tag = "routers", params(("id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn remove(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal.access.remove_router(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Asks the router's daemon how it is.
#[utoipa::path(post, path = "/api/v1/routers/{id}/test", tag = "routers", params(("id" = Uuid, Path)), responses((status = 200, body = RouterTest), Refusals))]
pub(super) async fn test(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<RouterTest>, Problem> {
    Ok(Json(app.portal.access.test_router(&actor, id).await?))
}
