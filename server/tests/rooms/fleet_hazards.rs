//! What could go wrong between devices, admins and instances, each found by a review.

use gatehouse_core::Error;
use gatehouse_types::{
    firmware::ReportState,
    rollout::{ActionState, RolloutPlan},
};
use serde_json::json;

use crate::{
    house::{House, PROJECT},
    lamps::{action, offered, says, state},
};

/// Whoever looked away for a moment must not find a withdrawn release out again by one hand.
#[tokio::test]
async fn a_withdrawn_release_needs_a_new_wish_and_then_goes_to_those_it_was_taken_from() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let firmware = &house.portal.firmware;
    offered(&house.portal, &lamp, "1.0.0").await;
    firmware
        .withdraw(&house.admin, PROJECT, "1.1.0")
        .await
        .expect("withdraws");
    let seen = gatehouse_types::firmware::ApproveRelease::default();
    let approved = firmware
        .approve(&house.admin, PROJECT, "1.1.0", &seen)
        .await;
    assert!(matches!(approved, Err(Error::Conflict { .. })));
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    house.pass_ms(1);
    house.publish("1.1.0").await;
    assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
}

#[tokio::test]
async fn nobody_agrees_to_what_they_did_not_see() {
    let house = House::new().await;
    house.release("1.0.0").await;
    let firmware = &house.portal.firmware;
    let change = serde_json::from_value(json!({ "two_person_approval": true })).expect("fits");
    let changed = firmware
        .change_project(&house.admin, PROJECT, &change)
        .await;
    changed.expect("changes");
    house.draft("1.1.0").await;
    let wish = gatehouse_types::firmware::PublishRelease::default();
    let asked = firmware.publish(&house.admin, PROJECT, "1.1.0", wish).await;
    let asked = asked.expect("asks");
    let admin = gatehouse_types::account::Role::Admin;
    let second = crate::house::account(&house.portal, "eve@example.com", admin).await;
    let other_bytes = gatehouse_types::firmware::ApproveRelease {
        sha256: Some("00".repeat(32)),
        requested_at: asked.approval.requested_at,
    };
    let refused = firmware
        .approve(&second, PROJECT, "1.1.0", &other_bytes)
        .await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "other bytes"
    );
    house
        .plan(
            "1.1.0",
            RolloutPlan {
                percent: 1,
                ..RolloutPlan::default()
            },
        )
        .await;
    let seen = gatehouse_types::firmware::ApproveRelease {
        sha256: Some(asked.sha256),
        requested_at: asked.approval.requested_at,
    };
    let refused = firmware.approve(&second, PROJECT, "1.1.0", &seen).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "another plan"
    );
}

/// Penalties must outlast another release in between, or a bad image is flashed in a circle.
#[tokio::test]
async fn a_failure_is_remembered_while_another_release_is_tried() {
    let house = House::new().await;
    house.release("2.0.0").await;
    let lamp = house.lamp("").await;
    for _ in 0..2 {
        assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
        says(&house.portal, &lamp, "2.0.0", ReportState::Failed).await;
        house.pass_ms(30 * 60 * 1000);
    }
    house.release("2.1.0").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    house.pass_ms(1);
    let firmware = &house.portal.firmware;
    let withdrawn = firmware.withdraw(&house.admin, PROJECT, "2.1.0").await;
    withdrawn.expect("withdraws");
    assert_eq!(
        offered(&house.portal, &lamp, "1.0.0").await.as_deref(),
        Some("2.0.0")
    );
    assert_eq!(action(&house, &lamp).await.attempt, 3);
    says(&house.portal, &lamp, "1.0.0", ReportState::Succeeded).await;
    assert_eq!(action(&house, &lamp).await.version, "2.0.0");
}

/// Nor may a restart or another instance let a release begin anew that is held back on a device.
#[tokio::test]
async fn every_instance_knows_what_is_held_back_behind_a_newer_release() {
    let house = House::new().await;
    let firmware = &house.portal.firmware;
    house.release("2.0.0").await;
    let (lamp, fan) = (house.lamp("").await, house.lamp("").await);
    let other = house.other_instance();
    other.firmware.follow_changes().await.expect("follows");
    for _ in 0..3 {
        assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
        says(&house.portal, &lamp, "2.0.0", ReportState::Failed).await;
        house.pass_ms(30 * 60 * 1000);
    }
    offered(&house.portal, &fan, "1.0.0").await;
    let device_id = fan.device.device_id;
    let cancelled = firmware.cancel_action(&house.admin, PROJECT, device_id);
    cancelled.await.expect("cancels");
    firmware.flush_progress().await.expect("writes");
    other.firmware.follow_fleet().await.expect("follows");

    house.release("2.1.0").await;
    for device in [&lamp, &fan] {
        assert!(offered(&house.portal, device, "1.0.0").await.is_some());
    }
    house.pass_ms(1);
    let withdrawn = firmware.withdraw(&house.admin, PROJECT, "2.1.0").await;
    withdrawn.expect("withdraws");
    firmware.flush_progress().await.expect("writes");
    other.firmware.follow_changes().await.expect("follows");
    other.firmware.follow_fleet().await.expect("follows");
    let restarted = house.other_instance();
    restarted.firmware.follow_changes().await.expect("follows");
    let loaded = house.other_instance();
    loaded.firmware.follow_changes().await.expect("follows");
    loaded.firmware.load_fleet().await.expect("reads");
    for portal in [&house.portal, &other, &restarted, &loaded] {
        for device in [&lamp, &fan] {
            assert_eq!(offered(portal, device, "1.0.0").await, None);
        }
    }
    house.pass_ms(24 * 60 * 60 * 1000);
    let again = offered(&restarted, &lamp, "1.0.0").await;
    assert_eq!(again.as_deref(), Some("2.0.0"));
    restarted.firmware.flush_progress().await.expect("writes");
    assert_eq!(action(&house, &lamp).await.attempt, 4);
}

#[tokio::test]
async fn a_device_that_goes_on_fetching_does_not_miss_its_deadline() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let plan = RolloutPlan {
        deadline_minutes: Some(10),
        ..RolloutPlan::default()
    };
    house.plan("1.1.0", plan).await;
    let lamp = house.lamp("").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    let catalog = house.portal.firmware.catalog();
    let release = catalog.project(PROJECT).expect("is there").release("1.1.0");
    let release = release.expect("is there");
    for byte in 1..5 {
        house.portal.firmware.note_fetch(&lamp.actor, release, byte);
        house.pass_ms(9 * 60 * 1000);
        house.keep_rollouts().await;
    }
    assert_eq!(state(&house, &lamp).await, ActionState::Downloading);
}

/// A broken download looks like a restart into the old image; once, it is given the benefit.
#[tokio::test]
async fn a_device_that_asks_again_after_the_last_byte_may_fetch_once_more_at_once() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let catalog = house.portal.firmware.catalog();
    let release = catalog.project(PROJECT).expect("is there").release("1.1.0");
    let release = release.expect("is there");
    for expected in [true, false] {
        offered(&house.portal, &lamp, "1.0.0").await;
        house.portal.firmware.note_fetch(&lamp.actor, release, 5);
        house.pass_ms(61_000);
        let again = offered(&house.portal, &lamp, "1.0.0").await.is_some();
        assert_eq!(again, expected);
    }
    assert_eq!(state(&house, &lamp).await, ActionState::RolledBack);
}

/// The line may break in the middle of an image that was asked for in one piece.
#[tokio::test]
async fn a_download_that_broke_off_before_its_end_is_no_restart() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let catalog = house.portal.firmware.catalog();
    let release = catalog.project(PROJECT).expect("is there").release("1.1.0");
    let release = release.expect("is there");
    let firmware = &house.portal.firmware;
    for _ in 0..3 {
        assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
        assert_eq!(firmware.note_fetch(&lamp.actor, release, 0), Some(1));
        firmware.note_handed_out(&lamp.actor, release, 1, 4);
        house.pass_ms(61_000);
    }
    assert_eq!(action(&house, &lamp).await.attempt, 1);
    firmware.note_handed_out(&lamp.actor, release, 1, 5);
    house.pass_ms(61_000);
    offered(&house.portal, &lamp, "1.0.0").await;
    assert_eq!(action(&house, &lamp).await.attempt, 2);
    firmware.note_handed_out(&lamp.actor, release, 1, 5);
    assert_eq!(
        action(&house, &lamp).await.progress_percent,
        None,
        "an answer that ends late tells nothing of what began after it"
    );
    assert_eq!(firmware.note_fetch(&lamp.actor, release, 0), Some(2));
    firmware.note_handed_out(&lamp.actor, release, 1, 5);
    assert_eq!(
        action(&house, &lamp).await.progress_percent,
        None,
        "nor of what is fetched anew"
    );
    firmware.note_handed_out(&lamp.actor, release, 2, 5);
    assert_eq!(action(&house, &lamp).await.progress_percent, Some(100));
}

/// Two admins, or an admin and the keeper, at the same release: nothing may be undone unseen.
#[tokio::test]
async fn a_change_through_an_instance_that_is_behind_is_refused() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let other = house.other_instance();
    other.firmware.follow_changes().await.expect("follows");
    let paused = RolloutPlan {
        paused: true,
        ..RolloutPlan::default()
    };
    house.plan("1.1.0", paused).await;
    assert_eq!(house.details("rollout.change").await, ["paused=true"]);
    let wide = RolloutPlan::default();
    let late = other
        .firmware
        .change_rollout(&house.admin, PROJECT, "1.1.0", &wide)
        .await;
    assert!(matches!(late, Err(Error::Conflict { .. })), "{late:?}");
}
