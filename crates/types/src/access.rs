//! Routers, services and access sessions.

mod health;
mod invitation;
mod live;
mod session;
mod wake;

pub use health::RouterHealth;
pub use invitation::{
    Invitation, InvitationState, InvitationWithLink, NewInvitation, SessionGuest,
};
pub use live::{EventsQuery, Reach, ServiceReach};
pub use session::{
    AccessSession, EndReason, ExtendSession, OpenSession, SessionQuery, SessionState,
};
pub use wake::{Wake, WakeStep};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Timestamp, present};

/// A router as an admin sees it; its keys never come back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Router {
    /// The router.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// `host:port` of its daemon; owners reach services at this host.
    pub address: String,
    /// SHA-256 of the daemon's certificate, 64 hex digits.
    pub cert_sha256: String,
    /// The protocol version it speaks.
    pub protocol: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// How it was when it was last asked; missing while this portal has not asked it yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<RouterHealth>,
}

/// POST `/api/v1/routers`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewRouter {
    /// 1 to 80 characters.
    pub name: String,
    /// `host:port` of its daemon.
    pub address: String,
    /// At least 16 characters; shared with the daemon.
    pub api_key: String,
    /// At least 16 characters; shared with the daemon.
    pub aes_key: String,
    /// SHA-256 of the daemon's certificate, 64 hex digits (colons are fine).
    pub cert_sha256: String,
    /// 2, or 1 for the original daemon.
    pub protocol: i64,
}

/// PATCH `/api/v1/routers/{id}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct RouterChange {
    /// 1 to 80 characters.
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    /// `host:port` of its daemon.
    #[serde(deserialize_with = "present")]
    pub address: Option<String>,
    /// At least 16 characters.
    #[serde(deserialize_with = "present")]
    pub api_key: Option<String>,
    /// At least 16 characters.
    #[serde(deserialize_with = "present")]
    pub aes_key: Option<String>,
    /// 64 hex digits.
    #[serde(deserialize_with = "present")]
    pub cert_sha256: Option<String>,
    /// 2, or 1 for the original daemon.
    #[serde(deserialize_with = "present")]
    pub protocol: Option<i64>,
}

/// The answer of POST `/api/v1/routers/{id}/test`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RouterTest {
    /// Whether the daemon answered with the right certificate.
    pub reachable: bool,
    /// Whether its answer shows that the keys are right, too; an original daemon's never does.
    pub keys_proven: bool,
    /// What was found, in a sentence.
    pub detail: String,
    /// How long the exchange took.
    pub latency_ms: Option<i64>,
    /// How far the daemon's clock is ahead of ours.
    pub clock_difference_ms: Option<i64>,
    /// Sessions the daemon holds.
    pub sessions: Option<i64>,
}

/// What a service speaks on its port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "tcp" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            _ => None,
        }
    }
}

/// How people use a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum ServiceKind {
    /// In a browser: the portal offers a link.
    Web,
    /// With a program: the portal shows host and port.
    Other,
}

impl ServiceKind {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Other => "other",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "web" => Some(Self::Web),
            "other" => Some(Self::Other),
            _ => None,
        }
    }
}

/// One LAN host and port that owners may open.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Service {
    /// The service.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// One of the names in [`ICONS`].
    pub icon: String,
    /// The router in front of it.
    pub router_id: Uuid,
    /// Where it listens in the LAN.
    pub lan_ip: String,
    /// The port it listens on.
    pub lan_port: u16,
    /// The port on the router, 1024..=65534.
    pub public_port: u16,
    /// TCP or UDP.
    pub protocol: Transport,
    /// For a browser or for a program.
    pub kind: ServiceKind,
    /// Scheme and path of the link: `/path` or `http:/path` (http), `https:/path`.
    pub url_path: String,
    /// What a click opens, 1..=480 minutes.
    pub default_minutes: i64,
    /// The most an owner may ask for, 1..=480 minutes.
    pub max_minutes: i64,
    /// How to wake it before it is opened; `null` when it need not be.
    pub wake: Option<Wake>,
    /// Who may open it; admins only, empty for owners.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub granted_to: Vec<Uuid>,
    /// When it was added.
    pub created_at: Timestamp,
}

/// Icons a service may carry: drawn by us, so that no foreign picture is ever shown.
pub const ICONS: [&str; 12] = [
    "box", "home", "media", "cloud", "printer", "feed", "chat", "calendar", "note", "lock", "code",
    "disk",
];

/// POST `/api/v1/services`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// 1 to 80 characters.
    pub name: String,
    /// At most 4,000 characters.
    #[serde(default)]
    pub description: String,
    /// One of the portal's icons; `box` when missing.
    #[serde(default = "default_icon")]
    pub icon: String,
    /// The router in front of it.
    pub router_id: Uuid,
    /// An address in the LAN.
    pub lan_ip: String,
    /// 1..=65535.
    pub lan_port: u16,
    /// 1024..=65534.
    pub public_port: u16,
    /// `tcp` when missing.
    #[serde(default = "default_transport")]
    pub protocol: Transport,
    /// `web` when missing.
    #[serde(default = "default_kind")]
    pub kind: ServiceKind,
    /// `/` when missing.
    #[serde(default = "default_url_path")]
    pub url_path: String,
    /// 30 when missing.
    #[serde(default = "default_minutes")]
    pub default_minutes: i64,
    /// 240 when missing.
    #[serde(default = "default_max_minutes")]
    pub max_minutes: i64,
    /// How to wake it before it is opened; `null` or missing when it need not be.
    #[serde(default)]
    pub wake: Option<Wake>,
}

fn default_icon() -> String {
    "box".into()
}

const fn default_transport() -> Transport {
    Transport::Tcp
}

const fn default_kind() -> ServiceKind {
    ServiceKind::Web
}

fn default_url_path() -> String {
    "/".into()
}

const fn default_minutes() -> i64 {
    30
}

const fn default_max_minutes() -> i64 {
    240
}

/// PATCH `/api/v1/services/{id}`: what is missing stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ServiceChange {
    /// 1 to 80 characters.
    #[serde(deserialize_with = "present")]
    pub name: Option<String>,
    /// At most 4,000 characters.
    #[serde(deserialize_with = "present")]
    pub description: Option<String>,
    /// One of the portal's icons.
    #[serde(deserialize_with = "present")]
    pub icon: Option<String>,
    /// Another router; ends open sessions.
    #[serde(deserialize_with = "present")]
    pub router_id: Option<Uuid>,
    /// Another address; ends open sessions.
    #[serde(deserialize_with = "present")]
    pub lan_ip: Option<String>,
    /// Another port; ends open sessions.
    #[serde(deserialize_with = "present")]
    pub lan_port: Option<u16>,
    /// Another public port; ends open sessions.
    #[serde(deserialize_with = "present")]
    pub public_port: Option<u16>,
    /// Another transport; ends open sessions.
    #[serde(deserialize_with = "present")]
    pub protocol: Option<Transport>,
    /// For a browser or for a program.
    #[serde(deserialize_with = "present")]
    pub kind: Option<ServiceKind>,
    /// Scheme and path of the link.
    #[serde(deserialize_with = "present")]
    pub url_path: Option<String>,
    /// 1..=480.
    #[serde(deserialize_with = "present")]
    pub default_minutes: Option<i64>,
    /// 1..=480.
    #[serde(deserialize_with = "present")]
    pub max_minutes: Option<i64>,
    /// How to wake it before it is opened; `null` when it need not be any more.
    #[serde(deserialize_with = "present")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Wake>))]
    pub wake: Option<Option<Wake>>,
}

/// PUT `/api/v1/services/{id}/grants`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// Everybody who may open it from now on.
    pub users: Vec<Uuid>,
}
