//! Projects, releases, devices and their tokens; what a device should install.
//!
//! Everything a device's request needs (projects, releases, revocations) lies in the
//! [`catalog`], a snapshot in memory: update checks and downloads touch no database row.
//! The snapshot is taken again after each change here, and within half a second of a change
//! on another instance.

mod catalog;
mod devices;
mod projects;
mod releases;
mod tokens;
mod update;
mod upload;

use std::collections::HashMap;
use std::sync::Mutex;

use arc_swap::ArcSwap;
use uuid::Uuid;

pub use catalog::{Catalog, CatalogProject, CatalogRelease};
pub use update::{Answer, Check};
pub use upload::{Upload, UploadTarget};

use crate::{
    Error,
    audit::Audit,
    jwt::TokenKey,
    ports::{Ports, firmware::Sighting},
};

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
    /// The newest word of each device since the last flush; see [`Firmware::flush_sightings`].
    sightings: Mutex<HashMap<(Uuid, Uuid), Sighting>>,
}

impl Firmware {
    pub(crate) fn new(
        ports: Ports,
        audit: Audit,
        settings: FirmwareSettings,
        device_token_key: &[u8; 32],
    ) -> Self {
        Self {
            ports,
            audit,
            settings,
            device_tokens: TokenKey::new(device_token_key, "JWT"),
            catalog: ArcSwap::default(),
            sightings: Mutex::default(),
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
