use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Whether a service's port answers inside its LAN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Reach {
    /// It took a connection.
    Up,
    /// It refused one, or nothing came back in time.
    Down,
    /// Nobody knows: UDP, an original daemon, a router that does not answer, or not asked yet.
    #[default]
    Unknown,
}

impl Reach {
    /// The word in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// What is known of a service's port; an item of the event `services`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServiceReach {
    /// The service.
    pub id: Uuid,
    /// Whether its port answers.
    pub state: Reach,
    /// How long the router took to connect, while it is `up`.
    pub latency_ms: Option<i64>,
    /// When that was found out.
    pub checked_at: Timestamp,
}

/// Parameters of GET `/api/v1/events`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct EventsQuery {
    /// Whether the states of services are wanted too.
    #[serde(default)]
    pub services: bool,
}
