//! Manifests, Bearer tokens and bundles of keys: read or refused, and what is read is one spelling.
//!
//! The fuzzer cannot sign, so the claims that it finds are signed here on its behalf.
#![no_main]

use gatehouse_manifest::{
    Algorithm, Claims, DeviceState, ImageCheck, Manifest, SigningKey, Trusted, bearer,
    cosigner_kid, project_kid, verify,
};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

const PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";

const DEVICE: DeviceState<'static> = DeviceState {
    now_s: 1_800_000_060,
    project: "weather-station",
    hardware: Some("esp32s3"),
    version: Some("1.3.0"),
    release_counter: 6,
    has_seen: &|_| false,
};

static PROJECT: LazyLock<SigningKey> = LazyLock::new(|| key(0x11));
static COSIGNER: LazyLock<SigningKey> = LazyLock::new(|| key(0x22));
static TRUSTED: LazyLock<Trusted> = LazyLock::new(|| Trusted {
    project_id: PROJECT_ID.to_owned(),
    project_keys: vec![PROJECT.public_key()],
    cosigner_keys: vec![COSIGNER.public_key()],
});

fn key(byte: u8) -> SigningKey {
    SigningKey::from_bytes(Algorithm::Es256, &[byte; 32]).expect("a scalar of P-256")
}

fn read(text: &str) {
    let _ = bearer::kid(text);
    let _ = bearer::verify(text, &TRUSTED.project_keys[0], DEVICE.now_s);
    let _ = Trusted::from_bundle_json(text);
    let taken = verify(text, &TRUSTED, &DEVICE);
    let Ok(manifest) = Manifest::parse(text) else {
        assert!(taken.is_err());
        return;
    };
    assert_eq!(verify(&manifest.to_string(), &TRUSTED, &DEVICE), taken);
    assert_eq!(Manifest::parse(&manifest.to_string()), Ok(manifest));
}

/// Whoever signs, claims decide only what they say.
fn sign(claims: &[u8]) {
    let mut manifest = Manifest::from_payload_json(claims, &project_kid(PROJECT_ID), &PROJECT);
    manifest.add_signature(&cosigner_kid(PROJECT_ID), &COSIGNER);
    if let Ok(taken) = verify(&manifest.to_string(), &TRUSTED, &DEVICE) {
        assert_eq!(manifest.payload::<Claims>(), Ok(taken.clone()));
        assert_eq!(taken.project, DEVICE.project);
        assert!(taken.allow_downgrade || taken.release_counter >= DEVICE.release_counter);
        assert!(taken.exp >= DEVICE.now_s);
        let mut check = ImageCheck::new(&taken);
        assert!(check.push(claims).is_err() == (claims.len() as u64 > taken.size_bytes));
    }
}

fuzz_target!(|input: &[u8]| {
    sign(input);
    if let Ok(text) = std::str::from_utf8(input) {
        read(text);
    }
});
