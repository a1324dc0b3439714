//! Projects, releases, devices and their tokens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, present};

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
    /// What the image says of itself; always `null` in this version.
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub image: Option<serde_json::Value>,
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
    /// For rollouts by group; may be empty.
    pub group: String,
    /// Free words about it.
    pub attributes: BTreeMap<String, String>,
    /// The version it last said it runs.
    pub current_version: Option<String>,
    /// What it last reported, such as `succeeded`.
    pub last_state: Option<ReportState>,
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
    /// At most 80 characters.
    pub group: String,
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
    /// At most 32 of them.
    #[serde(deserialize_with = "present")]
    pub attributes: Option<BTreeMap<String, String>>,
}

/// POST `…/devices/{device_id}/tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NewDeviceToken {
    /// 1..=1440; the portal's default when missing.
    #[serde(deserialize_with = "present")]
    pub expires_minutes: Option<i64>,
    /// What the device runs now, for the record; `1.0.0` when missing.
    #[serde(deserialize_with = "present")]
    pub current_fw: Option<String>,
}

/// A freshly made device token, in the original server's shape.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceToken {
    /// The JWT.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// What it says.
    pub payload: DeviceClaims,
}

/// What a device token says: the original server's claims.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceClaims {
    /// The device.
    pub sub: Uuid,
    /// The project's name.
    pub project: String,
    /// Always `device` and `ota_client`.
    pub roles: Vec<String>,
    /// Issued at, in seconds since 1970.
    pub iat: i64,
    /// Ends at, in seconds since 1970.
    pub exp: i64,
    /// Names the token, for listing and revocation.
    pub jti: Uuid,
    /// What the device ran when the token was made.
    pub fw_version: String,
}

/// One device token in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceTokenInfo {
    /// Names the token.
    pub jti: Uuid,
    /// The project's name.
    pub project: String,
    /// The device.
    pub device_id: Uuid,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// What the device ran when it was made.
    pub fw_version: String,
}

/// Filters of GET `/api/v1/tokens`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct TokenQuery {
    /// Only tokens of this project.
    pub project: Option<String>,
    /// Only tokens of this device.
    pub device: Option<Uuid>,
    /// How many rows at the most, 1..=500; 100 when missing.
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
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
    /// Where its two-signature manifest is; `null` in this version.
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

/// POST `/admin/generate_token`, the original server's request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GenerateToken {
    /// The device, any UUID.
    pub device_id: Uuid,
    /// The project's name.
    pub project: String,
    /// 1..=1440.
    #[serde(default, deserialize_with = "present")]
    pub expires_minutes: Option<i64>,
    /// What the device runs now.
    #[serde(default)]
    pub current_fw: Option<String>,
}
