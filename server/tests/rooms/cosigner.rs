//! How the portal stands with its co-signer, and what of that devices and admins learn.

use gatehouse_core::{Error, ports::cosigner::CoSignFailure};
use gatehouse_types::{
    Timestamp, codes,
    manifest::{CoSignerState, CoSignerWord},
};

use crate::{
    house::{MINUTE_MS, PROJECT, START_MS},
    manifests::{house_with_release, judge_after_ms, manifest, manifest_with, signing, trusted},
};

#[tokio::test]
async fn a_co_signer_goes_away_and_comes_back() {
    let (house, lamp) = house_with_release().await;
    let firmware = &house.portal.firmware;
    let status = async || firmware.cosigner_status(&house.admin).await.expect("tells");
    let healthy = status().await;
    assert_eq!(healthy.state, CoSignerState::Ok);
    assert_eq!(healthy.since, Timestamp(START_MS));
    let keys = trusted(&house, &lamp.actor).await;

    house.pass_ms(MINUTE_MS);
    house.cosigner.falls_silent();
    let failed = manifest_with(&house.portal, &lamp, None).await;
    let Err(Error::NotCoSigned {
        code,
        detail,
        retry_after_s,
    }) = failed
    else {
        panic!("{failed:?}");
    };
    assert_eq!(code, codes::COSIGNER_UNREACHABLE);
    assert_eq!(retry_after_s, 30);
    assert!(detail.contains("Nobody is at home."), "{detail}");
    let asked = house.cosigner.times_asked();
    assert!(manifest_with(&house.portal, &lamp, None).await.is_err());
    assert_eq!(
        house.cosigner.times_asked(),
        asked,
        "a fleet does not wait for it"
    );

    house.pass_ms(MINUTE_MS);
    let down = status().await;
    assert_eq!(down.state, CoSignerState::Unreachable);
    assert_eq!(down.since, Timestamp(START_MS + MINUTE_MS));
    assert_eq!(down.detail, "Nobody is at home.");
    let word = signing(&house).co_signer.expect("it was asked");
    assert_eq!(word.code, CoSignerWord::UNREACHABLE);
    assert_eq!(
        trusted(&house, &lamp.actor).await,
        keys,
        "its keys are known"
    );

    house.pass_ms(MINUTE_MS);
    house.cosigner.fails_with(None);
    let text = manifest(&house, &lamp).await.expect("something");
    judge_after_ms(&text, &keys, 3 * MINUTE_MS).expect("a device takes it");
    let up = status().await;
    assert_eq!(up.state, CoSignerState::Ok);
    assert_eq!(up.since, Timestamp(START_MS + 3 * MINUTE_MS));
    assert_eq!(up.detail, "");
    let word = signing(&house).co_signer.expect("it was asked");
    assert_eq!(word.code, CoSignerWord::SIGNED);
}

#[tokio::test]
async fn nobody_learns_keys_that_the_co_signer_never_told() {
    let (house, lamp) = house_with_release().await;
    house.cosigner.falls_silent();
    let keys = house
        .portal
        .firmware
        .project_keys(&lamp.actor, PROJECT)
        .await;
    assert!(matches!(keys, Err(Error::NotCoSigned { .. })), "{keys:?}");
    house.cosigner.fails_with(None);
    house.pass_ms(MINUTE_MS);
    trusted(&house, &lamp.actor).await;
    house.cosigner.refuses("revoked", None);
    trusted(&house, &lamp.actor).await;
    house.pass_ms(MINUTE_MS);
    let keys = house
        .portal
        .firmware
        .project_keys(&lamp.actor, PROJECT)
        .await;
    assert!(matches!(keys, Err(Error::NotCoSigned { .. })), "{keys:?}");
}

#[tokio::test]
async fn a_refusal_of_one_release_is_not_one_of_the_portal() {
    let (house, lamp) = house_with_release().await;
    let firmware = &house.portal.firmware;
    assert_eq!(signing(&house).co_signer, None);
    for (failure, code, retry, state) in [
        (
            ("awaits_approval", Some(7)),
            codes::COSIGNER_REFUSED,
            7,
            CoSignerState::Ok,
        ),
        (
            ("revoked", None),
            codes::COSIGNER_REFUSED,
            60,
            CoSignerState::Refused,
        ),
        (
            ("unknown_portal", None),
            codes::COSIGNER_REFUSED,
            60,
            CoSignerState::Refused,
        ),
    ] {
        let (said, retry_after) = failure;
        house.pass_ms(MINUTE_MS);
        house.cosigner.refuses(said, retry_after);
        let failed = manifest_with(&house.portal, &lamp, None).await;
        let Err(Error::NotCoSigned {
            code: is,
            detail,
            retry_after_s,
        }) = failed
        else {
            panic!("{failed:?}");
        };
        assert_eq!((is, retry_after_s), (code, retry));
        assert!(detail.contains(said), "{detail}");
        let word = signing(&house).co_signer.expect("it was asked");
        assert_eq!(word.code, said);
        assert_eq!(word.detail, format!("It is {said}."));
        if state == CoSignerState::Refused {
            let status = firmware.cosigner_status(&house.admin).await.expect("tells");
            assert_eq!(status.state, state, "{said}");
        } else {
            house.cosigner.fails_with(None);
            let status = firmware.cosigner_status(&house.admin).await.expect("tells");
            assert_eq!(status.since, Timestamp(START_MS + MINUTE_MS));
        }
    }
    house
        .cosigner
        .fails_with(Some(CoSignFailure::Clock { off_by_s: -400 }));
    let failed = manifest_with(&house.portal, &lamp, None).await;
    let sentence = failed.expect_err("fails").to_string();
    assert!(sentence.contains("400 seconds apart"), "{sentence}");
    let status = firmware.cosigner_status(&house.admin).await.expect("tells");
    assert_eq!(status.state, CoSignerState::Clock);
    assert!(firmware.cosigner_status(&house.owner).await.is_err());
}

#[tokio::test]
async fn a_word_belongs_to_a_publication() {
    let (house, lamp) = house_with_release().await;
    manifest(&house, &lamp).await.expect("something");
    let first = signing(&house).co_signer.expect("it was asked");
    assert_eq!(first.since, Timestamp(START_MS));
    house.pass_ms(MINUTE_MS);
    manifest(&house, &lamp).await.expect("something");
    assert_eq!(signing(&house).co_signer, Some(first), "since then");
    let firmware = &house.portal.firmware;
    let withdrawn = firmware.withdraw(&house.admin, PROJECT, "1.0.0").await;
    withdrawn.expect("withdraws");
    house.publish("1.0.0").await;
    assert_eq!(signing(&house).co_signer, None);
}
