//! Images in a folder: `<root>/<first 2 hex digits>/<sha256>`, uploads in `<root>/tmp`.
//!
//! A file appears under its address in one step, after its bytes are on the disk. So whatever
//! stands there is whole, also after a power cut, and two uploads of the same bytes may race.
//! A part of an upload that outlives its connections is `<root>/tmp/<its id>`. `<root>/lock` is
//! never written: its lock keeps one instance from removing what another is about to name.

mod part;
mod upload;

use std::{
    collections::HashSet,
    fs::{self, DirBuilder, File, Metadata, OpenOptions, TryLockError},
    io,
    ops::Range,
    os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use gatehouse_core::ports::{
    StoreError, StoreResult,
    blobs::{BlobLock, BlobPart, BlobUpload, Blobs, ByteStream, OpenPart, Stamp},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};
use uuid::Uuid;

use part::FilePart;
use upload::FileUpload;

const READ_BYTES: u64 = 256 * 1024;
const UPLOADS: &str = "tmp";
const LOCK: &str = "lock";
/// Nobody holds the lock for longer than some rows and the syncing of one image take.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);
const LOCK_AGAIN: Duration = Duration::from_millis(5);

/// A folder of images named by the SHA-256 of their bytes.
#[derive(Debug, Clone)]
pub struct FileBlobs {
    root: Arc<Path>,
}

impl FileBlobs {
    /// Opens the folder, which is made with mode 0700 when it is missing.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(root: impl Into<PathBuf>) -> StoreResult<Self> {
        let root: PathBuf = root.into();
        make_folder(&root.join(UPLOADS)).map_err(io_failure)?;
        Ok(Self { root: root.into() })
    }

    /// Where a blob lies; `None` for what is no address, so that no name leads elsewhere.
    fn path_of(&self, sha256: &str) -> Option<PathBuf> {
        is_address(sha256).then(|| self.root.join(&sha256[..2]).join(sha256))
    }

    fn uploads(&self) -> PathBuf {
        self.root.join(UPLOADS)
    }

    /// Opens the file whose lock is the store's; each opening locks for itself.
    fn lock_file(&self) -> io::Result<File> {
        // Some network file systems give the lock of removers only to who could write.
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.root.join(LOCK))
    }

    /// Takes no thread while it waits: whoever holds the lock needs some to be done with it.
    async fn wait_for_lock(
        &self,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> StoreResult<BlobLock> {
        let blobs = self.clone();
        let file = blocking(move || blobs.lock_file()).await?;
        let gives_up_at = Instant::now() + LOCK_PATIENCE;
        loop {
            match lock(&file) {
                Ok(()) => return Ok(Box::new(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < gives_up_at => {
                    sleep(LOCK_AGAIN).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(StoreError::Broken("the images are locked by others".into()));
                }
                Err(TryLockError::Error(error)) => return Err(io_failure(error)),
            }
        }
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn start(&self) -> StoreResult<Box<dyn BlobUpload>> {
        let blobs = self.clone();
        let upload = blocking(move || FileUpload::start(blobs)).await?;
        Ok(Box::new(upload))
    }

    async fn size_bytes(&self, sha256: &str) -> StoreResult<Option<u64>> {
        let Some(path) = self.path_of(sha256) else {
            return Ok(None);
        };
        blocking(move || missing_is_none(path.metadata().map(|facts| facts.len()))).await
    }

    async fn read(&self, sha256: &str, range: Range<u64>) -> StoreResult<Option<OpenPart>> {
        let Some(path) = self.path_of(sha256) else {
            return Ok(None);
        };
        let opened = blocking(move || missing_is_none(open_stamped(&path))).await?;
        Ok(opened.map(|(file, stamp)| OpenPart {
            stamp,
            bytes: stream_of(Arc::new(file), range),
        }))
    }

    async fn lock_to_add(&self) -> StoreResult<BlobLock> {
        self.wait_for_lock(File::try_lock_shared).await
    }

    async fn lock_to_remove(&self) -> StoreResult<BlobLock> {
        self.wait_for_lock(File::try_lock).await
    }

    async fn remove(&self, sha256: &str) -> StoreResult<()> {
        let Some(path) = self.path_of(sha256) else {
            return Ok(());
        };
        blocking(move || missing_is_none(fs::remove_file(path)).map(drop)).await
    }

    async fn sweep(&self, keep: &[String], touched_until_ms: i64) -> StoreResult<u64> {
        let root = Arc::clone(&self.root);
        let keep: HashSet<String> = keep.iter().cloned().collect();
        blocking(move || sweep(&root, &keep, touched_until_ms)).await
    }

    async fn open_part(&self, id: Uuid) -> StoreResult<Option<Box<dyn BlobPart>>> {
        let blobs = self.clone();
        let part = blocking(move || FilePart::open(blobs, id)).await?;
        Ok(part.map(|part| Box::new(part) as _))
    }

    async fn part_bytes(&self, id: Uuid) -> StoreResult<u64> {
        let path = part::path_of(self, id);
        let facts = blocking(move || missing_is_none(path.metadata())).await?;
        Ok(facts.map_or(0, |facts| facts.len()))
    }

    async fn remove_part(&self, id: Uuid) -> StoreResult<()> {
        let path = part::path_of(self, id);
        blocking(move || missing_is_none(fs::remove_file(path)).map(drop)).await
    }

    async fn parts(&self) -> StoreResult<Vec<Uuid>> {
        let folder = self.uploads();
        blocking(move || part::list(&folder)).await
    }
}

fn open_stamped(path: &Path) -> io::Result<(File, Stamp)> {
    let file = File::open(path)?;
    let facts = file.metadata()?;
    let stamp = Stamp {
        size_bytes: facts.len(),
        inode: facts.ino(),
        changed_ns: changed_ns(&facts),
    };
    Ok((file, stamp))
}

fn changed_ns(facts: &Metadata) -> i128 {
    i128::from(facts.ctime()) * 1_000_000_000 + i128::from(facts.ctime_nsec())
}

/// Yields exactly the bytes of `range`, or an error where the file ends too early: whoever
/// sends them must cut the connection rather than call a short answer complete.
fn stream_of(file: Arc<File>, range: Range<u64>) -> ByteStream {
    stream::try_unfold(range, move |rest| {
        let file = Arc::clone(&file);
        async move {
            if rest.is_empty() {
                return Ok(None);
            }
            let end = rest.end.min(rest.start + READ_BYTES);
            let chunk = read_chunk(file, rest.start..end).await?;
            Ok(Some((chunk, end..rest.end)))
        }
    })
    .boxed()
}

async fn read_chunk(file: Arc<File>, range: Range<u64>) -> io::Result<Bytes> {
    let length = usize::try_from(range.end - range.start).map_err(io::Error::other)?;
    spawn_blocking(move || {
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, range.start)?;
        Ok(bytes.into())
    })
    .await?
}

/// Removes uploads that nobody writes any more and blobs that nobody names.
///
/// Only what bears a name of ours is touched: the folder may hold somebody else's files.
fn sweep(root: &Path, keep: &HashSet<String>, touched_until_ms: i64) -> io::Result<u64> {
    let mut removed = 0;
    for folder in root.read_dir()? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        let name = folder.file_name();
        let holds_uploads = name == UPLOADS;
        let Some(prefix) = name
            .to_str()
            .filter(|name| holds_uploads || is_prefix(name))
        else {
            continue;
        };
        for file in folder.path().read_dir()? {
            let file = file?;
            let name = file.file_name();
            let name = name.to_str().unwrap_or_default();
            let ours = holds_uploads || is_address(name) && name.starts_with(prefix);
            if !ours || keep.contains(name) || !is_idle(&file.path(), touched_until_ms)? {
                continue;
            }
            if !holds_uploads || !upload::is_under_way(&file.path())? {
                missing_is_none(fs::remove_file(file.path()))?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

/// Whether the file was neither written nor moved since then; one that is gone was just now.
fn is_idle(path: &Path, touched_until_ms: i64) -> io::Result<bool> {
    let facts = missing_is_none(path.symlink_metadata())?;
    let until_ns = i128::from(touched_until_ms) * 1_000_000;
    Ok(facts.is_some_and(|facts| changed_ns(&facts) <= until_ns))
}

fn is_prefix(name: &str) -> bool {
    name.len() == 2 && name.bytes().all(is_hex_digit)
}

/// A blob is named by its SHA-256 in lower-case hex digits.
fn is_address(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(is_hex_digit)
}

fn is_hex_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> StoreResult<T> {
    spawn_blocking(work)
        .await
        .map_err(io::Error::from)
        .flatten()
        .map_err(io_failure)
}

fn missing_is_none<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn io_failure(error: io::Error) -> StoreError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(error.into()),
        _ => StoreError::Broken(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_and_a_full_quota_are_told_from_other_faults() {
        const ENOSPC: i32 = 28;
        const EDQUOT: i32 = 122;
        for full in [ENOSPC, EDQUOT] {
            assert!(matches!(
                io_failure(io::Error::from_raw_os_error(full)),
                StoreError::Full(_)
            ));
        }
        assert!(matches!(
            io_failure(io::ErrorKind::PermissionDenied.into()),
            StoreError::Broken(_)
        ));
    }
}
