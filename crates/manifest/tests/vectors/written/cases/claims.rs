//! Both signed, and yet the device has to refuse.

use gatehouse_manifest::{Algorithm, Manifest, cosigner_kid, jti, project_kid};
use serde_json::{Value, json};

use super::super::maker::{
    EXP_S, NOW_S, OTHER_PROJECT_ID, Signers, claims as good_claims, claims_with, valid, vector,
};
use crate::file::Vector;

fn signed(name: &str, about: &str, claims: &Value) -> Vector {
    vector(name, about, Signers::new(Algorithm::Es256).signed(claims))
}

fn without(member: &str) -> Value {
    let mut claims = good_claims();
    claims.as_object_mut().expect("an object").remove(member);
    claims
}

pub(crate) fn all() -> Vec<Vector> {
    [times(), ids(), addressees(), wrong_kinds()].concat()
}

fn times() -> Vec<Vector> {
    vec![
        signed("expired", "An hour past its time.", &good_claims())
            .device(|device| device.now_s = EXP_S + 3600)
            .refused("expired"),
        signed(
            "expired_a_second_ago",
            "The id's own expiry knows no leeway.",
            &good_claims(),
        )
        .device(|device| device.now_s = EXP_S + 1)
        .refused("expired"),
        signed(
            "not_yet_valid",
            "More than two minutes before its time.",
            &good_claims(),
        )
        .device(|device| device.now_s = NOW_S - 121)
        .refused("not_yet_valid"),
        signed(
            "lifetime_too_long",
            "Valid for an hour and a second.",
            &valid(NOW_S, NOW_S + 3601),
        )
        .refused("lifetime_too_long"),
        signed(
            "expiry_too_far_ahead",
            "Valid for a short time, a day from now, and since long.",
            &valid(NOW_S - 86_400, NOW_S + 86_400),
        )
        .refused("lifetime_too_long"),
    ]
}

fn ids() -> Vec<Vector> {
    let with_jti = |jti: &str| claims_with(json!({ "jti": jti }));
    let good = jti(EXP_S, [0; 6]);
    vec![
        signed(
            "jti_seen",
            "The device had this id before.",
            &with_jti(&good),
        )
        .device(|device| device.seen.push(good.clone()))
        .refused("already_seen"),
        signed(
            "jti_uuid",
            "The id is a UUID.",
            &with_jti("0190d5a4-7e31-7c44-9a55-3f6f8c6d1b22"),
        )
        .refused("bad_nonce"),
        signed(
            "jti_other_expiry",
            "The id expires later than exp.",
            &with_jti(&jti(EXP_S + 60, [0; 6])),
        )
        .refused("bad_nonce"),
        signed(
            "jti_first_version",
            "The id is of the version that named the time of signing.",
            &with_jti(&good.replacen("002", "001", 1)),
        )
        .refused("bad_nonce"),
        signed(
            "jti_short",
            "Five letters or digits, not six.",
            &with_jti(&good[..28]),
        )
        .refused("bad_nonce"),
        signed(
            "jti_sign",
            "A letter or digit is something else.",
            &with_jti(&format!("{}-", &good[..28])),
        )
        .refused("bad_nonce"),
    ]
}

fn addressees() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let mut other = Manifest::sign(
        &good_claims(),
        &project_kid(OTHER_PROJECT_ID),
        &signers.project,
    );
    other.add_signature(&cosigner_kid(OTHER_PROJECT_ID), &signers.cosigner);
    let from = |version: &str| claims_with(json!({ "min_version": version }));
    vec![
        vector(
            "project_other_signers",
            "Signed for another project.",
            other,
        )
        .refused("other_project"),
        signed(
            "project_other_name",
            "The claims name another project.",
            &claims_with(json!({ "project": "greenhouse" })),
        )
        .refused("other_project"),
        signed(
            "hardware_other",
            "Made for other hardware.",
            &claims_with(json!({ "hardware": ["esp32c3", "esp32s2"] })),
        )
        .refused("other_hardware"),
        signed(
            "hardware_unknown",
            "The device does not know what it is.",
            &good_claims(),
        )
        .device(|device| device.hardware = None)
        .refused("other_hardware"),
        signed(
            "counter_lower",
            "The device had a later release.",
            &good_claims(),
        )
        .device(|device| device.release_counter = 8)
        .refused("counter_too_low"),
        signed(
            "min_version_higher",
            "1.3.1 has to come first.",
            &from("1.3.1"),
        )
        .refused("version_too_low"),
        signed(
            "min_version_numbers",
            "1.10.0 comes after 1.3.0.",
            &from("1.10.0"),
        )
        .refused("version_too_low"),
        signed(
            "min_version_unknown",
            "The device does not know its version.",
            &from("1.0.0"),
        )
        .device(|device| device.version = None)
        .refused("version_too_low"),
    ]
}

fn wrong_kinds() -> Vec<Vector> {
    let missing = [
        "project",
        "version",
        "release_counter",
        "download_url",
        "checksum",
        "sha256",
        "size_bytes",
        "hardware",
        "allow_downgrade",
        "jti",
        "nbf",
        "exp",
    ]
    .map(|member| {
        let name = format!("claim_missing_{member}");
        signed(&name, "A claim is missing.", &without(member)).refused("no_manifest")
    });
    let wrong = [
        ("exp_text", json!({ "exp": "1800000900" })),
        ("exp_fraction", json!({ "exp": 1_800_000_900.5 })),
        ("counter_negative", json!({ "release_counter": -1 })),
        ("checksum_text", json!({ "checksum": "00000000" })),
        ("hardware_text", json!({ "hardware": "esp32s3" })),
    ]
    .map(|(name, change)| {
        let name = format!("claim_{name}");
        signed(&name, "A claim is of a wrong kind.", &claims_with(change)).refused("no_manifest")
    });
    let signers = Signers::new(Algorithm::Es256);
    let doubled = good_claims()
        .to_string()
        .replacen('{', r#"{"release_counter":9,"#, 1);
    vec![
        signed(
            "claims_text",
            "The claims are no object.",
            &json!("install it"),
        )
        .refused("no_manifest"),
        vector("claim_doubled", "A claim is there twice.", {
            let mut manifest = Manifest::from_payload_json(
                doubled,
                &project_kid(super::super::maker::PROJECT_ID),
                &signers.project,
            );
            let kid = cosigner_kid(super::super::maker::PROJECT_ID);
            manifest.add_signature(&kid, &signers.cosigner);
            manifest
        })
        .refused("no_manifest"),
    ]
    .into_iter()
    .chain(missing)
    .chain(wrong)
    .collect()
}
