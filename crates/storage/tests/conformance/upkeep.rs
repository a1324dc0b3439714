use std::sync::Arc;

use gatehouse_core::ports::{
    Store,
    firmware::{DeviceRecord, DeviceTokenRecord, TokenFilter},
    fleet::{EventRecord, FleetChange, Progress},
};
use gatehouse_types::{
    Timestamp,
    firmware::{ReportEntry, ReportState},
    rollout::ActionState,
};
use uuid::Uuid;

use crate::records::{
    MINUTE_MS, NOW_MS, came_to, heard, id, some_device, some_owner, some_project, some_release,
    token,
};

/// An id as the portal makes it at this moment.
fn id_of(at_ms: i64) -> Uuid {
    let random = id().as_bytes()[6..].try_into().unwrap();
    uuid::Builder::from_unix_timestamp_millis(at_ms.unsigned_abs(), &random).into_uuid()
}

async fn lone_device(store: &Arc<dyn Store>) -> DeviceRecord {
    some_device(store, some_project(store).await).await
}

/// Reports at each of these moments; the version tells which one it was.
async fn report(store: &Arc<dyn Store>, device: &DeviceRecord, moments_ms: &[i64]) {
    for at_ms in moments_ms {
        let sighting = heard(device, *at_ms);
        let entry = ReportEntry {
            at: Timestamp(*at_ms),
            version: "1.0.0".into(),
            state: ReportState::Succeeded,
            detail: String::new(),
        };
        let kept = store.insert_report(id_of(*at_ms), &sighting, &entry).await;
        assert!(kept.unwrap());
    }
}

async fn reported_ms(store: &Arc<dyn Store>, device: &DeviceRecord) -> Vec<i64> {
    let reports = store.list_reports(device.project_id, device.device_id, 1000);
    reports
        .await
        .unwrap()
        .iter()
        .map(|entry| entry.at.0)
        .collect()
}

pub(crate) async fn old_reports_go_a_batch_at_a_time(store: Arc<dyn Store>) {
    let (one, other) = (&lone_device(&store).await, &lone_device(&store).await);
    report(&store, one, &[NOW_MS - 3, NOW_MS - 1, NOW_MS, NOW_MS + 1]).await;
    report(&store, other, &[NOW_MS - 2, NOW_MS + 2]).await;
    assert_eq!(store.prune_old_reports(NOW_MS, 2).await.unwrap(), 2);
    assert_eq!(
        reported_ms(&store, one).await,
        [NOW_MS + 1, NOW_MS, NOW_MS - 1],
        "the oldest first"
    );
    assert_eq!(store.prune_old_reports(NOW_MS, 2).await.unwrap(), 1);
    assert_eq!(store.prune_old_reports(NOW_MS, 2).await.unwrap(), 0);
    assert_eq!(reported_ms(&store, one).await, [NOW_MS + 1, NOW_MS]);
    assert_eq!(reported_ms(&store, other).await, [NOW_MS + 2]);
}

pub(crate) async fn each_device_keeps_its_newest_reports(store: Arc<dyn Store>) {
    let (busy, quiet) = (&lone_device(&store).await, &lone_device(&store).await);
    let moments: Vec<i64> = (0..7).map(|number| NOW_MS + number).collect();
    report(&store, busy, &moments).await;
    report(&store, quiet, &moments[..3]).await;
    let busy_ids = (busy.project_id, busy.device_id);
    assert_eq!(store.busiest_reporters(3, 10).await.unwrap(), [busy_ids]);
    assert_eq!(store.busiest_reporters(2, 1).await.unwrap().len(), 1);
    let prune = || store.prune_reports_of(busy.project_id, busy.device_id, 3, 3);
    assert_eq!(prune().await.unwrap(), 3);
    assert_eq!(prune().await.unwrap(), 1);
    assert_eq!(prune().await.unwrap(), 0);
    let newest = [NOW_MS + 6, NOW_MS + 5, NOW_MS + 4];
    assert_eq!(reported_ms(&store, busy).await, newest);
    assert_eq!(reported_ms(&store, quiet).await.len(), 3);
    assert_eq!(store.busiest_reporters(3, 10).await.unwrap(), []);
}

pub(crate) async fn tokens_go_when_they_are_over_and_never_before(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let made_ms = NOW_MS - 30 * MINUTE_MS;
    let ends = |expires_at_ms, revoked_at_ms| DeviceTokenRecord {
        jti: id_of(made_ms),
        issued_at_ms: made_ms,
        expires_at_ms,
        revoked_at_ms,
        ..token(project_id, id())
    };
    let over = ends(NOW_MS - 1, None);
    let revoked_and_over = ends(NOW_MS - 1, Some(made_ms));
    let ending = ends(NOW_MS, None);
    let revoked = ends(NOW_MS + 1, Some(made_ms));
    for record in [&over, &revoked_and_over, &ending, &revoked] {
        store.insert_device_token(record).await.unwrap();
    }
    let change_seq = store.change_seq().await.unwrap();
    assert_eq!(store.prune_device_tokens(NOW_MS, 1).await.unwrap(), 1);
    assert_eq!(store.prune_device_tokens(NOW_MS, 9).await.unwrap(), 1);
    assert_eq!(store.prune_device_tokens(NOW_MS, 9).await.unwrap(), 0);
    let listed = store.list_device_tokens(TokenFilter::default(), 9).await;
    let left: Vec<Uuid> = listed.unwrap().iter().map(|record| record.jti).collect();
    assert_eq!(left, [revoked.jti, ending.jti]);
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().revoked,
        [revoked.jti],
        "it stays revoked to its end"
    );
    assert_eq!(store.change_seq().await.unwrap(), change_seq);
}

pub(crate) async fn of_each_account_the_newest_acknowledgement_stays(store: Arc<dyn Store>) {
    let one = some_owner(&store, "one@example.org").await;
    let other = some_owner(&store, "other@example.org").await;
    for count in 0..4 {
        store.insert_ack(id(), one, count, NOW_MS).await.unwrap();
    }
    store.insert_ack(id(), other, 9, NOW_MS).await.unwrap();
    assert_eq!(store.prune_acks(2).await.unwrap(), 2);
    assert_eq!(store.prune_acks(2).await.unwrap(), 1);
    assert_eq!(store.prune_acks(2).await.unwrap(), 0);
    assert_eq!(store.last_ack(one).await.unwrap(), Some((3, NOW_MS)));
    assert_eq!(store.last_ack(other).await.unwrap(), Some((9, NOW_MS)));
}

pub(crate) async fn old_lines_of_timelines_go(store: Arc<dyn Store>) {
    let lamp = lone_device(&store).await;
    let line = |at_ms| EventRecord {
        id: id_of(at_ms),
        release_id: id(),
        attempt: 1,
        at_ms,
        state: ActionState::Pending,
        detail: String::new(),
    };
    let said = Progress {
        events: [-3, -2, -1, 0, 1]
            .map(|offset| line(NOW_MS + offset))
            .into(),
        ..heard(&lamp, NOW_MS)
    };
    store.save_progress(&[said]).await.unwrap();
    let written_ms = async || {
        let lines = store
            .action_events(lamp.project_id, lamp.device_id, 9)
            .await;
        lines
            .unwrap()
            .iter()
            .map(|line| line.at_ms)
            .collect::<Vec<_>>()
    };
    assert_eq!(store.prune_action_events(NOW_MS, 2).await.unwrap(), 2);
    assert_eq!(written_ms().await, [NOW_MS + 1, NOW_MS, NOW_MS - 1]);
    assert_eq!(store.prune_action_events(NOW_MS, 2).await.unwrap(), 1);
    assert_eq!(store.prune_action_events(NOW_MS, 2).await.unwrap(), 0);
    assert_eq!(written_ms().await, [NOW_MS + 1, NOW_MS]);
}

pub(crate) async fn each_timeline_keeps_its_newest_lines(store: Arc<dyn Store>) {
    let (busy, quiet) = (&lone_device(&store).await, &lone_device(&store).await);
    let line = |at_ms| EventRecord {
        id: id_of(at_ms),
        release_id: id(),
        attempt: 1,
        at_ms,
        state: ActionState::Pending,
        detail: String::new(),
    };
    let said = |device, lines| Progress {
        events: (0..lines).map(|offset| line(NOW_MS + offset)).collect(),
        ..heard(device, NOW_MS)
    };
    let words = [said(busy, 7), said(quiet, 3)];
    store.save_progress(&words).await.unwrap();
    let written_ms = async |device: &DeviceRecord| {
        let lines = store.action_events(device.project_id, device.device_id, 9);
        let lines = lines.await.unwrap();
        lines.iter().map(|line| line.at_ms).collect::<Vec<_>>()
    };
    let busy_ids = (busy.project_id, busy.device_id);
    assert_eq!(store.longest_timelines(3, 10).await.unwrap(), [busy_ids]);
    assert_eq!(store.longest_timelines(2, 1).await.unwrap().len(), 1);
    let prune = || store.prune_timeline_of(busy.project_id, busy.device_id, 3, 3);
    assert_eq!(prune().await.unwrap(), 3);
    assert_eq!(prune().await.unwrap(), 1);
    assert_eq!(prune().await.unwrap(), 0);
    let newest = [NOW_MS + 6, NOW_MS + 5, NOW_MS + 4];
    assert_eq!(written_ms(busy).await, newest);
    assert_eq!(written_ms(quiet).await.len(), 3);
    assert_eq!(store.longest_timelines(3, 10).await.unwrap(), []);
}

pub(crate) async fn minutes_of_a_rollout_go_together(store: Arc<dyn Store>) {
    let lamp = lone_device(&store).await;
    let over = some_release(&store, lamp.project_id, "1.0.0").await.id;
    let running = some_release(&store, lamp.project_id, "1.1.0").await.id;
    let (began_ms, later_ms) = (NOW_MS - 9 * MINUTE_MS, NOW_MS - 5 * MINUTE_MS);
    let words = [
        came_to(&lamp, over, ActionState::Pending, began_ms),
        came_to(&lamp, running, ActionState::Pending, began_ms),
        came_to(&lamp, over, ActionState::Succeeded, later_ms),
        came_to(&lamp, running, ActionState::Succeeded, NOW_MS),
    ];
    for word in words {
        store.save_progress(&[word]).await.unwrap();
    }
    let minutes = async |release_id| store.rollout_minutes(release_id).await.unwrap().len();
    assert_eq!((minutes(over).await, minutes(running).await), (3, 3));
    let still_fresh_ms = later_ms - MINUTE_MS;
    assert_eq!(
        store
            .prune_rollout_minutes(still_fresh_ms, 9)
            .await
            .unwrap(),
        0
    );
    let prune = || store.prune_rollout_minutes(NOW_MS - MINUTE_MS, 2);
    assert_eq!(prune().await.unwrap(), 2);
    assert_eq!(prune().await.unwrap(), 1);
    assert_eq!(prune().await.unwrap(), 0);
    assert_eq!((minutes(over).await, minutes(running).await), (0, 3));
}

pub(crate) async fn tombstones_go_after_a_while(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let mut removed = Vec::new();
    for at_ms in [NOW_MS - 2, NOW_MS - 1, NOW_MS] {
        let device_id = some_device(&store, project_id).await.device_id;
        assert!(
            store
                .remove_device(project_id, device_id, at_ms)
                .await
                .unwrap()
        );
        removed.push(FleetChange::Removed {
            project_id,
            device_id,
        });
    }
    assert_eq!(store.fleet_changes(0, 9).await.unwrap().1, removed);
    assert_eq!(store.prune_removed_devices(NOW_MS, 1).await.unwrap(), 1);
    assert_eq!(store.prune_removed_devices(NOW_MS, 9).await.unwrap(), 1);
    assert_eq!(store.prune_removed_devices(NOW_MS, 9).await.unwrap(), 0);
    assert_eq!(store.fleet_changes(0, 9).await.unwrap().1, removed[2..]);
}
