use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    firmware::{PublishRelease, Release, ReleaseChange},
};
use http::StatusCode;

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{
        extract::{Path, Query},
        json::ApiJson,
        problem::Problem,
    },
    state::AppState,
};

/// Lists a project's releases, newest version first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases", tag = "releases", params(("project" = String, Path), PageQuery), responses((status = 200, body = Page<Release>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Release>>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .list_releases(&actor, &project, &query)?,
    ))
}

/// Shows a release.
#[utoipa::path(get, path = "/api/v1/projects/{project}/releases/{version}", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), responses((status = 200, body = Release), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
) -> Result<Json<Release>, Problem> {
    Ok(Json(
        app.portal.firmware.release(&actor, &project, &version)?,
    ))
}

/// Changes a release's notes.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/releases/{version}", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), request_body = ReleaseChange, responses((status = 200, body = Release), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    ApiJson(change): ApiJson<ReleaseChange>,
) -> Result<Json<Release>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .change_release(&actor, &project, &version, &change)
            .await?,
    ))
}

/// Deletes a draft.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/releases/{version}", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), responses((status = 204), Refusals))]
pub(super) async fn delete(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    app.portal
        .firmware
        .delete_release(&actor, &project, &version)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Offers a release to devices; `{"anyway":true}` overrules objections to its name and version.
#[utoipa::path(post, path = "/api/v1/projects/{project}/releases/{version}/publish", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), request_body = Option<PublishRelease>, responses((status = 200, body = Release), Refusals))]
pub(super) async fn publish(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    wish: Option<ApiJson<PublishRelease>>,
) -> Result<Json<Release>, Problem> {
    let wish = wish.map(|ApiJson(wish)| wish).unwrap_or_default();
    Ok(Json(
        app.portal
            .firmware
            .publish(&actor, &project, &version, wish)
            .await?,
    ))
}

/// Stops offering a release.
#[utoipa::path(post, path = "/api/v1/projects/{project}/releases/{version}/withdraw", tag = "releases", params(("project" = String, Path), ("version" = String, Path)), responses((status = 200, body = Release), Refusals))]
pub(super) async fn withdraw(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
) -> Result<Json<Release>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .withdraw(&actor, &project, &version)
            .await?,
    ))
}
