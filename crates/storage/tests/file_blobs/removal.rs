//! What goes from the folder, and what is spared.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
};

use bytes::Bytes;
use gatehouse_core::ports::blobs::Blobs;
use uuid::Uuid;

use super::{
    begin, files_below, folder, get,
    parts::{append, open},
    put,
};

#[tokio::test]
async fn a_sweep_spares_what_is_named_and_what_is_under_way() {
    let (folder, blobs) = folder();
    let named = put(&blobs, b"named").await;
    let orphan = put(&blobs, b"orphan").await;
    let mut under_way = begin(&blobs, b"under ").await;
    fs::write(folder.path().join("blobs/tmp/left-by-a-crash"), "half").unwrap();

    assert_eq!(
        blobs
            .sweep(std::slice::from_ref(&named), i64::MAX)
            .await
            .unwrap(),
        2
    );
    assert_eq!(blobs.size_bytes(&orphan).await.unwrap(), None);
    assert_eq!(blobs.size_bytes(&named).await.unwrap(), Some(5));
    under_way.write(Bytes::from_static(b"way")).await.unwrap();
    let sha256 = under_way.artifact().sha256;
    under_way.finish().await.unwrap();
    assert_eq!(get(&blobs, &sha256, 0..9).await.unwrap(), b"under way");
    assert_eq!(files_below(folder.path()).len(), 2);
}

#[tokio::test]
async fn a_sweep_spares_what_was_touched_a_moment_ago() {
    let (folder, blobs) = folder();
    put(&blobs, b"about to be named").await;
    fs::write(folder.path().join("blobs/tmp/12-3"), "not locked yet").unwrap();
    let facts = folder.path().metadata().unwrap();
    let before_ms = facts.ctime() * 1000 - 1;
    assert_eq!(blobs.sweep(&["ab".repeat(32)], before_ms).await.unwrap(), 0);
    assert_eq!(files_below(folder.path()).len(), 2);
}

#[tokio::test]
async fn nobody_removes_blobs_while_somebody_is_about_to_name_one() {
    let (folder, blobs) = folder();
    let first = blobs.lock_to_add().await.unwrap();
    let second = blobs.lock_to_add().await.unwrap();
    // As another instance of the portal would try it.
    let elsewhere = File::open(folder.path().join("blobs/lock")).unwrap();
    drop(first);
    assert!(elsewhere.try_lock().is_err(), "one still adds");
    drop(second);
    elsewhere.try_lock().unwrap();
    elsewhere.unlock().unwrap();
    let remover = blobs.lock_to_remove().await.unwrap();
    assert!(elsewhere.try_lock_shared().is_err(), "one removes");
    drop(remover);
    elsewhere.try_lock_shared().unwrap();
}

#[tokio::test]
async fn a_blob_is_removed_by_its_address_and_nothing_else_is() {
    let (folder, blobs) = folder();
    let (wrong, right) = (put(&blobs, b"wrong").await, put(&blobs, b"right").await);
    for _ in 0..2 {
        blobs.remove(&wrong).await.unwrap();
    }
    fs::write(folder.path().join("blobs/note"), "somebody else's").unwrap();
    blobs.remove("note").await.unwrap();
    blobs.remove("../blobs/note").await.unwrap();
    assert_eq!(blobs.size_bytes(&wrong).await.unwrap(), None);
    assert_eq!(blobs.size_bytes(&right).await.unwrap(), Some(5));
    assert_eq!(files_below(folder.path()).len(), 2);
}

#[tokio::test]
async fn a_sweep_spares_the_parts_that_it_is_told() {
    let (folder, blobs) = folder();
    let (running, forgotten) = (Uuid::from_u128(1), Uuid::from_u128(2));
    append(&blobs, running, b"running").await;
    append(&blobs, forgotten, b"forgotten").await;
    let _open = open(&blobs, Uuid::from_u128(3)).await;
    fs::write(folder.path().join("blobs/tmp/12-3"), "left by a crash").unwrap();
    assert_eq!(
        blobs.sweep(&[running.to_string()], i64::MAX).await.unwrap(),
        2
    );
    let mut left = blobs.parts().await.unwrap();
    left.sort();
    assert_eq!(left, [running, Uuid::from_u128(3)]);
}

#[tokio::test]
async fn a_sweep_leaves_alone_what_is_not_ours() {
    let (folder, blobs) = folder();
    let root = folder.path().join("blobs");
    for strange in [
        "keys/secret.bin",
        "ab/notes.txt",
        "lost+found/x",
        "ab/0.part",
    ] {
        fs::create_dir_all(root.join(strange).parent().unwrap()).unwrap();
        fs::write(root.join(strange), "somebody else's").unwrap();
    }
    assert_eq!(blobs.sweep(&["ab".repeat(32)], i64::MAX).await.unwrap(), 0);
    assert_eq!(files_below(folder.path()).len(), 4);
}
