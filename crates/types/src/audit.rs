//! The audit trail.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEntry {
    /// Names the line; rises with time.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// `account`, `device`, `admin_secret`, `system` or `nobody`.
    pub actor_kind: String,
    /// The account's or device's id, where there is one.
    pub actor_id: Option<String>,
    /// What to call the actor.
    pub actor_name: String,
    /// From where.
    pub ip: Option<String>,
    /// What was done, such as `session.open`.
    pub action: String,
    /// On what kind of thing, such as `service`.
    pub target_kind: String,
    /// On which one.
    pub target_id: String,
    /// `ok`, `refused` or `failed`.
    pub result: String,
    /// More words, without secrets.
    pub detail: String,
    /// The request that did it.
    pub request_id: Option<String>,
}

/// Filters of GET `/api/v1/audit`; what is missing filters nothing.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
pub struct AuditQuery {
    /// Part of the actor's name, or its whole id.
    pub actor: Option<String>,
    /// The action or the beginning of one, such as `session`.
    pub action: Option<String>,
    /// The target's id.
    pub target: Option<String>,
    /// Not before this moment.
    pub from: Option<Timestamp>,
    /// Before this moment.
    pub to: Option<Timestamp>,
    /// How many rows at the most, 1..=500; 100 when missing.
    pub limit: Option<i64>,
    /// The `next` of the page before.
    pub after: Option<String>,
}
