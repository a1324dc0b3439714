//! The token with which a portal shows itself, and signatures added and taken out.

use gatehouse_manifest::{
    Algorithm, Manifest, Refusal, SigningKey,
    bearer::{self, BearerClaims},
    jti, jti_fits,
};

const NOW_S: i64 = 1_800_000_000;
const EXP_S: i64 = NOW_S + 60;

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(Algorithm::Es256, &[byte; 32]).expect("a key")
}

fn token() -> String {
    bearer::sign("portal", &key(1), &jti(EXP_S, [9; 6]), NOW_S, EXP_S)
}

fn refusal(token: &str, now_s: i64) -> Refusal {
    bearer::verify(token, &key(1).public_key(), now_s).expect_err("refused")
}

#[test]
fn a_token_says_who_comes() {
    assert_eq!(bearer::kid(&token()).as_deref(), Some("portal"));
    let claims = bearer::verify(&token(), &key(1).public_key(), NOW_S);
    let expected = BearerClaims {
        iss: "portal".to_owned(),
        jti: jti(EXP_S, [9; 6]),
        nbf: NOW_S,
        exp: EXP_S,
    };
    assert_eq!(claims, Ok(expected));
}

#[test]
fn a_token_is_for_its_time_only() {
    let verify = |now_s| bearer::verify(&token(), &key(1).public_key(), now_s).map(|_| ());
    assert_eq!(verify(NOW_S - 120), Ok(()));
    assert_eq!(verify(EXP_S + 3), Ok(()));
    assert_eq!(verify(NOW_S - 121), Err(Refusal::NotYetValid));
    assert_eq!(verify(EXP_S + 4), Err(Refusal::Expired));
    let day = bearer::sign(
        "portal",
        &key(1),
        &jti(NOW_S + 86_400, [0; 6]),
        NOW_S,
        NOW_S + 86_400,
    );
    assert_eq!(refusal(&day, NOW_S), Refusal::LifetimeTooLong);
}

#[test]
fn a_token_of_another_key_or_id_is_refused() {
    let other_key = bearer::verify(&token(), &key(2).public_key(), NOW_S);
    assert_eq!(other_key, Err(Refusal::BadSignature));
    let ed25519 = SigningKey::from_bytes(Algorithm::EdDsa, &[1; 32]).expect("a key");
    let other_kind = bearer::verify(&token(), &ed25519.public_key(), NOW_S);
    assert_eq!(other_kind, Err(Refusal::WrongKeyType));
    let uuid = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b22";
    let other_id = bearer::sign("portal", &key(1), uuid, NOW_S, EXP_S);
    assert_eq!(refusal(&other_id, NOW_S), Refusal::BadNonce);
}

#[test]
fn a_manifest_is_no_token_and_a_token_no_manifest() {
    let manifest = Manifest::sign(&serde_json::json!({}), "portal", &key(1));
    let text = manifest.to_string();
    assert_eq!(refusal(&text, NOW_S), Refusal::Malformed);
    assert_eq!(Manifest::parse(&token()), Err(Refusal::Malformed));
    let parts: Vec<&str> = text.split('"').collect();
    let compact = [parts[9], parts[3], parts[13]].join(".");
    assert_eq!(refusal(&compact, NOW_S), Refusal::WrongType);
}

#[test]
fn broken_tokens_are_refused() {
    let token = token();
    let (unsigned, _) = token.rsplit_once('.').expect("three parts");
    for (broken, expected) in [
        (String::new(), Refusal::Malformed),
        (unsigned.to_owned(), Refusal::Malformed),
        (format!("{unsigned}."), Refusal::BadSignature),
        (format!("{token}="), Refusal::Malformed),
        (format!("{token}.{unsigned}"), Refusal::BadSignature),
        ("x".repeat(16_385), Refusal::TooLong),
    ] {
        assert_eq!(refusal(&broken, NOW_S), expected, "{broken}");
    }
}

#[test]
fn signatures_come_and_go_by_name() {
    let mut manifest = Manifest::from_payload_json(r#"{"a":1}"#, "portal", &key(1));
    manifest.add_signature("cosigner", &key(2));
    manifest.add_signature("portal", &key(3));
    assert_eq!(
        manifest.signers().collect::<Vec<_>>(),
        ["cosigner", "portal"]
    );
    let check = |manifest: &Manifest, kid, byte| {
        manifest.check_signature(kid, &[key(9).public_key(), key(byte).public_key()])
    };
    assert_eq!(check(&manifest, "portal", 3), Ok(()));
    assert_eq!(check(&manifest, "portal", 1), Err(Refusal::BadSignature));
    manifest.remove_signature("portal");
    assert_eq!(
        check(&manifest, "portal", 3),
        Err(Refusal::SignatureMissing)
    );
    assert_eq!(check(&manifest, "cosigner", 2), Ok(()));
    assert_eq!(
        manifest.check_signature("cosigner", &[]),
        Err(Refusal::WrongKeyType)
    );
    assert_eq!(manifest.payload(), Ok(serde_json::json!({ "a": 1 })));
}

#[test]
fn an_id_names_its_expiry() {
    let id = jti(EXP_S, [0, 61, 62, 255, 10, 36]);
    assert_eq!(id, "0022027-01-15T08:01:00Z0z07Aa");
    assert!(jti_fits(&id, EXP_S) && !jti_fits(&id, EXP_S + 1));
    assert!(!jti_fits(&format!("{id}0"), EXP_S) && !jti_fits(&id.replace('z', "é"), EXP_S));
}
