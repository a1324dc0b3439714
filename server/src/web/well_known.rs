use axum::{Json, extract::State, response::IntoResponse};
use gatehouse_types::Timestamp;
use http::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::{http::problem::Problem, state::AppState};

const YEAR_MS: i64 = 365 * 24 * 3600 * 1000;

/// GET `/livez`: the process answers.
pub(super) async fn livez() -> &'static str {
    "ok\n"
}

/// GET `/readyz`: the database answers too.
pub(super) async fn readyz(State(app): State<AppState>) -> Result<&'static str, Problem> {
    app.store
        .ping()
        .await
        .map_err(gatehouse_core::Error::from)?;
    Ok("ok\n")
}

/// GET `/.well-known/jwks.json`: the public keys of device tokens. All are HS256 now, which has none.
pub(super) async fn jwks() -> Json<Value> {
    Json(json!({ "keys": [] }))
}

/// GET `/.well-known/security.txt` (RFC 9116): where to report a weakness of this installation.
pub(super) async fn security_txt(State(app): State<AppState>) -> impl IntoResponse {
    let expires = Timestamp(app.clock.now_ms() + YEAR_MS).rfc3339();
    let host = app
        .public_url
        .split_once("://")
        .map_or("localhost", |(_, host)| host);
    let host = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let text = format!(
        "Contact: mailto:security@{host}\nExpires: {expires}\nPreferred-Languages: en, es\nCanonical: {}/.well-known/security.txt\n",
        app.public_url
    );
    ([(CONTENT_TYPE, "text/plain; charset=utf-8")], text)
}
