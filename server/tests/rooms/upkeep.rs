//! What the portal forgets as the days go by, and what it does not.

use gatehouse_core::{
    Actor,
    actor::{DeviceActor, Who},
    upkeep::Pruned,
};
use gatehouse_types::firmware::{NewDevice, NewDeviceToken, Report, ReportState, TokenQuery};
use uuid::Uuid;

use crate::house::{HOUR_MS, House, PROJECT, nobody};

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
    house.pass_ms(400 * DAY_MS);
    assert_eq!(prune(&house).await, Pruned::default());
    house.pass_ms(1);
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
