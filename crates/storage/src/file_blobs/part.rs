//! Uploads that outlive their connections: a file that stays until all of it has come.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use gatehouse_core::ports::{
    StoreResult,
    blobs::{BlobPart, BlobUpload, ByteStream},
    firmware::Artifact,
};
use uuid::Uuid;

use super::{
    FileBlobs, blocking, missing_is_none, stream_of,
    upload::{Batch, Digests, broken_before, publish, try_lock},
};

pub(super) fn path_of(blobs: &FileBlobs, id: Uuid) -> PathBuf {
    blobs.uploads().join(id.to_string())
}

/// Every part in the folder of uploads: no other file there is named like an id.
pub(super) fn list(folder: &Path) -> io::Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for file in folder.read_dir()? {
        let name = file?.file_name();
        let id = name.to_str().and_then(|name| name.parse::<Uuid>().ok());
        ids.extend(id.filter(|id| name.to_str() == Some(&id.to_string())));
    }
    Ok(ids)
}

/// A part that nobody else has open.
pub(super) struct FilePart {
    blobs: FileBlobs,
    /// Its lock is what keeps others out.
    file: Arc<File>,
    path: PathBuf,
    size_bytes: u64,
    batch: Batch,
}

impl FilePart {
    pub(super) fn open(blobs: FileBlobs, id: Uuid) -> io::Result<Option<Self>> {
        let path = path_of(&blobs, id);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)?;
        if !try_lock(&file)? {
            return Ok(None);
        }
        let size_bytes = file.metadata()?.len();
        if size_bytes == 0 {
            // The name has to be on the disk before any of its bytes is acknowledged.
            File::open(blobs.uploads())?.sync_all()?;
        }
        Ok(Some(Self {
            blobs,
            file: Arc::new(file),
            path,
            size_bytes,
            batch: Batch::default(),
        }))
    }

    async fn flush(&mut self) -> StoreResult<()> {
        let Batch { chunks, .. } = std::mem::take(&mut self.batch);
        let (file, mut end) = (Arc::clone(&self.file), self.size_bytes);
        self.size_bytes = blocking(move || {
            for chunk in chunks {
                file.write_all_at(&chunk, end)?;
                end += chunk.len() as u64;
            }
            Ok(end)
        })
        .await?;
        Ok(())
    }
}

#[async_trait]
impl BlobPart for FilePart {
    async fn cut(&mut self, size_bytes: u64) -> StoreResult<u64> {
        self.flush().await?;
        if self.size_bytes > size_bytes {
            let file = Arc::clone(&self.file);
            blocking(move || file.set_len(size_bytes)).await?;
            self.size_bytes = size_bytes;
        }
        Ok(self.size_bytes)
    }

    async fn append(&mut self, chunk: Bytes) -> StoreResult<()> {
        if self.batch.push(chunk) {
            self.flush().await?;
        }
        Ok(())
    }

    async fn save(&mut self) -> StoreResult<()> {
        self.flush().await?;
        let file = Arc::clone(&self.file);
        blocking(move || file.sync_data()).await
    }

    async fn reread(mut self: Box<Self>) -> StoreResult<(Box<dyn BlobUpload>, ByteStream)> {
        self.flush().await?;
        let bytes = stream_of(Arc::clone(&self.file), 0..self.size_bytes);
        let upload = PartUpload {
            blobs: self.blobs,
            file: self.file,
            path: self.path,
            digests: Some(Digests::default()),
            batch: Batch::default(),
        };
        Ok((Box::new(upload), bytes))
    }
}

/// A part that is whole, while its bytes come by once more.
struct PartUpload {
    blobs: FileBlobs,
    file: Arc<File>,
    path: PathBuf,
    /// Of what came by; `None` after a failure, which nothing can mend.
    digests: Option<Digests>,
    batch: Batch,
}

#[async_trait]
impl BlobUpload for PartUpload {
    async fn write(&mut self, chunk: Bytes) -> StoreResult<()> {
        if self.batch.push(chunk) {
            let mut digests = self.digests.take().ok_or_else(broken_before)?;
            let Batch { chunks, .. } = std::mem::take(&mut self.batch);
            let hash = move || {
                for chunk in chunks {
                    digests.update(&chunk);
                }
                Ok(digests)
            };
            self.digests = Some(blocking(hash).await?);
        }
        Ok(())
    }

    fn artifact(&self) -> Artifact {
        let mut digests = self.digests.clone().unwrap_or_default();
        for chunk in &self.batch.chunks {
            digests.update(chunk);
        }
        digests.artifact()
    }

    /// Gives the bytes a second name and moves that: until the row of the release is written,
    /// a crash leaves the part as it was.
    async fn finish(self: Box<Self>) -> StoreResult<()> {
        let sha256 = self.artifact().sha256;
        let target = self.blobs.path_of(&sha256).ok_or_else(broken_before)?;
        blocking(move || {
            let second = self.path.with_extension("whole");
            missing_is_none(fs::remove_file(&second))?;
            // Some file systems know one name only; there the part itself is moved.
            if fs::hard_link(&self.path, &second).is_err() {
                return publish(&self.file, &self.path, &target);
            }
            publish(&self.file, &second, &target)?;
            // Where the target is these very bytes already, nothing was moved.
            missing_is_none(fs::remove_file(&second)).map(drop)
        })
        .await
    }
}
