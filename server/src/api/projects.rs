use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    firmware::{NewProject, Project, ProjectChange},
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

/// Lists projects.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", params(PageQuery), responses((status = 200, body = Page<Project>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Project>>, Problem> {
    Ok(Json(app.portal.firmware.list_projects(&actor, &query)?))
}

/// Makes a project.
#[utoipa::path(post, path = "/api/v1/projects", tag = "projects", request_body = NewProject, responses((status = 201, body = Project), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(new): ApiJson<NewProject>,
) -> Result<(StatusCode, Json<Project>), Problem> {
    Ok((
        StatusCode::CREATED,
        Json(app.portal.firmware.create_project(&actor, &new).await?),
    ))
}

/// Shows a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects", params(("project" = String, Path)), responses((status = 200, body = Project), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<Json<Project>, Problem> {
    Ok(Json(app.portal.firmware.project(&actor, &project)?))
}

/// Changes a project.
#[utoipa::path(patch, path = "/api/v1/projects/{project}", tag = "projects", params(("project" = String, Path)), request_body = ProjectChange, responses((status = 200, body = Project), Refusals))]
pub(super) async fn change(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    ApiJson(change): ApiJson<ProjectChange>,
) -> Result<Json<Project>, Problem> {
    Ok(Json(
        app.portal
            .firmware
            .change_project(&actor, &project, &change)
            .await?,
    ))
}

/// Removes a project and revokes its tokens.
#[utoipa::path(delete, path = "/api/v1/projects/{project}", tag = "projects", params(("project" = String, Path)), responses((status = 204), Refusals))]
pub(super) async fn remove(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
) -> Result<StatusCode, Problem> {
    app.portal.firmware.remove_project(&actor, &project).await?;
    Ok(StatusCode::NO_CONTENT)
}
