use axum::{Json, body::Body, extract::State};
use base64::{Engine, engine::general_purpose::STANDARD};
use gatehouse_core::{Error, firmware::UploadTarget};
use gatehouse_types::firmware::Release;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
};
use http_body_util::BodyExt;

use super::{Refusals, auth::SignedIn};
use crate::{
    http::{extract::Path, json::broken_off, problem::Problem},
    state::AppState,
};

/// Uploads an image as a draft: the raw body is the image, streamed.
///
/// `X-File-Name` names the file, `Content-Digest: sha-256=:…:` (RFC 9530) is checked when it
/// is there. The same bytes under the same version again answer 200, other bytes 409.
#[utoipa::path(put, path = "/api/v1/projects/{project}/releases/{version}", tag = "releases", params(("project" = String, Path), ("version" = String, Path), ("X-File-Name" = Option<String>, Header), ("Content-Digest" = Option<String>, Header)), request_body(content = Vec<u8>, content_type = "application/octet-stream"), responses((status = 201, body = Release), (status = 200, body = Release), Refusals))]
pub(super) async fn upload(
    State(app): State<AppState>,
    SignedIn(actor): SignedIn,
    Path((project, version)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Release>), Problem> {
    refuse_encoded(&headers)?;
    let promised = promised_sha256(&headers)?;
    let file_name = file_name(&headers)?;
    let target = UploadTarget {
        project: &project,
        version: &version,
        file_name: file_name.as_deref(),
        content_length: content_length(&headers),
    };
    let mut upload = app.portal.firmware.begin_upload(&actor, target).await?;
    let mut body = body;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| broken_off(&error))?;
        if let Ok(chunk) = frame.into_data() {
            upload.write(chunk).await?;
        }
    }
    let (release, is_new) = upload.finish(promised).await?;
    let status = if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(release)))
}

pub(super) fn refuse_encoded(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(CONTENT_ENCODING) {
        let detail = "Send the image as it is, without Content-Encoding.";
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            gatehouse_types::codes::UNSUPPORTED_MEDIA_TYPE,
            detail,
        ));
    }
    Ok(())
}

pub(super) fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A browser sends the name percent-encoded; plain names pass unchanged, since no name may hold a `%`.
fn file_name(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("x-file-name") else {
        return Ok(None);
    };
    let decoded = percent_encoding::percent_decode(value.as_bytes()).decode_utf8();
    decoded
        .map(|name| Some(name.into_owned()))
        .map_err(|_| Error::invalid("file_name", "A file name is UTF-8.").into())
}

/// Reads the SHA-256 out of a `Content-Digest` dictionary; other algorithms are passed over.
fn promised_sha256(headers: &HeaderMap) -> Result<Option<[u8; 32]>, Problem> {
    let unreadable = || {
        Problem::from(Error::invalid(
            "Content-Digest",
            "A digest looks like sha-256=:<base64 of 32 bytes>:.",
        ))
    };
    let Some(line) = headers.get("content-digest") else {
        return Ok(None);
    };
    let line = line.to_str().map_err(|_| unreadable())?;
    let Some(member) = line
        .split(',')
        .find_map(|member| member.trim().strip_prefix("sha-256="))
    else {
        return Ok(None);
    };
    let encoded = member
        .strip_prefix(':')
        .and_then(|rest| rest.strip_suffix(':'))
        .ok_or_else(unreadable)?;
    let digest = STANDARD.decode(encoded).map_err(|_| unreadable())?;
    digest.try_into().map(Some).map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(line: &str) -> Result<Option<[u8; 32]>, ()> {
        let mut headers = HeaderMap::new();
        headers.insert("content-digest", line.parse().expect("a header value"));
        promised_sha256(&headers).map_err(drop)
    }

    #[test]
    fn a_promised_digest_is_read_or_refused_never_ignored() {
        let of_nothing = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";
        let expected = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for line in [of_nothing.to_owned(), format!("md5=:AAAA:, {of_nothing}")] {
            assert_eq!(
                digest(&line).map(|found| found.map(hex::encode)),
                Ok(Some(expected.into()))
            );
        }
        assert_eq!(digest("md5=:AAAA:"), Ok(None));
        for bad in [
            "sha-256=",
            "sha-256=:AAAA:",
            "sha-256=47DEQpj8",
            "sha-256=:!:",
        ] {
            assert_eq!(digest(bad), Err(()), "{bad}");
        }
    }
}
