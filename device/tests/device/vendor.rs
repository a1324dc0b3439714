//! The two keys that sign a project's releases, and what they sign.

use std::path::Path;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::support::{NEW_VERSION, Stage};
use gatehouse_device::Keys;
use gatehouse_manifest::{
    Algorithm, Bundle, Claims, Manifest, SigningKey, cosigner_kid, jti, project_kid,
};

pub(crate) const PROJECT_ID: &str = "018f3c1a-7b5e-7c3d-9a2f-4d5e6f708192";
pub(crate) const OTHER_PROJECT_ID: &str = "018f3c1a-7b5e-7c3d-9a2f-4d5e6f708193";
pub(crate) const HARDWARE: &str = "esp32s3";
pub(crate) const RELEASE_COUNTER: u64 = 7;

/// Both signers of one project, in one place for once.
pub(crate) struct Vendor {
    pub(crate) project: SigningKey,
    pub(crate) cosigner: SigningKey,
    signed: AtomicU8,
}

impl Default for Vendor {
    fn default() -> Self {
        Self::with_keys([1; 32], [2; 32])
    }
}

impl Vendor {
    pub(crate) fn with_keys(project: [u8; 32], cosigner: [u8; 32]) -> Self {
        let key = |bytes| SigningKey::from_bytes(Algorithm::Es256, &bytes).unwrap();
        Self {
            project: key(project),
            cosigner: key(cosigner),
            signed: AtomicU8::new(0),
        }
    }

    /// What these keys would sign for the portal's image: good for a quarter of an hour.
    pub(crate) fn claims(&self, stage: &Stage) -> Claims {
        let nbf = now_s();
        let exp = nbf + 900;
        Claims {
            iss: stage.url(),
            project: "lamp".to_owned(),
            version: NEW_VERSION.to_owned(),
            release_counter: RELEASE_COUNTER,
            download_url: format!("{}/firmware/lamp/lamp.bin", stage.url()),
            checksum: crc32(&stage.image),
            sha256: stage.sha256(),
            size_bytes: stage.image.len() as u64,
            hardware: vec!["esp32".to_owned(), HARDWARE.to_owned()],
            min_version: None,
            allow_downgrade: false,
            jti: jti(exp, [self.signed.fetch_add(1, Ordering::Relaxed); 6]),
            nbf,
            exp,
        }
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let mut manifest = Manifest::sign(claims, &project_kid(PROJECT_ID), &self.project);
        manifest.add_signature(&cosigner_kid(PROJECT_ID), &self.cosigner);
        manifest.to_string()
    }

    pub(crate) fn bundle(&self) -> String {
        let (project, cosigner) = (self.project.public_key(), self.cosigner.public_key());
        let bundle = Bundle {
            project_id: PROJECT_ID.to_owned(),
            project: "lamp".to_owned(),
            hardware: vec![HARDWARE.to_owned()],
            project_pem: project.to_pem(),
            cosigner_pem: cosigner.to_pem(),
            project_jwk: project.to_jwk(&project_kid(PROJECT_ID)),
            cosigner_jwk: cosigner.to_jwk(&cosigner_kid(PROJECT_ID)),
            next_project_pem: None,
            next_project_jwk: None,
            next_cosigner_pem: None,
            next_cosigner_jwk: None,
        };
        serde_json::to_string(&bundle).unwrap()
    }

    /// What a device of this project was given, by way of a file in `folder`.
    pub(crate) fn keys(&self, folder: &Path) -> Keys {
        let path = folder.join("keys.json");
        std::fs::write(&path, self.bundle()).unwrap();
        Keys::from_file(&path, Some(HARDWARE.to_owned())).unwrap()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the device under test reads the same clock"
)]
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// CRC-32 bit by bit, so that the tests do not lean on the code that they judge.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
        }
    }
    !crc
}
