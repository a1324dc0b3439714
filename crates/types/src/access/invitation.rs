use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Where an invitation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InvitationState {
    /// A guest can open with it.
    Active,
    /// Every use is taken.
    UsedUp,
    /// Its time is over.
    Expired,
    /// It was ended before its time.
    Revoked,
    /// Who made it may not open the service now.
    Suspended,
}

impl InvitationState {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::UsedUp => "used_up",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Suspended => "suspended",
        }
    }
}

/// What somebody without an account may open, how often and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// The invitation.
    pub id: Uuid,
    /// The service it opens.
    pub service_id: Uuid,
    /// What the service is called.
    pub service_name: String,
    /// Who invites.
    pub user_id: Uuid,
    /// The e-mail address of who invites; the guest sees it.
    pub invited_by: String,
    /// Whom or what for.
    pub label: String,
    /// Where it stands.
    pub state: InvitationState,
    /// The most minutes of one use, within the service's maximum.
    pub max_minutes: i64,
    /// How often it can be used.
    pub max_uses: i64,
    /// How often it was used; what failed to open is no use.
    pub uses: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; sessions end with it at the latest.
    pub expires_at: Timestamp,
    /// When somebody last began to open it.
    pub last_opened_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A new invitation with the link for the guest, which is shown this once.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InvitationWithLink {
    /// The invitation.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// What the guest opens in a browser; whoever has it can use it.
    pub link: String,
}

/// POST `/api/v1/invitations`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewInvitation {
    /// A service that one may open oneself.
    pub service_id: Uuid,
    /// Whom or what for, 1 to 80 characters; the guest does not see it.
    pub label: String,
    /// How long it can be used from now on, 1..=43200 minutes (30 days).
    pub expires_minutes: i64,
    /// How often it can be used, 1..=100; once when missing.
    #[serde(default = "once")]
    pub max_uses: i64,
    /// The most minutes of one use, 1 up to the service's maximum.
    pub max_minutes: i64,
}

const fn once() -> i64 {
    1
}

/// Whose invitation opened an access session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionGuest {
    /// The invitation.
    pub invitation_id: Uuid,
    /// Its label when the session was opened.
    pub label: String,
}
