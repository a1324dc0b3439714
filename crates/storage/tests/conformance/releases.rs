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
    records::{NOW_MS, artifact, id, release, some_project, some_release},
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
        release_counter: Some(1),
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

async fn stored(store: &Arc<dyn Store>, release: &ReleaseRecord) -> ReleaseRecord {
    let releases = store.load_catalog(NOW_MS).await.unwrap().releases;
    let mut same = releases.into_iter().filter(|row| row.id == release.id);
    same.next().unwrap()
}

/// Brings a release into another state and answers its counter.
async fn counter_as(
    store: &Arc<dyn Store>,
    release: &ReleaseRecord,
    state: ReleaseState,
) -> Option<i64> {
    let before = stored(store, release).await;
    let after = ReleaseRecord {
        state,
        // What the record says is never written.
        release_counter: Some(99),
        ..before.clone()
    };
    assert!(store.update_release(&after, before.state).await.unwrap());
    stored(store, release).await.release_counter
}

pub(crate) async fn each_publication_gets_the_next_counter(store: Arc<dyn Store>) {
    use ReleaseState::{Draft, Published, Withdrawn};
    let (garden, attic) = (some_project(&store).await, some_project(&store).await);
    let one = some_release(&store, garden, "1.0.0").await;
    let two = some_release(&store, garden, "2.0.0").await;
    let elsewhere = some_release(&store, attic, "1.0.0").await;
    assert_eq!(stored(&store, &one).await.release_counter, None);
    for (release, state, counter) in [
        (&two, Draft, None),
        (&two, Published, Some(1)),
        (&one, Published, Some(2)),
        (&two, Published, Some(1)),
        (&two, Withdrawn, Some(1)),
        (&elsewhere, Published, Some(1)),
        (&two, Published, Some(3)),
        (&one, Published, Some(2)),
    ] {
        let is = counter_as(&store, release, state).await;
        assert_eq!(is, counter, "{} {state:?}", release.version);
    }
    let behind = ReleaseRecord {
        state: Published,
        revision: 99,
        ..some_release(&store, garden, "3.0.0").await
    };
    assert!(!store.update_release(&behind, Draft).await.unwrap());
    let four = some_release(&store, garden, "4.0.0").await;
    assert_eq!(
        counter_as(&store, &four, Published).await,
        Some(4),
        "who is behind takes no counter"
    );
}

pub(crate) async fn publications_at_once_get_different_counters(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let garden = some_project(&store).await;
    let mut writers = JoinSet::new();
    for number in 0..12 {
        let release = some_release(&store, garden, &format!("{number}.0.0")).await;
        let store = Arc::clone(&store);
        writers.spawn(async move { counter_as(&store, &release, ReleaseState::Published).await });
    }
    let counters: BTreeSet<_> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(counters, (1..=12).collect());
}

pub(crate) async fn an_image_from_before_gets_its_checksum(store: Arc<dyn Store>) {
    let garden = some_project(&store).await;
    let mut old = release(garden, "1.0.0", 1);
    old.artifact.crc32 = None;
    store.insert_release(&old).await.unwrap();
    let other = release(garden, "2.0.0", 2);
    store.insert_release(&other).await.unwrap();
    assert_eq!(stored(&store, &old).await.artifact.crc32, None);
    let seen = store.change_seq().await.unwrap();
    let sha256 = &old.artifact.sha256;
    store.keep_crc32(sha256, u32::MAX).await.unwrap();
    assert!(
        store.change_seq().await.unwrap() > seen,
        "others must notice"
    );
    assert_eq!(stored(&store, &old).await.artifact.crc32, Some(u32::MAX));
    assert_eq!(
        stored(&store, &other).await.artifact.crc32,
        other.artifact.crc32
    );
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
