//! Projects, releases, devices and their tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Timestamp,
    image::{ImageFacts, Objection},
    present,
    rollout::{Action, Approval, Channel, Rollout},
};

mod tokens;

pub use tokens::{
    DeviceClaims, DeviceToken, DeviceTokenInfo, GatewayToken, GenerateToken, NewDeviceToken,
    TokenQuery,
};

/// A firmware project: one kind of device.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// The project.
    pub id: Uuid,
    /// The path segment, `[a-z0-9A-Z][a-zA-Z0-9._-]{0,63}`.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// What it is for.
    pub description: String,
    /// Chips it runs on, such as `esp32s3`.
    pub hardware: Vec<String>,
    /// Whether somebody else than the publisher has to agree before devices see a release.
    pub two_person_approval: bool,
    /// Whether a device that shows the gateway token and is not known is registered.
    pub registers_unknown_devices: bool,
    /// Whether there is a gateway token.
    pub has_gateway_token: bool,
    /// How much room its images may take, in bytes; no limit when missing.
    pub quota_bytes: Option<i64>,
    /// How often devices should ask, in seconds, 5..=86400.
    pub poll_s: i64,
    /// When it was made.
    pub created_at: Timestamp,
}

/// POST `/api/v1/projects`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// The path segment; it cannot be changed later.
    pub name: String,
    /// The name when missing.
    #[serde(default)]
    pub title: String,
    /// At most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// At most 16 chips.
    #[serde(default)]
    pub hardware: Vec<String>,
}

/// PATCH `/api/v1/projects/{project}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ProjectChange {
    /// 1 to 80 characters.
    #[serde(deserialize_with = "present")]
    pub title: Option<String>,
    /// At most 4,000 characters.
    #[serde(deserialize_with = "present")]
    pub description: Option<String>,
    /// At most 16 chips.
    #[serde(deserialize_with = "present")]
    pub hardware: Option<Vec<String>>,
    /// Whether somebody else than the publisher has to agree.
    #[serde(deserialize_with = "present")]
    pub two_person_approval: Option<bool>,
    /// Whether a device that shows the gateway token and is not known is registered.
    #[serde(deserialize_with = "present")]
    pub registers_unknown_devices: Option<bool>,
    /// How much room its images may take, in bytes; `null` for no limit.
    #[serde(deserialize_with = "present")]
    pub quota_bytes: Option<Option<i64>>,
    /// How often devices should ask, in seconds, 5..=86400.
    #[serde(deserialize_with = "present")]
    pub poll_s: Option<i64>,
}

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ReleaseState {
    /// Uploaded; devices do not see it.
    Draft,
    /// Offered to devices.
    Published,
    /// No longer offered.
    Withdrawn,
}

impl ReleaseState {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Published => "published",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Draft, Self::Published, Self::Withdrawn]
            .into_iter()
            .find(|state| state.as_str() == word)
    }
}

/// One release of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Release {
    /// The project's name.
    pub project: String,
    /// The version as it was uploaded.
    pub version: String,
    /// The last segment of its download URL.
    pub file_name: String,
    /// The image's length.
    pub size_bytes: i64,
    /// 64 hex digits.
    pub sha256: String,
    /// 40 hex digits.
    pub sha1: String,
    /// 32 hex digits.
    pub md5: String,
    /// Where it stands.
    pub state: ReleaseState,
    /// What changed, for people.
    pub notes: String,
    /// Who gets it at all.
    pub channel: Channel,
    /// Devices below this version have to install another release first.
    pub min_version: Option<String>,
    /// Whether devices with a higher version get it, too.
    pub allow_downgrade: bool,
    /// Which devices get it when.
    pub rollout: Rollout,
    /// Who published it.
    pub approval: Approval,
    /// What the image says of itself; `null` for a release from before images were read.
    pub image: Option<ImageFacts>,
    /// What speaks against publishing it; empty while it is published.
    #[serde(default)]
    pub objections: Vec<Objection>,
    /// When it was uploaded.
    pub created_at: Timestamp,
    /// When it was last published.
    pub published_at: Option<Timestamp>,
    /// When it was withdrawn.
    pub withdrawn_at: Option<Timestamp>,
}

/// PATCH `/api/v1/projects/{project}/releases/{version}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ReleaseChange {
    /// At most 4,000 characters.
    #[serde(deserialize_with = "present")]
    pub notes: Option<String>,
    /// Who gets it at all.
    #[serde(deserialize_with = "present")]
    pub channel: Option<Channel>,
    /// Devices below this version have to install another release first; `null` for any.
    #[serde(deserialize_with = "present")]
    pub min_version: Option<Option<String>>,
    /// Whether devices with a higher version get it, too.
    #[serde(deserialize_with = "present")]
    pub allow_downgrade: Option<bool>,
}

/// POST `/api/v1/projects/{project}/releases/{version}/publish`; the body may be missing.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PublishRelease {
    /// Whether to publish it although its name or version raises an objection.
    pub anyway: bool,
}

/// POST `…/releases/{version}/approve`: what the approver looked at; what is missing is not compared.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ApproveRelease {
    /// The image's SHA-256, 64 hex digits.
    #[serde(deserialize_with = "present")]
    pub sha256: Option<String>,
    /// When the publication was asked for.
    #[serde(deserialize_with = "present")]
    pub requested_at: Option<Timestamp>,
}

/// A device of a project.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// The device, unique within its project.
    pub device_id: Uuid,
    /// The project's name.
    pub project: String,
    /// What people call it.
    pub name: String,
    /// What foreign clients call it; the id when missing.
    pub controller_id: Option<String>,
    /// For rollouts by group; may be empty.
    pub group: String,
    /// Which releases it gets.
    pub channel: Channel,
    /// Free words about it.
    pub attributes: BTreeMap<String, String>,
    /// The version it last said it runs.
    pub current_version: Option<String>,
    /// What it last reported, such as `succeeded`.
    pub last_state: Option<ReportState>,
    /// What became of the newest release it was offered.
    pub action: Option<Action>,
    /// When it was last heard of.
    pub last_seen_at: Option<Timestamp>,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// POST `/api/v1/projects/{project}/devices`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NewDevice {
    /// Made by the portal when missing.
    #[serde(deserialize_with = "present")]
    pub device_id: Option<Uuid>,
    /// The id when missing.
    pub name: String,
    /// What foreign clients call it, 1 to 128 of `[A-Za-z0-9._:@-]`; the id when missing.
    #[serde(deserialize_with = "present")]
    pub controller_id: Option<String>,
    /// At most 80 characters.
    pub group: String,
    /// Which releases it gets.
    pub channel: Channel,
    /// At most 32 of them.
    pub attributes: BTreeMap<String, String>,
}

/// The answer of POST `/api/v1/projects/{project}/devices`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceWithToken {
    /// The device.
    #[serde(flatten)]
    pub device: Device,
    /// Its lasting secret, 32 characters, shown this once.
    pub target_token: String,
}

/// PATCH `/api/v1/projects/{project}/devices/{device_id}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct DeviceChange {
    /// 1 to 80 characters.
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    /// At most 80 characters.
    #[serde(deserialize_with = "present")]
    pub group: Option<String>,
    /// Which releases it gets.
    #[serde(deserialize_with = "present")]
    pub channel: Option<Channel>,
    /// At most 32 of them.
    #[serde(deserialize_with = "present")]
    pub attributes: Option<BTreeMap<String, String>>,
}

/// What a device should install now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Update {
    /// The version to install.
    pub version: String,
    /// The file's name.
    pub file_name: String,
    /// Where to fetch it, absolute, with the same token.
    pub url: String,
    /// Its length.
    pub size_bytes: i64,
    /// 64 hex digits.
    pub sha256: String,
    /// 32 hex digits.
    pub md5: String,
    /// Where the manifest with both signatures is, absolute, with the same token; `null` where the
    /// asker is no device or has nothing to install.
    pub manifest_url: Option<String>,
    /// Ask again after this many seconds; differs a little from answer to answer.
    pub next_poll_s: u64,
}

/// How far a device is with an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ReportState {
    /// The image is on its way.
    Downloading,
    /// The image is being written.
    Installing,
    /// The new image runs.
    Succeeded,
    /// It did not work.
    Failed,
    /// The old image runs again.
    RolledBack,
}

impl ReportState {
    const ALL: [Self; 5] = [
        Self::Downloading,
        Self::Installing,
        Self::Succeeded,
        Self::Failed,
        Self::RolledBack,
    ];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Downloading => "downloading",
            Self::Installing => "installing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }
}

/// POST `/api/v1/device/report`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The version it is about.
    pub version: String,
    /// How far the device is.
    pub state: ReportState,
    /// More words; longer than 4,000 characters is cut.
    #[serde(default)]
    pub detail: String,
}

/// One report of a device, as the portal keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportEntry {
    /// When it came.
    pub at: Timestamp,
    /// The version it is about.
    pub version: String,
    /// How far the device was.
    pub state: ReportState,
    /// More words.
    pub detail: String,
}
