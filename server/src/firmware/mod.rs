//! Firmware as the original server offered it: `/firmware/<project>/<file>` and its documents.
//!
//! One code path answers every client with bytes: token, release from the catalogue in memory,
//! conditions, range, then the image from memory (small ones) or streamed from the store.

mod conditions;
mod images;
mod range;

use axum::{
    Json, Router,
    extract::{RawQuery, State},
    response::Response,
    routing::get,
};
use gatehouse_core::{Actor, Error, firmware::CatalogRelease};
use gatehouse_types::{Timestamp, firmware::Update};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use crate::{
    api::auth::{Origin, Visitor, bearer},
    config::QueryToken,
    http::{extract::Path, problem::Problem},
    state::AppState,
};

pub use images::ImageCache;

/// What `/latest` tells devices about asking again, in seconds.
const NEXT_POLL_S: u64 = 3600;

/// The routes of the original server.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/firmware/{project}/latest", get(latest))
        .route("/firmware/{project}/versions", get(versions))
        .route("/firmware/{project}/{file}", get(image))
        .route("/status", get(status))
}

async fn image(
    State(app): State<AppState>,
    method: Method,
    Path((project, file)): Path<(String, String)>,
    asker: Asker,
) -> Result<Response, Problem> {
    let actor = asker.actor(&app)?;
    let release = app.portal.firmware.image(&actor, &project, &file)?;
    let image = app.images.get(&release, app.blobs.as_ref()).await?;
    images::answer(&app, &method, &asker.headers, &image).await
}

async fn latest(
    State(app): State<AppState>,
    Path(project): Path<String>,
    asker: Asker,
) -> Result<Json<Update>, Problem> {
    let actor = asker.actor(&app)?;
    let release = app.portal.firmware.latest(&actor, &project)?;
    Ok(Json(offer(&app, &project, &release, NEXT_POLL_S)))
}

async fn versions(
    State(app): State<AppState>,
    Path(project): Path<String>,
    asker: Asker,
) -> Result<Json<Value>, Problem> {
    let actor = asker.actor(&app)?;
    let versions = app.portal.firmware.published_versions(&actor, &project)?;
    Ok(Json(
        json!({ "count": versions.len(), "latest": versions.last(), "versions": versions }),
    ))
}

async fn status(State(app): State<AppState>) -> Json<Value> {
    Json(json!({ "status": "ok", "time": Timestamp(app.clock.now_ms()).rfc3339() }))
}

/// What a device needs to know to install a release.
pub(crate) fn offer(
    app: &AppState,
    project: &str,
    release: &CatalogRelease,
    next_poll_s: u64,
) -> Update {
    let record = &release.record;
    Update {
        version: record.version.clone(),
        file_name: record.file_name.clone(),
        url: format!("{}/firmware/{project}/{}", app.public_url, record.file_name),
        size_bytes: record.artifact.size_bytes,
        sha256: record.artifact.sha256.clone(),
        md5: record.artifact.md5.clone(),
        manifest_url: None,
        next_poll_s,
    }
}

/// Who asks for firmware: a device by header or query, an admin by cookie, or anybody.
struct Asker {
    origin: Actor,
    visitor: Option<Actor>,
    headers: HeaderMap,
    query_token: Option<String>,
}

impl axum::extract::FromRequestParts<AppState> for Asker {
    type Rejection = Problem;

    async fn from_request_parts(
        parts: &mut http::request::Parts,
        app: &AppState,
    ) -> Result<Self, Problem> {
        let Ok(Origin(origin)) = Origin::from_request_parts(parts, app).await;
        let Ok(RawQuery(query)) = RawQuery::from_request_parts(parts, app).await;
        let query_token = query.as_deref().and_then(token_in);
        let has_token =
            query_token.is_some() || parts.headers.contains_key(http::header::AUTHORIZATION);
        let by_cookie = !has_token && !app.config.no_jwt;
        let visitor = if by_cookie {
            Some(Visitor::from_request_parts(parts, app).await?.0)
        } else {
            None
        };
        Ok(Self {
            origin,
            visitor,
            headers: parts.headers.clone(),
            query_token,
        })
    }
}

impl Asker {
    fn actor(&self, app: &AppState) -> Result<Actor, Problem> {
        if app.config.no_jwt {
            return Ok(self.origin.clone());
        }
        let in_header = bearer(&self.headers)?;
        let token = match (in_header, self.query_token.as_deref()) {
            (Some(header), Some(query)) if header != query => {
                return Err(Problem::bad_request(
                    "The tokens in the header and in the query differ.",
                ));
            }
            (Some(header), _) => header,
            (None, Some(query)) => take_query_token(app, query)?,
            (None, None) => return Ok(self.visitor.clone().unwrap_or_else(|| self.origin.clone())),
        };
        Ok(app
            .portal
            .firmware
            .authenticate_device(&self.origin, token)?)
    }
}

fn take_query_token<'a>(app: &AppState, token: &'a str) -> Result<&'a str, Problem> {
    match app.config.query_token {
        QueryToken::Allow => Ok(token),
        QueryToken::Warn => {
            tracing::warn!(
                "a device sent its token in the query; send `Authorization: Bearer` instead"
            );
            Ok(token)
        }
        QueryToken::Deny => Err(Error::Unauthenticated(
            "Tokens in the query are not taken here: send `Authorization: Bearer`.",
        )
        .into()),
    }
}

/// A JWT needs no decoding: its alphabet is safe in a query.
fn token_in(query: &str) -> Option<String> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix("token="))
        .map(str::to_owned)
}
