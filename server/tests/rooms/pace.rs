//! Devices that never stop talking, because they are broken or somebody else plays them.

use gatehouse_core::{Error, firmware::Running};
use gatehouse_types::{
    firmware::{Report, ReportState},
    rollout::ActionState,
};

use crate::{
    house::House,
    lamps::{Lamp, offered},
};

/// So many words at once, and one each two seconds from then on.
const AT_ONCE: usize = 100;
/// So many more that decide something.
const DECISIVE: usize = 20;

async fn report(house: &House, lamp: &Lamp) -> gatehouse_core::Result<()> {
    let report = Report {
        version: "1.1.0".into(),
        state: ReportState::Downloading,
        detail: String::new(),
    };
    house.portal.firmware.report(&lamp.actor, &report).await
}

#[track_caller]
fn has_to_wait<T>(heard: gatehouse_core::Result<T>, seconds: u64) {
    match heard {
        Err(Error::TooMany { retry_after_s }) => assert_eq!(retry_after_s, seconds),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is heard"),
    }
}

#[tokio::test]
async fn whoever_reports_without_end_is_heard_every_other_second() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let (loud, quiet) = (house.lamp("").await, house.lamp("").await);
    for _ in 0..AT_ONCE {
        report(&house, &loud).await.expect("is heard");
    }
    has_to_wait(report(&house, &loud).await, 2);
    report(&house, &quiet).await.expect("is heard");
    let firmware = &house.portal.firmware;
    has_to_wait(firmware.poll(&loud.actor).await, 2);
    house.pass_ms(2_000);
    report(&house, &loud).await.expect("is heard again");
    has_to_wait(report(&house, &loud).await, 2);
}

#[tokio::test]
async fn whoever_keeps_changing_its_version_is_refused_and_who_only_asks_is_not() {
    let house = House::new().await;
    house.release("1.0.0").await;
    house.release("1.1.0").await;
    let (restless, patient) = (house.lamp("").await, house.lamp("").await);
    let firmware = &house.portal.firmware;
    let mut heard = 0;
    let refusal = loop {
        let version = ["1.0.0", "1.1.0"][heard % 2];
        let running = Running::Version(version);
        match firmware.check_update(&restless.actor, running).await {
            Ok(_) => heard += 1,
            Err(error) => break error,
        }
        assert!(heard < 10 * AT_ONCE, "nobody stops it");
    };
    assert!(matches!(refusal, Error::TooMany { .. }), "{refusal:?}");
    for _ in 0..2 * AT_ONCE {
        assert!(offered(&house.portal, &patient, "1.0.0").await.is_some());
    }
}

#[tokio::test]
async fn feedback_and_attributes_count_as_reports_do() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let firmware = &house.portal.firmware;
    let number = firmware.poll(&lamp.actor).await.expect("answers").install;
    let number = number.expect("something to install");
    let mode = gatehouse_core::firmware::AttributesMode::Merge;
    let tell = async || {
        let told = std::collections::BTreeMap::new();
        firmware.take_attributes(&lamp.actor, mode, &told).await
    };
    let state = Some(ActionState::Downloading);
    let step = async || {
        firmware
            .take_step(&lamp.actor, number, state, None, "")
            .await
    };
    // The first question began an action and so was a word.
    for _ in 1..AT_ONCE - 1 {
        step().await.expect("is heard");
    }
    tell().await.expect("is heard");
    has_to_wait(tell().await, 2);
    has_to_wait(step().await, 2);
    for _ in 0..DECISIVE {
        let answer = firmware.answer_cancel(&lamp.actor, number, false, "no");
        answer.await.expect("is heard all the same");
    }
    has_to_wait(
        firmware
            .answer_cancel(&lamp.actor, number, false, "no")
            .await,
        2,
    );
}

#[tokio::test]
async fn the_last_word_of_an_update_is_heard_after_much_chatter() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let (reporter, follower) = (house.lamp("").await, house.lamp("").await);
    let firmware = &house.portal.firmware;
    let number = firmware.poll(&follower.actor).await.expect("answers");
    let number = number.install.expect("something to install");
    let step = async |state| {
        let step = firmware.take_step(&follower.actor, number, Some(state), None, "");
        step.await
    };
    while report(&house, &reporter).await.is_ok() {}
    while step(ActionState::Downloading).await.is_ok() {}
    let last = Report {
        version: "1.1.0".into(),
        state: ReportState::Failed,
        detail: String::new(),
    };
    let heard = firmware.report(&reporter.actor, &last).await;
    heard.expect("is heard all the same");
    let heard = step(ActionState::Failed).await;
    heard.expect("is heard all the same");
}
