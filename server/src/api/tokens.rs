use axum::{
    Json,
    body::Body,
    extract::{FromRequest, State},
};
use bytes::Bytes;
use gatehouse_core::{Error, actor::Who};
use gatehouse_types::{
    Page,
    firmware::{DeviceToken, DeviceTokenInfo, GenerateToken, TokenQuery},
};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde_json::Value;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{
    Refusals,
    auth::{Origin, SignedIn},
};
use crate::{
    http::{
        extract::{Path, Query},
        json::{ApiJson, MAX_JSON_BYTES},
        problem::{self, Problem},
    },
    state::AppState,
};

/// Lists device tokens, newest first.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(TokenQuery), responses((status = 200, body = Page<DeviceTokenInfo>), Refusals))]
pub(super) async fn list(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Query(query): Query<TokenQuery>,
) -> Result<Json<Page<DeviceTokenInfo>>, Problem> {
    Ok(Json(app.portal.firmware.list_tokens(&actor, &query).await?))
}

/// Revokes a device token.
#[utoipa::path(delete, path = "/api/v1/tokens/{jti}", tag = "tokens", params(("jti" = Uuid, Path)), responses((status = 204), Refusals))]
pub(super) async fn revoke(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(jti): Path<Uuid>,
) -> Result<StatusCode, Problem> {
    app.portal.firmware.revoke_token(&actor, jti).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes a device token for whoever knows the admin secret: the original server's endpoint.
///
/// A device that is not yet known is registered in the project. 404 when no secret is configured.
#[utoipa::path(post, path = "/admin/generate_token", tag = "original paths", request_body = GenerateToken, params(("X-Admin-Secret" = String, Header)), security(("admin_secret" = [])), responses((status = 200, body = DeviceToken), Refusals))]
pub(super) async fn generate(
    State(app): State<AppState>,
    Origin(actor): Origin,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeviceToken>, Problem> {
    let Some(secret) = &app.config.admin_secret else {
        return Err(problem::not_found());
    };
    if !knows(&headers, secret.expose()) {
        return Err(Error::Forbidden("The admin secret is wrong or missing.").into());
    }
    let wish = read_wish(headers, body).await?;
    Ok(Json(
        app.portal
            .firmware
            .generate_token(&actor.as_who(Who::AdminSecret), &wish)
            .await?,
    ))
}

/// Compares digests, so that neither content nor length leaks through time.
fn knows(headers: &HeaderMap, secret: &str) -> bool {
    let shown = headers
        .get("x-admin-secret")
        .map(http::HeaderValue::as_bytes)
        .unwrap_or_default();
    Sha256::digest(shown)
        .ct_eq(&Sha256::digest(secret.as_bytes()))
        .into()
}

/// The original says `Missing JSON body` and `Missing 'device_id' or 'project'` before anything else.
async fn read_wish(headers: HeaderMap, body: Body) -> Result<GenerateToken, Problem> {
    let missing = || Problem::bad_request("Missing JSON body");
    let bytes = Limited::new(body, MAX_JSON_BYTES)
        .collect()
        .await
        .map_err(|_| Problem::too_large(MAX_JSON_BYTES as u64))?
        .to_bytes();
    let value: Value = serde_json::from_slice(&bytes).map_err(|_| missing())?;
    let members = value.as_object().ok_or_else(missing)?;
    if members.is_empty() {
        return Err(missing());
    }
    if ["device_id", "project"]
        .iter()
        .any(|name| members.get(*name).is_none_or(Value::is_null))
    {
        return Err(Problem::bad_request("Missing 'device_id' or 'project'"));
    }
    if members
        .get("expires_minutes")
        .is_some_and(|minutes| !minutes.is_i64())
    {
        return Err(Error::invalid(
            "expires_minutes",
            "A token lasts between 1 and 1440 minutes, as a whole number.",
        )
        .into());
    }
    parse_strictly(headers, bytes).await
}

async fn parse_strictly(headers: HeaderMap, bytes: Bytes) -> Result<GenerateToken, Problem> {
    let mut request = Request::new(Body::from(bytes));
    *request.headers_mut() = headers;
    let ApiJson(wish) = ApiJson::from_request(request, &()).await?;
    Ok(wish)
}
