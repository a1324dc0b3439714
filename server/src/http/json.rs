//! JSON bodies of requests, read strictly and refused in words.

use std::error::Error as StdError;

use axum::body::Body;
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use bytes::Bytes;
use gatehouse_types::codes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;

use super::problem::Problem;
use super::upload_pace::TooSlow;

/// No JSON request of the portal is longer than this.
pub const MAX_JSON_BYTES: usize = 64 * 1024;

/// The longest member name that an answer repeats.
const MAX_FIELD_CHARS: usize = 64;

/// A JSON body of type `T`; unknown members are refused when `T` denies them.
///
/// Wrong content type: 415. Not JSON: 400 with line and column. JSON of another shape: 422, with
/// the field where it can be named. Longer than [`MAX_JSON_BYTES`]: 413. Input is never echoed,
/// save for the name of a member.
#[derive(Debug, Clone, Copy)]
pub struct ApiJson<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Problem> {
        require_plain_json(request.headers())?;
        parse(&collect(request.into_body()).await?)
    }
}

/// No body is `None`; any other is read as above.
impl<S: Sync, T: DeserializeOwned> OptionalFromRequest<S> for ApiJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _state: &S) -> Result<Option<Self>, Problem> {
        let (head, body) = request.into_parts();
        let bytes = collect(body).await?;
        if bytes.is_empty() {
            return Ok(None);
        }
        require_plain_json(&head.headers)?;
        parse(&bytes).map(Some)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<ApiJson<T>, Problem> {
    require_object(bytes)?;
    serde_json::from_slice(bytes)
        .map(ApiJson)
        .map_err(|error| explain(&error, bytes))
}

fn require_plain_json(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |detail: &'static str| {
        Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            codes::UNSUPPORTED_MEDIA_TYPE,
            detail,
        ))
    };
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return unsupported("Send the body as Content-Type: application/json.");
    }
    if headers.contains_key(CONTENT_ENCODING) {
        return unsupported("Send the body without Content-Encoding.");
    }
    Ok(())
}

/// Refuses arrays, which serde would otherwise take as the members of a struct in their order.
fn require_object(bytes: &[u8]) -> Result<(), Problem> {
    if !bytes.trim_ascii_start().starts_with(b"[") {
        return Ok(());
    }
    serde_json::from_slice::<IgnoredAny>(bytes).map_err(|error| explain(&error, bytes))?;
    Err(unprocessable("The body must be a JSON object.".into()))
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, MAX_JSON_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => {
            Err(Problem::too_large(MAX_JSON_BYTES as u64))
        }
        Err(error) => Err(broken_off(error.as_ref())),
    }
}

/// Answers for a body that ended early or came too slowly.
pub fn broken_off(error: &(dyn StdError + 'static)) -> Problem {
    let was_slow = std::iter::successors(Some(error), |cause| (*cause).source())
        .any(<dyn StdError>::is::<TooSlow>);
    if was_slow {
        let detail = "The body came too slowly; send it again.";
        return Problem::new(StatusCode::REQUEST_TIMEOUT, codes::BAD_REQUEST, detail);
    }
    Problem::bad_request("The body broke off before its end; send it again.")
}

fn explain(error: &serde_json::Error, bytes: &[u8]) -> Problem {
    let (line, column) = (error.line(), error.column());
    if error.classify() != Category::Data && !is_sound(error, bytes) {
        return Problem::bad_request(format!(
            "The body is not valid JSON (line {line}, column {column})."
        ));
    }
    let message = error.to_string();
    if let Some((what, field)) = named_member(&message) {
        let detail = format!("The member is {what} here (line {line}, column {column}).");
        return unprocessable(detail).in_field(field);
    }
    let wanted = message
        .split_once(", expected ")
        .map_or("", |(_, wanted)| wanted);
    let wanted = wanted.split(" at line ").next().unwrap_or_default();
    let hint = if wanted.is_empty() {
        String::new()
    } else {
        format!(": expected {wanted}")
    };
    unprocessable(format!(
        "A member has a wrong type or value (line {line}, column {column}){hint}."
    ))
}

/// A number in the place of a word is called a syntax error by `serde_json`, too.
fn is_sound(error: &serde_json::Error, bytes: &[u8]) -> bool {
    error.to_string().starts_with("expected value")
        && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
}

fn unprocessable(detail: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, codes::INVALID, detail)
}

/// Finds the member that serde's message names, and what is the matter with it.
fn named_member(message: &str) -> Option<(&'static str, String)> {
    let matters = [
        ("unknown field `", "not known"),
        ("missing field `", "missing"),
        ("duplicate field `", "given twice"),
    ];
    let (rest, what) = matters
        .iter()
        .find_map(|(start, what)| Some((message.strip_prefix(start)?, *what)))?;
    let name = rest.split('`').next()?;
    Some((what, name.chars().take(MAX_FIELD_CHARS).collect()))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::post;
    use http::Request;
    use http_body_util::BodyExt;
    use serde::Deserialize;
    use serde_json::Value;
    use tower::ServiceExt;

    use super::{ApiJson, MAX_JSON_BYTES};

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        user: String,
        minutes: u32,
    }

    async fn post_body(content_type: &str, body: impl Into<Body>) -> (u16, Value) {
        let router: Router =
            Router::new().route(
                "/",
                post(|ApiJson(wish): ApiJson<Wish>| async move {
                    format!("{}{}", wish.user, wish.minutes)
                }),
            );
        let request = Request::post("/")
            .header("content-type", content_type)
            .body(body.into())
            .expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let status = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .expect("a body")
            .to_bytes();
        (
            status,
            serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        )
    }

    #[tokio::test]
    async fn good_json_passes_with_any_spelling_of_its_type() {
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(
                post_body(content_type, r#"{"user":"a","minutes":3}"#)
                    .await
                    .0,
                200
            );
        }
    }

    #[tokio::test]
    async fn another_content_type_is_415() {
        for content_type in [
            "text/plain",
            "",
            "application/x-www-form-urlencoded",
            "application/jsonp",
        ] {
            let (status, body) = post_body(content_type, r#"{"user":"a","minutes":3}"#).await;
            assert_eq!(
                (status, &body["code"]),
                (415, &Value::from("unsupported_media_type"))
            );
        }
    }

    #[tokio::test]
    async fn what_is_not_json_is_400_with_its_place() {
        let deep = "[".repeat(10_000);
        for bad in [
            "",
            "{",
            "{\"user\":\"hunter2\",}",
            "\u{feff}{}",
            "{\"user\":\"\\ud800\",\"minutes\":1}",
            "{\"user\":\"a\",\"minutes\":1} x",
            &deep,
        ] {
            let (status, body) = post_body("application/json", bad.to_owned()).await;
            assert_eq!(status, 400, "{bad:.40}");
            assert!(!body.to_string().contains("hunter2"), "{body}");
            assert!(
                body["detail"]
                    .as_str()
                    .is_some_and(|detail| detail.contains("line ")),
                "{body}"
            );
        }
    }

    #[tokio::test]
    async fn another_shape_is_422_and_names_the_member() {
        let cases = [
            (r#"{"user":"a","minutes":3,"role":"admin"}"#, Some("role")),
            (r#"{"user":"a"}"#, Some("minutes")),
            (r#"{"user":"a","minutes":3,"minutes":4}"#, Some("minutes")),
            (r#"{"user":"a","minutes":"hunter2"}"#, None),
            (r#"{"user":"a","minutes":1.5}"#, None),
            (r#"{"user":"a","minutes":-1}"#, None),
            (r#"["a",3]"#, None),
        ];
        for (sent, field) in cases {
            let (status, body) = post_body("application/json", sent).await;
            assert_eq!(
                (status, body["field"].as_str()),
                (422, field),
                "{sent} gave {body}"
            );
            assert!(!body.to_string().contains("hunter2"), "{body}");
        }
    }

    #[tokio::test]
    async fn the_limit_is_exact() {
        let frame = r#"{"user":"","minutes":3}"#.len();
        let sized =
            |bytes: usize| format!(r#"{{"user":"{}","minutes":3}}"#, "x".repeat(bytes - frame));
        assert_eq!(
            post_body("application/json", sized(MAX_JSON_BYTES)).await.0,
            200
        );
        let (status, body) = post_body("application/json", sized(MAX_JSON_BYTES + 1)).await;
        assert_eq!((status, &body["code"]), (413, &Value::from("too_large")));
    }
}
