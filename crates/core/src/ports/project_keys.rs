//! Storage of the keys that sign a project's manifests.

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreResult;

/// A key that signs for a project, as it is stored; retired ones are never read again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectKeyRecord {
    /// The key.
    pub id: Uuid,
    /// Whose it is.
    pub project_id: Uuid,
    /// The public half, as PEM (`SubjectPublicKeyInfo`).
    pub public_pem: String,
    /// The private half, sealed.
    pub sealed_private: Vec<u8>,
    /// When it was made; the oldest one signs.
    pub created_at_ms: i64,
}

/// Keys of projects.
#[async_trait]
pub trait ProjectKeys: Send + Sync {
    /// Adds a key to a project that has exactly `in_force` others; `false` when it has more or
    /// fewer, or the project is gone.
    async fn add_project_key(&self, key: &ProjectKeyRecord, in_force: i64) -> StoreResult<bool>;
    /// Ends a key and forgets its private half, unless it is the project's only one; `false` when
    /// it is, or the key is ended already.
    async fn retire_project_key(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
}
