use std::sync::Arc;

use gatehouse_core::ports::{Store, project_keys::ProjectKeyRecord};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{NOW_MS, id, project, project_key, some_project},
};

async fn keys_of(store: &Arc<dyn Store>, project_id: Uuid) -> Vec<ProjectKeyRecord> {
    let keys = store.load_catalog(NOW_MS).await.unwrap().project_keys;
    let of_project = keys.into_iter().filter(|key| key.project_id == project_id);
    of_project.collect()
}

pub(crate) async fn keys_come_back_the_oldest_first(store: Arc<dyn Store>) {
    let garden = project("garden");
    let first = project_key(garden.id);
    store.insert_project(&garden, &first).await.unwrap();
    some_project(&store).await;
    let seen = store.change_seq().await.unwrap();
    let second = ProjectKeyRecord {
        // Its id would come first.
        id: Uuid::nil(),
        created_at_ms: NOW_MS + 1,
        ..project_key(garden.id)
    };
    assert!(store.add_project_key(&second, 1).await.unwrap());
    assert!(
        store.change_seq().await.unwrap() > seen,
        "others must notice"
    );
    assert_eq!(keys_of(&store, garden.id).await, [first, second]);
}

pub(crate) async fn of_twenty_new_keys_at_once_one_is_taken(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let garden = some_project(&store).await;
    let mut writers = JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            let key = project_key(garden);
            store.add_project_key(&key, 1).await.unwrap()
        });
    }
    let taken = writers.join_all().await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
    assert_eq!(keys_of(&store, garden).await.len(), 2);
}

pub(crate) async fn a_project_keeps_one_key_as_long_as_it_lives(store: Arc<dyn Store>) {
    let garden = project("garden");
    let first = project_key(garden.id);
    store.insert_project(&garden, &first).await.unwrap();
    assert!(!store.retire_project_key(first.id, NOW_MS).await.unwrap());
    assert!(!store.retire_project_key(id(), NOW_MS).await.unwrap());

    let second = project_key(garden.id);
    assert!(store.add_project_key(&second, 1).await.unwrap());
    let (one, other) = tokio::join!(
        store.retire_project_key(first.id, NOW_MS),
        store.retire_project_key(second.id, NOW_MS)
    );
    assert!(one.unwrap() ^ other.unwrap(), "not both at once");
    let left = keys_of(&store, garden.id).await;
    assert_eq!(left.len(), 1);

    let third = project_key(garden.id);
    assert!(store.add_project_key(&third, 1).await.unwrap());
    assert!(store.remove_project(garden.id, NOW_MS).await.unwrap());
    assert!(keys_of(&store, garden.id).await.is_empty());
    assert!(
        !store.retire_project_key(third.id, NOW_MS).await.unwrap(),
        "it ended with its project"
    );
    let late = project_key(garden.id);
    for in_force in 0..3 {
        assert!(!store.add_project_key(&late, in_force).await.unwrap());
    }
}
