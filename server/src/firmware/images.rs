//! Images that are ready to be sent, and that what is sent is what was uploaded.

use std::{ops::Range, sync::Arc, time::Duration};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::TryStreamExt;
use gatehouse_core::{
    Error, Portal,
    firmware::CatalogRelease,
    ports::blobs::{Blobs, ByteStream, OpenPart, Stamp},
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
/// What an entry costs beside its bytes.
const ENTRY_BYTES: u32 = 1024;
/// So long a damaged file that nobody changed is not read again. It is, some time: the disk, and
/// not the file, may have been what failed.
const DAMAGED_FOR: Duration = Duration::from_mins(10);
const DAMAGED_MAX: u64 = 1000;
const X_MD5: HeaderName = HeaderName::from_static("x-md5");

/// Hears what an image was found to be by its SHA-256: what is the matter with it, if anything.
type Tell = Box<dyn Fn(&str, Option<&'static str>) + Send + Sync>;

/// Small images and the headers of all, made once for each release.
pub struct ImageCache {
    images: Cache<Uuid, Arc<Image>>,
    files: Arc<Files>,
}

/// The files of images.
struct Files {
    blobs: Arc<dyn Blobs>,
    /// In which state they were found damaged, by the SHA-256 that they should have.
    damaged: Cache<String, Stamp>,
    tell: Tell,
}

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
}

impl ImageCache {
    /// The images of a portal, whose pages show which of their files are found damaged.
    pub fn of(portal: Arc<Portal>, blobs: Arc<dyn Blobs>) -> Self {
        let tell = move |sha256: &str, what: Option<&'static str>| match what {
            None => portal.firmware.note_whole(sha256),
            Some(what) => {
                let (portal, sha256) = (portal.clone(), sha256.to_owned());
                tokio::spawn(async move {
                    if let Err(error) = portal.firmware.note_damaged(&sha256, what).await {
                        tracing::error!(%error, sha256, "a damaged image is not in the audit trail");
                    }
                });
            }
        };
        Self::new(blobs, Box::new(tell))
    }

    fn new(blobs: Arc<dyn Blobs>, tell: Tell) -> Self {
        let weigh = |_: &Uuid, image: &Arc<Image>| {
            ENTRY_BYTES
                + image
                    .bytes
                    .as_ref()
                    .map_or(0, |bytes| u32::try_from(bytes.len()).unwrap_or(u32::MAX))
        };
        let images = Cache::builder().max_capacity(CACHE_BYTES).weigher(weigh);
        let damaged = Cache::builder().max_capacity(DAMAGED_MAX);
        Self {
            images: images.build(),
            files: Arc::new(Files {
                blobs,
                damaged: damaged.time_to_live(DAMAGED_FOR).build(),
                tell,
            }),
        }
    }

    /// The image of a release; read from the store and checked when it is asked for first, once
    /// for all who ask meanwhile, also when the first of them hangs up.
    pub(super) async fn get(&self, release: &Arc<CatalogRelease>) -> Result<Arc<Image>, Problem> {
        let id = release.record.id;
        if let Some(image) = self.images.get(&id).await {
            return Ok(image);
        }
        let (images, files, release) = (self.images.clone(), self.files.clone(), release.clone());
        let loading = tokio::spawn(async move {
            let load = async { files.load(&release).await.map(Arc::new) };
            images.try_get_with(id, load).await
        });
        let loaded = loading.await.map_err(Error::internal)?;
        loaded.map_err(|problem| Problem::clone(&problem))
    }

    /// A part of a small image from memory, of a large one from the disk as it is sent.
    pub(super) async fn body(&self, image: &Arc<Image>, part: Range<u64>) -> Result<Body, Problem> {
        if let Some(bytes) = &image.bytes {
            let index = |position: u64| usize::try_from(position).map_err(Error::internal);
            return Ok(Body::from(
                bytes.slice(index(part.start)?..index(part.end)?),
            ));
        }
        let opened = self.files.open_checked(image, part).await?;
        Ok(self.files.broken_off_with_alarm(opened, &image.sha256))
    }

    /// Looks whether the file is as it was when all of it was last read, and reads it if not.
    pub(super) async fn check_file(&self, image: &Arc<Image>) -> Result<(), Problem> {
        let whole = 0..image.size_bytes;
        self.files.open_checked(image, whole).await.map(drop)
    }
}

impl Files {
    async fn load(&self, release: &CatalogRelease) -> Result<Image, Problem> {
        let record = &release.record;
        let size_bytes = record.artifact.size_bytes.unsigned_abs();
        let sha256 = record.artifact.sha256.clone();
        let modified_s = record.created_at_ms / 1000;
        let whole = self.open(&sha256, 0..size_bytes).await?;
        let stamp = whole.stamp;
        let bytes = self.read_checked(whole, &sha256, size_bytes).await?;
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

    async fn open(&self, sha256: &str, part: Range<u64>) -> Result<OpenPart, Problem> {
        let opened = self.blobs.read(sha256, part).await.map_err(Error::from)?;
        opened.ok_or_else(|| self.alarm(sha256, "is missing"))
    }

    /// Opens a part of a large image; the whole is read again, once for all who ask meanwhile, if
    /// its file changed since it last was.
    async fn open_checked(
        self: &Arc<Self>,
        image: &Arc<Image>,
        part: Range<u64>,
    ) -> Result<OpenPart, Problem> {
        let opened = self.open(&image.sha256, part.clone()).await?;
        if opened.stamp == *image.checked.lock().await {
            return Ok(opened);
        }
        let (files, changed) = (Arc::clone(self), Arc::clone(image));
        let check = tokio::spawn(async move { files.check_again(&changed).await });
        check.await.map_err(Error::internal)??;
        let opened = self.open(&image.sha256, part).await?;
        if opened.stamp != *image.checked.lock().await {
            return Err(Error::internal("an image changes while it is read").into());
        }
        Ok(opened)
    }

    /// Reads all of an image whose file changed, unless somebody else did so just now.
    async fn check_again(&self, image: &Image) -> Result<(), Problem> {
        let mut checked = image.checked.lock().await;
        let whole = self.open(&image.sha256, 0..image.size_bytes).await?;
        let stamp = whole.stamp;
        if stamp != *checked {
            self.read_checked(whole, &image.sha256, image.size_bytes)
                .await?;
            *checked = stamp;
        }
        Ok(())
    }

    /// Reads all of an image, since a file that was cut or has rotted must not reach a device.
    ///
    /// Only a small one is kept.
    async fn read_checked(
        &self,
        whole: OpenPart,
        sha256: &str,
        size_bytes: u64,
    ) -> Result<Option<Bytes>, Problem> {
        if self.damaged.get(sha256).await == Some(whole.stamp) {
            return Err(damaged());
        }
        match read(whole.bytes, sha256, size_bytes).await {
            Ok(kept) => {
                (self.tell)(sha256, None);
                Ok(kept)
            }
            Err(what) => {
                self.damaged.insert(sha256.to_owned(), whole.stamp).await;
                Err(self.alarm(sha256, what))
            }
        }
    }

    /// A body that breaks off where the file ends too early, so that no short answer looks
    /// complete.
    fn broken_off_with_alarm(self: &Arc<Self>, opened: OpenPart, sha256: &str) -> Body {
        let (files, sha256) = (Arc::clone(self), sha256.to_owned());
        let bytes = opened.bytes.inspect_err(move |_| {
            files.alarm(&sha256, "breaks off while it is sent");
        });
        Body::from_stream(bytes)
    }

    fn alarm(&self, sha256: &str, what: &'static str) -> Problem {
        (self.tell)(sha256, Some(what));
        damaged()
    }
}

/// The bytes of a small image, or what is the matter with it.
async fn read(
    mut bytes: ByteStream,
    sha256: &str,
    size_bytes: u64,
) -> Result<Option<Bytes>, &'static str> {
    let is_small = size_bytes <= CACHED_MAX_BYTES;
    let (mut digest, mut kept) = (Sha256::new(), BytesMut::new());
    while let Some(chunk) = bytes.try_next().await.map_err(|_| "is cut")? {
        digest.update(&chunk);
        if is_small {
            kept.extend_from_slice(&chunk);
        }
    }
    if hex::encode(digest.finalize()) != sha256 {
        return Err("has rotted");
    }
    Ok(is_small.then(|| kept.freeze()))
}

fn damaged() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        codes::INTERNAL,
        "The image on the portal's disk is damaged; the operator has been told.",
    )
}

#[cfg(test)]
#[path = "images_tests.rs"]
mod tests;
