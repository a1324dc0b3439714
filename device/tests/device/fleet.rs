//! A simulated fleet against a small portal.

use std::sync::Arc;

use crate::signed::later;
use crate::support::{Image, NEW_VERSION, OLD_VERSION, Stage, TOKEN, start};
use crate::vendor::Vendor;
use axum::http::StatusCode;
use gatehouse_device::simulate::{Fleet, Member, simulate};
use gatehouse_device::{Kind, Tally, Token};

/// Devices that never pause and never fail.
fn tireless(devices: usize) -> Fleet {
    let member = Member {
        token: Token::new(TOKEN).unwrap(),
        current_fw: OLD_VERSION.to_owned(),
    };
    Fleet {
        members: vec![member; devices],
        keys: None,
        fail_percent: 0,
        first_check_ms: 0..=0,
        poll_ms: 0..=0,
        restart_ms: 0..=0,
    }
}

/// Lets so many devices live without pauses until `is_over` says so.
async fn live(stage: Stage, devices: usize, is_over: fn(&Stage) -> bool) -> (Arc<Stage>, Tally) {
    live_as(&tireless(devices), stage, is_over).await
}

async fn live_as(fleet: &Fleet, stage: Stage, is_over: fn(&Stage) -> bool) -> (Arc<Stage>, Tally) {
    let (stage, portal) = start(stage).await;
    let end = async {
        while !is_over(&stage) {
            tokio::task::yield_now().await;
        }
    };
    let tally = simulate(&portal, fleet, end).await;
    (stage, tally)
}

/// A second time, so that the report after the first is through.
fn newest_was_asked_for(stage: &Stage) -> bool {
    let versions = stage.checked_versions.lock().unwrap();
    count(&versions, NEW_VERSION) >= 2
}

fn count(words: &[String], wanted: &str) -> usize {
    words.iter().filter(|word| *word == wanted).count()
}

#[tokio::test]
async fn a_device_updates_and_polls_on_with_its_new_version() {
    let (stage, tally) = live(Stage::with([]), 1, newest_was_asked_for).await;
    assert_eq!((tally.updates(), tally.downloaded_bytes()), (1, 10_000));
    assert!(tally.checks() >= 1 && tally.check_latency(50).is_some());
    assert_eq!(stage.reported(), ["downloading", "installing", "succeeded"]);
    assert!(tally.to_string().ends_with("errors       0"), "{tally}");
}

#[tokio::test]
async fn every_device_of_a_fleet_updates_once() {
    let all_succeeded = |stage: &Stage| count(&stage.reported(), "succeeded") == 20;
    let (stage, _) = live(Stage::with([]), 20, all_succeeded).await;
    assert_eq!(stage.ranges().len(), 20);
}

#[tokio::test]
async fn a_bad_image_is_counted_reported_and_asked_for_again() {
    let stage = Stage::with([Image::Other(vec![7; 10_000])]);
    let (stage, tally) = live(stage, 1, newest_was_asked_for).await;
    assert_eq!(tally.errors(Kind::BadImage), 1);
    assert_eq!(tally.updates(), 1);
    let expected = [
        "downloading",
        "failed",
        "downloading",
        "installing",
        "succeeded",
    ];
    assert_eq!(stage.reported(), expected);
}

#[tokio::test]
async fn a_device_confirms_by_asking_with_its_new_version() {
    let (stage, _) = live(Stage::with([]), 1, newest_was_asked_for).await;
    let versions = stage.checked_versions.lock().unwrap();
    assert_eq!(versions[..3], [OLD_VERSION, NEW_VERSION, NEW_VERSION]);
}

#[tokio::test]
async fn a_fleet_that_is_told_to_fail_fails_in_both_ways() {
    let unlucky = Fleet {
        fail_percent: 100,
        ..tireless(8)
    };
    // The odds that all of these fail in the same way are one in millions.
    let tried_often = |stage: &Stage| count(&stage.reported(), "installing") >= 40;
    let (stage, tally) = live_as(&unlucky, Stage::with([]), tried_often).await;
    assert_eq!(tally.updates(), 0, "{tally}");
    assert!(tally.mishaps() >= 32, "{tally}");
    let failed = count(&stage.reported(), "failed") as u64;
    assert!(
        (1..tally.mishaps()).contains(&failed),
        "{failed} of {tally}"
    );
    let versions = stage.checked_versions.lock().unwrap();
    assert_eq!(count(&versions, NEW_VERSION), 0);
}

#[tokio::test]
async fn refused_checks_are_counted_by_their_kind() {
    let stage = Stage {
        check_status: Some(StatusCode::UNAUTHORIZED),
        ..Stage::with([])
    };
    // The third question comes after the second refusal was counted.
    let asked_thrice = |stage: &Stage| stage.checked_versions.lock().unwrap().len() >= 3;
    let (_, tally) = live(stage, 1, asked_thrice).await;
    assert!(tally.errors(Kind::Unauthorized) >= 2, "{tally}");
    assert_eq!(tally.checks(), 0);
}

/// Devices that check what two keys sign.
fn careful(devices: usize) -> Fleet {
    let folder = tempfile::tempdir().unwrap();
    Fleet {
        keys: Some(Vendor::default().keys(folder.path())),
        ..tireless(devices)
    }
}

#[tokio::test]
async fn every_device_of_a_careful_fleet_fetches_a_manifest_of_its_own() {
    let all_succeeded = |stage: &Stage| count(&stage.reported(), "succeeded") == 5;
    let (stage, tally) = live_as(&careful(5), Stage::signing([]), all_succeeded).await;
    assert_eq!(stage.manifest_requests.lock().unwrap().len(), 5);
    assert_eq!(tally.errors(Kind::Refused), 0, "{tally}");
}

#[tokio::test]
async fn a_careful_device_installs_nothing_that_a_thief_signed_alone() {
    let stage = Stage {
        vendor: Some(Vendor::with_keys([1; 32], [9; 32])),
        ..Stage::with([])
    };
    let refused_often = |stage: &Stage| count(&stage.reported(), "failed") >= 3;
    let (stage, tally) = live_as(&careful(1), stage, refused_often).await;
    assert!(tally.errors(Kind::Refused) >= 2, "{tally}");
    assert_eq!(tally.updates(), 0);
    assert!(stage.ranges().is_empty());
}

#[tokio::test]
async fn a_careful_device_asks_again_when_the_co_signer_was_down() {
    let stage = Stage::signing([]);
    stage.manifest_orders.lock().unwrap().push_back(later());
    let (stage, tally) = live_as(&careful(1), stage, newest_was_asked_for).await;
    assert_eq!(tally.errors(Kind::Busy), 1);
    assert_eq!(stage.reported(), ["downloading", "installing", "succeeded"]);
}
