//! The folder of images: what is there is whole, and nothing else stays.

mod parts;
mod removal;

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use futures_util::TryStreamExt;
use gatehouse_core::ports::blobs::{BlobUpload, Blobs};
use gatehouse_storage::FileBlobs;

const ABC_SHA256: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

fn folder() -> (tempfile::TempDir, FileBlobs) {
    let folder = tempfile::tempdir().unwrap();
    let blobs = FileBlobs::open(folder.path().join("blobs")).unwrap();
    (folder, blobs)
}

async fn begin(blobs: &FileBlobs, content: &[u8]) -> Box<dyn BlobUpload> {
    let mut upload = blobs.start().await.unwrap();
    for chunk in content.chunks(100_000) {
        upload.write(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    upload
}

async fn put(blobs: &FileBlobs, content: &[u8]) -> String {
    let upload = begin(blobs, content).await;
    let sha256 = upload.artifact().sha256;
    upload.finish().await.unwrap();
    sha256
}

async fn get(blobs: &FileBlobs, sha256: &str, range: std::ops::Range<u64>) -> io::Result<Vec<u8>> {
    let part = blobs
        .read(sha256, range)
        .await
        .unwrap()
        .expect("the blob is there");
    let chunks: Vec<Bytes> = part.bytes.try_collect().await?;
    assert!(
        chunks
            .iter()
            .all(|chunk| !chunk.is_empty() && chunk.len() <= 256 * 1024)
    );
    Ok(chunks.concat())
}

fn files_below(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| {
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// Differs in every place, so that a shifted chunk shows.
fn content(length: u32) -> Vec<u8> {
    (0..length)
        .flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect()
}

#[tokio::test]
async fn the_digests_are_those_of_the_standards() {
    let (_folder, blobs) = folder();
    let upload = begin(&blobs, b"abc").await;
    let artifact = upload.artifact();
    assert_eq!(artifact.sha256, ABC_SHA256);
    assert_eq!(artifact.sha1, "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_eq!(artifact.md5, "900150983cd24fb0d6963f7d28e17f72");
    assert_eq!(artifact.size_bytes, 3);
    assert_eq!(
        blobs.size_bytes(ABC_SHA256).await.unwrap(),
        None,
        "nothing shows before the end"
    );
    upload.finish().await.unwrap();
    assert_eq!(blobs.size_bytes(ABC_SHA256).await.unwrap(), Some(3));
    assert_eq!(
        put(&blobs, b"").await,
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[tokio::test]
async fn every_part_of_a_blob_is_read_exactly() {
    let (_folder, blobs) = folder();
    let content = content(500_000);
    let sha256 = put(&blobs, &content).await;
    let end = content.len() as u64;
    for range in [
        0..end,
        0..1,
        end - 1..end,
        262_143..262_145,
        262_144..524_288,
        7..1_999_999,
        5..5,
    ] {
        let expected =
            &content[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
        assert!(
            get(&blobs, &sha256, range.clone()).await.unwrap() == expected,
            "{range:?}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_too_short_breaks_the_stream() {
    let (folder, blobs) = folder();
    let content = content(200_000);
    let sha256 = put(&blobs, &content).await;
    let path = folder.path().join("blobs").join(&sha256[..2]).join(&sha256);
    File::options()
        .write(true)
        .open(path)
        .unwrap()
        .set_len(600_000)
        .unwrap();
    let error = get(&blobs, &sha256, 0..content.len() as u64)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(
        get(&blobs, &sha256, 0..600_000).await.unwrap(),
        content[..600_000]
    );

    assert_eq!(put(&blobs, &content).await, sha256);
    assert!(
        get(&blobs, &sha256, 0..content.len() as u64).await.unwrap() == content,
        "an upload mends it"
    );
}

#[tokio::test]
async fn names_that_are_no_address_lead_nowhere() {
    let (folder, blobs) = folder();
    fs::write(folder.path().join("secret"), "secret").unwrap();
    let too_long = format!("{ABC_SHA256}0");
    for name in [
        "",
        "../secret",
        "tmp",
        &ABC_SHA256.to_uppercase(),
        &too_long,
        "é",
        &"/".repeat(64),
    ] {
        assert_eq!(blobs.size_bytes(name).await.unwrap(), None, "{name}");
        assert!(blobs.read(name, 0..1).await.unwrap().is_none(), "{name}");
    }
    assert!(blobs.read(ABC_SHA256, 0..1).await.unwrap().is_none());
}

#[tokio::test]
async fn only_the_portal_may_read_what_it_keeps() {
    let (folder, blobs) = folder();
    let sha256 = put(&blobs, b"abc").await;
    let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let root = folder.path().join("blobs");
    assert_eq!(mode(root.clone()), 0o700);
    assert_eq!(mode(root.join("tmp")), 0o700);
    assert_eq!(mode(root.join(&sha256[..2])), 0o700);
    assert_eq!(mode(root.join(&sha256[..2]).join(&sha256)), 0o600);
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let (folder, blobs) = folder();
    let upload = begin(&blobs, &content(1_000_000)).await;
    assert_eq!(files_below(folder.path()).len(), 1);
    drop(upload);
    assert!(files_below(folder.path()).is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_from_many_sides_are_one_file() {
    let (folder, blobs) = folder();
    let content = content(400_000);
    let mut uploads = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (blobs, content) = (blobs.clone(), content.clone());
        uploads.spawn(async move { put(&blobs, &content).await });
    }
    let mut addresses = uploads.join_all().await;
    addresses.dedup();
    assert_eq!(addresses.len(), 1);
    assert_eq!(files_below(folder.path()).len(), 1);
    assert!(
        get(&blobs, &addresses[0], 0..content.len() as u64)
            .await
            .unwrap()
            == content
    );
}

#[tokio::test]
async fn the_same_bytes_again_make_a_rotten_image_whole() {
    let (folder, blobs) = folder();
    let sha256 = put(&blobs, b"firmware").await;
    let path = folder.path().join("blobs").join(&sha256[..2]).join(&sha256);
    fs::write(&path, "firmwarE").unwrap();
    assert_eq!(put(&blobs, b"firmware").await, sha256);
    assert_eq!(get(&blobs, &sha256, 0..8).await.unwrap(), b"firmware");
}

#[tokio::test]
async fn a_stamp_stays_while_nothing_changes_and_not_longer() {
    let (folder, blobs) = folder();
    let sha256 = put(&blobs, b"firmware").await;
    let path = folder.path().join("blobs").join(&sha256[..2]).join(&sha256);
    let stamp = async || {
        let part = blobs.read(&sha256, 0..1).await.unwrap();
        part.expect("the blob is there").stamp
    };
    let whole = stamp().await;
    assert_eq!(whole.size_bytes, 8);
    get(&blobs, &sha256, 0..8).await.unwrap();
    assert_eq!(stamp().await, whole, "reading changes nothing");

    let written = fs::metadata(&path).unwrap().modified().unwrap();
    // The kernel's clock for this may stand still for a few milliseconds.
    while stamp().await == whole {
        fs::write(&path, "firmwarE").unwrap();
        File::options()
            .write(true)
            .open(&path)
            .and_then(|file| file.set_modified(written))
            .unwrap();
    }
    let rotten = stamp().await;
    assert_eq!((rotten.inode, rotten.size_bytes), (whole.inode, 8));
    put(&blobs, b"firmware").await;
    assert_ne!(stamp().await.inode, rotten.inode, "another file");
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(FileBlobs::open(folder.path().join("file/blobs")).is_err());
}
