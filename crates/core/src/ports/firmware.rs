//! Storage of projects, releases, devices and device tokens.

use std::collections::BTreeMap;

use async_trait::async_trait;
use gatehouse_types::{
    firmware::{ReleaseState, ReportEntry, ReportState},
    image::ImageFacts,
    rollout::{Approval, Channel, Rollout},
};
use uuid::Uuid;

use super::{
    StoreResult,
    fleet::{ActionRecord, Progress},
    project_keys::ProjectKeyRecord,
};

/// A project as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRecord {
    /// The project.
    pub id: Uuid,
    /// The path segment.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Chips it runs on.
    pub hardware: Vec<String>,
    /// Whether somebody else than the publisher has to agree before devices see a release.
    pub two_person_approval: bool,
    /// Whether an unknown device that shows the gateway token is registered.
    pub registers_unknown_devices: bool,
    /// SHA-256 of the gateway token, when there is one.
    pub gateway_token_hash: Option<[u8; 32]>,
    /// How much room its images may take, in bytes; no limit when missing.
    pub quota_bytes: Option<i64>,
    /// How often devices should ask, in seconds, 5..=86400.
    pub poll_s: i64,
    /// How often it was changed; a change has to know the newest.
    pub revision: i64,
    /// When it was made.
    pub created_at_ms: i64,
}

/// What is known of an image's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// 64 lower-case hex digits; the content's address.
    pub sha256: String,
    /// 40 lower-case hex digits.
    pub sha1: String,
    /// 32 lower-case hex digits.
    pub md5: String,
    /// CRC-32 as zlib has it; `None` for an image from before it was computed.
    pub crc32: Option<u32>,
    /// The length.
    pub size_bytes: i64,
}

/// A release as it is stored, with the facts of its artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseRecord {
    /// The release.
    pub id: Uuid,
    /// Whose it is.
    pub project_id: Uuid,
    /// As it was uploaded.
    pub version: String,
    /// The canonical spelling, unique in the project.
    pub version_key: String,
    /// The last segment of the download URL, unique in the project.
    pub file_name: String,
    /// The bytes.
    pub artifact: Artifact,
    /// Where it stands.
    pub state: ReleaseState,
    /// What changed, for people.
    pub notes: String,
    /// What foreign clients know it by, from 1 up, unique in the project; given by the store.
    pub number: i64,
    /// Rises with every publication in the project; given by the store. `None` before the first.
    pub release_counter: Option<i64>,
    /// What the image says of itself; `None` for a release from before images were read.
    pub image: Option<ImageFacts>,
    /// Who gets it at all.
    pub channel: Channel,
    /// Devices below this version have to install another one first; canonical spelling.
    pub min_version: Option<String>,
    /// Whether devices with a higher version get it, too.
    pub allow_downgrade: bool,
    /// Plan and standing of its rollout.
    pub rollout: Rollout,
    /// Who published it and who agreed.
    pub approval: Approval,
    /// How often it was changed; a change has to know the newest.
    pub revision: i64,
    /// When it was uploaded.
    pub created_at_ms: i64,
    /// When it was last published.
    pub published_at_ms: Option<i64>,
    /// When it was withdrawn.
    pub withdrawn_at_ms: Option<i64>,
}

/// A device as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Whose it is.
    pub project_id: Uuid,
    /// The device, unique in the project.
    pub device_id: Uuid,
    /// What people call it.
    pub name: String,
    /// What foreign clients call it, unique in the project; the id when missing.
    pub controller_id: Option<String>,
    /// For rollouts by group.
    pub group_name: String,
    /// Which releases it gets.
    pub channel: Channel,
    /// Free words about it.
    pub attributes: BTreeMap<String, String>,
    /// SHA-256 of its target token, when it has one.
    pub target_token_hash: Option<[u8; 32]>,
    /// The version it last said it runs.
    pub current_version: Option<String>,
    /// What it last reported.
    pub last_state: Option<ReportState>,
    /// Its newest action; read along, never written with the device.
    pub action: Option<ActionRecord>,
    /// When it was last heard of.
    pub last_seen_at_ms: Option<i64>,
    /// When it was registered.
    pub created_at_ms: i64,
}

/// A device token as it is stored; the token itself never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceTokenRecord {
    /// Names the token.
    pub jti: Uuid,
    /// The project it is good for.
    pub project_id: Uuid,
    /// The device it is good for.
    pub device_id: Uuid,
    /// What the device ran when it was made.
    pub fw_version: String,
    /// When it was made.
    pub issued_at_ms: i64,
    /// When it ends.
    pub expires_at_ms: i64,
    /// When it was revoked.
    pub revoked_at_ms: Option<i64>,
}

/// What every hot path needs, read in one go.
#[derive(Debug, Clone, Default)]
pub struct CatalogRows {
    /// Rises with every change of what is below.
    pub change_seq: i64,
    /// Projects that were not removed.
    pub projects: Vec<ProjectRecord>,
    /// Their releases, in every state.
    pub releases: Vec<ReleaseRecord>,
    /// Their keys in force, the oldest of each project first.
    pub project_keys: Vec<ProjectKeyRecord>,
    /// Revoked tokens that are not over yet.
    pub revoked: Vec<Uuid>,
}

/// Projects.
#[async_trait]
pub trait Projects: Send + Sync {
    /// Adds a project and its first key; `Taken` when the name is in use.
    async fn insert_project(
        &self,
        project: &ProjectRecord,
        key: &ProjectKeyRecord,
    ) -> StoreResult<()>;
    /// Writes everything but the name back; `false` when it is gone.
    async fn update_project(&self, project: &ProjectRecord) -> StoreResult<bool>;
    /// Marks a project as removed, frees its name, revokes its tokens and ends its keys;
    /// `false` when it is gone.
    async fn remove_project(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// The number that rises with every change of the catalogue or of revocations.
    async fn change_seq(&self) -> StoreResult<i64>;
    /// Reads everything that hot paths need, in one transaction.
    async fn load_catalog(&self, now_ms: i64) -> StoreResult<CatalogRows>;
}

/// Releases.
#[async_trait]
pub trait Releases: Send + Sync {
    /// Adds a release and its artifact, with the project's next number whatever the record says;
    /// `Taken` when version or file name are in use in the project.
    async fn insert_release(&self, release: &ReleaseRecord) -> StoreResult<()>;
    /// Writes everything but version, file name, number and artifact back if the stored state is
    /// still `from` and the revision still the record's; `false` otherwise.
    ///
    /// A release that becomes published gets the project's next counter, whatever the record says.
    async fn update_release(
        &self,
        release: &ReleaseRecord,
        from: ReleaseState,
    ) -> StoreResult<bool>;
    /// Keeps the CRC-32 of an image that had none.
    async fn keep_crc32(&self, sha256: &str, crc32: u32) -> StoreResult<()>;
    /// Deletes a draft; `false` when it is none.
    async fn delete_draft(&self, id: Uuid) -> StoreResult<bool>;
    /// Every content address that a release of a project that was not removed names.
    async fn artifact_addresses(&self) -> StoreResult<Vec<String>>;
}

/// Devices.
#[async_trait]
pub trait Devices: Send + Sync {
    /// Adds a device; `Taken` when the project knows that id or controller id.
    async fn insert_device(&self, device: &DeviceRecord) -> StoreResult<()>;
    /// Finds a device that was not removed.
    async fn device(&self, project_id: Uuid, device_id: Uuid) -> StoreResult<Option<DeviceRecord>>;
    /// Lists devices in the order of their ids, after the given one.
    async fn list_devices(
        &self,
        project_id: Uuid,
        after: Option<Uuid>,
        limit: i64,
    ) -> StoreResult<Vec<DeviceRecord>>;
    /// How many devices run which version; `None` for those that never said.
    async fn versions_in_field(&self, project_id: Uuid) -> StoreResult<Vec<(Option<String>, i64)>>;
    /// How many devices were heard of since then, and when the newest word of any came.
    async fn heard_of(&self, project_id: Uuid, since_ms: i64) -> StoreResult<(i64, Option<i64>)>;
    /// Writes name, group, channel and attributes back; `false` when it is gone.
    async fn update_device(&self, device: &DeviceRecord) -> StoreResult<bool>;
    /// Deletes a device and its reports, and revokes its tokens; `false` when it is gone.
    async fn remove_device(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        now_ms: i64,
    ) -> StoreResult<bool>;
    /// Keeps a report and what follows for the device and its action; `false` when the device is gone.
    async fn insert_report(
        &self,
        id: Uuid,
        progress: &Progress,
        report: &ReportEntry,
    ) -> StoreResult<bool>;
    /// A device's newest reports first.
    async fn list_reports(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        limit: i64,
    ) -> StoreResult<Vec<ReportEntry>>;
}

/// Which device tokens are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenFilter {
    /// Of this project.
    pub project_id: Option<Uuid>,
    /// Of this device.
    pub device_id: Option<Uuid>,
    /// Older than this one.
    pub before: Option<Uuid>,
}

/// Device tokens.
#[async_trait]
pub trait DeviceTokens: Send + Sync {
    /// Keeps that a token was made.
    async fn insert_device_token(&self, token: &DeviceTokenRecord) -> StoreResult<()>;
    /// Lists tokens, newest first.
    async fn list_device_tokens(
        &self,
        filter: TokenFilter,
        limit: i64,
    ) -> StoreResult<Vec<DeviceTokenRecord>>;
    /// Revokes a token; `None` when it is unknown, else whether it was still good.
    async fn revoke_device_token(&self, jti: Uuid, now_ms: i64) -> StoreResult<Option<bool>>;
}
