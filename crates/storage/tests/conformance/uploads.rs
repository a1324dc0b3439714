//! Uploads that outlive their connections.

use std::sync::Arc;

use gatehouse_core::ports::{Store, uploads::UploadRecord};
use tokio::task::JoinSet;

use crate::{
    databases::warm_up,
    records::{MINUTE_MS, NOW_MS, id, some_owner, some_project},
};

async fn some_upload(store: &Arc<dyn Store>) -> UploadRecord {
    UploadRecord {
        id: id(),
        project_id: some_project(store).await,
        user_id: some_owner(store, &format!("{}@example.com", id())).await,
        version: "1.2.0".into(),
        file_name: "lamp.bin".into(),
        promised_sha256: Some([3; 32]),
        size_bytes: 1000,
        offset_bytes: 0,
        created_at_ms: NOW_MS,
        last_byte_at_ms: NOW_MS,
        finished_at_ms: None,
    }
}

async fn insert(store: &Arc<dyn Store>, upload: &UploadRecord) {
    assert!(store.insert_upload(upload, None).await.unwrap());
}

pub(crate) async fn an_upload_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let promised = some_upload(&store).await;
    insert(&store, &promised).await;
    assert_eq!(
        store.upload(promised.id).await.unwrap(),
        Some(promised.clone())
    );
    let free = UploadRecord {
        id: id(),
        promised_sha256: None,
        ..promised
    };
    insert(&store, &free).await;
    assert_eq!(store.upload(free.id).await.unwrap(), Some(free.clone()));
    assert!(store.remove_upload(free.id).await.unwrap());
    assert!(!store.remove_upload(free.id).await.unwrap());
    assert_eq!(store.upload(free.id).await.unwrap(), None);
}

pub(crate) async fn an_upload_moves_on_until_it_is_a_release(store: Arc<dyn Store>) {
    let upload = some_upload(&store).await;
    insert(&store, &upload).await;
    let later_ms = NOW_MS + MINUTE_MS;
    assert!(
        store
            .advance_upload(upload.id, 700, later_ms)
            .await
            .unwrap()
    );
    let now = store.upload(upload.id).await.unwrap().unwrap();
    assert_eq!((now.offset_bytes, now.last_byte_at_ms), (700, later_ms));
    assert_eq!(store.running_uploads().await.unwrap(), [upload.id]);

    assert!(store.finish_upload(upload.id, later_ms).await.unwrap());
    assert!(!store.finish_upload(upload.id, later_ms + 1).await.unwrap());
    assert!(
        !store
            .advance_upload(upload.id, 800, later_ms)
            .await
            .unwrap()
    );
    let done = store.upload(upload.id).await.unwrap().unwrap();
    assert_eq!(
        (done.offset_bytes, done.finished_at_ms),
        (700, Some(later_ms))
    );
    assert!(store.running_uploads().await.unwrap().is_empty());
    assert!(!store.advance_upload(id(), 1, later_ms).await.unwrap());
}

pub(crate) async fn uploads_without_a_byte_for_long_are_found(store: Arc<dyn Store>) {
    let old = some_upload(&store).await;
    insert(&store, &old).await;
    let finished = UploadRecord {
        id: id(),
        finished_at_ms: Some(NOW_MS),
        ..old.clone()
    };
    insert(&store, &finished).await;
    let fresh = UploadRecord {
        id: id(),
        last_byte_at_ms: NOW_MS + 1,
        ..old.clone()
    };
    insert(&store, &fresh).await;
    let idle = async |before_ms, limit| store.idle_uploads(before_ms, limit).await.unwrap();
    assert!(idle(NOW_MS, 10).await.is_empty());
    assert_eq!(idle(NOW_MS + 1, 10).await, [old.id, finished.id]);
    assert_eq!(idle(NOW_MS + 2, 1).await, [old.id]);
}

pub(crate) async fn of_twenty_uploads_at_once_as_many_begin_as_fit(store: Arc<dyn Store>) {
    let upload = some_upload(&store).await;
    let elsewhere = some_upload(&store).await;
    insert(&store, &elsewhere).await;
    warm_up(&store).await;
    let mut wishes = JoinSet::new();
    for _ in 0..20 {
        let wish = UploadRecord {
            id: id(),
            ..upload.clone()
        };
        let store = Arc::clone(&store);
        wishes.spawn(async move { store.insert_upload(&wish, Some(7999)).await.unwrap() });
    }
    let begun = wishes.join_all().await;
    assert_eq!(begun.iter().filter(|is_begun| **is_begun).count(), 7);
    let running = async || store.running_upload_bytes(upload.project_id).await.unwrap();
    assert_eq!(running().await, 7000);
    let one = store.running_uploads().await.unwrap();
    let one = one.into_iter().find(|id| *id != elsewhere.id).unwrap();
    store.finish_upload(one, NOW_MS).await.unwrap();
    assert_eq!(running().await, 6000, "a release is counted as one");
}
