//! What the portal forgets as the days go by, and what it does not.

use gatehouse_core::{
    Actor,
    actor::{DeviceActor, Who},
    upkeep::Pruned,
};
use gatehouse_types::firmware::{NewDevice, NewDeviceToken, Report, ReportState, TokenQuery};
use uuid::Uuid;

use crate::{
    house::{HOUR_MS, House, PROJECT, nobody},
    lamps::{offered, says},
};

const DAY_MS: i64 = 24 * HOUR_MS;

/// A registered device of the project, as it asks.
async fn lamp(house: &House) -> (Uuid, Actor) {
    let firmware = &house.portal.firmware;
    let new: NewDevice = serde_json::from_value(serde_json::json!({})).expect("fits");
    let made = firmware
        .create_device(&Actor::system(), PROJECT, &new)
        .await
        .expect("registers it");
    let catalog = firmware.catalog();
    let actor = nobody().as_who(Who::Device(DeviceActor {
        project_id: catalog.project(PROJECT).expect("is there").record.id,
        project: PROJECT.into(),
        device_id: made.device.device_id,
        fw_version: Some("1.0.0".into()),
    }));
    (made.device.device_id, actor)
}

async fn report(house: &House, device: &Actor, times: u32) {
    let report = Report {
        version: "1.0.0".into(),
        state: ReportState::Succeeded,
        detail: String::new(),
    };
    for _ in 0..times {
        // Sooner, it would be refused.
        house.pass_ms(2_000);
        let kept = house.portal.firmware.report(device, &report).await;
        kept.expect("is kept");
    }
}

async fn prune(house: &House) -> Pruned {
    house.portal.upkeep.prune().await.expect("prunes")
}

#[tokio::test]
async fn reports_stay_four_hundred_days_and_a_thousand_of_each_device() {
    let house = House::new().await;
    house.release("1.0.0").await;
    let (_, busy) = lamp(&house).await;
    report(&house, &busy, 5).await;
    house.pass_ms(400 * DAY_MS - 8_000);
    assert_eq!(prune(&house).await, Pruned::default());
    house.pass_ms(8_001);
    report(&house, &busy, 1600).await;
    let (quiet_id, quiet) = lamp(&house).await;
    report(&house, &quiet, 2).await;
    assert_eq!(
        prune(&house).await.reports,
        5 + 600,
        "the old ones and the surplus"
    );
    assert_eq!(prune(&house).await, Pruned::default());
    let firmware = &house.portal.firmware;
    let left = firmware
        .list_reports(&Actor::system(), PROJECT, quiet_id)
        .await;
    assert_eq!(left.expect("lists").len(), 2);
}

#[tokio::test]
async fn a_token_stays_on_record_for_a_month_after_its_end() {
    let house = House::new().await;
    house.release("1.0.0").await;
    let (device_id, _) = lamp(&house).await;
    let (firmware, system) = (&house.portal.firmware, Actor::system());
    let wish = NewDeviceToken {
        expires_minutes: Some(60),
        current_fw: None,
    };
    for _ in 0..2 {
        let made = firmware.create_token(&system, PROJECT, device_id, &wish);
        made.await.expect("makes it");
    }
    let on_record = async || {
        let page = firmware.list_tokens(&system, &TokenQuery::default()).await;
        page.expect("lists").items
    };
    let revoked = on_record().await[0].jti;
    firmware
        .revoke_token(&system, revoked)
        .await
        .expect("revokes it");
    house.pass_ms(HOUR_MS + 30 * DAY_MS);
    assert_eq!(prune(&house).await.tokens, 0);
    assert_eq!(on_record().await.len(), 2);
    house.pass_ms(1);
    assert_eq!(prune(&house).await.tokens, 2);
    assert_eq!(on_record().await.len(), 0);
}

async fn timeline_length(house: &House, device_id: Uuid) -> usize {
    let firmware = &house.portal.firmware;
    firmware.flush_progress().await.expect("writes");
    let lines = house
        .store
        .action_events(project_id(house), device_id, 9_999)
        .await;
    lines.expect("lists").len()
}

fn project_id(house: &House) -> Uuid {
    let catalog = house.portal.firmware.catalog();
    catalog.project(PROJECT).expect("is there").record.id
}

#[tokio::test]
async fn timelines_and_what_became_of_rollouts_stay_four_hundred_days() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    says(&house.portal, &lamp, "1.1.0", ReportState::Downloading).await;
    let device_id = lamp.device.device_id;
    let history = async || {
        let firmware = &house.portal.firmware;
        let progress = firmware.rollout_progress(&house.admin, PROJECT, "1.1.0");
        progress.await.expect("shows").history.len()
    };
    assert_eq!(timeline_length(&house, device_id).await, 2);
    assert_ne!(history().await, 0);
    house.pass_ms(400 * DAY_MS);
    assert_eq!(prune(&house).await, Pruned::default());
    house.pass_ms(1);
    let pruned = prune(&house).await;
    assert_eq!((pruned.events, pruned.reports), (2, 1));
    assert_ne!(pruned.minutes, 0);
    assert_eq!(timeline_length(&house, device_id).await, 0);
    assert_eq!(history().await, 0);
    assert_eq!(prune(&house).await, Pruned::default());
}

#[tokio::test]
async fn of_each_timeline_the_newest_thousand_lines_stay() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let (busy, quiet) = (house.lamp("").await, house.lamp("").await);
    offered(&house.portal, &quiet, "1.0.0").await;
    let states = [ReportState::Downloading, ReportState::Failed];
    for number in 0..1_100 {
        house.pass_ms(2_000);
        says(&house.portal, &busy, "1.1.0", states[number % 2]).await;
    }
    let lines = timeline_length(&house, busy.device.device_id).await;
    assert!(lines > 1_000, "{lines}");
    let surplus = u64::try_from(lines - 1_000).expect("fits");
    assert_eq!(prune(&house).await.events, surplus);
    assert_eq!(timeline_length(&house, busy.device.device_id).await, 1_000);
    assert_eq!(timeline_length(&house, quiet.device.device_id).await, 1);
    let newest = house
        .store
        .action_events(project_id(&house), busy.device.device_id, 1)
        .await;
    assert_eq!(
        newest.expect("lists")[0].state,
        gatehouse_types::rollout::ActionState::Failed,
        "the newest is there"
    );
}

#[tokio::test]
async fn other_instances_have_a_day_to_hear_that_a_device_was_removed() {
    let house = House::new().await;
    house.release("1.0.0").await;
    let lamp = house.lamp("").await;
    let firmware = &house.portal.firmware;
    let removed = firmware.remove_device(&house.admin, PROJECT, lamp.device.device_id);
    removed.await.expect("removes");
    house.pass_ms(DAY_MS);
    assert_eq!(prune(&house).await.tombstones, 0);
    house.pass_ms(1);
    assert_eq!(prune(&house).await.tombstones, 1);
}
