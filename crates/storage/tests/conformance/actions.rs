use std::sync::Arc;

use gatehouse_core::ports::{
    Store,
    firmware::DeviceRecord,
    fleet::{ActionRecord, MinuteDelta, Progress},
};
use gatehouse_types::{
    Timestamp,
    firmware::{ReportEntry, ReportState},
    rollout::ActionState,
};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{
        MINUTE_MS, NOW_MS, action, came_to, device, heard, id, some_device, some_project,
        some_release,
    },
};

/// The beginning of the minute in which the stories play.
pub(crate) const THIS_MINUTE_MS: i64 = NOW_MS - NOW_MS % MINUTE_MS;

pub(crate) async fn save(store: &Arc<dyn Store>, word: Progress) {
    store.save_progress(&[word]).await.unwrap();
}

/// A device of a project and a release for it.
pub(crate) async fn device_and_release(store: &Arc<dyn Store>) -> (DeviceRecord, Uuid) {
    let project_id = some_project(store).await;
    let release = some_release(store, project_id, "2.0.0").await;
    (some_device(store, project_id).await, release.id)
}

async fn actions_of(store: &Arc<dyn Store>, device: &DeviceRecord) -> Vec<ActionRecord> {
    let actions = store.device_actions(device.project_id, device.device_id, 9);
    actions.await.unwrap()
}

async fn newest_action(store: &Arc<dyn Store>, device: &DeviceRecord) -> Option<ActionRecord> {
    let found = store.device(device.project_id, device.device_id).await;
    found.unwrap().unwrap().action
}

pub(crate) async fn an_action_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let bare = ActionRecord {
        from_version: None,
        detail: String::new(),
        ..action(&lamp, release_id, ActionState::Pending, NOW_MS)
    };
    let full = ActionRecord {
        attempt: 3,
        progress_percent: Some(100),
        retry_at_ms: Some(NOW_MS + 7),
        deadline_at_ms: Some(NOW_MS + 8),
        finished_at_ms: Some(NOW_MS + 9),
        created_at_ms: NOW_MS + 10,
        ..action(&lamp, release_id, ActionState::RolledBack, NOW_MS + 6)
    };
    for record in [bare, full] {
        let word = Progress {
            actions: vec![record.clone()],
            ..heard(&lamp, NOW_MS)
        };
        save(&store, word.clone()).await;
        assert_eq!(actions_of(&store, &lamp).await, word.actions);
        assert_eq!(newest_action(&store, &lamp).await, Some(record.clone()));
        let listed = store.list_devices(lamp.project_id, None, 9).await.unwrap();
        assert_eq!(listed[0].action, Some(record));
    }
    let (fan, foreign_release_id) = device_and_release(&store).await;
    for nowhere in [id(), foreign_release_id] {
        save(&store, came_to(&lamp, nowhere, ActionState::Failed, NOW_MS)).await;
    }
    assert_eq!(actions_of(&store, &lamp).await.len(), 1);
    assert_eq!(actions_of(&store, &fan).await, []);
}

pub(crate) async fn late_words_change_nothing(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let said = |state, at_ms| Progress {
        current_version: Some(format!("1.0.{}", at_ms - NOW_MS)),
        ..came_to(&lamp, release_id, state, at_ms)
    };
    save(&store, said(ActionState::Installing, NOW_MS + 2)).await;
    let before = store.fleet_device(lamp.project_id, lamp.device_id).await;
    let minutes = store.rollout_minutes(release_id).await.unwrap();
    let fleet_seq = store.fleet_seq().await.unwrap();
    save(&store, said(ActionState::Downloading, NOW_MS + 1)).await;
    let after = store.fleet_device(lamp.project_id, lamp.device_id).await;
    assert_eq!(before.unwrap(), after.unwrap());
    assert_eq!(store.rollout_minutes(release_id).await.unwrap(), minutes);
    let (_, changes) = store.fleet_changes(fleet_seq, 9).await.unwrap();
    assert_eq!(changes, [], "nobody has to look at it again");

    save(&store, said(ActionState::Succeeded, NOW_MS + 2)).await;
    let newest = newest_action(&store, &lamp).await.unwrap();
    assert_eq!(
        newest.state,
        ActionState::Succeeded,
        "at the same time counts"
    );
}

pub(crate) async fn a_later_attempt_replaces_an_earlier_one(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let attempt = |attempt, state, at_ms| Progress {
        actions: vec![ActionRecord {
            attempt,
            ..action(&lamp, release_id, state, at_ms)
        }],
        ..heard(&lamp, at_ms)
    };
    save(&store, attempt(1, ActionState::Failed, NOW_MS + 5)).await;
    let second = attempt(2, ActionState::Pending, NOW_MS);
    save(&store, second.clone()).await;
    assert_eq!(
        actions_of(&store, &lamp).await,
        second.actions,
        "clocks differ"
    );
    save(&store, attempt(1, ActionState::Cancelled, NOW_MS + 9)).await;
    assert_eq!(actions_of(&store, &lamp).await, second.actions);
    let minutes = store.rollout_minutes(release_id).await.unwrap();
    let now = |state, delta| MinuteDelta {
        minute_ms: THIS_MINUTE_MS,
        state,
        delta,
    };
    assert_eq!(minutes, [now(ActionState::Pending, 1)]);
}

pub(crate) async fn what_a_batch_says_twice_is_counted_once(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let words = [
        came_to(&lamp, release_id, ActionState::Installing, NOW_MS + 2),
        came_to(&lamp, release_id, ActionState::Installing, NOW_MS + 3),
        came_to(&lamp, release_id, ActionState::Downloading, NOW_MS + 1),
        came_to(
            &device(lamp.project_id),
            release_id,
            ActionState::Failed,
            NOW_MS,
        ),
    ];
    store.save_progress(&words).await.unwrap();
    store.save_progress(&words).await.unwrap();
    let counts = store.action_counts(release_id, None).await.unwrap();
    assert_eq!(counts, [(ActionState::Installing, 1)]);
    let minutes = store.rollout_minutes(release_id).await.unwrap();
    let installing = MinuteDelta {
        minute_ms: THIS_MINUTE_MS,
        state: ActionState::Installing,
        delta: 1,
    };
    assert_eq!(minutes, [installing]);
    let newest = newest_action(&store, &lamp).await.unwrap();
    assert_eq!(newest.updated_at_ms, NOW_MS + 3);
}

pub(crate) async fn two_portals_writing_at_once_both_get_through(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let project_id = some_project(&store).await;
    let release_id = some_release(&store, project_id, "2.0.0").await.id;
    let mut records = Vec::new();
    for _ in 0..40 {
        records.push(some_device(&store, project_id).await);
    }
    let mut portals = JoinSet::new();
    for portal in 0..4_i64 {
        let store = Arc::clone(&store);
        let mut records = records.clone();
        records.rotate_left(usize::try_from(portal * 10).unwrap());
        portals.spawn(async move {
            for round in 0..10 {
                let state = if portal % 2 == 0 {
                    ActionState::Installing
                } else {
                    ActionState::Downloading
                };
                let at_ms = NOW_MS + round * 10 + portal;
                let words: Vec<Progress> = match round % 3 {
                    0 => records.iter().map(|record| heard(record, at_ms)).collect(),
                    _ => records
                        .iter()
                        .map(|record| came_to(record, release_id, state, at_ms))
                        .collect(),
                };
                store.save_progress(&words).await.unwrap();
                let report = ReportEntry {
                    at: Timestamp(at_ms),
                    version: "2.0.0".into(),
                    state: ReportState::Installing,
                    detail: String::new(),
                };
                let word = heard(&records[0], at_ms);
                assert!(store.insert_report(id(), &word, &report).await.unwrap());
            }
        });
    }
    portals.join_all().await;
    let counts = store.action_counts(release_id, None).await.unwrap();
    assert_eq!(
        counts,
        [(ActionState::Downloading, 40)],
        "the last word is that of the fourth"
    );
    let minutes = store.rollout_minutes(release_id).await.unwrap();
    let downloading = MinuteDelta {
        minute_ms: THIS_MINUTE_MS,
        state: ActionState::Downloading,
        delta: 40,
    };
    assert_eq!(minutes, [downloading]);
}

pub(crate) async fn the_newest_action_is_the_one_named_last(store: Arc<dyn Store>) {
    let (lamp, old) = device_and_release(&store).await;
    let new = some_release(&store, lamp.project_id, "3.0.0").await.id;
    save(
        &store,
        came_to(&lamp, old, ActionState::Downloading, NOW_MS),
    )
    .await;
    let later = action(&lamp, new, ActionState::Pending, NOW_MS + 1);
    let offered = ActionRecord {
        created_at_ms: NOW_MS + 1,
        ..later
    };
    let instead = Progress {
        actions: vec![
            action(&lamp, old, ActionState::Cancelled, NOW_MS + 1),
            offered.clone(),
        ],
        ..heard(&lamp, NOW_MS + 1)
    };
    let report = ReportEntry {
        at: Timestamp(NOW_MS + 1),
        version: "3.0.0".into(),
        state: ReportState::Downloading,
        detail: String::new(),
    };
    assert!(store.insert_report(id(), &instead, &report).await.unwrap());
    assert_eq!(newest_action(&store, &lamp).await, Some(offered.clone()));
    assert_eq!(
        actions_of(&store, &lamp).await,
        [offered.clone(), instead.actions[0].clone()]
    );
    let first = store
        .device_actions(lamp.project_id, lamp.device_id, 1)
        .await;
    assert_eq!(first.unwrap(), instead.actions[1..]);

    save(&store, came_to(&lamp, old, ActionState::Failed, NOW_MS)).await;
    assert_eq!(newest_action(&store, &lamp).await, Some(offered));
}
