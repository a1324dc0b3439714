//! Errors as other programs read them: `application/problem+json` (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::response::{IntoResponse, Response};
use gatehouse_core::Error;
use gatehouse_types::codes;
use http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use super::request_id;

/// An answer that says why the wish was not granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    field: Option<Cow<'static, str>>,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// Describes a problem with one of the closed set of codes in [`gatehouse_types::codes`].
    pub fn new(
        status: StatusCode,
        code: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            retry_after_s: None,
        }
    }

    /// Says that the request cannot be read (400).
    pub fn bad_request(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, codes::BAD_REQUEST, detail)
    }

    /// Says that the body is over `limit_bytes` (413).
    pub fn too_large(limit_bytes: u64) -> Self {
        Error::TooLarge { limit_bytes }.into()
    }

    /// Answers for a handler that panicked (500); the panic itself is in the log.
    pub fn panicked() -> Self {
        let detail =
            "Something failed inside the portal. The log has the cause under this request id.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL, detail)
    }

    /// Names the member of the request that is wrong.
    #[must_use]
    pub fn in_field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Tells after how many seconds another try is worth it.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Answers the HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

/// Answers a path that nothing serves; a value to give to `Router::fallback`.
pub fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        codes::NOT_FOUND,
        "Nothing is served at this path.",
    )
}

/// Answers a path that does not take this method; axum adds the `Allow` header.
pub fn method_not_allowed() -> Problem {
    let detail = "This path does not take this method; the Allow header names those it takes.";
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        codes::METHOD_NOT_ALLOWED,
        detail,
    )
}

/// Answers a method that the portal takes nowhere.
pub fn method_refused() -> Response {
    let allowed = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE");
    let detail = "The portal does not take this method.";
    let problem = Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        codes::METHOD_NOT_ALLOWED,
        detail,
    );
    ([(ALLOW, allowed)], problem).into_response()
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        log_cause(&error);
        let (status, code) = status_and_code(&error);
        let problem = Self::new(status, code, error.to_string());
        match error {
            Error::Invalid { field, .. } => problem.in_field(field),
            Error::TooMany { retry_after_s }
            | Error::NotCoSigned { retry_after_s, .. }
            | Error::Unavailable { retry_after_s, .. } => problem.retry_after(retry_after_s),
            _ => problem,
        }
    }
}

fn status_and_code(error: &Error) -> (StatusCode, &'static str) {
    match error {
        Error::NoClientAddress => (StatusCode::BAD_REQUEST, codes::NO_CLIENT_ADDRESS),
        Error::Unauthenticated(_) => (StatusCode::UNAUTHORIZED, codes::UNAUTHENTICATED),
        Error::Forbidden(_) => (StatusCode::FORBIDDEN, codes::FORBIDDEN),
        Error::NotFound(_) => (StatusCode::NOT_FOUND, codes::NOT_FOUND),
        Error::Conflict { code, .. } => (StatusCode::CONFLICT, code),
        Error::Invalid { .. } => (StatusCode::UNPROCESSABLE_ENTITY, codes::INVALID),
        Error::Unfit { code, .. } => (StatusCode::UNPROCESSABLE_ENTITY, code),
        Error::TooLarge { .. } => (StatusCode::PAYLOAD_TOO_LARGE, codes::TOO_LARGE),
        Error::QuotaExceeded { .. } => (StatusCode::PAYLOAD_TOO_LARGE, codes::QUOTA_EXCEEDED),
        Error::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, codes::TOO_MANY),
        Error::Unavailable { .. } => (StatusCode::SERVICE_UNAVAILABLE, codes::UNAVAILABLE),
        Error::NotCoSigned { code, .. } => (StatusCode::SERVICE_UNAVAILABLE, code),
        Error::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, codes::STORAGE_FULL),
        Error::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, codes::INTERNAL),
    }
}

/// Logs what stays inside, once, here at the boundary.
fn log_cause(error: &Error) {
    let Error::Internal(source) = error else {
        return;
    };
    let first: &dyn std::error::Error = source.as_ref();
    let chain = std::iter::successors(Some(first), |cause| (*cause).source());
    let cause = chain
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    tracing::error!(cause, "a request failed inside the portal");
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: &'static str,
    title: &'a str,
    status: u16,
    detail: &'a str,
    code: &'a str,
    request_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let document = Document {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            request_id: request_id::current()
                .map(|id| id.to_string())
                .unwrap_or_default(),
            field: self.field.as_deref(),
        };
        let mut response = (self.status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use gatehouse_core::Error;
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::Problem;
    use crate::http::request_id::RequestIds;

    async fn answer(error: Error) -> (http::response::Parts, Value) {
        let (parts, body) = Problem::from(error).into_response().into_parts();
        let bytes = body.collect().await.expect("a body in memory").to_bytes();
        (
            parts,
            serde_json::from_slice(&bytes).expect("a JSON document"),
        )
    }

    #[tokio::test]
    async fn a_wrong_field_is_named() {
        let id = RequestIds::new([3; 8]).next();
        let (parts, body) = id
            .scope(answer(Error::invalid("minutes", "Minutes are 1 to 480.")))
            .await;
        assert_eq!(parts.headers["content-type"], "application/problem+json");
        let expected = json!({
            "type": "about:blank", "title": "Unprocessable Entity", "status": 422,
            "detail": "Minutes are 1 to 480.", "code": "invalid",
            "request_id": id.to_string(), "field": "minutes",
        });
        assert_eq!(body, expected);
    }

    #[tokio::test]
    async fn the_cause_of_a_fault_stays_inside() {
        let (parts, body) = answer(Error::internal("password=hunter2 at row 7")).await;
        assert_eq!(parts.status, 500);
        assert!(!body.to_string().contains("hunter2"), "{body}");
    }

    #[tokio::test]
    async fn headers_say_how_to_go_on() {
        let (signed_out, _) = answer(Error::Unauthenticated("Sign in first.")).await;
        assert_eq!(signed_out.headers["www-authenticate"], "Bearer");
        let (throttled, _) = answer(Error::TooMany { retry_after_s: 7 }).await;
        assert_eq!(
            (throttled.status.as_u16(), &throttled.headers["retry-after"]),
            (429, &"7".parse().expect("a value"))
        );
        let (down, _) = answer(Error::Unavailable {
            detail: "Later.".into(),
            retry_after_s: 2,
        })
        .await;
        assert_eq!(
            (down.status.as_u16(), &down.headers["retry-after"]),
            (503, &"2".parse().expect("a value"))
        );
    }
}
