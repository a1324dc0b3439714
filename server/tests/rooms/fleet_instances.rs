//! Several portals over one database: a device may ask any of them.

use std::{collections::BTreeMap, sync::Arc};

use gatehouse_core::{
    Portal,
    firmware::{AttributesMode, LastingToken, Running},
};
use gatehouse_types::{
    firmware::{Report, ReportState},
    rollout::RolloutPlan,
};
use proptest::{collection::vec, prelude::*};
use tokio::runtime::Builder;

use crate::{
    house::{House, PROJECT, nobody},
    lamps::{Lamp, offered, says},
};

#[tokio::test]
async fn another_instance_goes_on_where_the_first_one_was() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let other = house.other_instance();
    other.firmware.follow_changes().await.expect("follows");
    other.firmware.follow_fleet().await.expect("follows");
    offered(&house.portal, &lamp, "1.0.0").await;
    house
        .portal
        .firmware
        .flush_progress()
        .await
        .expect("writes");
    other.firmware.follow_fleet().await.expect("follows");
    says(&other, &lamp, "1.1.0", ReportState::Failed).await;
    let firmware = &house.portal.firmware;
    firmware.follow_fleet().await.expect("follows");
    assert_eq!(
        offered(&house.portal, &lamp, "1.0.0").await,
        None,
        "it waits, whoever heard that it failed"
    );
    let device_id = lamp.device.device_id;
    house
        .portal
        .firmware
        .remove_device(&house.admin, PROJECT, device_id)
        .await
        .expect("removes");
    let token = LastingToken::Target(&lamp.target_token);
    let shown = async |portal: &Arc<Portal>| {
        let id = device_id.to_string();
        let firmware = &portal.firmware;
        firmware
            .authenticate_controller(&nobody(), PROJECT, &id, token)
            .await
            .is_ok()
    };
    other.firmware.follow_fleet().await.expect("follows");
    assert!(!shown(&house.portal).await && !shown(&other).await);
}

/// Or it would be offered an older release by whoever did not hear it.
#[tokio::test]
async fn a_version_that_a_device_came_to_on_its_own_is_known_to_every_instance() {
    let house = House::new().await;
    house.release("1.2.0").await;
    let lamp = house.lamp("").await;
    let other = house.other_instance();
    other.firmware.follow_changes().await.expect("follows");
    other.firmware.follow_fleet().await.expect("follows");
    offered(&other, &lamp, "1.0.0").await;
    other.firmware.flush_progress().await.expect("writes");
    let firmware = &house.portal.firmware;
    firmware.follow_fleet().await.expect("follows");
    // Somebody flashed it by cable; the release goes no further, so nothing else is new.
    offered(&house.portal, &lamp, "1.3.0").await;
    firmware.flush_progress().await.expect("writes");
    other.firmware.follow_fleet().await.expect("follows");
    let asked = other
        .firmware
        .check_update(&lamp.actor, Running::AsBefore)
        .await;
    assert!(
        asked.expect("answers").release.is_none(),
        "1.2.0 would be a step back"
    );
}

/// Each instance asks for them, whoever heard that the update was over; and so does one that starts.
#[tokio::test]
async fn attributes_are_asked_for_again_after_an_update_on_every_instance() {
    let house = House::new().await;
    house.release("1.1.0").await;
    let lamp = house.lamp("").await;
    let other = house.other_instance();
    other.firmware.follow_changes().await.expect("follows");
    let told = BTreeMap::from([("hw".to_owned(), "7".to_owned())]);
    let firmware = &house.portal.firmware;
    let telling = firmware.take_attributes(&lamp.actor, AttributesMode::Merge, &told);
    telling.await.expect("takes them");
    let wants = async |portal: &Arc<Portal>| {
        portal.firmware.follow_fleet().await.expect("follows");
        let orders = portal.firmware.poll(&lamp.actor).await;
        orders.expect("answers").wants_attributes
    };
    assert!(!wants(&house.portal).await && !wants(&other).await);
    offered(&house.portal, &lamp, "1.0.0").await;
    says(&house.portal, &lamp, "1.1.0", ReportState::Succeeded).await;
    firmware.flush_progress().await.expect("writes");
    assert!(wants(&house.portal).await && wants(&other).await);
    let restarted = house.other_instance();
    restarted.firmware.follow_changes().await.expect("follows");
    assert!(wants(&restarted).await, "after a restart, too");
}

/// What a device tells in one step of a random story.
#[derive(Debug, Clone, Copy)]
enum Word {
    Runs(&'static str),
    Says(ReportState),
}

fn words() -> impl Strategy<Value = Word> {
    prop_oneof![
        prop::sample::select(vec!["1.0.0", "1.1.0", "1.2.0", "1.3.0"]).prop_map(Word::Runs),
        prop::sample::select(vec![
            ReportState::Downloading,
            ReportState::Installing,
            ReportState::Succeeded,
            ReportState::Failed,
        ])
        .prop_map(Word::Says),
    ]
}

/// What this portal would have the device install, once all of them know what was said.
async fn answer_of(portal: &Arc<Portal>, all: &[Arc<Portal>; 2], lamp: &Lamp) -> Option<String> {
    for instance in all {
        instance.firmware.flush_progress().await.expect("writes");
    }
    for instance in all {
        instance.firmware.follow_fleet().await.expect("follows");
    }
    let asked = portal.firmware.check_update(&lamp.actor, Running::AsBefore);
    let release = asked.await.expect("answers").release;
    release.map(|release| release.record.version.clone())
}

async fn tell_and_compare(steps: Vec<(usize, usize, Word)>) {
    let house = House::new().await;
    house.release("1.1.0").await;
    house.release("1.2.0").await;
    let half = RolloutPlan {
        percent: 50,
        groups: vec!["lab".into()],
        ..RolloutPlan::default()
    };
    house.plan("1.2.0", half).await;
    let lamps = [
        house.lamp("").await,
        house.lamp("lab").await,
        house.lamp("").await,
        house.lamp("lab").await,
    ];
    let instances = [Arc::clone(&house.portal), house.other_instance()];
    for instance in &instances {
        instance.firmware.follow_changes().await.expect("follows");
    }
    for (device, instance, word) in steps {
        let (lamp, portal) = (&lamps[device], &instances[instance]);
        match word {
            Word::Runs(version) => drop(offered(portal, lamp, version).await),
            // A report about what it was never offered is refused, which changes nothing.
            Word::Says(state) => {
                let report = Report {
                    version: "1.1.0".into(),
                    state,
                    detail: String::new(),
                };
                let _refused = portal.firmware.report(&lamp.actor, &report).await;
            }
        }
        let here = answer_of(&instances[0], &instances, lamp).await;
        let there = answer_of(&instances[1], &instances, lamp).await;
        assert_eq!(here, there, "after {word:?} on {instance}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Or a device would be led back and forth by whichever portal the proxy sends it to.
    #[test]
    fn the_same_device_is_answered_the_same_on_every_instance(
        steps in vec((0..4_usize, 0..2_usize, words()), 1..10),
    ) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("starts");
        runtime.block_on(tell_and_compare(steps));
    }
}
