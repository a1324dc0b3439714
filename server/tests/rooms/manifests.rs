//! What a device is given to install, under two signatures; the verifier of devices judges it.

use std::{fs, sync::Arc};

use gatehouse_core::{
    Actor, Error, Portal, Result,
    firmware::{ManifestWish, Running},
};
use gatehouse_manifest::{Claims, DeviceState, ImageCheck, Refusal, Trusted, verify};
use gatehouse_types::{
    Timestamp,
    firmware::{ApproveRelease, ProjectChange, ReportState},
    manifest::ReleaseSigning,
    manifest::{CoSignerState, CoSignerWord},
    rollout::RolloutPlan,
};
use serde_json::json;
use sqlx::Executor;

use crate::{
    house::{HOUR_MS, House, MINUTE_MS, PROJECT, START_MS},
    lamps::{Lamp, says},
};

pub(crate) const ADDRESS: &str = "https://gate.example";

pub(crate) async fn manifest_with(
    portal: &Arc<Portal>,
    lamp: &Lamp,
    key: Option<&str>,
) -> Result<Option<String>> {
    let wish = ManifestWish {
        running: Running::Version("0.9.0"),
        key,
        address: ADDRESS,
    };
    portal.firmware.manifest(&lamp.actor, wish).await
}

pub(crate) async fn manifest(house: &House, lamp: &Lamp) -> Option<String> {
    manifest_with(&house.portal, lamp, None)
        .await
        .expect("answers")
}

/// What a device of the project learns when it is set up.
pub(crate) async fn trusted(house: &House, actor: &Actor) -> Trusted {
    let keys = house.portal.firmware.project_keys(actor, PROJECT).await;
    let bundle = serde_json::to_string(&keys.expect("tells them")).expect("is JSON");
    Trusted::from_bundle_json(&bundle).expect("is a bundle")
}

/// What a device that knows these keys makes of a manifest, so long after the beginning.
pub(crate) fn judge_after_ms(
    text: &str,
    trusted: &Trusted,
    after_ms: i64,
) -> std::result::Result<Claims, Refusal> {
    let device = DeviceState {
        now_s: (START_MS + after_ms) / 1000,
        project: PROJECT,
        hardware: Some("esp32s3"),
        version: Some("0.9.0"),
        release_counter: 0,
        has_seen: &|_| false,
    };
    verify(text, trusted, &device)
}

pub(crate) fn judge(text: &str, trusted: &Trusted) -> std::result::Result<Claims, Refusal> {
    judge_after_ms(text, trusted, 0)
}

pub(crate) async fn house_with_release() -> (House, Lamp) {
    let house = House::new().await;
    house.release("1.0.0").await;
    let lamp = house.lamp("").await;
    (house, lamp)
}

/// The claims of the manifest that a lamp gets.
async fn claims(house: &House, lamp: &Lamp) -> Option<Claims> {
    let trusted = trusted(house, &house.admin).await;
    let text = manifest(house, lamp).await?;
    Some(judge(&text, &trusted).expect("a device takes it"))
}

pub(crate) fn signing(house: &House) -> ReleaseSigning {
    let firmware = &house.portal.firmware;
    let signing = firmware.release_signing(&house.admin, PROJECT, "1.0.0");
    signing.expect("is there")
}

async fn change_project(house: &House, change: serde_json::Value) {
    let change: ProjectChange = serde_json::from_value(change).expect("fits");
    let firmware = &house.portal.firmware;
    let changed = firmware
        .change_project(&house.admin, PROJECT, &change)
        .await;
    changed.expect("changes it");
}

#[tokio::test]
async fn a_device_takes_what_portal_and_co_signer_signed() {
    let (house, lamp) = house_with_release().await;
    let trusted = trusted(&house, &lamp.actor).await;
    let text = manifest(&house, &lamp).await.expect("something to install");
    let claims = judge(&text, &trusted).expect("a device takes it");
    let catalog = house.portal.firmware.catalog();
    let release = catalog.project(PROJECT).expect("is there");
    let record = &release.release("1.0.0").expect("is there").record;
    let expected = Claims {
        iss: ADDRESS.into(),
        project: PROJECT.into(),
        version: "1.0.0".into(),
        release_counter: 1,
        download_url: format!("{ADDRESS}/firmware/lamp/lamp-1.0.0.bin"),
        checksum: 0x133b_6236,
        sha256: record.artifact.sha256.clone(),
        size_bytes: 5,
        hardware: Vec::new(),
        min_version: None,
        allow_downgrade: false,
        jti: claims.jti.clone(),
        nbf: START_MS / 1000,
        exp: START_MS / 1000 + 15 * 60,
    };
    assert_eq!(claims, expected);
    let mut check = ImageCheck::new(&claims);
    check.push(b"1.0.0").expect("no byte too many");
    check.finish().expect("this is the image");

    let over = judge_after_ms(&text, &trusted, 16 * MINUTE_MS);
    assert_eq!(over, Err(Refusal::Expired));
    let again = manifest(&house, &lamp).await.expect("again");
    let again = judge(&again, &trusted).expect("a device takes it");
    assert_ne!(again.jti, claims.jti, "a device takes each one once");
    let wish = ManifestWish {
        running: Running::Version("1.0.0"),
        key: None,
        address: ADDRESS,
    };
    let up_to_date = house.portal.firmware.manifest(&lamp.actor, wish).await;
    assert_eq!(up_to_date.expect("answers"), None);
}

#[tokio::test]
async fn what_is_not_offered_is_not_signed() {
    let (house, lamp) = house_with_release().await;
    let firmware = &house.portal.firmware;
    let plans = [
        RolloutPlan {
            paused: true,
            ..RolloutPlan::default()
        },
        RolloutPlan {
            starts_at: Some(Timestamp(START_MS + HOUR_MS)),
            ..RolloutPlan::default()
        },
        RolloutPlan {
            percent: 0,
            ..RolloutPlan::default()
        },
    ];
    for plan in plans {
        house.plan("1.0.0", plan.clone()).await;
        assert_eq!(manifest(&house, &lamp).await, None, "{plan:?}");
    }
    house.plan("1.0.0", RolloutPlan::default()).await;
    assert!(manifest(&house, &lamp).await.is_some());
    let withdrawn = firmware.withdraw(&house.admin, PROJECT, "1.0.0").await;
    withdrawn.expect("withdraws");
    let asked = house.cosigner.times_asked();
    assert_eq!(manifest(&house, &lamp).await, None);
    assert_eq!(house.cosigner.times_asked(), asked, "nobody signs it");
}

#[tokio::test]
async fn what_failed_too_often_is_not_signed_for_others() {
    let (house, lamp) = house_with_release().await;
    assert!(manifest(&house, &lamp).await.is_some());
    for _ in 0..5 {
        let unlucky = house.lamp("").await;
        assert!(manifest(&house, &unlucky).await.is_some());
        for state in [ReportState::Installing, ReportState::Failed] {
            says(&house.portal, &unlucky, "1.0.0", state).await;
        }
    }
    house.keep_rollouts().await;
    assert_eq!(manifest(&house, &lamp).await, None);
}

#[tokio::test]
async fn each_publication_counts_higher() {
    let (house, lamp) = house_with_release().await;
    let first = claims(&house, &lamp).await.expect("something");
    house.release("2.0.0").await;
    let second = claims(&house, &lamp).await.expect("something");
    assert_eq!((first.release_counter, second.release_counter), (1, 2));
    for version in ["2.0.0", "1.0.0"] {
        let firmware = &house.portal.firmware;
        let withdrawn = firmware.withdraw(&house.admin, PROJECT, version).await;
        withdrawn.expect("withdraws");
    }
    // What was offered before is offered anew only if it was published later.
    house.pass_ms(MINUTE_MS);
    house.publish("1.0.0").await;
    let anew = claims(&house, &lamp).await.expect("something");
    assert_eq!((anew.version.as_str(), anew.release_counter), ("1.0.0", 3));
}

#[tokio::test]
async fn a_release_is_counted_and_signed_when_the_second_person_agreed() {
    let house = House::new().await;
    house.draft("1.0.0").await;
    let lamp = house.lamp("").await;
    change_project(&house, json!({ "two_person_approval": true })).await;
    house.publish("1.0.0").await;
    assert_eq!(manifest(&house, &lamp).await, None);
    assert_eq!(signing(&house).release_counter, None);
    let seen = ApproveRelease::default();
    let firmware = &house.portal.firmware;
    let agreed = firmware
        .approve(&house.admin, PROJECT, "1.0.0", &seen)
        .await;
    agreed.expect("agrees");
    assert_eq!(signing(&house).release_counter, Some(1));
    assert!(claims(&house, &lamp).await.is_some());
}

#[tokio::test]
async fn what_changes_is_in_the_next_manifest() {
    let (house, lamp) = house_with_release().await;
    claims(&house, &lamp).await.expect("something");
    change_project(&house, json!({ "hardware": ["esp32s3"] })).await;
    let change = serde_json::from_value(json!({ "allow_downgrade": true, "min_version": "0.9.0" }));
    let firmware = &house.portal.firmware;
    let change = change.expect("fits");
    let changed = firmware
        .change_release(&house.admin, PROJECT, "1.0.0", &change)
        .await;
    changed.expect("changes it");
    assert_eq!(
        house.details("project.change").await,
        [r#"hardware=["esp32s3"]"#]
    );
    assert_eq!(
        house.details("release.change").await,
        [r#"allow_downgrade=true, min_version="0.9.0""#]
    );
    let changed = claims(&house, &lamp).await.expect("something");
    assert_eq!(changed.hardware, ["esp32s3"]);
    assert_eq!(changed.min_version.as_deref(), Some("0.9.0"));
    assert!(changed.allow_downgrade);
    assert_eq!(changed.release_counter, 1, "it was not published anew");

    let wish = ManifestWish {
        running: Running::Version("0.9.0"),
        key: None,
        address: "https://elsewhere.example",
    };
    let elsewhere = firmware.manifest(&lamp.actor, wish).await;
    let elsewhere = elsewhere.expect("answers").expect("something");
    let trusted = trusted(&house, &house.admin).await;
    let elsewhere = judge(&elsewhere, &trusted).expect("a device takes it");
    assert!(
        elsewhere
            .download_url
            .starts_with("https://elsewhere.example/firmware/")
    );
    let back = claims(&house, &lamp).await.expect("something");
    assert_eq!(back.iss, ADDRESS);
}

#[tokio::test]
async fn nobody_but_a_device_gets_a_manifest() {
    let (house, _) = house_with_release().await;
    let wish = ManifestWish {
        running: Running::AsBefore,
        key: None,
        address: ADDRESS,
    };
    for actor in [&house.admin, &house.owner, &crate::house::nobody()] {
        let refused = house.portal.firmware.manifest(actor, wish).await;
        assert!(refused.is_err(), "{:?}", actor.who);
    }
}

#[tokio::test]
async fn an_image_from_before_gets_its_checksum_once() {
    let (house, lamp) = house_with_release().await;
    let before = claims(&house, &lamp).await.expect("something");
    let mut database = house.database().await;
    let forget = "UPDATE artifacts SET crc32 = NULL";
    database.execute(forget).await.expect("forgets");
    house.portal.firmware.reload_catalog().await.expect("reads");
    let computed = claims(&house, &lamp).await.expect("something");
    assert_eq!(computed.checksum, before.checksum);

    // It is kept: the image is not read again.
    fs::remove_file(house.image_file(&before.sha256)).expect("removes");
    let other = house.other_instance();
    other.firmware.reload_catalog().await.expect("reads");
    let text = manifest_with(&other, &lamp, None).await.expect("answers");
    assert!(text.is_some());
}

#[tokio::test]
async fn what_has_rotted_is_not_signed() {
    let (house, lamp) = house_with_release().await;
    let sha256 = claims(&house, &lamp).await.expect("something").sha256;
    let mut database = house.database().await;
    let forget = "UPDATE artifacts SET crc32 = NULL";
    database.execute(forget).await.expect("forgets");
    house.portal.firmware.reload_catalog().await.expect("reads");
    fs::write(house.image_file(&sha256), "1.0.1").expect("rots");
    let failed = manifest_with(&house.portal, &lamp, None).await;
    assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
}

#[tokio::test]
async fn what_was_published_first_is_shown_to_the_co_signer_first() {
    let (house, lamp) = house_with_release().await;
    house.release("1.1.0").await;
    assert!(house.cosigner.counters().is_empty());
    manifest(&house, &lamp).await.expect("is offered");
    assert_eq!(
        house.cosigner.counters(),
        [1, 2],
        "a release for a few devices is not shut out by the next one for all"
    );
    manifest(&house, &lamp).await.expect("is offered");
    assert_eq!(
        house.cosigner.counters(),
        [1, 2, 2],
        "and each is shown once"
    );
}

#[tokio::test]
async fn a_co_signer_that_was_silent_is_shown_what_it_missed_in_order() {
    let house = House::new().await;
    house.cosigner.falls_silent();
    house.release("1.0.0").await;
    house.release("1.1.0").await;
    house.portal.firmware.present_publications().await;
    assert!(house.cosigner.counters().is_empty(), "nothing was signed");
    house.cosigner.fails_with(None);
    house.pass_ms(MINUTE_MS);
    house.portal.firmware.present_publications().await;
    house.portal.firmware.present_publications().await;
    assert_eq!(house.cosigner.counters(), [1, 2]);
}

#[tokio::test]
async fn what_is_refused_for_a_while_is_not_overtaken() {
    let (house, lamp) = house_with_release().await;
    house.release("1.1.0").await;
    house.cosigner.refuses("outside_hours", None);
    house.portal.firmware.present_publications().await;
    let asked = house.cosigner.times_asked();
    assert_eq!(asked, 1, "the later one would be refused, too");

    house.cosigner.fails_with(None);
    let too_soon = manifest_with(&house.portal, &lamp, None).await;
    assert!(
        matches!(too_soon, Err(Error::NotCoSigned { .. })),
        "{too_soon:?}"
    );
    assert!(house.cosigner.counters().is_empty());
    house.pass_ms(MINUTE_MS);
    manifest(&house, &lamp).await.expect("is offered");
    assert_eq!(house.cosigner.counters(), [1, 2]);
}

#[tokio::test]
async fn a_release_that_nobody_approves_holds_up_no_other() {
    let (house, lamp) = house_with_release().await;
    house.cosigner.refuses("awaits_approval", None);
    house.portal.firmware.present_publications().await;
    house.release("1.1.0").await;
    house.cosigner.fails_with(None);
    manifest(&house, &lamp).await.expect("is offered");
    assert_eq!(house.cosigner.counters(), [2]);
}

#[tokio::test]
async fn the_page_of_a_signed_release_tells_that_nothing_is_signed_any_more() {
    let (house, lamp) = house_with_release().await;
    manifest(&house, &lamp).await.expect("is offered");
    let word = signing(&house).co_signer.expect("it was asked");
    assert_eq!(word.code, CoSignerWord::SIGNED);
    house.cosigner.refuses("revoked", None);
    let status = house.portal.firmware.cosigner_status(&house.admin).await;
    assert_eq!(status.expect("tells").state, CoSignerState::Refused);
    let word = signing(&house).co_signer.expect("it was asked");
    assert_eq!(word.code, "revoked");
}
