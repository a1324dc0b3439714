//! Signs whatever it is told, good or bad, with keys that everybody may know.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_manifest::{Algorithm, Manifest, SigningKey, cosigner_kid, jti, project_kid};
use serde_json::{Value, json};

use crate::file::{Device, Keys, TAKEN, Vector};

pub(crate) const PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";
pub(crate) const OTHER_PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b21";
pub(crate) const NOW_S: i64 = 1_800_000_000;
pub(crate) const EXP_S: i64 = NOW_S + 900;
pub(crate) const IMAGE: &[u8] = b"an image that a device may run\n";
const IMAGE_CRC32: u32 = 0xaafd_f3e4;
const IMAGE_SHA256: &str = "1c23344ffc3033b9e3e8b9cd77a92310e29fbc45d40bdd124f4159c777c07cb5";

/// Everybody who signs in the vectors.
pub(crate) struct Signers {
    pub(crate) project: SigningKey,
    pub(crate) cosigner: SigningKey,
    pub(crate) next_project: SigningKey,
    pub(crate) stranger: SigningKey,
}

impl Signers {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let key = |byte| SigningKey::from_bytes(algorithm, &[byte; 32]).expect("a key");
        Self {
            project: key(0x11),
            cosigner: key(0x22),
            next_project: key(0x33),
            stranger: key(0x44),
        }
    }

    pub(crate) fn signed(&self, claims: &Value) -> Manifest {
        let mut manifest = Manifest::sign(claims, &project_kid(PROJECT_ID), &self.project);
        manifest.add_signature(&cosigner_kid(PROJECT_ID), &self.cosigner);
        manifest
    }
}

pub(crate) fn claims() -> Value {
    json!({
        "iss": "https://portal.example",
        "project": "weather-station",
        "version": "1.4.0",
        "release_counter": 7,
        "download_url": "https://portal.example/api/v1/device/firmware/1.4.0",
        "checksum": IMAGE_CRC32,
        "sha256": IMAGE_SHA256,
        "size_bytes": IMAGE.len(),
        "hardware": ["esp32s3"],
        "allow_downgrade": false,
        "jti": jti(EXP_S, [1, 2, 3, 4, 5, 6]),
        "nbf": NOW_S,
        "exp": EXP_S,
    })
}

/// The good claims with some of them changed.
pub(crate) fn claims_with(changes: Value) -> Value {
    let Value::Object(changes) = changes else {
        panic!("an object");
    };
    let mut claims = claims();
    claims.as_object_mut().expect("an object").extend(changes);
    claims
}

/// The good claims with another time of validity, and the id that goes with it.
pub(crate) fn valid(nbf_s: i64, exp_s: i64) -> Value {
    claims_with(json!({ "nbf": nbf_s, "exp": exp_s, "jti": jti(exp_s, [1; 6]) }))
}

/// A vector in which a device that has version 1.3.0 takes a manifest, until it is changed.
#[expect(clippy::needless_pass_by_value, reason = "most are made in the call")]
pub(crate) fn vector(name: &str, about: &str, manifest: impl ToString) -> Vector {
    let signers = Signers::new(Algorithm::Es256);
    Vector {
        name: name.to_owned(),
        about: about.to_owned(),
        expected: TAKEN.to_owned(),
        device: Device {
            now_s: NOW_S + 60,
            project: "weather-station".to_owned(),
            hardware: Some("esp32s3".to_owned()),
            version: Some("1.3.0".to_owned()),
            release_counter: 6,
            seen: Vec::new(),
        },
        trusted: Keys {
            project_id: PROJECT_ID.to_owned(),
            project_pems: vec![signers.project.public_key().to_pem()],
            cosigner_pems: vec![signers.cosigner.public_key().to_pem()],
        },
        manifest: manifest.to_string(),
        image_hex: None,
    }
}

impl Vector {
    pub(crate) fn refused(mut self, code: &str) -> Self {
        code.clone_into(&mut self.expected);
        self
    }

    pub(crate) fn device(mut self, change: impl FnOnce(&mut Device)) -> Self {
        change(&mut self.device);
        self
    }

    pub(crate) fn trusted(mut self, change: impl FnOnce(&mut Keys)) -> Self {
        change(&mut self.trusted);
        self
    }

    pub(crate) fn image(mut self, image: &[u8]) -> Self {
        self.image_hex = Some(hex::encode(image));
        self
    }
}

/// The manifest's JSON, to be changed behind its signers' backs.
pub(crate) fn wire(manifest: &Manifest) -> Value {
    serde_json::from_str(&manifest.to_string()).expect("JSON")
}

pub(crate) fn edited(manifest: &Manifest, edit: impl FnOnce(&mut Value)) -> String {
    let mut wire = wire(manifest);
    edit(&mut wire);
    wire.to_string()
}

/// Changes one bit of the bytes that a member spells.
pub(crate) fn flip(member: &mut Value, byte: usize) {
    let mut bytes = decoded(member);
    bytes[byte] ^= 1;
    *member = URL_SAFE_NO_PAD.encode(bytes).into();
}

pub(crate) fn decoded(member: &Value) -> Vec<u8> {
    URL_SAFE_NO_PAD
        .decode(member.as_str().expect("text"))
        .expect("base64url")
}

/// Both sign the good claims, the project under a header of its own making.
pub(crate) fn with_header(signers: &Signers, header: &Value) -> String {
    let payload = serde_json::to_vec(&claims()).expect("JSON");
    let signature = compact(&signers.project, &header.to_string(), &payload);
    edited(&signers.signed(&claims()), |wire| {
        wire["signatures"][0] = signature;
    })
}

fn compact(key: &SigningKey, header: &str, payload: &[u8]) -> Value {
    let protected = URL_SAFE_NO_PAD.encode(header);
    let text = format!("{protected}.{}", URL_SAFE_NO_PAD.encode(payload));
    let SigningKey::Es256(key) = key else {
        panic!("headers are tried with ES256");
    };
    let signature: p256::ecdsa::Signature =
        p256::ecdsa::signature::Signer::sign(key, text.as_bytes());
    json!({ "protected": protected, "signature": URL_SAFE_NO_PAD.encode(signature.to_bytes()) })
}

/// A raw signature in the other spelling, ASN.1 DER.
pub(crate) fn to_der(member: &mut Value) {
    let signature = p256::ecdsa::Signature::from_slice(&decoded(member)).expect("a signature");
    *member = URL_SAFE_NO_PAD.encode(signature.to_der()).into();
}
