use std::{collections::BTreeSet, sync::Arc};

use gatehouse_core::ports::{Store, StoreError, firmware::ReleaseRecord};
use gatehouse_types::{
    Timestamp,
    firmware::ReleaseState,
    image::{ImageFacts, ImageKind},
    rollout::{Approval, Channel, Halt, HourWindow, Rollout, RolloutPlan},
};
use tokio::task::JoinSet;

use crate::{
    databases::warm_up,
    records::{NOW_MS, artifact, id, release, some_project},
};

pub(crate) async fn a_release_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let first = release(project_id, "1.0.0", 1);
    let second = ReleaseRecord {
        version: "v01.01.00".into(),
        version_key: "1.1.0".into(),
        state: ReleaseState::Withdrawn,
        notes: "Says \"hello\" 🦉\n".into(),
        number: 2,
        image: Some(ImageFacts::plain(ImageKind::Rauc)),
        channel: Channel::Beta,
        min_version: Some("0.9.0".into()),
        allow_downgrade: true,
        rollout: narrow_rollout(),
        approval: agreed(),
        published_at_ms: Some(NOW_MS + 1),
        withdrawn_at_ms: Some(NOW_MS + 2),
        ..release(project_id, "1.1.0", 2)
    };
    let same_bytes = release(some_project(&store).await, "1.0.0", 1);
    for record in [&first, &second, &same_bytes] {
        store.insert_release(record).await.unwrap();
    }
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        [first, second, same_bytes]
    );
    let addresses = store.artifact_addresses().await.unwrap();
    assert_eq!(addresses, [artifact(1).sha256, artifact(2).sha256]);

    let mut nonsense = release(project_id, "2.0.0", 3);
    nonsense.artifact.sha256 = "not hex".into();
    assert!(matches!(
        store.insert_release(&nonsense).await,
        Err(StoreError::Broken(_))
    ));
}

pub(crate) async fn version_and_file_name_are_unique_in_a_project(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let first = release(project_id, "1.0.0", 1);
    store.insert_release(&first).await.unwrap();
    let same_version = ReleaseRecord {
        file_name: "other.bin".into(),
        ..release(project_id, "1.0.0", 2)
    };
    let same_file = ReleaseRecord {
        file_name: first.file_name.clone(),
        ..release(project_id, "1.0.1", 3)
    };
    for taken in [same_version, same_file] {
        assert!(matches!(
            store.insert_release(&taken).await,
            Err(StoreError::Taken)
        ));
    }
    assert_eq!(
        store.artifact_addresses().await.unwrap(),
        [artifact(1).sha256]
    );
    assert_eq!(store.load_catalog(NOW_MS).await.unwrap().releases, [first]);
}

pub(crate) async fn a_release_changes_from_the_state_it_is_in(store: Arc<dyn Store>) {
    let draft = release(some_project(&store).await, "1.0.0", 1);
    store.insert_release(&draft).await.unwrap();
    let published = ReleaseRecord {
        state: ReleaseState::Published,
        notes: "Faster".into(),
        image: Some(ImageFacts::plain(ImageKind::Opaque)),
        channel: Channel::Beta,
        min_version: Some("0.9.0".into()),
        allow_downgrade: true,
        rollout: narrow_rollout(),
        approval: agreed(),
        published_at_ms: Some(NOW_MS),
        ..draft
    };
    assert!(
        !store
            .update_release(&published, ReleaseState::Withdrawn)
            .await
            .unwrap()
    );
    assert!(
        store
            .update_release(&published, ReleaseState::Draft)
            .await
            .unwrap()
    );
    assert!(
        !store
            .update_release(&published, ReleaseState::Published)
            .await
            .unwrap(),
        "whoever knows an older one changes nothing"
    );
    let published = ReleaseRecord {
        revision: 1,
        ..published
    };
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        std::slice::from_ref(&published)
    );

    let withdrawn = ReleaseRecord {
        state: ReleaseState::Withdrawn,
        withdrawn_at_ms: Some(NOW_MS),
        ..published
    };
    let (one, other) = tokio::join!(
        store.update_release(&withdrawn, ReleaseState::Published),
        store.update_release(&withdrawn, ReleaseState::Published)
    );
    assert!(one.unwrap() ^ other.unwrap());
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        [ReleaseRecord {
            revision: 2,
            ..withdrawn
        }]
    );
}

pub(crate) async fn releases_are_numbered_in_their_project(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let (garden, attic) = (some_project(&store).await, some_project(&store).await);
    let mut writers = JoinSet::new();
    for content in 1..=12 {
        let project_id = if content % 4 == 0 { attic } else { garden };
        let image = release(project_id, &format!("1.0.{content}"), content);
        let store = Arc::clone(&store);
        writers.spawn(async move { store.insert_release(&image).await.unwrap() });
    }
    writers.join_all().await;
    let releases = store.load_catalog(NOW_MS).await.unwrap().releases;
    let numbers = |project_id| {
        let of_project = releases
            .iter()
            .filter(|release| release.project_id == project_id);
        of_project
            .map(|release| release.number)
            .collect::<BTreeSet<i64>>()
    };
    assert_eq!(numbers(garden), (1..=9).collect());
    assert_eq!(numbers(attic), (1..=3).collect());
}

/// A rollout of which every member is worth writing down.
fn narrow_rollout() -> Rollout {
    Rollout {
        plan: RolloutPlan {
            percent: 7,
            groups: vec!["early 🐦".into(), String::new()],
            paused: true,
            error_threshold_percent: None,
            starts_at: Some(Timestamp(NOW_MS)),
            window: Some(HourWindow {
                from_hour: 22,
                to_hour: 6,
            }),
            deadline_minutes: Some(90),
        },
        groups_done: 1,
        halted: Some(Halt {
            at: Timestamp(NOW_MS + 5),
            failed: 3,
            finished: 9,
        }),
        resumed_at: Some(Timestamp(NOW_MS + 6)),
    }
}

fn agreed() -> Approval {
    Approval {
        requested_by: Some(id()),
        requested_by_email: Some("anna@example.org".into()),
        requested_at: Some(Timestamp(NOW_MS + 1)),
        approved_by: Some(id()),
        approved_by_email: Some("system".into()),
        approved_at: Some(Timestamp(NOW_MS + 2)),
    }
}

pub(crate) async fn only_drafts_are_deleted(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let draft = release(project_id, "1.0.0", 1);
    let twin = release(some_project(&store).await, "1.0.0", 1);
    let published = ReleaseRecord {
        state: ReleaseState::Published,
        ..release(project_id, "2.0.0", 2)
    };
    for record in [&draft, &twin, &published] {
        store.insert_release(record).await.unwrap();
    }
    assert!(!store.delete_draft(published.id).await.unwrap());
    assert!(store.delete_draft(draft.id).await.unwrap());
    assert!(!store.delete_draft(draft.id).await.unwrap());
    let addresses = store.artifact_addresses().await.unwrap();
    assert_eq!(
        addresses,
        [artifact(1).sha256, artifact(2).sha256],
        "the twin still names the bytes"
    );
    assert!(store.delete_draft(twin.id).await.unwrap());
    assert_eq!(
        store.artifact_addresses().await.unwrap(),
        [artifact(2).sha256]
    );
    store
        .insert_release(&ReleaseRecord { id: id(), ..draft })
        .await
        .unwrap();
}
