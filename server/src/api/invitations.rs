use axum::{Json, extract::State};
use gatehouse_app::links;
use gatehouse_types::{
    Page, PageQuery,
    access::{Invitation, InvitationWithLink, NewInvitation},
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

/// Lists invitations, newest first: one's own, or everybody's for an admin.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "invitations", params(PageQuery), responses((status = 200, body = Page<Invitation>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Invitation>>, Problem> {
    Ok(Json(
        app.portal.access.list_invitations(&actor, &query).await?,
    ))
}

/// Invites somebody without an account to a service that one may open; the link is shown this once.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "invitations", request_body = NewInvitation, responses((status = 201, body = InvitationWithLink), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(new): ApiJson<NewInvitation>,
) -> Result<(StatusCode, Json<InvitationWithLink>), Problem> {
    let (invitation, token) = app.portal.access.invite(&actor, &new).await?;
    let link = links::guest(&app.public_url, &token);
    let made = InvitationWithLink { invitation, link };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Shows an invitation.
#[utoipa::path(get, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = Uuid, Path)), responses((status = 200, body = Invitation), Refusals))]
pub(super) async fn show(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<Json<Invitation>, Problem> {
    Ok(Json(app.portal.access.invitation(&actor, id).await?))
}

/// Revokes an invitation and closes what is open with it.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "invitations", params(("id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn revoke(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal.access.revoke_invitation(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
