use axum::{Json, extract::State};
use gatehouse_types::{
    Page, PageQuery,
    account::{LoginSession, Me},
};
use http::StatusCode;
use uuid::Uuid;

use super::{Refusals, auth::SignedIn, page_of};
use crate::{
    http::{
        extract::{Path, Query},
        problem::Problem,
    },
    state::AppState,
};

/// Who asks, and the address that an access session would let in.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, body = Me), Refusals))]
pub(super) async fn me(SignedIn(actor): SignedIn) -> Result<Json<Me>, Problem> {
    let account = actor.account()?;
    Ok(Json(Me {
        id: account.id,
        email: account.email.clone(),
        role: account.role,
        client_ip: actor.ip.map(|ip| ip.to_string()),
    }))
}

/// Lists one's own sign-in sessions.
#[utoipa::path(get, path = "/api/v1/me/logins", tag = "account", params(PageQuery), responses((status = 200, body = Page<LoginSession>), Refusals))]
pub(super) async fn list_logins(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<LoginSession>>, Problem> {
    let logins = app
        .portal
        .identity
        .list_sign_ins(&actor, actor.account()?.id)
        .await?;
    page_of(logins, &query, |login| login.id)
}

/// Ends one of one's own sign-in sessions.
#[utoipa::path(delete, path = "/api/v1/me/logins/{id}", tag = "account", params(("id" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn end_login(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal
        .identity
        .end_sign_in(&actor, actor.account()?.id, id)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
