//! Large images, whose bytes are read from the disk for each answer.

use std::{
    fs::{self, File},
    path::PathBuf,
    sync::Mutex as StdMutex,
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

struct Shelf {
    folder: TempDir,
    blobs: FileBlobs,
    release: CatalogRelease,
    image: Image,
}

impl Shelf {
    async fn with_large_image() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let blobs = FileBlobs::open(folder.path().join("blobs")).expect("opens");
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
        let release = CatalogRelease {
            record,
            version,
            min_version: None,
        };
        let Ok(image) = load(&release, &blobs).await else {
            panic!("the image is whole");
        };
        Self {
            folder,
            blobs,
            release,
            image,
        }
    }

    fn file(&self) -> PathBuf {
        let sha256 = &self.image.sha256;
        let folder = self.folder.path().join("blobs").join(&sha256[..2]);
        folder.join(sha256)
    }

    async fn open(&self) -> Option<Body> {
        let whole = 0..self.image.size_bytes;
        let opened = open_checked(&self.blobs, &self.image, whole).await.ok()?;
        Some(broken_off_with_alarm(opened, &self.image.sha256))
    }

    /// The whole of it, unless it is refused or breaks off.
    async fn read(&self) -> Option<Bytes> {
        let body = self.open().await?.collect().await.ok()?;
        Some(body.to_bytes())
    }
}

#[tokio::test]
async fn an_image_that_rots_after_its_check_is_refused_until_it_is_mended() {
    let shelf = Shelf::with_large_image().await;
    let whole = shelf.read().await.expect("is sent");
    let mut rotten = whole.to_vec();
    rotten[9] ^= 1;
    fs::write(shelf.file(), &rotten).expect("rots it");
    assert!(shelf.open().await.is_none());
    assert!(shelf.open().await.is_none(), "nor the second time");
    fs::write(shelf.file(), &whole).expect("mends it");
    assert_eq!(shelf.read().await, Some(whole));
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
    let log = shelf.folder.path().join("log");
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(StdMutex::new(File::create(&log).expect("a log")))
        .finish();
    // With just one subscriber, `tracing` asks the thread that first comes to an event whether it
    // listens, and takes the no of another test for all threads.
    let _another = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    let _logging = tracing::subscriber::set_default(subscriber);
    let body = shelf.open().await.expect("begins");
    let file = File::options().write(true).open(shelf.file());
    file.expect("opens").set_len(1000).expect("cuts it");
    assert!(body.collect().await.is_err(), "no short answer");
    let log = fs::read_to_string(log).expect("reads");
    assert!(
        log.contains("alarm=true") && log.contains("breaks off"),
        "{log}"
    );
}

#[tokio::test]
async fn all_who_ask_for_a_cold_image_share_one_reading() {
    let shelf = Shelf::with_large_image().await;
    let images = ImageCache::default();
    let ask = || images.get(&shelf.release, &shelf.blobs);
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
    let images = ImageCache::default();
    let ask = || images.get(&shelf.release, &shelf.blobs);
    let (one, other) = tokio::join!(ask(), ask());
    assert!(one.is_err() && other.is_err());
    fs::write(shelf.file(), whole).expect("puts it back");
    assert!(ask().await.is_ok());
}
