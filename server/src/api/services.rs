use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    access::{Grants, NewService, Service, ServiceChange},
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

/// Lists services: those granted for an owner, all for an admin.
#[utoipa::path(get, path = "/api/v1/services", tag = "services", params(PageQuery), responses((status = 200, body = Page<Service>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Service>>, Problem> {
    let services = app.portal.access.list_services(&actor).await?;
    page_of(services, &query, |service| service.id)
}

/// Adds a service.
#[utoipa::path(post, path = "/api/v1/services", tag = "services", request_body = NewService, responses((status = 201, body = Service), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(new): ApiJson<NewService>,
) -> Result<(StatusCode, Json<Service>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(app.portal.access.create_service(&actor, &new).await?),
    ))
}

/// Shows a service.
#[utoipa::path(get, path = "/api/v1/services/{id}", tag = "services", params(("id" = Uuid, Path)), responses((status = 200, body = Service), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<Service>, Problem> {
    Ok(Json(app.portal.access.service(&actor, id).await?))
}

/// Changes a service; another router, address or port closes what is open on it.
#[utoipa::path(patch, path = "/api/v1/services/{id}", tag = "services", params(("id" = Uuid, Path)), request_body = ServiceChange, responses((status = 200, body = Service), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    ApiJson(change): ApiJson<ServiceChange>,
) -> Result<Json<Service>, Problem> {
    Ok(Json(
        app.portal
            .access
            .change_service(&actor, id, &change)
            .await?,
    ))
}

/// Removes a service and closes what is open on it.
#[utoipa::path(delete, path = "/api/v1/services/{id}", tag = "services", params(("id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn remove(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal.access.remove_service(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replaces who may open a service.
#[utoipa::path(put, path = "/api/v1/services/{id}/grants", tag = "services", params(("id" = Uuid, Path)), request_body = Grants, responses((status = 200, body = Service), Refusals))]
pub(super) async fn grant(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
    ApiJson(grants): ApiJson<Grants>,
) -> Result<Json<Service>, Problem> {
    Ok(Json(
        app.portal.access.set_grants(&actor, id, &grants).await?,
    ))
}

/// Lists services under the original portal's path.
#[utoipa::path(get, path = "/service/", tag = "original paths", params(PageQuery), responses((status = 200, body = Page<Service>), Refusals))]
pub(super) async fn seed_list(
    app: State<AppState>,
    signed_in: SignedIn,
    query: Query<PageQuery>,
) -> Result<Json<Page<Service>>, Problem> {
    list(app, signed_in, query).await
}

/// Shows a service under the original portal's path.
#[utoipa::path(get, path = "/service/{id}", tag = "original paths", params(("id" = Uuid, Path)), responses((status = 200, body = Service), Refusals))]
pub(super) async fn seed_show(
    app: State<AppState>,
    signed_in: SignedIn,
    id: Path<Uuid>,
) -> Result<Json<Service>, Problem> {
    show(app, signed_in, id).await
}
