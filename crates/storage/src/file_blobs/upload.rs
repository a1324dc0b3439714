//! One upload into the folder.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use gatehouse_core::ports::{StoreError, StoreResult, blobs::BlobUpload, firmware::Artifact};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{FileBlobs, blocking, make_folder, missing_is_none};

/// So much is gathered before a thread is bothered with hashing and writing it.
const BATCH_BYTES: usize = 1024 * 1024;

/// Bytes on their way into the folder.
pub(super) struct FileUpload {
    blobs: FileBlobs,
    /// What was hashed and written so far; `None` after a failure, which nothing can mend.
    written: Option<Written>,
    batch: Batch,
}

/// Chunks that wait until a thread is worth bothering.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) chunks: Vec<Bytes>,
    size_bytes: usize,
}

impl Batch {
    /// Adds a chunk; answers whether it is time to take them all.
    pub(super) fn push(&mut self, chunk: Bytes) -> bool {
        self.size_bytes += chunk.len();
        self.chunks.push(chunk);
        self.size_bytes >= BATCH_BYTES
    }
}

impl FileUpload {
    pub(super) fn start(blobs: FileBlobs) -> io::Result<Self> {
        let file = UploadFile::create(&blobs.uploads())?;
        let written = Some(Written {
            file,
            digests: Digests::default(),
        });
        Ok(Self {
            blobs,
            written,
            batch: Batch::default(),
        })
    }

    async fn flush(&mut self) -> StoreResult<()> {
        let mut written = self.written.take().ok_or_else(broken_before)?;
        let Batch { chunks, .. } = std::mem::take(&mut self.batch);
        self.written = Some(blocking(move || written.append(&chunks).map(|()| written)).await?);
        Ok(())
    }
}

#[async_trait]
impl BlobUpload for FileUpload {
    async fn write(&mut self, chunk: Bytes) -> StoreResult<()> {
        if self.batch.push(chunk) {
            self.flush().await?;
        }
        Ok(())
    }

    fn artifact(&self) -> Artifact {
        let mut digests = self
            .written
            .as_ref()
            .map(|written| written.digests.clone())
            .unwrap_or_default();
        for chunk in &self.batch.chunks {
            digests.update(chunk);
        }
        digests.artifact()
    }

    async fn finish(mut self: Box<Self>) -> StoreResult<()> {
        self.flush().await?;
        let written = self.written.take().ok_or_else(broken_before)?;
        let artifact = written.digests.clone().artifact();
        let target = self
            .blobs
            .path_of(&artifact.sha256)
            .ok_or_else(broken_before)?;
        blocking(move || written.file.publish(&target)).await
    }
}

pub(super) fn broken_before() -> StoreError {
    StoreError::Broken("the upload failed before".into())
}

struct Written {
    file: UploadFile,
    digests: Digests,
}

impl Written {
    fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.file.file.write_all(chunk)?;
            self.digests.update(chunk);
        }
        Ok(())
    }
}

/// A file that removes itself unless it is published. Its lock tells a sweep that it lives.
struct UploadFile {
    file: File,
    path: PathBuf,
}

impl UploadFile {
    fn create(folder: &Path) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{}-{number}", std::process::id()));
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
            {
                // An earlier process with our number left it; a sweep will take it.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    let created = Self { file, path };
                    created.file.lock()?;
                    return Ok(created);
                }
            }
        }
    }

    fn publish(self, target: &Path) -> io::Result<()> {
        publish(&self.file, &self.path, target)
    }
}

impl Drop for UploadFile {
    fn drop(&mut self) {
        // After publishing there is nothing to remove, and what stays is taken by a sweep.
        let _ = fs::remove_file(&self.path);
    }
}

/// Makes the bytes of `file` durable, and `path`, which leads to it, into `target`.
pub(super) fn publish(file: &File, path: &Path, target: &Path) -> io::Result<()> {
    let folder = target.parent().ok_or(io::ErrorKind::InvalidFilename)?;
    make_folder(folder)?;
    // A file that is there already may have rotted; these bytes are known to be whole.
    file.sync_all()?;
    fs::rename(path, target)?;
    for folder in [Some(folder), folder.parent()].into_iter().flatten() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Whether somebody, in this process or another, is still writing the upload.
pub(super) fn is_under_way(path: &Path) -> io::Result<bool> {
    // Some network file systems lock for one alone only what could be written.
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let Some(file) = missing_is_none(opened)? else {
        // Finished a moment ago.
        return Ok(true);
    };
    Ok(!try_lock(&file)?)
}

/// Takes the lock that tells others that somebody is writing; `false` when somebody else has it.
pub(super) fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// What devices check an image by, and its length.
#[derive(Clone, Default)]
pub(super) struct Digests {
    sha256: Sha256,
    sha1: Sha1,
    md5: Md5,
    crc32: crc32fast::Hasher,
    size_bytes: i64,
}

impl Digests {
    pub(super) fn update(&mut self, chunk: &[u8]) {
        self.sha256.update(chunk);
        self.sha1.update(chunk);
        self.md5.update(chunk);
        self.crc32.update(chunk);
        self.size_bytes = self.size_bytes.saturating_add_unsigned(chunk.len() as u64);
    }

    pub(super) fn artifact(self) -> Artifact {
        Artifact {
            sha256: hex::encode(self.sha256.finalize()),
            sha1: hex::encode(self.sha1.finalize()),
            md5: hex::encode(self.md5.finalize()),
            crc32: Some(self.crc32.finalize()),
            size_bytes: self.size_bytes,
        }
    }
}
