//! What stands in a vector's file.

use std::{fs, path::PathBuf};

use gatehouse_manifest::{Claims, DeviceState, ImageCheck, PublicKey, Refusal, Trusted, verify};
use serde::{Deserialize, Serialize};

/// The word for a vector that a device has to take.
pub(crate) const TAKEN: &str = "ok";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) expected: String,
    pub(crate) device: Device,
    pub(crate) trusted: Keys,
    pub(crate) manifest: String,
    pub(crate) image_hex: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    pub(crate) now_s: i64,
    pub(crate) project: String,
    pub(crate) hardware: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) release_counter: u64,
    pub(crate) seen: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    pub(crate) project_id: String,
    pub(crate) project_pems: Vec<String>,
    pub(crate) cosigner_pems: Vec<String>,
}

impl Vector {
    /// What this crate says about it, in the words of `expected`.
    pub(crate) fn outcome(&self) -> &'static str {
        self.install().map_or_else(Refusal::code, |_| TAKEN)
    }

    fn install(&self) -> Result<Claims, Refusal> {
        let trusted = Trusted {
            project_id: self.trusted.project_id.clone(),
            project_keys: keys(&self.trusted.project_pems)?,
            cosigner_keys: keys(&self.trusted.cosigner_pems)?,
        };
        let state = DeviceState {
            now_s: self.device.now_s,
            project: &self.device.project,
            hardware: self.device.hardware.as_deref(),
            version: self.device.version.as_deref(),
            release_counter: self.device.release_counter,
            has_seen: &|jti| self.device.seen.iter().any(|seen| seen == jti),
        };
        let claims = verify(&self.manifest, &trusted, &state)?;
        if let Some(image_hex) = &self.image_hex {
            let mut check = ImageCheck::new(&claims);
            for piece in hex::decode(image_hex).expect("hexadecimal").chunks(7) {
                check.push(piece)?;
            }
            check.finish()?;
        }
        Ok(claims)
    }
}

fn keys(pems: &[String]) -> Result<Vec<PublicKey>, Refusal> {
    pems.iter().map(|pem| PublicKey::from_pem(pem)).collect()
}

pub(crate) fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// All vectors that are published, by the names of their files.
pub(crate) fn published() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let name = path.file_stem().expect("a name").to_string_lossy();
            (name.into_owned(), fs::read_to_string(&path).expect("text"))
        })
        .collect();
    files.sort();
    files
}
