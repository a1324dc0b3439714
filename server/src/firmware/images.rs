//! Images that are ready to be sent, and that what is sent is what was uploaded.

use std::{convert::Infallible, ops::Range, sync::Arc};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, stream};
use gatehouse_core::{
    Error,
    firmware::CatalogRelease,
    ports::blobs::{Blobs, OpenPart, Stamp},
};
use gatehouse_types::codes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use moka::future::Cache;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::conditions::{self, Validators};
use crate::http::problem::Problem;

/// Larger images are streamed from the store.
const CACHED_MAX_BYTES: u64 = 4 * 1024 * 1024;
const CACHE_BYTES: u64 = 64 * 1024 * 1024;
/// Larger answers go out in slices of this, so that whoever sends them sees how far they are.
pub(super) const AT_ONCE_BYTES: u64 = 64 * 1024;
/// What an entry costs beside its bytes.
const ENTRY_BYTES: u32 = 1024;
const X_MD5: HeaderName = HeaderName::from_static("x-md5");

/// Small images and the headers of all, made once for each release.
pub struct ImageCache(Cache<Uuid, Arc<Image>>);

/// An image that is ready to be sent.
pub(super) struct Image {
    pub(super) sha256: String,
    pub(super) size_bytes: u64,
    etag: String,
    modified_s: i64,
    /// What every answer with the image or about it says.
    pub(super) headers: HeaderMap,
    bytes: Option<Bytes>,
    /// The state of the file in which it was last read and found whole.
    checked: Mutex<Stamp>,
}

impl Image {
    pub(super) fn validators(&self) -> Validators<'_> {
        Validators {
            etag: &self.etag,
            modified_s: self.modified_s,
        }
    }

    /// A part of a small image from memory, of a large one from the disk as it is sent.
    pub(super) async fn body(&self, blobs: &dyn Blobs, part: Range<u64>) -> Result<Body, Problem> {
        if let Some(bytes) = &self.bytes {
            let index = |position: u64| usize::try_from(position).map_err(Error::internal);
            return Ok(in_slices(bytes.slice(index(part.start)?..index(part.end)?)));
        }
        let opened = open_checked(blobs, self, part).await?;
        Ok(broken_off_with_alarm(opened, &self.sha256))
    }

    /// Looks whether the file is as it was when all of it was last read, and reads it if not.
    pub(super) async fn check_file(&self, blobs: &dyn Blobs) -> Result<(), Problem> {
        open_checked(blobs, self, 0..self.size_bytes)
            .await
            .map(drop)
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
    /// The image of a release; read from the store and checked when it is asked for first, once
    /// for all who ask meanwhile.
    pub(super) async fn get(
        &self,
        release: &CatalogRelease,
        blobs: &dyn Blobs,
    ) -> Result<Arc<Image>, Problem> {
        let id = release.record.id;
        if let Some(image) = self.0.get(&id).await {
            return Ok(image);
        }
        let load = async { load(release, blobs).await.map(Arc::new) };
        let loaded = self.0.try_get_with(id, load).await;
        loaded.map_err(|problem| Problem::clone(&problem))
    }
}

async fn load(release: &CatalogRelease, blobs: &dyn Blobs) -> Result<Image, Problem> {
    let record = &release.record;
    let size_bytes = record.artifact.size_bytes.unsigned_abs();
    let sha256 = record.artifact.sha256.clone();
    let modified_s = record.created_at_ms / 1000;
    let (bytes, stamp) = read_checked(blobs, &sha256, size_bytes).await?;
    let etag = conditions::etag(&sha256);
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

/// Opens a part of a large image; the whole is read again, once for all who ask meanwhile, if its
/// file changed since it last was.
async fn open_checked(
    blobs: &dyn Blobs,
    image: &Image,
    part: Range<u64>,
) -> Result<OpenPart, Problem> {
    let opened = open(blobs, &image.sha256, part).await?;
    let mut checked = image.checked.lock().await;
    if opened.stamp != *checked {
        let (_, stamp) = read_checked(blobs, &image.sha256, image.size_bytes).await?;
        *checked = stamp;
        if opened.stamp != stamp {
            return Err(alarm(&image.sha256, "changes while it is read"));
        }
    }
    Ok(opened)
}

fn in_slices(mut bytes: Bytes) -> Body {
    let slice_bytes = usize::try_from(AT_ONCE_BYTES).unwrap_or(usize::MAX);
    if bytes.len() <= slice_bytes {
        return Body::from(bytes);
    }
    let slices = std::iter::from_fn(move || {
        let slice = bytes.split_to(bytes.len().min(slice_bytes));
        (!slice.is_empty()).then_some(Ok::<_, Infallible>(slice))
    });
    Body::from_stream(stream::iter(slices))
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

/// A body that breaks off where the file ends too early, so that no short answer looks complete.
fn broken_off_with_alarm(opened: OpenPart, sha256: &str) -> Body {
    let sha256 = sha256.to_owned();
    let bytes = opened.bytes.inspect_err(move |_| {
        alarm(&sha256, "breaks off while it is sent");
    });
    Body::from_stream(bytes)
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
