//! Projects, releases, devices and their tokens; what a device should install.
//!
//! Everything a device's request needs (projects, releases, revocations) lies in the
//! [`catalog`], a snapshot in memory: update checks and downloads touch no database row.
//! The snapshot is taken again after each change here, and within half a second of a change
//! on another instance. What each device runs and was told lies in memory as well (`fleet`):
//! `rollout` decides what it should have, `hearing` what follows from its words.

mod actions;
mod append;
mod approval;
mod catalog;
mod checksum;
mod controllers;
mod cosigning;
mod deployments;
mod devices;
mod fleet;
mod fleet_upkeep;
mod gateway;
mod hearing;
pub mod image;
mod manifests;
mod objections;
mod pace;
mod presenting;
mod project_keys;
mod projects;
mod quota;
mod releases;
mod resumable;
mod rollout;
mod rollout_keeper;
mod rollouts;
mod running;
mod scrub;
mod standing;
mod tokens;
mod update;
mod upload;
mod words;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicI64;

use arc_swap::ArcSwap;

pub use append::Append;
pub use catalog::{Catalog, CatalogProject, CatalogRelease};
pub use checksum::Checksum;
pub use controllers::{AttributesMode, LastingToken};
pub use deployments::Deployment;
pub use devices::TARGET_TOKEN_CHARS;
pub use manifests::ManifestWish;
pub use project_keys::opens_project_key;
pub use resumable::{Addition, UploadState};
pub use running::Running;
pub use scrub::{DamagedImage, Scrubbed, examine_image};
pub use upload::{Upload, UploadTarget};
pub use words::{Answer, Orders};

use cosigning::CoSigning;
use fleet::Fleet;
use manifests::ClaimsCache;
use project_keys::KeyRing;
use quota::Reserved;

use crate::{Error, audit::Audit, jwt::TokenKey, ports::Ports};

/// Limits and defaults that the operator sets.
#[derive(Debug, Clone, Copy)]
pub struct FirmwareSettings {
    /// How long a device token lasts when nobody says, 1..=1440.
    pub default_expiry_minutes: i64,
    /// The largest image that is taken.
    pub max_upload_bytes: u64,
    /// Whether downloads need no token.
    pub no_jwt: bool,
}

/// The room of projects, releases and devices.
pub struct Firmware {
    ports: Ports,
    audit: Audit,
    settings: FirmwareSettings,
    device_tokens: TokenKey,
    catalog: ArcSwap<Catalog>,
    /// When which image was found damaged, by its SHA-256; see [`Firmware::scrub`].
    damaged: ArcSwap<BTreeMap<String, i64>>,
    fleet: Fleet,
    /// The room that uploads under way keep from each other.
    reserved: Reserved,
    /// The number of the catalogue with which the rollouts were looked at last.
    rollouts_seen_seq: AtomicI64,
    key_ring: KeyRing,
    claims: ClaimsCache,
    co_signing: CoSigning,
    /// Held while something from before there were manifests gets what it lacks.
    first_needs: tokio::sync::Mutex<()>,
}

impl Firmware {
    pub(crate) fn new(
        ports: Ports,
        audit: Audit,
        settings: FirmwareSettings,
        device_token_key: &[u8; 32],
        project_key_secrets: &[[u8; 32]],
    ) -> Self {
        Self {
            ports,
            audit,
            settings,
            device_tokens: TokenKey::new(device_token_key, "JWT"),
            catalog: ArcSwap::default(),
            damaged: ArcSwap::default(),
            fleet: Fleet::default(),
            reserved: Reserved::default(),
            rollouts_seen_seq: AtomicI64::new(-1),
            key_ring: KeyRing::new(project_key_secrets),
            claims: ClaimsCache::default(),
            co_signing: CoSigning::default(),
            first_needs: tokio::sync::Mutex::default(),
        }
    }

    /// Whether downloads need no token.
    pub const fn no_jwt(&self) -> bool {
        self.settings.no_jwt
    }

    /// The largest image that is taken, in bytes.
    pub const fn max_upload_bytes(&self) -> u64 {
        self.settings.max_upload_bytes
    }
}

fn no_such_project() -> Error {
    Error::NotFound("project")
}

fn no_such_release() -> Error {
    Error::NotFound("release")
}

fn no_such_device() -> Error {
    Error::NotFound("device")
}
