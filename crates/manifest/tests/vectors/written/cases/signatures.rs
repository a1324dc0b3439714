//! Not signed as it has to be, or not of the agreed form.

use gatehouse_manifest::{Algorithm, Manifest, SigningKey, cosigner_kid, project_kid};
use serde_json::{Value, json};

use super::{
    super::maker::{
        PROJECT_ID, Signers, claims, claims_with, edited, flip, to_der, vector, with_header,
    },
    ed25519_trusted,
};
use crate::file::Vector;

pub(crate) fn all() -> Vec<Vector> {
    [bits(), signers(), headers(), forms(), kinds()].concat()
}

fn good() -> Manifest {
    Signers::new(Algorithm::Es256).signed(&claims())
}

fn by(project: &SigningKey, cosigner: &SigningKey) -> Manifest {
    let mut manifest = Manifest::sign(&claims(), &project_kid(PROJECT_ID), project);
    manifest.add_signature(&cosigner_kid(PROJECT_ID), cosigner);
    manifest
}

fn bits() -> Vec<Vector> {
    let header = json!({ "typ": "JOSE+JSON", "alg": "ES256", "kid": PROJECT_ID, "zz": "a" });
    let noted = Manifest::parse(&with_header(&Signers::new(Algorithm::Es256), &header));
    let noted = noted.expect("a manifest");
    let last_byte = header.to_string().len() - 3;
    vec![
        vector(
            "bit_payload",
            "One bit of the payload is changed.",
            edited(&good(), |wire| {
                flip(&mut wire["payload"], 40);
            }),
        )
        .refused("bad_signature"),
        vector(
            "bit_header",
            "One bit of a header is changed.",
            edited(&noted, |wire| {
                flip(&mut wire["signatures"][0]["protected"], last_byte);
            }),
        )
        .refused("bad_signature"),
        vector(
            "bit_kid",
            "One bit of a signer's name is changed.",
            edited(&good(), |wire| {
                flip(&mut wire["signatures"][0]["protected"], 40);
            }),
        )
        .refused("unknown_signer"),
        vector(
            "bit_project_signature",
            "One bit of r is changed.",
            edited(&good(), |wire| {
                flip(&mut wire["signatures"][0]["signature"], 0);
            }),
        )
        .refused("bad_signature"),
        vector(
            "bit_cosigner_signature",
            "One bit of s is changed.",
            edited(&good(), |wire| {
                flip(&mut wire["signatures"][1]["signature"], 63);
            }),
        )
        .refused("bad_signature"),
    ]
}

fn signers() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let (project, cosigner, stranger) = (&signers.project, &signers.cosigner, &signers.stranger);
    let without = |kid: &str| {
        let mut manifest = good();
        manifest.remove_signature(kid);
        manifest
    };
    let mut three = good();
    three.add_signature("project/somebody", stranger);
    vec![
        vector(
            "missing_project",
            "Only the co-signer signed.",
            without(PROJECT_ID),
        )
        .refused("signature_missing"),
        vector(
            "missing_cosigner",
            "Only the project signed.",
            without(&cosigner_kid(PROJECT_ID)),
        )
        .refused("signature_missing"),
        vector(
            "missing_both",
            "Nobody signed.",
            edited(&good(), |wire| {
                wire["signatures"] = json!([]);
            }),
        )
        .refused("signature_missing"),
        vector(
            "doubled_project",
            "The project signed twice.",
            edited(&good(), |wire| {
                wire["signatures"][1] = wire["signatures"][0].clone();
            }),
        )
        .refused("signature_doubled"),
        vector("third_signer", "A third one signed too.", three).refused("unknown_signer"),
        vector(
            "stranger_as_project",
            "Another key as the project's.",
            by(stranger, cosigner),
        )
        .refused("bad_signature"),
        vector(
            "stranger_as_cosigner",
            "Another key as the co-signer's.",
            by(project, stranger),
        )
        .refused("bad_signature"),
        vector(
            "stranger_twice",
            "Another key as both.",
            by(stranger, stranger),
        )
        .refused("bad_signature"),
        vector(
            "keys_swapped",
            "Each signed under the other's name.",
            by(cosigner, project),
        )
        .refused("bad_signature"),
        vector(
            "project_key_twice",
            "The project's key made both.",
            by(project, project),
        )
        .refused("same_key_twice"),
        vector(
            "cosigner_key_twice",
            "The co-signer's key made both.",
            by(cosigner, cosigner),
        )
        .refused("same_key_twice"),
        vector(
            "one_key_trusted",
            "The device has one key for both.",
            by(project, project),
        )
        .trusted(|keys| keys.cosigner_pems.clone_from(&keys.project_pems))
        .refused("same_key_twice"),
        vector(
            "signatures_of_another",
            "Both signatures are good ones, over other claims.",
            edited(&good(), |wire| {
                let other = signers.signed(&claims_with(json!({ "release_counter": 8 })));
                let other: Value = serde_json::from_str(&other.to_string()).expect("JSON");
                wire["payload"] = other["payload"].clone();
            }),
        )
        .refused("bad_signature"),
    ]
}

fn headers() -> Vec<Vector> {
    let signers = Signers::new(Algorithm::Es256);
    let headed = |name: &str, about: &str, header: Value| {
        vector(name, about, with_header(&signers, &header))
    };
    let kid = PROJECT_ID;
    vec![
        headed(
            "alg_none",
            "alg is none.",
            json!({ "typ": "JWT", "alg": "none", "kid": kid }),
        )
        .refused("unsupported_algorithm"),
        headed(
            "alg_missing",
            "There is no alg.",
            json!({ "typ": "JWT", "kid": kid }),
        )
        .refused("unsupported_algorithm"),
        headed(
            "alg_hs256",
            "alg is HS256.",
            json!({ "typ": "JWT", "alg": "HS256", "kid": kid }),
        )
        .refused("unsupported_algorithm"),
        headed(
            "alg_of_another_key",
            "alg is EdDSA and the key is of P-256.",
            json!({ "typ": "JWT", "alg": "EdDSA", "kid": kid }),
        )
        .refused("wrong_key_type"),
        headed(
            "typ_other",
            "typ is JWE.",
            json!({ "typ": "JWE", "alg": "ES256", "kid": kid }),
        )
        .refused("wrong_type"),
        headed(
            "typ_missing",
            "There is no typ.",
            json!({ "alg": "ES256", "kid": kid }),
        )
        .refused("wrong_type"),
        headed(
            "kid_missing",
            "There is no kid.",
            json!({ "typ": "JWT", "alg": "ES256" }),
        )
        .refused("malformed"),
        headed(
            "crit",
            "Something is marked critical that nobody knows.",
            json!({ "typ": "JWT", "alg": "ES256", "kid": kid, "crit": ["b64"], "b64": false }),
        )
        .refused("malformed"),
    ]
}

fn forms() -> Vec<Vector> {
    let text = good().to_string();
    let parts: Value = serde_json::from_str(&text).expect("JSON");
    let part = |value: &Value| value.as_str().expect("text").to_owned();
    let first = &parts["signatures"][0];
    let compact = [&first["protected"], &parts["payload"], &first["signature"]].map(part);
    vec![
        vector(
            "signature_der",
            "A signature is spelled in DER.",
            edited(&good(), |wire| {
                to_der(&mut wire["signatures"][0]["signature"]);
            }),
        )
        .refused("bad_signature"),
        vector(
            "signature_empty",
            "A signature is empty.",
            edited(&good(), |wire| {
                wire["signatures"][0]["signature"] = "".into();
            }),
        )
        .refused("bad_signature"),
        vector(
            "signature_zero",
            "A signature is all zeros.",
            edited(&good(), |wire| {
                wire["signatures"][0]["signature"] = "A".repeat(86).into();
            }),
        )
        .refused("bad_signature"),
        vector(
            "base64_padded",
            "A signature is padded.",
            edited(&good(), |wire| {
                let padded = part(&wire["signatures"][0]["signature"]) + "==";
                wire["signatures"][0]["signature"] = padded.into();
            }),
        )
        .refused("malformed"),
        vector(
            "base64_spare_bits",
            "Bits beyond the last byte are set.",
            edited(&good(), |wire| {
                let mut signature = part(&wire["signatures"][0]["signature"]);
                // The last of 86 letters stands for two bits: A, Q, g or w. The next letter adds one.
                let last = signature.pop().expect("a letter");
                signature.push(char::from_u32(u32::from(last) + 1).expect("a letter"));
                wire["signatures"][0]["signature"] = signature.into();
            }),
        )
        .refused("malformed"),
        vector(
            "unprotected_header",
            "A header that nobody signed.",
            edited(&good(), |wire| {
                wire["signatures"][0]["header"] = json!({ "kid": PROJECT_ID });
            }),
        )
        .refused("malformed"),
        vector(
            "member_unknown",
            "A member that nobody signed.",
            edited(&good(), |wire| {
                wire["note"] = "x".into();
            }),
        )
        .refused("malformed"),
        vector(
            "member_doubled",
            "Two payloads.",
            text.replacen('{', r#"{"payload":"","#, 1),
        )
        .refused("malformed"),
        vector("compact", "A compact JWS.", compact.join(".")).refused("malformed"),
        vector(
            "trailing",
            "Something after the end.",
            format!("{text}{{}}"),
        )
        .refused("malformed"),
        vector("not_json", "No JSON.", "install it").refused("malformed"),
        vector(
            "too_long",
            "One byte more than 16 KiB.",
            format!("{text:<16385}"),
        )
        .refused("too_long"),
    ]
}

fn kinds() -> Vec<Vector> {
    let ed25519 = Signers::new(Algorithm::EdDsa).signed(&claims());
    vec![
        vector(
            "ed25519_not_trusted",
            "The device's keys are of P-256.",
            &ed25519,
        )
        .refused("wrong_key_type"),
        ed25519_trusted(vector(
            "ed25519_bit",
            "One bit is changed.",
            edited(&ed25519, |wire| {
                flip(&mut wire["signatures"][1]["signature"], 5);
            }),
        ))
        .refused("bad_signature"),
        ed25519_trusted(vector(
            "ed25519_mixed",
            "One signed with the other kind.",
            good(),
        ))
        .refused("wrong_key_type"),
    ]
}
