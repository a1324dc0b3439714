//! Storage of the audit trail: append and read, nothing else.

use async_trait::async_trait;
use gatehouse_types::audit::AuditEntry;
use uuid::Uuid;

use super::StoreResult;

/// Which lines are wanted; what is `None` filters nothing.
#[derive(Debug, Clone, Default)]
pub struct AuditFilter {
    /// Part of the actor's name (case counts), or the whole id.
    pub actor: Option<String>,
    /// The beginning of the action.
    pub action: Option<String>,
    /// The target's id.
    pub target: Option<String>,
    /// Not before this moment.
    pub from_ms: Option<i64>,
    /// Before this moment.
    pub to_ms: Option<i64>,
    /// Older than this line.
    pub before: Option<Uuid>,
}

/// The audit trail.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// Appends a line.
    async fn append_audit(&self, entry: &AuditEntry) -> StoreResult<()>;
    /// Lists lines, newest first.
    async fn list_audit(&self, filter: &AuditFilter, limit: i64) -> StoreResult<Vec<AuditEntry>>;
}
