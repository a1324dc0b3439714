use serde::{Deserialize, Serialize};

/// How a service's host is woken before the service is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Wake {
    /// The router sends Wake-on-LAN packets.
    Wol {
        /// The host's hardware address, such as `02:00:5e:10:00:01`.
        mac: String,
    },
    /// The portal asks a home backend, with a short token of its own making.
    Webhook {
        /// Where the request is POSTed to; the operator must have allowed its origin.
        url: String,
    },
}

/// What a pending session waits for, when its service is woken first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum WakeStep {
    /// The host is told to wake.
    Waking,
    /// The service's port does not answer yet.
    Waiting,
    /// The router is told to let the address in.
    Opening,
}

impl WakeStep {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waking => "waking",
            Self::Waiting => "waiting",
            Self::Opening => "opening",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Waking, Self::Waiting, Self::Opening]
            .into_iter()
            .find(|step| step.as_str() == word)
    }
}
