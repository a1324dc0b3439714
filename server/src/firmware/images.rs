//! The bytes of an image with the headers that go with them.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use gatehouse_core::{
    Error,
    firmware::CatalogRelease,
    ports::blobs::{Blobs, OpenPart, Stamp},
};
use gatehouse_types::codes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use moka::sync::Cache;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    conditions::{self, Validators, Verdict},
    range::{self, Wanted},
};
use crate::{http::problem::Problem, state::AppState};

/// Larger images are streamed from the store.
const CACHED_MAX_BYTES: u64 = 4 * 1024 * 1024;
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: u32 = 1024;
const X_MD5: HeaderName = HeaderName::from_static("x-md5");

/// Small images and the headers of all, made once for each release.
pub struct ImageCache(Cache<Uuid, Arc<Image>>);

/// An image that is ready to be sent.
pub(super) struct Image {
    sha256: String,
    size_bytes: u64,
    etag: String,
    modified_s: i64,
    headers: HeaderMap,
    bytes: Option<Bytes>,
    /// The state of the file in which it was last read and found whole.
    checked: Mutex<Stamp>,
}

impl Image {
    fn checked(&self) -> Stamp {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set_checked(&self, stamp: Stamp) {
        *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }
}

impl Default for ImageCache {
    fn default() -> Self {
        let weigh = |_: &Uuid, image: &Arc<Image>| {
            ENTRY_BYTES
                + image
                    .bytes
                    .as_ref()
                    .map_or(0, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
        };
        Self(
            Cache::builder()
                .max_capacity(CACHE_BYTES)
                .weigher(weigh)
                .build(),
        )
    }
}

impl ImageCache {
    /// The image of a release; read from the store and checked when it is asked for first.
    pub(super) async fn get(
        &self,
        release: &CatalogRelease,
        blobs: &dyn Blobs,
    ) -> Result<Arc<Image>, Problem> {
        let id = release.record.id;
        if let Some(image) = self.0.get(&id) {
            return Ok(image);
        }
        let image = Arc::new(load(release, blobs).await?);
        self.0.insert(id, image.clone());
        Ok(image)
    }
}

async fn load(release: &CatalogRelease, blobs: &dyn Blobs) -> Result<Image, Problem> {
    let record = &release.record;
    let size_bytes = record.artifact.size_bytes.unsigned_abs();
    let sha256 = record.artifact.sha256.clone();
    let modified_s = record.created_at_ms / 1000;
    let (bytes, stamp) = read_checked(blobs, &sha256, size_bytes).await?;
    let etag = format!("\"{sha256}\"");
    let text = |value: String| HeaderValue::try_from(value).map_err(Error::internal);
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    headers.insert(
        header::CONTENT_DISPOSITION,
        text(format!("attachment; filename=\"{}\"", record.file_name))?,
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, text(etag.clone())?);
    headers.insert(
        header::LAST_MODIFIED,
        text(conditions::http_date(modified_s))?,
    );
    headers.insert(X_MD5, text(record.artifact.md5.clone())?);
    Ok(Image {
        sha256,
        size_bytes,
        etag,
        modified_s,
        headers,
        bytes,
        checked: Mutex::new(stamp),
    })
}

/// Reads all of an image, since a file that was cut or has rotted must not reach a device.
///
/// Only a small one is kept.
async fn read_checked(
    blobs: &dyn Blobs,
    sha256: &str,
    size_bytes: u64,
) -> Result<(Option<Bytes>, Stamp), Problem> {
    let OpenPart { stamp, mut bytes } = open(blobs, sha256, 0..size_bytes).await?;
    let is_small = size_bytes <= CACHED_MAX_BYTES;
    let (mut digest, mut kept) = (Sha256::new(), BytesMut::new());
    while let Some(chunk) = bytes
        .try_next()
        .await
        .map_err(|_| alarm(sha256, "is cut"))?
    {
        digest.update(&chunk);
        if is_small {
            kept.extend_from_slice(&chunk);
        }
    }
    if hex::encode(digest.finalize()) != sha256 {
        return Err(alarm(sha256, "has rotted"));
    }
    Ok((is_small.then(|| kept.freeze()), stamp))
}

async fn open(blobs: &dyn Blobs, sha256: &str, part: Range<u64>) -> Result<OpenPart, Problem> {
    let opened = blobs.read(sha256, part).await.map_err(Error::from)?;
    opened.ok_or_else(|| alarm(sha256, "is missing"))
}

/// Opens a part of a large image; the whole is read again if its file changed since it last was.
async fn open_checked(
    blobs: &dyn Blobs,
    image: &Image,
    part: Range<u64>,
) -> Result<OpenPart, Problem> {
    let opened = open(blobs, &image.sha256, part).await?;
    if opened.stamp != image.checked() {
        let (_, stamp) = read_checked(blobs, &image.sha256, image.size_bytes).await?;
        image.set_checked(stamp);
        if opened.stamp != stamp {
            return Err(alarm(&image.sha256, "changes while it is read"));
        }
    }
    Ok(opened)
}

fn alarm(sha256: &str, what: &str) -> Problem {
    tracing::error!(
        alarm = true,
        sha256,
        "an image on disk {what}; restore it from a backup or upload the release again"
    );
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        codes::INTERNAL,
        "The image on the portal's disk is damaged; the operator has been told.",
    )
}

/// Answers with the image, a part of it, or that the client has it.
pub(super) async fn answer(
    app: &AppState,
    method: &Method,
    request: &HeaderMap,
    image: &Image,
) -> Result<Response, Problem> {
    let validators = Validators {
        etag: &image.etag,
        modified_s: image.modified_s,
    };
    match conditions::judge(request, validators) {
        Verdict::Send => {}
        Verdict::NotModified => {
            return Ok((StatusCode::NOT_MODIFIED, image.headers.clone()).into_response());
        }
        Verdict::Failed => {
            return Err(Problem::new(
                StatusCode::PRECONDITION_FAILED,
                codes::PRECONDITION_FAILED,
                "The image is not the one that the request names.",
            ));
        }
    }
    let asked = request
        .get(header::RANGE)
        .and_then(|value| value.to_str().ok());
    let asked = asked.filter(|_| conditions::range_applies(request, validators));
    let (status, part) = match range::wanted(asked, image.size_bytes) {
        Wanted::Whole => (StatusCode::OK, 0..image.size_bytes),
        Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
        Wanted::Nothing => return Ok(unsatisfiable(image.size_bytes)),
    };
    let mut headers = image.headers.clone();
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(part.end - part.start),
    );
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{}", part.start, part.end - 1, image.size_bytes);
        headers.insert(
            header::CONTENT_RANGE,
            HeaderValue::try_from(range).map_err(Error::internal)?,
        );
    }
    let body = if *method == Method::HEAD {
        Body::empty()
    } else {
        body(app, image, part).await?
    };
    Ok((status, headers, body).into_response())
}

async fn body(app: &AppState, image: &Image, part: Range<u64>) -> Result<Body, Problem> {
    if let Some(bytes) = &image.bytes {
        let index = |position: u64| usize::try_from(position).map_err(Error::internal);
        return Ok(Body::from(
            bytes.slice(index(part.start)?..index(part.end)?),
        ));
    }
    let opened = open_checked(app.blobs.as_ref(), image, part).await?;
    Ok(broken_off_with_alarm(opened, &image.sha256))
}

/// A body that breaks off where the file ends too early, so that no short answer looks complete.
fn broken_off_with_alarm(opened: OpenPart, sha256: &str) -> Body {
    let sha256 = sha256.to_owned();
    let bytes = opened.bytes.inspect_err(move |_| {
        alarm(&sha256, "breaks off while it is sent");
    });
    Body::from_stream(bytes)
}

fn unsatisfiable(size_bytes: u64) -> Response {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        codes::RANGE_NOT_SATISFIABLE,
        format!("The image has {size_bytes} bytes; the range lies outside."),
    );
    let mut response = problem.into_response();
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
