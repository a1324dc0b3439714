use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{SessionGuest, WakeStep};
use crate::{Timestamp, present};

/// Where an access session stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum SessionState {
    /// Written down; the router has not answered yet.
    Pending,
    /// The router lets the address through.
    Open,
    /// To be closed; the router has not confirmed yet.
    Closing,
    /// Over.
    Closed,
    /// It never opened.
    Failed,
}

impl SessionState {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
            Self::Failed => "failed",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::Open,
            Self::Closing,
            Self::Closed,
            Self::Failed,
        ]
        .into_iter()
        .find(|state| state.as_str() == word)
    }
}

/// Why an access session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its time was over.
    Expired,
    /// Its owner closed it.
    Revoked,
    /// An admin closed it.
    RevokedByAdmin,
    /// The service was removed, changed or no longer granted.
    ServiceRemoved,
    /// The account was disabled or removed.
    UserDisabled,
    /// The router did not answer.
    RouterUnreachable,
    /// The router answered and refused.
    RouterRefused,
    /// Another session took its place.
    Replaced,
    /// Its host could not be told to wake.
    WakeFailed,
    /// Its host was told to wake, and the port did not answer in time.
    NotAwake,
    /// The portal that was opening it was stopped or died before it was done.
    PortalStopped,
}

impl EndReason {
    const ALL: [Self; 11] = [
        Self::Expired,
        Self::Revoked,
        Self::RevokedByAdmin,
        Self::ServiceRemoved,
        Self::UserDisabled,
        Self::RouterUnreachable,
        Self::RouterRefused,
        Self::Replaced,
        Self::WakeFailed,
        Self::NotAwake,
        Self::PortalStopped,
    ];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::RevokedByAdmin => "revoked_by_admin",
            Self::ServiceRemoved => "service_removed",
            Self::UserDisabled => "user_disabled",
            Self::RouterUnreachable => "router_unreachable",
            Self::RouterRefused => "router_refused",
            Self::Replaced => "replaced",
            Self::WakeFailed => "wake_failed",
            Self::NotAwake => "not_awake",
            Self::PortalStopped => "portal_stopped",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == word)
    }
}

/// One access session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessSession {
    /// The session.
    pub id: Uuid,
    /// The service it opens.
    pub service_id: Uuid,
    /// The service's name when it was asked for.
    pub service_name: String,
    /// Who asked for it.
    pub user_id: Uuid,
    /// Where it stands.
    pub state: SessionState,
    /// What it waits for while it is pending, when its service is woken first.
    pub step: Option<WakeStep>,
    /// The address that is let in.
    pub client_ip: String,
    /// The router's host, where the service is reached.
    pub host: String,
    /// The port on the router.
    pub public_port: u16,
    /// The link of a web service while it is open.
    pub url: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the router let it in.
    pub opened_at: Option<Timestamp>,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// What went through it in both directions, counted by the router: asked for every 10 s, and
    /// once more at its end; `null` where nothing was counted.
    pub traffic_bytes: Option<i64>,
    /// Whose invitation opened it, when it was not the account itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<SessionGuest>,
}

/// POST `/api/v1/sessions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The service to open.
    pub service_id: Uuid,
    /// 1 up to the service's maximum; its default when missing.
    #[serde(default, deserialize_with = "present")]
    pub minutes: Option<i64>,
}

/// POST `/api/v1/sessions/{id}/extend`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ExtendSession {
    /// From now, 1 up to the service's maximum.
    pub minutes: i64,
}

/// Filter of GET `/api/v1/sessions`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct SessionQuery {
    /// Only sessions in this state.
    pub state: Option<SessionState>,
    /// How many rows at the most, 1..=500; 100 when missing.
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
}
