use std::sync::Arc;

use gatehouse_core::ports::{
    Store,
    firmware::DeviceRecord,
    fleet::{ActionRecord, EventRecord, GroupStanding, MinuteDelta, Progress},
};
use gatehouse_types::rollout::ActionState;

use crate::{
    actions::{THIS_MINUTE_MS, device_and_release, save},
    records::{MINUTE_MS, NOW_MS, action, came_to, device, heard, id, some_device, some_release},
};

pub(crate) async fn minutes_tell_how_a_rollout_came_along(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let fan = some_device(&store, lamp.project_id).await;
    let (early_ms, late_ms) = (NOW_MS, NOW_MS + 2 * MINUTE_MS);
    for (record, state, at_ms) in [
        (&lamp, ActionState::Downloading, early_ms),
        (&fan, ActionState::Downloading, early_ms),
        (&lamp, ActionState::Installing, early_ms + 1),
        (&lamp, ActionState::Installing, early_ms + 2),
        (&lamp, ActionState::Succeeded, late_ms),
    ] {
        save(&store, came_to(record, release_id, state, at_ms)).await;
    }
    let told = |minute_ms, state, delta| MinuteDelta {
        minute_ms,
        state,
        delta,
    };
    let later_minute_ms = THIS_MINUTE_MS + 2 * MINUTE_MS;
    let mut expected = vec![
        told(THIS_MINUTE_MS, ActionState::Downloading, 1),
        told(THIS_MINUTE_MS, ActionState::Installing, 1),
        told(later_minute_ms, ActionState::Installing, -1),
        told(later_minute_ms, ActionState::Succeeded, 1),
    ];
    assert_eq!(store.rollout_minutes(release_id).await.unwrap(), expected);
    assert_eq!(store.rollout_minutes(id()).await.unwrap(), []);

    let much_later_ms = NOW_MS + 9 * MINUTE_MS;
    let removed = store.remove_device(fan.project_id, fan.device_id, much_later_ms);
    assert!(removed.await.unwrap());
    let left = told(THIS_MINUTE_MS + 9 * MINUTE_MS, ActionState::Downloading, -1);
    expected.push(left);
    assert_eq!(store.rollout_minutes(release_id).await.unwrap(), expected);
}

pub(crate) async fn a_timeline_is_read_newest_first(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let fan = some_device(&store, lamp.project_id).await;
    let line = |state, at_ms| EventRecord {
        id: id(),
        release_id,
        attempt: 2,
        at_ms,
        state,
        detail: "\"out of flash\" 🐌".into(),
    };
    let lines = vec![
        line(ActionState::Pending, NOW_MS),
        line(ActionState::Downloading, NOW_MS + 1),
        line(ActionState::Failed, NOW_MS + 2),
    ];
    let word = |record, events| Progress {
        events,
        ..heard(record, NOW_MS)
    };
    let words = [
        word(&lamp, lines[..2].to_vec()),
        word(&lamp, lines[2..].to_vec()),
        word(&fan, vec![line(ActionState::Pending, NOW_MS)]),
        word(
            &device(lamp.project_id),
            vec![line(ActionState::Pending, NOW_MS)],
        ),
    ];
    store.save_progress(&words).await.unwrap();
    store.save_progress(&words).await.unwrap();
    let read = async |limit| {
        let events = store.action_events(lamp.project_id, lamp.device_id, limit);
        events.await.unwrap()
    };
    let newest_first: Vec<EventRecord> = lines.into_iter().rev().collect();
    assert_eq!(read(9).await, newest_first);
    assert_eq!(read(1).await, newest_first[..1]);
}

pub(crate) async fn actions_of_a_release_are_counted_and_paged(store: Arc<dyn Store>) {
    let (first, release_id) = device_and_release(&store).await;
    let other_release = some_release(&store, first.project_id, "3.0.0").await.id;
    let mut expected = Vec::new();
    for (number, state) in (0..).zip([
        ActionState::Failed,
        ActionState::Succeeded,
        ActionState::Downloading,
        ActionState::Failed,
    ]) {
        let record = some_device(&store, first.project_id).await;
        let word = came_to(&record, release_id, state, NOW_MS + number);
        expected.extend(word.actions.clone());
        save(&store, word).await;
        save(
            &store,
            came_to(&record, other_release, ActionState::Failed, NOW_MS),
        )
        .await;
    }
    let counts = async |since_ms| store.action_counts(release_id, since_ms).await.unwrap();
    let (downloading, failed, succeeded) = (
        ActionState::Downloading,
        ActionState::Failed,
        ActionState::Succeeded,
    );
    assert_eq!(
        counts(None).await,
        [(downloading, 1), (failed, 2), (succeeded, 1)]
    );
    assert_eq!(counts(Some(NOW_MS)).await, [(failed, 1), (succeeded, 1)]);
    assert_eq!(counts(Some(NOW_MS + 3)).await, []);

    let page = async |state, after: Option<&ActionRecord>, limit| {
        let after = after.map(|action| action.device_id);
        let actions = store.release_actions(release_id, state, after, limit);
        actions.await.unwrap()
    };
    assert_eq!(page(None, None, 3).await, expected[..3]);
    assert_eq!(page(None, Some(&expected[2]), 9).await, expected[3..]);
    assert_eq!(page(Some(failed), None, 1).await, expected[..1]);
    assert_eq!(
        page(Some(failed), Some(&expected[0]), 9).await,
        expected[3..]
    );
    assert_eq!(page(Some(ActionState::Cancelled), None, 9).await, []);
}

/// Otherwise an admin who lets devices try again would halt the rollout with it.
pub(crate) async fn what_may_try_again_is_not_counted_as_failed_anew(store: Arc<dyn Store>) {
    let (device, release_id) = device_and_release(&store).await;
    let failed = ActionState::Failed;
    let mut word = came_to(&device, release_id, failed, NOW_MS);
    word.actions[0].retry_at_ms = Some(NOW_MS + 60_000);
    save(&store, word.clone()).await;
    let since = |since_ms| store.action_counts(release_id, Some(since_ms));
    assert_eq!(since(NOW_MS - 1).await.unwrap(), [(failed, 1)]);
    let forgiven = &mut word.actions[0];
    forgiven.updated_at_ms = NOW_MS + 9;
    forgiven.finished_at_ms = Some(NOW_MS + 9);
    forgiven.retry_at_ms = Some(NOW_MS + 9);
    save(&store, word).await;
    assert_eq!(since(NOW_MS - 1).await.unwrap(), []);
    let counts = store.action_counts(release_id, None).await.unwrap();
    assert_eq!(counts, [(failed, 1)], "the chart shows it");
}

pub(crate) async fn overdue_actions_are_found_oldest_first(store: Arc<dyn Store>) {
    let (lamp, release_id) = device_and_release(&store).await;
    let mut overdue = Vec::new();
    for (state, deadline_at_ms) in [
        (ActionState::Installing, Some(NOW_MS)),
        (ActionState::Downloading, Some(NOW_MS - 1)),
        (ActionState::Downloading, Some(NOW_MS + 1)),
        (ActionState::Failed, Some(NOW_MS - 2)),
        (ActionState::Pending, None),
    ] {
        let record = some_device(&store, lamp.project_id).await;
        let begun = ActionRecord {
            deadline_at_ms,
            ..action(&record, release_id, state, NOW_MS - 9)
        };
        let word = Progress {
            actions: vec![begun.clone()],
            ..heard(&record, NOW_MS)
        };
        save(&store, word).await;
        overdue.push(begun);
    }
    overdue.swap(0, 1);
    assert_eq!(
        store.overdue_actions(NOW_MS, 9).await.unwrap(),
        overdue[..2]
    );
    assert_eq!(
        store.overdue_actions(NOW_MS, 1).await.unwrap(),
        overdue[..1]
    );
    assert_eq!(store.overdue_actions(NOW_MS - 2, 9).await.unwrap(), []);
}

pub(crate) async fn a_group_stands_as_its_devices_do(store: Arc<dyn Store>) {
    let (elder, release_id) = device_and_release(&store).await;
    let project_id = elder.project_id;
    let member = async |version: Option<&str>, state: Option<ActionState>, at_ms, group: &str| {
        let record = DeviceRecord {
            group_name: group.into(),
            ..device(project_id)
        };
        store.insert_device(&record).await.unwrap();
        let actions = state.map(|state| action(&record, release_id, state, at_ms));
        let word = Progress {
            current_version: version.map(Into::into),
            actions: actions.into_iter().collect(),
            ..heard(&record, at_ms)
        };
        save(&store, word).await;
    };
    let (now, group) = (NOW_MS, "barn");
    member(Some("1.0.0"), None, now, group).await;
    member(Some("1.0.0"), Some(ActionState::Installing), now, group).await;
    member(Some("2.0.0"), None, now, group).await;
    member(Some("2.0.0"), Some(ActionState::Failed), now, group).await;
    member(Some("1.0.0"), Some(ActionState::Succeeded), now, group).await;
    member(Some("1.0.0"), Some(ActionState::RolledBack), now, group).await;
    member(None, Some(ActionState::Cancelled), now, group).await;
    member(None, Some(ActionState::Failed), now, group).await;
    member(Some("2.0.0"), None, now - 1, group).await;
    member(Some("2.0.0"), None, now, "shed").await;
    let stands = async |group: &str, since_ms| {
        let (version, published_at_ms) = ("2.0.0", NOW_MS + 1);
        let standing = store.group_standing(
            project_id,
            group,
            release_id,
            version,
            since_ms,
            published_at_ms,
        );
        standing.await.unwrap()
    };
    let expected = GroupStanding {
        devices: 9,
        heard_of: 8,
        succeeded: 3,
        given_up: 1,
    };
    assert_eq!(stands(group, now).await, expected);
    let with_the_old_one = GroupStanding {
        devices: 9,
        heard_of: 9,
        succeeded: 4,
        given_up: 1,
    };
    assert_eq!(stands(group, now - 1).await, with_the_old_one);
    assert_eq!(stands("early", 0).await.heard_of, 0, "never heard of");
    let standing = store.group_standing(project_id, group, release_id, "2.0.0", now - 1, now - 1);
    let (counted, all) = (standing.await.unwrap().heard_of, 9);
    assert_eq!(
        counted,
        all - 1,
        "heard of since the publication and offered nothing: it may not have the release"
    );
}
