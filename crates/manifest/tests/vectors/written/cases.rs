//! Every vector that is published.

mod claims;
mod signatures;

use gatehouse_manifest::{Algorithm, Manifest, cosigner_kid, project_kid};
use serde_json::json;

use super::maker::{
    EXP_S, IMAGE, NOW_S, PROJECT_ID, Signers, claims as good_claims, claims_with, edited, valid,
    vector, with_header,
};
use crate::file::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [
        good_forms(),
        good_states(),
        signatures::all(),
        claims::all(),
        images(),
    ]
    .concat()
}

fn good_forms() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let good = signers.signed(&good_claims());
    let sign = |claims| signers.signed(&claims);
    let header = |typ: &str| json!({ "typ": typ, "alg": "ES256", "kid": PROJECT_ID, "sidx": 1, "kids": ["a"] });
    vec![
        vector("good", "Signed by both.", &good).image(IMAGE),
        vector(
            "good_order",
            "The co-signer's signature comes first.",
            edited(&good, |wire| {
                wire["signatures"].as_array_mut().expect("a list").reverse();
            }),
        ),
        vector(
            "good_spaces",
            "Space between the members, as Python's json.dumps writes it, does no harm.",
            good.to_string().replace(':', ": ").replace(',', ", "),
        ),
        vector(
            "good_header_members",
            "Further members of a header do no harm.",
            with_header(&signers, &header("JOSE+JSON")),
        ),
        vector(
            "good_typ_jwt",
            "typ may be JWT.",
            with_header(&signers, &header("JWT")),
        ),
        vector(
            "good_typ_jose",
            "typ may be JOSE.",
            with_header(&signers, &header("JOSE")),
        ),
        vector(
            "good_claim_members",
            "Further claims do no harm.",
            sign(claims_with(
                json!({ "aud": "anybody", "note": { "nested": [1, null] } }),
            )),
        ),
    ]
}

fn good_states() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let good = signers.signed(&good_claims());
    let sign = |claims| signers.signed(&claims);
    let mut rotated = Manifest::sign(
        &good_claims(),
        &project_kid(PROJECT_ID),
        &signers.next_project,
    );
    rotated.add_signature(&cosigner_kid(PROJECT_ID), &signers.cosigner);
    vec![
        vector(
            "good_any_hardware",
            "No hardware named means any.",
            sign(claims_with(json!({ "hardware": [] }))),
        )
        .device(|device| device.hardware = None),
        vector(
            "good_first_install",
            "A device fresh from the factory.",
            &good,
        )
        .device(|device| {
            device.version = None;
            device.release_counter = 0;
        }),
        vector(
            "good_same_counter",
            "The release that runs may be installed again.",
            &good,
        )
        .device(|device| device.release_counter = 7),
        vector(
            "good_signed_downgrade",
            "A lower counter that was signed as allowed.",
            sign(claims_with(json!({ "allow_downgrade": true }))),
        )
        .device(|device| device.release_counter = 8),
        vector(
            "good_min_version",
            "The device has just the version to come from.",
            sign(claims_with(json!({ "min_version": "1.3.0" }))),
        ),
        vector(
            "good_clock_behind",
            "The device's clock is two minutes behind.",
            sign(valid(NOW_S, EXP_S)),
        )
        .device(|device| device.now_s = NOW_S - 120),
        vector(
            "good_last_second",
            "It is taken in the second in which it expires.",
            &good,
        )
        .device(|device| device.now_s = EXP_S),
        vector(
            "good_rotation",
            "The project's next key signed; the device has both.",
            rotated,
        )
        .trusted(|keys| {
            let next = signers.next_project.public_key().to_pem();
            keys.project_pems.push(next);
        }),
        ed25519_trusted(vector(
            "good_ed25519",
            "Both signed with Ed25519.",
            Signers::new(Algorithm::EdDsa).signed(&good_claims()),
        )),
    ]
}

pub(super) fn ed25519_trusted(vector: Vector) -> Vector {
    let signers = Signers::new(Algorithm::EdDsa);
    vector.trusted(|keys| {
        keys.project_pems = vec![signers.project.public_key().to_pem()];
        keys.cosigner_pems = vec![signers.cosigner.public_key().to_pem()];
    })
}

fn images() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let good = signers.signed(&good_claims());
    let longer = [IMAGE, b"x"].concat();
    let mut other = IMAGE.to_vec();
    other[3] ^= 1;
    vec![
        vector("image_longer", "One byte more than was signed.", &good)
            .image(&longer)
            .refused("image_too_long"),
        vector("image_shorter", "One byte less than was signed.", &good)
            .image(&IMAGE[..IMAGE.len() - 1])
            .refused("image_too_short"),
        vector("image_other", "One bit of the image is another.", &good)
            .image(&other)
            .refused("image_differs"),
        vector(
            "image_other_checksum",
            "SHA-256 fits and CRC-32 does not.",
            signers.signed(&claims_with(json!({ "checksum": 1 }))),
        )
        .image(IMAGE)
        .refused("image_differs"),
        vector(
            "image_other_sha256",
            "CRC-32 fits and SHA-256 does not.",
            signers.signed(&claims_with(json!({ "sha256": "0".repeat(64) }))),
        )
        .image(IMAGE)
        .refused("image_differs"),
    ]
}
