//! Resumable uploads in the words of the tus protocol, version 1.0.0, with its extensions
//! creation, creation-with-upload, expiration, checksum and termination.

use axum::{
    body::Body,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatehouse_core::{
    Actor, Error,
    firmware::{Addition, Checksum, UploadState, UploadTarget},
};
use gatehouse_types::codes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION},
};
use http_body_util::BodyExt;
use uuid::Uuid;

use super::{
    Refusals,
    auth::SignedIn,
    upload::{content_length, refuse_encoded},
};
use crate::{
    firmware::conditions::http_date,
    http::{extract::Path, json::broken_off, problem::Problem},
    state::AppState,
};

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const TUS_MAX_SIZE: HeaderName = HeaderName::from_static("tus-max-size");
const TUS_CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("tus-checksum-algorithm");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");
const UPLOAD_CHECKSUM: HeaderName = HeaderName::from_static("upload-checksum");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_DEFER_LENGTH: HeaderName = HeaderName::from_static("upload-defer-length");

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str = "creation,creation-with-upload,expiration,checksum,termination";
const CHUNK_TYPE: &str = "application/offset+octet-stream";

/// Says which version and extensions of tus are spoken.
#[utoipa::path(options, path = "/api/v1/projects/{project}/uploads", tag = "uploads", params(("project" = String, Path)), responses((status = 204)))]
pub(super) async fn abilities(State(app): State<AppState>) -> Response {
    let limit = HeaderValue::from(app.portal.firmware.max_upload_bytes());
    let headers = [
        (TUS_RESUMABLE, HeaderValue::from_static(VERSION)),
        (TUS_VERSION, HeaderValue::from_static(VERSION)),
        (TUS_EXTENSION, HeaderValue::from_static(EXTENSIONS)),
        (
            TUS_CHECKSUM_ALGORITHM,
            HeaderValue::from_static(Checksum::ALGORITHMS),
        ),
        (TUS_MAX_SIZE, limit),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Begins a resumable upload (tus 1.0.0); a body of `application/offset+octet-stream` is its
/// first bytes.
///
/// `Upload-Metadata` carries, in base64, `version`, and where wanted `filename` and `sha256`,
/// the hex digits that all bytes must hash to.
#[utoipa::path(post, path = "/api/v1/projects/{project}/uploads", tag = "uploads", params(("project" = String, Path), ("Tus-Resumable" = String, Header), ("Upload-Length" = u64, Header), ("Upload-Metadata" = String, Header)), responses((status = 201, headers(("Location" = String), ("Upload-Offset" = u64), ("Upload-Expires" = String))), Refusals))]
pub(super) async fn create(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path(project): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    answer(begin(app, actor, project, &headers, body).await)
}

/// Tells how far a resumable upload is.
#[utoipa::path(head, path = "/api/v1/projects/{project}/uploads/{id}", tag = "uploads", params(("project" = String, Path), ("id" = Uuid, Path), ("Tus-Resumable" = String, Header)), responses((status = 200, headers(("Upload-Offset" = u64), ("Upload-Length" = u64), ("Upload-Expires" = String), ("Location" = String))), Refusals))]
pub(super) async fn look(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Response {
    let look = async {
        require_version(&headers)?;
        let state = app.portal.firmware.resumable(&actor, &project, id).await;
        let state = state.map_err(to_problem)?;
        let mut response = told(StatusCode::OK, &state);
        let more = response.headers_mut();
        more.insert(UPLOAD_LENGTH, HeaderValue::from(state.size_bytes));
        more.insert(UPLOAD_METADATA, metadata_of(&state));
        Ok(response)
    };
    answer(look.await)
}

/// Adds bytes to a resumable upload. With the last of them it becomes a draft, and `Location`
/// names that.
#[utoipa::path(patch, path = "/api/v1/projects/{project}/uploads/{id}", tag = "uploads", params(("project" = String, Path), ("id" = Uuid, Path), ("Tus-Resumable" = String, Header), ("Upload-Offset" = u64, Header), ("Upload-Checksum" = Option<String>, Header)), request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"), responses((status = 204, headers(("Upload-Offset" = u64), ("Upload-Expires" = String), ("Location" = String))), Refusals))]
pub(super) async fn append(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let append = async {
        require_version(&headers)?;
        require_chunk(&headers)?;
        let offset_bytes = number(&headers, &UPLOAD_OFFSET)?;
        let addition = addition(&headers, offset_bytes)?;
        let state = receive(app, actor, project, id, addition, body).await?;
        Ok(told(StatusCode::NO_CONTENT, &state))
    };
    answer(append.await)
}

/// Ends a resumable upload and removes what came of it.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/uploads/{id}", tag = "uploads", params(("project" = String, Path), ("id" = Uuid, Path), ("Tus-Resumable" = String, Header)), responses((status = 204), Refusals))]
pub(super) async fn cancel(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, id)): Path<(String, Uuid)>,
    headers: HeaderMap,
) -> Response {
    let cancel = async {
        require_version(&headers)?;
        let firmware = &app.portal.firmware;
        firmware.cancel_resumable(&actor, &project, id).await?;
        Ok(StatusCode::NO_CONTENT.into_response())
    };
    answer(cancel.await)
}

async fn begin(
    app: AppState,
    actor: Actor,
    project: String,
    headers: &HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    require_version(headers)?;
    if headers.contains_key(UPLOAD_DEFER_LENGTH) {
        return Err(Problem::bad_request(
            "An upload begins with its length: send Upload-Length.",
        ));
    }
    let wish = Wish::read(headers)?;
    let target = UploadTarget {
        project: &project,
        version: &wish.version,
        file_name: wish.file_name.as_deref(),
        content_length: Some(number(headers, &UPLOAD_LENGTH)?),
    };
    let firmware = &app.portal.firmware;
    let begun = firmware.begin_resumable(&actor, target, wish.sha256).await;
    let mut state = begun.map_err(to_problem)?;
    if headers.contains_key(CONTENT_TYPE) {
        require_chunk(headers)?;
        let addition = addition(headers, 0)?;
        state = receive(app, actor, project, state.id, addition, body).await?;
    }
    let mut response = told(StatusCode::CREATED, &state);
    let location = format!("/api/v1/projects/{}/uploads/{}", state.project, state.id);
    response.headers_mut().insert(LOCATION, text(&location));
    Ok(response)
}

/// Takes the bytes in a task of its own: where the connection breaks, this one is dropped, and
/// what came is to be kept all the same.
async fn receive(
    app: AppState,
    actor: Actor,
    project: String,
    id: Uuid,
    addition: Addition,
    mut body: Body,
) -> Result<UploadState, Problem> {
    let received = tokio::spawn(async move {
        let firmware = &app.portal.firmware;
        let appended = firmware.append_resumable(&actor, &project, id, addition);
        let mut append = appended.await.map_err(to_problem)?;
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    if let Ok(chunk) = frame.into_data() {
                        append.write(chunk).await?;
                    }
                }
                Err(error) => {
                    append.break_off().await?;
                    return Err(broken_off(&error));
                }
            }
        }
        append.finish().await.map_err(to_problem)
    });
    received.await.unwrap_or_else(|_| Err(Problem::panicked()))
}

/// Every answer bears the version, also those that refuse.
fn answer(result: Result<Response, Problem>) -> Response {
    let mut response = result.into_response();
    let headers = response.headers_mut();
    headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
    if response.status() == StatusCode::PRECONDITION_FAILED {
        let headers = response.headers_mut();
        headers.insert(TUS_VERSION, HeaderValue::from_static(VERSION));
    }
    response
}

fn told(status: StatusCode, state: &UploadState) -> Response {
    let mut response = status.into_response();
    let headers = response.headers_mut();
    headers.insert(UPLOAD_OFFSET, HeaderValue::from(state.offset_bytes));
    headers.insert(UPLOAD_EXPIRES, text(&http_date(state.expires_at_ms / 1000)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if state.is_release {
        let release = format!(
            "/api/v1/projects/{}/releases/{}",
            state.project, state.version
        );
        headers.insert(LOCATION, text(&release));
    }
    response
}

/// The two answers that tus gives a status of its own.
fn to_problem(error: Error) -> Problem {
    let (status, code) = match &error {
        Error::Conflict { code, .. } if *code == codes::UPLOAD_BUSY => (StatusCode::LOCKED, *code),
        Error::Conflict { code, .. } if *code == codes::CHECKSUM_MISMATCH => {
            let mismatch = StatusCode::from_u16(460).unwrap_or(StatusCode::CONFLICT);
            (mismatch, *code)
        }
        _ => return error.into(),
    };
    Problem::new(status, code, error.to_string())
}

/// What the metadata of a new upload ask for; keys that are not known are passed over.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wish {
    version: String,
    file_name: Option<String>,
    sha256: Option<[u8; 32]>,
}

impl Wish {
    fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut wish = Self::default();
        let line = header(headers, &UPLOAD_METADATA).unwrap_or_default();
        for pair in line.split(',') {
            let (key, encoded) = pair.trim().split_once(' ').unwrap_or((pair.trim(), ""));
            let value = || {
                let bytes = STANDARD.decode(encoded.trim()).ok();
                let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
                text.ok_or_else(unreadable_metadata)
            };
            match key {
                "version" => wish.version = value()?,
                "filename" => wish.file_name = Some(value()?),
                "sha256" => {
                    let digest = hex::decode(value()?).ok();
                    let digest = digest.and_then(|digest| digest.try_into().ok());
                    wish.sha256 = Some(digest.ok_or_else(unreadable_metadata)?);
                }
                _ => {}
            }
        }
        Ok(wish)
    }
}

fn unreadable_metadata() -> Problem {
    Error::invalid(
        "Upload-Metadata",
        "Metadata are pairs of a key and a base64 value; sha256 has 64 hexadecimal digits.",
    )
    .into()
}

fn metadata_of(state: &UploadState) -> HeaderValue {
    let pair = |key: &str, value: &str| format!("{key} {}", STANDARD.encode(value));
    let mut pairs = vec![
        pair("version", &state.version),
        pair("filename", &state.file_name),
    ];
    let promised = state.promised_sha256.map(hex::encode);
    pairs.extend(promised.map(|sha256| pair("sha256", &sha256)));
    text(&pairs.join(","))
}

fn addition(headers: &HeaderMap, offset_bytes: u64) -> Result<Addition, Problem> {
    let unknown = || {
        Problem::bad_request("Upload-Checksum is sha1 or sha256, a blank and the digest in base64.")
    };
    let line = headers.get(UPLOAD_CHECKSUM);
    let line = line.map(|line| line.to_str().map_err(|_| unknown()));
    let checksum = line
        .transpose()?
        .map(|line| Checksum::parse(line).ok_or_else(unknown));
    Ok(Addition {
        offset_bytes,
        length_bytes: content_length(headers),
        checksum: checksum.transpose()?,
    })
}

fn require_version(headers: &HeaderMap) -> Result<(), Problem> {
    if header(headers, &TUS_RESUMABLE) == Some(VERSION) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::PRECONDITION_FAILED,
        codes::PRECONDITION_FAILED,
        "Resumable uploads speak tus 1.0.0: send Tus-Resumable: 1.0.0.",
    ))
}

fn require_chunk(headers: &HeaderMap) -> Result<(), Problem> {
    refuse_encoded(headers)?;
    if header(headers, &CONTENT_TYPE) == Some(CHUNK_TYPE) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        codes::UNSUPPORTED_MEDIA_TYPE,
        "Send the bytes as Content-Type: application/offset+octet-stream.",
    ))
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Problem> {
    let digits =
        header(headers, name).filter(|text| text.bytes().all(|mark| mark.is_ascii_digit()));
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Problem::bad_request(format!("{name} is a number of bytes, and is needed.")))
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Ids, dates, base64 and names whose letters were checked.
fn text(ascii: &str) -> HeaderValue {
    HeaderValue::from_str(ascii).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(line: &str) -> Result<Wish, u16> {
        let mut headers = HeaderMap::new();
        headers.insert(UPLOAD_METADATA, line.parse().expect("a header value"));
        Wish::read(&headers).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn metadata_are_read_or_refused_never_guessed() {
        let expected = Wish {
            version: "1.2.0".into(),
            file_name: Some("lamp.bin".into()),
            sha256: None,
        };
        let line = "version MS4yLjA=, filename bGFtcC5iaW4=,is_confidential,filetype ??";
        assert_eq!(wish(line), Ok(expected));
        assert_eq!(wish(""), Ok(Wish::default()));
        let digest = STANDARD.encode("ab".repeat(32));
        assert_eq!(
            wish(&format!("sha256 {digest}")).map(|wish| wish.sha256),
            Ok(Some([0xab; 32]))
        );
        for bad in ["version !", "filename /w==", "sha256 YWI="] {
            assert_eq!(wish(bad), Err(422), "{bad}");
        }
    }
}
