use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How a router's daemon is, as one portal knows it.
///
/// Each portal asks every router about every 10 s and learns from everything else it sends, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RouterHealth {
    /// Whether the daemon answered the last time, with the right certificate and keys.
    pub reachable: bool,
    /// Since when it has been reachable, or not.
    pub since: Timestamp,
    /// When it was asked last.
    pub checked_at: Timestamp,
    /// Why it is not reachable, in a sentence; `null` when it is.
    pub detail: Option<String>,
    /// How long the last exchange took.
    pub latency_ms: Option<i64>,
    /// How far the daemon's clock is ahead of ours; `null` where it does not tell.
    pub clock_difference_ms: Option<i64>,
    /// Sessions the daemon holds; `null` where it does not tell.
    pub sessions: Option<i64>,
    /// The daemon's version; `null` where it does not tell.
    pub daemon_version: Option<String>,
    /// What enforces the sessions, such as `nftables`; `null` where it does not tell.
    pub backend: Option<String>,
}
