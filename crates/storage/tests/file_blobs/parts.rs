//! Uploads that outlive their connections.

use bytes::Bytes;
use futures_util::TryStreamExt;
use gatehouse_core::ports::blobs::{BlobPart, Blobs};
use gatehouse_storage::FileBlobs;
use uuid::Uuid;

use super::{content, files_below, folder, get, put};

pub(crate) async fn open(blobs: &FileBlobs, id: Uuid) -> Box<dyn BlobPart> {
    blobs.open_part(id).await.unwrap().expect("nobody has it")
}

pub(crate) async fn append(blobs: &FileBlobs, id: Uuid, content: &[u8]) {
    let mut part = open(blobs, id).await;
    for chunk in content.chunks(100_000) {
        part.append(Bytes::copy_from_slice(chunk)).await.unwrap();
    }
    part.save().await.unwrap();
}

/// Reads the part once more, as the portal does when all of it has come.
async fn complete(blobs: &FileBlobs, id: Uuid) -> String {
    let (mut upload, mut bytes) = open(blobs, id).await.reread().await.unwrap();
    while let Some(chunk) = bytes.try_next().await.unwrap() {
        upload.write(chunk).await.unwrap();
    }
    let sha256 = upload.artifact().sha256;
    upload.finish().await.unwrap();
    sha256
}

#[tokio::test]
async fn a_part_grows_over_many_visits_and_becomes_a_blob() {
    let (folder, blobs) = folder();
    let (content, id) = (content(800_000), Uuid::from_u128(7));
    for piece in content.chunks(1_300_001) {
        append(&blobs, id, piece).await;
    }
    assert_eq!(blobs.part_bytes(id).await.unwrap(), content.len() as u64);
    assert_eq!(blobs.parts().await.unwrap(), [id]);
    let sha256 = complete(&blobs, id).await;
    assert_eq!(sha256, put(&blobs, &content).await, "the same address");
    assert_eq!(complete(&blobs, id).await, sha256, "also after a crash");
    assert_eq!(
        complete(&blobs, id).await,
        sha256,
        "where nothing is to be moved"
    );
    assert_eq!(files_below(folder.path()).len(), 2, "the part stays");
    blobs.remove_part(id).await.unwrap();
    blobs.remove_part(id).await.unwrap();
    assert_eq!(blobs.part_bytes(id).await.unwrap(), 0);
    assert_eq!(files_below(folder.path()).len(), 1);
    assert!(get(&blobs, &sha256, 0..content.len() as u64).await.unwrap() == content);
}

#[tokio::test]
async fn a_part_is_open_once_and_its_tail_can_be_cut_away() {
    let (_folder, blobs) = folder();
    let id = Uuid::from_u128(7);
    let mut part = open(&blobs, id).await;
    assert!(blobs.open_part(id).await.unwrap().is_none());
    part.append(Bytes::from_static(b"firmw???")).await.unwrap();
    assert_eq!(part.cut(5).await.unwrap(), 5);
    part.append(Bytes::from_static(b"are")).await.unwrap();
    part.save().await.unwrap();
    drop(part);
    let mut part = open(&blobs, id).await;
    assert_eq!(part.cut(1000).await.unwrap(), 8, "nothing is made up");
    drop(part);
    let sha256 = complete(&blobs, id).await;
    assert_eq!(get(&blobs, &sha256, 0..8).await.unwrap(), b"firmware");
}
