use axum::{Json, extract::State};
use gatehouse_core::identity::SignIn;
use gatehouse_types::account::{Ack, Acknowledged, Login, LoginToken};
use http::{HeaderMap, header::USER_AGENT};

use super::{
    Refusals,
    auth::{Origin, SignedIn},
};
use crate::{
    http::{json::ApiJson, problem::Problem},
    state::AppState,
};

/// Trades e-mail address and password for a token of one hour.
#[utoipa::path(post, path = "/api/login", tag = "account", request_body = Login, security(()), responses((status = 200, body = LoginToken), Refusals))]
pub(super) async fn login(
    State(app): State<AppState>,
    Origin(actor): Origin,
    headers: HeaderMap,
    ApiJson(login): ApiJson<Login>,
) -> Result<Json<LoginToken>, Problem> {
    let user_agent = user_agent(&headers);
    let request = SignIn {
        email: &login.user,
        password: &login.pass,
        user_agent: &user_agent,
    };
    Ok(Json(app.portal.identity.api_login(&actor, request).await?))
}

/// Keeps that the owner's app has seen so many notices.
#[utoipa::path(post, path = "/api/ack", tag = "account", request_body = Ack, responses((status = 200, body = Acknowledged), Refusals))]
pub(super) async fn acknowledge(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    ApiJson(ack): ApiJson<Ack>,
) -> Result<Json<Acknowledged>, Problem> {
    let count = ack
        .count
        .ok_or_else(|| Problem::bad_request("missing count"))?;
    Ok(Json(app.portal.identity.acknowledge(&actor, count).await?))
}

/// What the browser or program calls itself; empty when it does not say.
pub(crate) fn user_agent(headers: &HeaderMap) -> String {
    headers
        .get(USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .unwrap_or_default()
}
