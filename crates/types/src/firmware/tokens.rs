use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, present};

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
    /// Nobody said what it ran, so `fw_version` is the original server's default and tells nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fw_version_unknown: bool,
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

/// The answer of POST `/api/v1/projects/{project}/gateway_token`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GatewayToken {
    /// The project's secret for its gateways, 32 characters, shown this once.
    pub gateway_token: String,
    /// When it was made.
    pub created_at: Timestamp,
}
