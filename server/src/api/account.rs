use axum::{Json, extract::State};
use gatehouse_types::{
    Page,
    account::{LoginSession, Me},
};
use http::StatusCode;
use uuid::Uuid;

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{extract::Path, problem::Problem},
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
#[utoipa::path(get, path = "/api/v1/me/logins", tag = "account", responses((status = 200, body = Page<LoginSession>), Refusals))]
pub(super) async fn list_logins(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
) -> Result<Json<Page<LoginSession>>, Problem> {
    let items = app
        .portal
        .identity
        .list_sign_ins(&actor, actor.account()?.id)
        .await?;
    Ok(Json(Page { items, next: None }))
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
