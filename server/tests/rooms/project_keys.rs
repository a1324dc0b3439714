//! The keys of projects: made, replaced with overlap, ended.

use gatehouse_core::{Error, firmware::Firmware};
use gatehouse_manifest::Refusal;
use gatehouse_types::{PageQuery, audit::AuditQuery, manifest::ProjectKeysInForce};
use sqlx::Executor;

use crate::{
    house::{House, PROJECT},
    manifests::{house_with_release, judge, manifest, manifest_with, trusted},
};

async fn in_force(house: &House) -> ProjectKeysInForce {
    let firmware = &house.portal.firmware;
    let keys = firmware.keys_in_force(&house.admin, PROJECT).await;
    keys.expect("tells them")
}

async fn rotate(house: &House) -> gatehouse_core::Result<ProjectKeysInForce> {
    let firmware = &house.portal.firmware;
    firmware.rotate_project_key(&house.admin, PROJECT).await
}

async fn retire(house: &House) -> gatehouse_core::Result<ProjectKeysInForce> {
    let firmware = &house.portal.firmware;
    firmware.retire_project_key(&house.admin, PROJECT).await
}

#[tokio::test]
async fn one_key_replaces_another_while_devices_know_both() {
    let (house, lamp) = house_with_release().await;
    let old_device = trusted(&house, &lamp.actor).await;
    let refused = retire(&house).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "the only one"
    );

    let keys = rotate(&house).await.expect("makes one").keys;
    let [old, new] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    assert!(old.is_signing && !new.is_signing);
    assert_eq!(in_force(&house).await.keys, keys);
    let refused = rotate(&house).await;
    assert!(
        matches!(refused, Err(Error::Conflict { .. })),
        "one at a time"
    );
    let between = trusted(&house, &lamp.actor).await;
    assert_eq!(between.project_keys.len(), 2);

    let by_old = manifest(&house, &lamp).await.expect("something");
    judge(&by_old, &old_device).expect("it is signed as before");
    judge(&by_old, &between).expect("both are believed");
    let by_new = manifest_with(&house.portal, &lamp, Some(&new.thumbprint)).await;
    let by_new = by_new.expect("answers").expect("something");
    assert_eq!(judge(&by_new, &old_device), Err(Refusal::BadSignature));
    judge(&by_new, &between).expect("both are believed");

    let left = retire(&house).await.expect("ends the old one").keys;
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].thumbprint, new.thumbprint);
    assert!(left[0].is_signing);
    let after = manifest(&house, &lamp).await.expect("something");
    assert_eq!(judge(&after, &old_device), Err(Refusal::BadSignature));
    judge(&after, &between).expect("both are believed");
    judge(&after, &trusted(&house, &lamp.actor).await).expect("the new one is");
    let gone = manifest_with(&house.portal, &lamp, Some(&old.thumbprint)).await;
    assert!(
        matches!(gone, Err(Error::NotFound("project key"))),
        "{gone:?}"
    );

    let query = AuditQuery {
        action: Some("project.rotate_key".into()),
        ..AuditQuery::default()
    };
    let lines = house.portal.audit.list(&house.admin, &query).await;
    let lines = lines.expect("lists").items;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].detail, new.thumbprint);
}

#[tokio::test]
async fn another_instance_signs_with_the_same_keys() {
    let (house, lamp) = house_with_release().await;
    let other = house.other_instance();
    other.firmware.reload_catalog().await.expect("reads");
    let trusted = trusted(&house, &lamp.actor).await;
    let signed = manifest_with(&other, &lamp, None).await.expect("answers");
    judge(&signed.expect("something"), &trusted).expect("a device takes it");

    let keys = rotate(&house).await.expect("makes one").keys;
    retire(&house).await.expect("ends the old one");
    other.firmware.follow_changes().await.expect("follows");
    let gone = manifest_with(&other, &lamp, Some(&keys[0].thumbprint)).await;
    assert!(
        matches!(gone, Err(Error::NotFound("project key"))),
        "{gone:?}"
    );
    let signed = manifest_with(&other, &lamp, None).await.expect("answers");
    let signed = signed.expect("something");
    assert_eq!(judge(&signed, &trusted), Err(Refusal::BadSignature));
}

#[tokio::test]
async fn a_project_from_before_gets_its_key_when_it_is_needed() {
    let (house, lamp) = house_with_release().await;
    let mut database = house.database().await;
    let forget = "DELETE FROM project_keys";
    database.execute(forget).await.expect("forgets");
    let other = house.other_instance();
    for portal in [&house.portal, &other] {
        portal.firmware.reload_catalog().await.expect("reads");
    }
    let (one, two) = tokio::join!(
        manifest_with(&house.portal, &lamp, None),
        manifest_with(&other, &lamp, None)
    );
    let trusted = trusted(&house, &house.admin).await;
    for signed in [one, two] {
        let signed = signed.expect("answers").expect("something");
        judge(&signed, &trusted).expect("both signed with the one key");
    }
    assert_eq!(in_force(&house).await.keys.len(), 1);
}

#[tokio::test]
async fn keys_are_for_admins_and_the_devices_of_their_project() {
    let (house, lamp) = house_with_release().await;
    let firmware: &Firmware = &house.portal.firmware;
    let new = serde_json::from_value(serde_json::json!({ "name": "bell" })).expect("fits");
    let bell = firmware.create_project(&house.admin, &new).await;
    bell.expect("makes it");
    firmware
        .project_keys(&lamp.actor, PROJECT)
        .await
        .expect("its own");
    let foreign = firmware.project_keys(&lamp.actor, "bell").await;
    assert!(matches!(foreign, Err(Error::Forbidden(_))), "{foreign:?}");
    let nobody = crate::house::nobody();
    for actor in [&house.owner, &nobody] {
        assert!(firmware.project_keys(actor, PROJECT).await.is_err());
    }
    for actor in [&house.owner, &nobody, &lamp.actor] {
        assert!(firmware.keys_in_force(actor, PROJECT).await.is_err());
        assert!(firmware.rotate_project_key(actor, PROJECT).await.is_err());
        assert!(firmware.retire_project_key(actor, PROJECT).await.is_err());
        assert!(firmware.release_signing(actor, PROJECT, "1.0.0").is_err());
    }
    assert_eq!(in_force(&house).await.keys.len(), 1, "nothing came of it");
}

#[tokio::test]
async fn a_projects_keys_end_with_it() {
    let (house, lamp) = house_with_release().await;
    let before = trusted(&house, &lamp.actor).await;
    let firmware = &house.portal.firmware;
    let removed = firmware.remove_project(&house.admin, PROJECT).await;
    removed.expect("removes it");
    house.release("1.0.0").await;
    let new_lamp = house.lamp("").await;
    let after = manifest(&house, &new_lamp).await.expect("something");
    assert_eq!(judge(&after, &before), Err(Refusal::OtherProject));
    let projects = firmware.list_projects(&house.admin, &PageQuery::default());
    assert_eq!(projects.expect("lists").items.len(), 1);
}
