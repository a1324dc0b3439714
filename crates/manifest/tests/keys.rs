//! Keys against the examples of the RFCs, and in every form in which they travel.

use gatehouse_manifest::{Algorithm, Bundle, PublicKey, Refusal, SigningKey, Trusted};

// RFC 7515, appendix A.3.1.
const ES256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const ES256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";
const ES256_SECRET: &str = "8e9b109e719098bf980487df1f5d77e9cb29606ebed2263b5f57c213df84f4b2";
const ES256_PEM: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7
6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==
-----END PUBLIC KEY-----
";

// RFC 8037, appendices A.1 to A.3.
const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const ED25519_SECRET: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const ED25519_THUMBPRINT: &str = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";

const P384_PEM: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEN8KlaDvl49XQFO0knMfL4gKe13uoLRpV
7x7vi28l3yii9SPc1WkPRnupQ3n2BPwnTQGq3WcU4TT8+k7cw1POeu4lujJxjJ/1
PD1Prkk53SdeF9XeKbXLubmPp778t4bC
-----END PUBLIC KEY-----
";

fn key(algorithm: Algorithm, secret: &str) -> SigningKey {
    let mut bytes = [0; 32];
    hex::decode_to_slice(secret, &mut bytes).expect("32 bytes");
    SigningKey::from_bytes(algorithm, &bytes).expect("a key")
}

fn es256() -> SigningKey {
    key(Algorithm::Es256, ES256_SECRET)
}

fn ed25519() -> SigningKey {
    key(Algorithm::EdDsa, ED25519_SECRET)
}

#[test]
fn a_p256_key_is_spelled_as_in_the_rfc() {
    let public = es256().public_key();
    assert_eq!(public.to_pem(), ES256_PEM);
    let jwk = public.to_jwk("somebody");
    assert_eq!(
        serde_json::to_value(&jwk).expect("JSON"),
        serde_json::json!({
            "kty": "EC", "crv": "P-256", "x": ES256_X, "y": ES256_Y,
            "kid": "somebody", "alg": "ES256", "use": "sig",
        })
    );
    // Both worked out with another program.
    let thumbprint = "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U";
    assert_eq!(public.thumbprint(), thumbprint);
    assert_eq!(public.server_id(), "2bd1bb0c-44a8-87c3-8a7a-a0991cde38d8");
}

#[test]
fn an_ed25519_key_is_spelled_as_in_the_rfc() {
    let public = ed25519().public_key();
    let jwk = public.to_jwk("somebody");
    assert_eq!((jwk.x.as_str(), jwk.y.clone()), (ED25519_X, None));
    assert_eq!((jwk.kty.as_str(), jwk.crv.as_str()), ("OKP", "Ed25519"));
    assert_eq!(public.thumbprint(), ED25519_THUMBPRINT);
}

#[test]
fn a_key_comes_back_from_every_form() {
    for key in [es256(), ed25519()] {
        let public = key.public_key();
        assert_eq!(PublicKey::from_pem(&public.to_pem()), Ok(public.clone()));
        assert_eq!(PublicKey::from_jwk(&public.to_jwk("x")), Ok(public.clone()));
        let again = SigningKey::from_pem(&key.to_pem()).expect("a key");
        assert_eq!(again.public_key(), public);
        // Editors and the Windows clipboard change what stands around and between the lines.
        let windows = format!("\r\n{}\r\n", public.to_pem().replace('\n', "\r\n"));
        assert_eq!(PublicKey::from_pem(&windows), Ok(public));
    }
}

#[test]
fn keys_of_another_kind_are_told_from_broken_ones() {
    assert_eq!(PublicKey::from_pem(P384_PEM), Err(Refusal::WrongKeyType));
    let private = es256().to_pem();
    assert_eq!(PublicKey::from_pem(&private), Err(Refusal::WrongKeyType));
    let refusal = |pem: &str| SigningKey::from_pem(pem).expect_err("refused");
    assert_eq!(refusal(ES256_PEM), Refusal::WrongKeyType);
    for broken in ["", "a key", &ES256_PEM[..80]] {
        assert_eq!(PublicKey::from_pem(broken), Err(Refusal::BadKey));
        assert_eq!(refusal(broken), Refusal::BadKey);
    }
    let off_the_curve = ES256_PEM.replace("YjlrQ==", "Yjlrg==");
    assert_ne!(off_the_curve, ES256_PEM);
    assert_eq!(PublicKey::from_pem(&off_the_curve), Err(Refusal::BadKey));
    for no_scalar in [[0; 32], [0xff; 32]] {
        let made = SigningKey::from_bytes(Algorithm::Es256, &no_scalar);
        assert_eq!(made.expect_err("refused"), Refusal::BadKey);
    }
}

#[test]
fn a_jwk_that_contradicts_itself_is_refused() {
    let good = es256().public_key().to_jwk("somebody");
    let mut other_curve = good.clone();
    other_curve.crv = "P-384".to_owned();
    let mut other_algorithm = good.clone();
    other_algorithm.alg = "EdDSA".to_owned();
    for jwk in [other_curve, other_algorithm] {
        assert_eq!(PublicKey::from_jwk(&jwk), Err(Refusal::WrongKeyType));
    }
    let mut half = good.clone();
    half.y = None;
    let mut short = good.clone();
    short.x.truncate(40);
    let mut off_the_curve = good.clone();
    off_the_curve.y = Some(good.x.clone());
    for jwk in [half, short, off_the_curve] {
        assert_eq!(PublicKey::from_jwk(&jwk), Err(Refusal::BadKey));
    }
}

#[test]
fn what_is_printed_of_a_signing_key_is_not_secret() {
    for (key, secret) in [(es256(), ES256_SECRET), (ed25519(), ED25519_SECRET)] {
        let printed = format!("{key:?}");
        let bytes = hex::decode(secret).expect("hexadecimal");
        let as_list = format!("{:?}", &bytes[..4]);
        assert!(!printed.contains(&secret[..16]), "{printed}");
        assert!(
            !printed.contains(as_list.trim_matches(['[', ']'])),
            "{printed}"
        );
    }
}

fn bundle() -> Bundle {
    let (project, cosigner) = (es256().public_key(), ed25519().public_key());
    Bundle {
        project_id: "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20".to_owned(),
        project: "weather-station".to_owned(),
        hardware: vec!["esp32s3".to_owned()],
        project_pem: project.to_pem(),
        cosigner_pem: cosigner.to_pem(),
        project_jwk: project.to_jwk("p"),
        cosigner_jwk: cosigner.to_jwk("c"),
        next_project_pem: None,
        next_project_jwk: None,
        next_cosigner_pem: None,
        next_cosigner_jwk: None,
    }
}

fn taken(bundle: &Bundle) -> Result<Trusted, Refusal> {
    Trusted::from_bundle_json(&serde_json::to_string(bundle).expect("JSON"))
}

#[test]
fn a_bundle_gives_the_keys_to_believe() {
    let next = key(Algorithm::Es256, &"07".repeat(32)).public_key();
    let mut bundle = bundle();
    bundle.next_project_pem = Some(next.to_pem());
    let trusted = taken(&bundle).expect("a bundle");
    assert_eq!(trusted.project_id, bundle.project_id);
    assert_eq!(trusted.project_keys, [es256().public_key(), next]);
    assert_eq!(trusted.cosigner_keys, [ed25519().public_key()]);
}

#[test]
fn a_bundle_with_one_key_for_both_is_refused() {
    let mut same = bundle();
    same.next_cosigner_pem = Some(same.project_pem.clone());
    assert_eq!(taken(&same), Err(Refusal::SameKeyTwice));
    let mut broken = bundle();
    broken.cosigner_pem = "none".to_owned();
    assert_eq!(taken(&broken), Err(Refusal::BadKey));
    assert_eq!(Trusted::from_bundle_json("{}"), Err(Refusal::Malformed));
}
