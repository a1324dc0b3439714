//! What devices go through on the way to a new image, and how admins and rollouts steer it.

use gatehouse_core::Error;
use gatehouse_types::{
    codes,
    firmware::ReportState,
    rollout::{ActionState, RolloutPlan},
};
use serde_json::json;

use crate::{
    house::{House, PROJECT},
    lamps::{action, offered, says, state},
};

const SOON_MS: i64 = 5 * 60 * 1000;

#[tokio::test]
async fn an_update_is_followed_from_the_offer_to_the_new_image() {
    let house = House::new().await;
    house.release("1.0.0").await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    assert_eq!(
        offered(&house.portal, &lamp, "1.0.0").await.as_deref(),
        Some("1.1.0")
    );
    let first = action(&house, &lamp).await;
    assert_eq!(
        (first.state, first.attempt, first.from_version.as_deref()),
        (ActionState::Pending, 1, Some("1.0.0"))
    );
    for (said, expected) in [
        (ReportState::Downloading, ActionState::Downloading),
        (ReportState::Installing, ActionState::Installing),
    ] {
        house.pass_ms(1);
        says(&house.portal, &lamp, "1.1.0", said).await;
        assert_eq!(state(&house, &lamp).await, expected);
    }
    house.pass_ms(1);
    assert_eq!(offered(&house.portal, &lamp, "1.1.0").await, None);
    let last = action(&house, &lamp).await;
    assert_eq!(last.state, ActionState::Succeeded);
    assert!(last.finished_at.is_some());
    let timeline = house
        .portal
        .firmware
        .device_timeline(&house.admin, PROJECT, lamp.device.device_id)
        .await
        .expect("tells");
    let states: Vec<ActionState> = timeline.iter().rev().map(|line| line.state).collect();
    assert_eq!(
        states,
        [
            ActionState::Pending,
            ActionState::Downloading,
            ActionState::Installing,
            ActionState::Succeeded
        ]
    );
}

/// A bootloader put the old image back: the device must not fetch the broken one in a circle.
#[tokio::test]
async fn a_device_that_comes_back_with_the_old_image_has_rolled_back_and_waits() {
    let house = House::new().await;
    house.release("1.0.0").await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    says(&house.portal, &lamp, "1.1.0", ReportState::Installing).await;
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    assert_eq!(state(&house, &lamp).await, ActionState::RolledBack);
    house.pass_ms(SOON_MS - 1);
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    house.pass_ms(1);
    assert_eq!(
        offered(&house.portal, &lamp, "1.0.0").await.as_deref(),
        Some("1.1.0")
    );
    assert_eq!(action(&house, &lamp).await.attempt, 2);
}

#[tokio::test]
async fn a_device_that_falls_silent_in_between_has_failed_at_its_deadline() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let plan = RolloutPlan {
        deadline_minutes: Some(10),
        ..RolloutPlan::default()
    };
    house.plan("1.1.0", plan).await;
    let lamp = house.lamp("").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    says(&house.portal, &lamp, "1.1.0", ReportState::Downloading).await;
    house.pass_ms(10 * 60 * 1000 - 1);
    house.keep_rollouts().await;
    assert_eq!(state(&house, &lamp).await, ActionState::Downloading);
    house.pass_ms(1);
    house.keep_rollouts().await;
    assert_eq!(state(&house, &lamp).await, ActionState::Failed);
}

/// Without this, a bad release reaches the whole fleet before anybody wakes up.
#[tokio::test]
async fn a_rollout_halts_by_itself_and_goes_on_when_an_admin_says_so() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let mut lamps = Vec::new();
    for _ in 0..4 {
        lamps.push(house.lamp("").await);
    }
    for lamp in &lamps[..2] {
        offered(&house.portal, lamp, "1.0.0").await;
        says(&house.portal, lamp, "1.1.0", ReportState::Failed).await;
    }
    assert!(offered(&house.portal, &lamps[2], "1.0.0").await.is_some());
    house.keep_rollouts().await;
    assert_eq!(offered(&house.portal, &lamps[3], "1.0.0").await, None);
    let firmware = &house.portal.firmware;
    let progress = firmware.rollout_progress(&house.admin, PROJECT, "1.1.0");
    let halt = progress
        .await
        .expect("shows")
        .rollout
        .halted
        .expect("halted");
    assert_eq!((halt.failed, halt.finished), (2, 2));
    house.pass_ms(1);
    firmware
        .resume_rollout(&house.admin, PROJECT, "1.1.0")
        .await
        .expect("goes on");
    house.keep_rollouts().await;
    assert!(offered(&house.portal, &lamps[3], "1.0.0").await.is_some());
}

/// An admin who stops two devices and lets them try again has seen nothing fail.
#[tokio::test]
async fn letting_devices_try_again_halts_nothing() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamps = [house.lamp("").await, house.lamp("").await];
    let firmware = &house.portal.firmware;
    for lamp in &lamps {
        let id = lamp.device.device_id;
        offered(&house.portal, lamp, "1.0.0").await;
        says(&house.portal, lamp, "1.1.0", ReportState::Downloading).await;
        let stopped = firmware.cancel_action(&house.admin, PROJECT, id);
        stopped.await.expect("stops");
        offered(&house.portal, lamp, "1.0.0").await;
        let forgiven = firmware.retry_action(&house.admin, PROJECT, id);
        forgiven.await.expect("forgives");
    }
    house.keep_rollouts().await;
    for lamp in &lamps {
        assert!(offered(&house.portal, lamp, "1.0.0").await.is_some());
    }
}

#[tokio::test]
async fn a_group_comes_first_and_the_others_when_it_is_through() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let plan = RolloutPlan {
        groups: vec!["lab".into()],
        ..RolloutPlan::default()
    };
    house.plan("1.1.0", plan).await;
    let (lab, street) = (house.lamp("lab").await, house.lamp("").await);
    assert!(offered(&house.portal, &lab, "1.0.0").await.is_some());
    assert_eq!(offered(&house.portal, &street, "1.0.0").await, None);
    house.keep_rollouts().await;
    assert_eq!(offered(&house.portal, &street, "1.0.0").await, None);
    assert_eq!(offered(&house.portal, &lab, "1.1.0").await, None);
    house.keep_rollouts().await;
    assert!(offered(&house.portal, &street, "1.0.0").await.is_some());
}

#[tokio::test]
async fn a_cancelled_update_stops_at_the_next_word_and_stays_stopped() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let id = lamp.device.device_id;
    offered(&house.portal, &lamp, "1.0.0").await;
    says(&house.portal, &lamp, "1.1.0", ReportState::Downloading).await;
    let firmware = &house.portal.firmware;
    firmware
        .cancel_action(&house.admin, PROJECT, id)
        .await
        .expect("stops");
    assert_eq!(state(&house, &lamp).await, ActionState::Cancelling);
    let refused = firmware.image(&lamp.actor, PROJECT, "lamp-1.1.0.bin");
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "{refused:?}"
    );
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    assert_eq!(state(&house, &lamp).await, ActionState::Cancelled);
    house.pass_ms(24 * 60 * 60 * 1000);
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    let again = firmware.cancel_action(&house.admin, PROJECT, id).await;
    assert!(matches!(again, Err(Error::Conflict { code, .. }) if code == codes::FINISHED));
    firmware
        .retry_action(&house.admin, PROJECT, id)
        .await
        .expect("forgives");
    assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
}

/// The device is told through one portal and heard by another: both must agree.
#[tokio::test]
async fn a_release_of_a_careful_project_needs_a_second_admin() {
    let house = House::new().await;
    house.release("1.0.0").await;
    let second = crate::house::account(
        &house.portal,
        "eve@example.com",
        gatehouse_types::account::Role::Admin,
    )
    .await;
    let firmware = &house.portal.firmware;
    let change = serde_json::from_value(json!({ "two_person_approval": true })).expect("fits");
    firmware
        .change_project(&house.admin, PROJECT, &change)
        .await
        .expect("changes");
    house.draft("1.1.0").await;
    let lamp = house.lamp("").await;
    let wish = gatehouse_types::firmware::PublishRelease::default();
    firmware
        .publish(&house.admin, PROJECT, "1.1.0", wish)
        .await
        .expect("asks");
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    let seen = gatehouse_types::firmware::ApproveRelease::default();
    let own = firmware
        .approve(&house.admin, PROJECT, "1.1.0", &seen)
        .await;
    assert!(matches!(own, Err(Error::Conflict { .. })), "not one's own");
    let owner = firmware
        .approve(&house.owner, PROJECT, "1.1.0", &seen)
        .await;
    assert!(matches!(owner, Err(Error::Forbidden(_))), "no owner");
    let agreed = firmware
        .approve(&second, PROJECT, "1.1.0", &seen)
        .await
        .expect("agrees");
    assert_eq!(
        agreed.approval.approved_by_email.as_deref(),
        Some("eve@example.com")
    );
    assert!(offered(&house.portal, &lamp, "1.0.0").await.is_some());
}

#[tokio::test]
async fn a_withdrawn_release_is_taken_back_from_devices_that_have_yet_to_begin() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    offered(&house.portal, &lamp, "1.0.0").await;
    let firmware = &house.portal.firmware;
    firmware
        .withdraw(&house.admin, PROJECT, "1.1.0")
        .await
        .expect("withdraws");
    assert_eq!(offered(&house.portal, &lamp, "1.0.0").await, None);
    assert_eq!(state(&house, &lamp).await, ActionState::Cancelled);
}

/// Clients such as SWUpdate follow actions by their numbers.
#[tokio::test]
async fn a_device_that_follows_numbers_is_told_what_to_install_and_what_to_stop() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let firmware = &house.portal.firmware;
    let poll = async || firmware.poll(&lamp.actor).await.expect("answers");
    let number = poll().await.install.expect("something to install");
    assert!(number > 0);
    assert_eq!(
        poll().await.install,
        Some(number),
        "the same until it is done"
    );
    let step = async |state, detail| {
        firmware
            .take_step(&lamp.actor, number, state, None, detail)
            .await
    };
    step(Some(ActionState::Downloading), "")
        .await
        .expect("is kept");
    firmware
        .cancel_action(&house.admin, PROJECT, lamp.device.device_id)
        .await
        .expect("stops");
    let orders = poll().await;
    assert_eq!((orders.install, orders.cancel), (None, Some(number)));
    firmware
        .answer_cancel(&lamp.actor, number, false, "too late")
        .await
        .expect("is kept");
    assert_eq!(poll().await.cancel, None, "it goes on");
    step(Some(ActionState::Succeeded), "done")
        .await
        .expect("is kept");
    let orders = poll().await;
    assert_eq!((orders.install, orders.installed), (None, Some(number)));
    step(Some(ActionState::Succeeded), "done")
        .await
        .expect("the same word again: its answer was lost");
    let late = step(Some(ActionState::Failed), "").await;
    assert!(matches!(late, Err(Error::Conflict { code, .. }) if code == codes::FINISHED));
    for never in [number + 1, number + 64] {
        let unknown = firmware.take_step(&lamp.actor, never, None, None, "");
        assert!(matches!(unknown.await, Err(Error::NotFound(_))), "{never}");
    }
}

#[tokio::test]
async fn a_number_is_over_once_the_next_attempt_began_and_unknown_before_it_was_given() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let (lamp, other) = (house.lamp("").await, house.lamp("").await);
    let firmware = &house.portal.firmware;
    let poll = async || firmware.poll(&lamp.actor).await.expect("answers").install;
    let number = poll().await.expect("something to install");
    assert!(
        firmware.poll(&other.actor).await.is_ok(),
        "the same number is given to each device"
    );
    says(&house.portal, &lamp, "1.1.0", ReportState::Failed).await;
    house.pass_ms(SOON_MS);
    assert_eq!(poll().await, Some(number + 1));
    let over = firmware.deployment(&lamp.actor, number).await;
    assert!(matches!(over, Err(Error::Conflict { code, .. }) if code == codes::FINISHED));
    for (whose, never) in [(&lamp, number + 2), (&other, number + 1)] {
        let unknown = firmware.deployment(&whose.actor, never).await;
        assert!(
            matches!(unknown, Err(Error::NotFound(_))),
            "{never}: {unknown:?}"
        );
    }
}
