//! The co-signer over HTTP, with the paths and headers of the original's service.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Path, Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use gatehouse_manifest::{MAX_MANIFEST_BYTES, Refusal, bearer};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{CoSigner, Refused};

/// Tells the time, in milliseconds since the Unix epoch.
pub type Clock = fn() -> i64;

const MESSAGE: &str = "application/jwt";

#[derive(Clone)]
struct Service {
    cosigner: Arc<CoSigner>,
    now_ms: Clock,
}

/// Builds the routes of a co-signer's service.
pub fn router(cosigner: Arc<CoSigner>, now_ms: Clock) -> Router {
    Router::new()
        .route(
            "/projects/{project_id}/cosign_for_server/{server_id}",
            post(cosign_for_server),
        )
        .route("/projects/{project_id}/cosign", post(cosign))
        .route("/projects/{project_id}/keys", get(keys))
        .route("/status", get(status))
        .route("/livez", get(|| async { "alive" }))
        .fallback(|| async {
            Problem::of(StatusCode::NOT_FOUND, "not_found", "There is nothing here.")
        })
        .method_not_allowed_fallback(|| async {
            let detail = "This is asked for with another method.";
            Problem::of(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
        })
        .with_state(Service { cosigner, now_ms })
}

async fn cosign_for_server(
    State(service): State<Service>,
    Path((project_id, server_id)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Problem> {
    service.answer(project_id, Some(server_id), request).await
}

async fn cosign(
    State(service): State<Service>,
    Path(project_id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    service.answer(project_id, None, request).await
}

impl Service {
    async fn answer(
        self,
        project_id: String,
        server_id: Option<String>,
        request: Request,
    ) -> Result<Response, Problem> {
        let bearer = bearer_of(request.headers())?;
        check_type(request.headers())?;
        let project_id = project(&project_id)?;
        let body = read(request.into_body()).await?;
        let server_id = match server_id {
            Some(named) => named,
            None => bearer::kid(&bearer).ok_or(Refused::BadBearer)?,
        };
        let now_ms = (self.now_ms)();
        let signed = off_the_loop(move || {
            self.cosigner
                .cosign(project_id, &server_id, &bearer, &body, now_ms)
        });
        let text = signed.await?.to_string();
        Ok(([(CONTENT_TYPE, MESSAGE)], text).into_response())
    }
}

async fn keys(
    State(service): State<Service>,
    Path(project_id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let bearer = bearer_of(&headers)?;
    let project_id = project(&project_id)?;
    let now_ms = (service.now_ms)();
    let keys = off_the_loop(move || service.cosigner.keys_for(project_id, &bearer, now_ms)).await?;
    let mut answer = json!({
        "project_id": project_id,
        "cosigner_pem": keys.current.to_pem(),
    });
    if let Some(next) = keys.next {
        answer["next_cosigner_pem"] = next.to_pem().into();
    }
    Ok(Json(answer))
}

async fn status(
    State(service): State<Service>,
    headers: HeaderMap,
) -> Result<Json<Value>, Problem> {
    let bearer = bearer_of(&headers)?;
    let now_s = (service.now_ms)().div_euclid(1000);
    let standing = off_the_loop(move || service.cosigner.standing(&bearer)).await?;
    let mut answer = json!({
        "server_id": standing.server_id,
        "name": standing.name,
        "revoked": standing.revoked_at_ms.is_some(),
        "now_s": now_s,
    });
    if let Some(revoked_at_ms) = standing.revoked_at_ms {
        answer["revoked_at_ms"] = revoked_at_ms.into();
    }
    Ok(Json(answer))
}

/// Runs what may wait for the disk where no other request waits for it.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Refused::Storage(error.to_string()))?
}

fn bearer_of(headers: &HeaderMap) -> Result<String, Refused> {
    headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim().to_owned())
        .ok_or(Refused::BadBearer)
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let named = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = named.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(MESSAGE) {
        return Ok(());
    }
    let detail = "Send the message as application/jwt.";
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Err(Problem::of(status, "unsupported_media_type", detail))
}

fn project(text: &str) -> Result<Uuid, Refused> {
    text.parse::<Uuid>()
        .ok()
        .filter(|id| id.to_string() == text)
        .ok_or(Refused::UnknownProject)
}

async fn read(body: Body) -> Result<String, Refused> {
    let bytes = to_bytes(body, MAX_MANIFEST_BYTES)
        .await
        .map_err(|_| Refused::TooLong)?;
    String::from_utf8(bytes.into()).map_err(|_| Refused::BadManifest(Refusal::Malformed))
}

/// An answer for what went wrong, after RFC 9457.
struct Problem {
    status: StatusCode,
    members: Map<String, Value>,
    retry_after_s: Option<u64>,
}

impl Problem {
    fn of(status: StatusCode, code: &str, detail: &str) -> Self {
        let members = [
            ("type", "about:blank".into()),
            ("status", status.as_u16().into()),
            ("title", status.canonical_reason().unwrap_or("Error").into()),
            ("detail", detail.into()),
            ("code", code.into()),
        ];
        Self {
            status,
            members: members
                .map(|(name, value): (&str, Value)| (name.to_owned(), value))
                .into_iter()
                .collect(),
            retry_after_s: None,
        }
    }

    fn saying(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        if let Refused::Storage(cause) = &refused {
            tracing::error!(cause, "a request failed inside the co-signer");
            let detail = "The co-signer failed inside. Its log says why.";
            return Self::of(StatusCode::INTERNAL_SERVER_ERROR, refused.code(), detail);
        }
        let problem = Self::of(status_of(&refused), refused.code(), &refused.to_string());
        match refused {
            Refused::Revoked { since_ms } => problem.saying("since_ms", since_ms),
            Refused::CounterFell { highest } | Refused::CounterLeaps { highest } => {
                problem.saying("highest", highest)
            }
            Refused::Clock { off_by_s } => problem.saying("off_by_s", off_by_s),
            Refused::TooMany { retry_after_s } => Self {
                retry_after_s: Some(retry_after_s),
                ..problem
            },
            _ => problem,
        }
    }
}

/// The original's client knows one refusal, 403; what it can do nothing about is one.
fn status_of(refused: &Refused) -> StatusCode {
    match refused {
        Refused::UnknownPortal
        | Refused::WrongKey
        | Refused::Revoked { .. }
        | Refused::WrongProject
        | Refused::OutsideHours
        | Refused::CounterFell { .. }
        | Refused::CounterLeaps { .. }
        | Refused::OtherImage
        | Refused::OtherRules
        | Refused::TooManyProjects
        | Refused::AwaitsApproval
        | Refused::Clock { .. }
        | Refused::NoManifest => StatusCode::FORBIDDEN,
        Refused::BadBearer => StatusCode::UNAUTHORIZED,
        Refused::UnknownProject | Refused::NothingKnown => StatusCode::NOT_FOUND,
        Refused::RotationUnderWay | Refused::NoRotation => StatusCode::CONFLICT,
        Refused::TooLong | Refused::BadManifest(Refusal::TooLong) => StatusCode::PAYLOAD_TOO_LARGE,
        Refused::BadManifest(Refusal::Malformed) => StatusCode::BAD_REQUEST,
        Refused::BadManifest(_) | Refused::BadRelease { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        Refused::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
        Refused::Storage(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(Value::Object(self.members))).into_response();
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
