//! Storage of uploads that outlive their connections.

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreResult;

/// A resumable upload as it is stored; its bytes lie in the blob store under its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRecord {
    /// The upload.
    pub id: Uuid,
    /// Where the release shall go.
    pub project_id: Uuid,
    /// The account that began it and that alone may go on.
    pub user_id: Uuid,
    /// The version, as it was spelled.
    pub version: String,
    /// The file's name.
    pub file_name: String,
    /// The SHA-256 that all bytes must have, when one was promised.
    pub promised_sha256: Option<[u8; 32]>,
    /// The length of the whole, more than 0.
    pub size_bytes: i64,
    /// So many bytes are on the disk and were acknowledged.
    pub offset_bytes: i64,
    /// When it was begun.
    pub created_at_ms: i64,
    /// When bytes last came.
    pub last_byte_at_ms: i64,
    /// When it became a release.
    pub finished_at_ms: Option<i64>,
}

/// Resumable uploads. One that did not become a release yet is running.
#[async_trait]
pub trait Uploads: Send + Sync {
    /// Adds an upload unless the project's running ones would want more than `room_bytes`
    /// together; `false` then.
    async fn insert_upload(
        &self,
        upload: &UploadRecord,
        room_bytes: Option<i64>,
    ) -> StoreResult<bool>;
    /// Finds an upload, running or not.
    async fn upload(&self, id: Uuid) -> StoreResult<Option<UploadRecord>>;
    /// Notes how far a running upload is; `false` when it is gone or no longer running.
    async fn advance_upload(&self, id: Uuid, offset_bytes: i64, now_ms: i64) -> StoreResult<bool>;
    /// Notes that an upload became a release; `false` when it is gone or did before.
    async fn finish_upload(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// Forgets an upload; `false` when it is gone.
    async fn remove_upload(&self, id: Uuid) -> StoreResult<bool>;
    /// How many bytes the project's running uploads want together.
    async fn running_upload_bytes(&self, project_id: Uuid) -> StoreResult<i64>;
    /// Lists at most `limit` uploads to which no byte came since `before_ms`, running or not.
    async fn idle_uploads(&self, before_ms: i64, limit: i64) -> StoreResult<Vec<Uuid>>;
    /// Lists every running upload.
    async fn running_uploads(&self) -> StoreResult<Vec<Uuid>>;
}
