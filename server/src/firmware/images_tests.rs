//! Large images, whose bytes are read from the disk for each answer.

use std::{
    fs::{self, File},
    ops::Range,
    path::PathBuf,
    sync::{
        Mutex as StdMutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    blobs::{BlobLock, BlobPart, BlobUpload},
};

use gatehouse_core::ports::firmware::ReleaseRecord;
use gatehouse_storage::FileBlobs;
use gatehouse_types::{
    firmware::ReleaseState,
    rollout::{Approval, Channel, Rollout},
};
use http_body_util::BodyExt;
use tempfile::TempDir;

use super::*;

/// Real files; counts how often one is opened, and can keep whoever does waiting.
struct Counted {
    files: FileBlobs,
    opened: AtomicUsize,
    gate: Mutex<()>,
}

#[async_trait]
impl Blobs for Counted {
    async fn start(&self) -> StoreResult<Box<dyn BlobUpload>> {
        self.files.start().await
    }

    async fn size_bytes(&self, sha256: &str) -> StoreResult<Option<u64>> {
        self.files.size_bytes(sha256).await
    }

    async fn read(&self, sha256: &str, range: Range<u64>) -> StoreResult<Option<OpenPart>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.lock().await);
        self.files.read(sha256, range).await
    }

    async fn lock_to_add(&self) -> StoreResult<BlobLock> {
        self.files.lock_to_add().await
    }

    async fn lock_to_remove(&self) -> StoreResult<BlobLock> {
        self.files.lock_to_remove().await
    }

    async fn remove(&self, sha256: &str) -> StoreResult<()> {
        self.files.remove(sha256).await
    }

    async fn sweep(&self, keep: &[String], touched_until_ms: i64) -> StoreResult<u64> {
        self.files.sweep(keep, touched_until_ms).await
    }

    async fn open_part(&self, id: Uuid) -> StoreResult<Option<Box<dyn BlobPart>>> {
        self.files.open_part(id).await
    }

    async fn part_bytes(&self, id: Uuid) -> StoreResult<u64> {
        self.files.part_bytes(id).await
    }

    async fn remove_part(&self, id: Uuid) -> StoreResult<()> {
        self.files.remove_part(id).await
    }

    async fn parts(&self) -> StoreResult<Vec<Uuid>> {
        self.files.parts().await
    }
}

struct Shelf {
    folder: TempDir,
    blobs: Arc<Counted>,
    told: Arc<StdMutex<Vec<Option<&'static str>>>>,
    release: Arc<CatalogRelease>,
    cache: ImageCache,
    image: Arc<Image>,
}

impl Shelf {
    async fn with_large_image() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let files = FileBlobs::open(folder.path().join("blobs")).expect("opens");
        let blobs = Arc::new(Counted {
            files,
            opened: AtomicUsize::default(),
            gate: Mutex::default(),
        });
        let told = Arc::new(StdMutex::new(Vec::new()));
        let mut upload = blobs.start().await.expect("begins");
        let bytes = vec![7; usize::try_from(CACHED_MAX_BYTES).expect("fits") + 1];
        upload.write(bytes.into()).await.expect("writes");
        let artifact = upload.artifact();
        upload.finish().await.expect("ends");
        let record = ReleaseRecord {
            id: Uuid::nil(),
            project_id: Uuid::nil(),
            version: "1.0.0".into(),
            version_key: "1.0.0".into(),
            file_name: "lamp.bin".into(),
            artifact,
            state: ReleaseState::Published,
            notes: String::new(),
            number: 1,
            release_counter: Some(1),
            image: None,
            channel: Channel::default(),
            min_version: None,
            allow_downgrade: false,
            rollout: Rollout::default(),
            approval: Approval::default(),
            revision: 0,
            created_at_ms: 0,
            published_at_ms: Some(0),
            withdrawn_at_ms: None,
        };
        let version = "1.0.0".parse().expect("a version");
        let release = Arc::new(CatalogRelease {
            record,
            version,
            min_version: None,
        });
        let cache = cold(&blobs, &told);
        let image = cache.get(&release).await.expect("the image is whole");
        Self {
            folder,
            blobs,
            told,
            release,
            cache,
            image,
        }
    }

    /// What was told of the image since this was last asked.
    fn told(&self) -> Vec<Option<&'static str>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *told)
    }

    fn opened(&self) -> usize {
        self.blobs.opened.load(Ordering::SeqCst)
    }

    fn file(&self) -> PathBuf {
        let sha256 = &self.image.sha256;
        let folder = self.folder.path().join("blobs").join(&sha256[..2]);
        folder.join(sha256)
    }

    async fn open(&self) -> Option<Body> {
        let whole = 0..self.image.size_bytes;
        self.cache.body(&self.image, whole).await.ok()
    }

    /// The whole of it, unless it is refused or breaks off.
    async fn read(&self) -> Option<Bytes> {
        let body = self.open().await?.collect().await.ok()?;
        Some(body.to_bytes())
    }
}

/// A cache that knows no image yet.
fn cold(blobs: &Arc<Counted>, told: &Arc<StdMutex<Vec<Option<&'static str>>>>) -> ImageCache {
    let told = told.clone();
    let tell = move |_: &str, what| {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        told.push(what);
    };
    ImageCache::new(blobs.clone(), Box::new(tell))
}

#[tokio::test]
async fn an_image_that_rots_after_its_check_is_refused_until_it_is_mended() {
    let shelf = Shelf::with_large_image().await;
    let whole = shelf.read().await.expect("is sent");
    let mut rotten = whole.to_vec();
    rotten[9] ^= 1;
    fs::write(shelf.file(), &rotten).expect("rots it");
    shelf.told();
    let (one, other) = tokio::join!(shelf.open(), shelf.open());
    assert!(one.is_none() && other.is_none());
    assert!(shelf.open().await.is_none(), "nor later");
    assert_eq!(shelf.told(), [Some("has rotted")], "it was read once");
    let anew = cold(&shelf.blobs, &shelf.told);
    for _ in 0..3 {
        assert!(anew.get(&shelf.release).await.is_err());
    }
    assert_eq!(shelf.told(), [Some("has rotted")], "once here, too");
    fs::write(shelf.file(), &whole).expect("mends it");
    assert_eq!(shelf.read().await, Some(whole));
    assert!(anew.get(&shelf.release).await.is_ok());
    assert_eq!(shelf.told(), [None, None]);
}

/// Somebody who hangs up must not make the next one begin anew.
#[tokio::test]
async fn what_the_first_client_began_goes_on_without_it() {
    let shelf = Shelf::with_large_image().await;
    let anew = cold(&shelf.blobs, &shelf.told);
    let gate = shelf.blobs.gate.lock().await;
    let opened_before = shelf.opened();
    let first = async { drop(anew.get(&shelf.release).await) };
    let has_begun = async {
        while shelf.opened() == opened_before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = first => panic!("it has to wait"),
        () = has_begun => {}
    }
    drop(gate);
    assert!(anew.get(&shelf.release).await.is_ok());
    assert_eq!(shelf.opened(), opened_before + 1);
}

#[tokio::test]
async fn a_change_is_looked_into_once() {
    let shelf = Shelf::with_large_image().await;
    let before = *shelf.image.checked.lock().await;
    let whole = fs::read(shelf.file()).expect("reads");
    // Another file with the same bytes, as a restored or repeated upload leaves it.
    let copy = shelf.folder.path().join("copy");
    fs::write(&copy, whole).expect("writes");
    fs::rename(copy, shelf.file()).expect("takes its place");
    assert!(shelf.open().await.is_some());
    let after = *shelf.image.checked.lock().await;
    assert_ne!(after.inode, before.inode);
    assert!(shelf.open().await.is_some());
    assert_eq!(*shelf.image.checked.lock().await, after);
}

#[tokio::test]
async fn a_file_cut_while_it_is_sent_breaks_the_answer_off_with_an_alarm() {
    let shelf = Shelf::with_large_image().await;
    let body = shelf.open().await.expect("begins");
    let file = File::options().write(true).open(shelf.file());
    file.expect("opens").set_len(1000).expect("cuts it");
    assert!(body.collect().await.is_err(), "no short answer");
    assert_eq!(
        shelf.told().last(),
        Some(&Some("breaks off while it is sent"))
    );
}

#[tokio::test]
async fn all_who_ask_for_a_cold_image_share_one_reading() {
    let shelf = Shelf::with_large_image().await;
    let images = cold(&shelf.blobs, &shelf.told);
    let ask = || images.get(&shelf.release);
    let Ok((one, other)) = tokio::try_join!(ask(), ask()) else {
        panic!("the image is whole");
    };
    assert!(Arc::ptr_eq(&one, &other), "it was read once for both");
}

#[tokio::test]
async fn an_image_that_could_not_be_read_is_tried_again() {
    let shelf = Shelf::with_large_image().await;
    let whole = fs::read(shelf.file()).expect("reads");
    fs::remove_file(shelf.file()).expect("removes");
    let images = cold(&shelf.blobs, &shelf.told);
    let ask = || images.get(&shelf.release);
    let (one, other) = tokio::join!(ask(), ask());
    assert!(one.is_err() && other.is_err());
    fs::write(shelf.file(), whole).expect("puts it back");
    assert!(ask().await.is_ok());
}
