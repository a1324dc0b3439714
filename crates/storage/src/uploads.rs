//! Uploads that outlive their connections.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    uploads::{UploadRecord, Uploads},
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{column::hash, failure::store_error};

// Writing to the project's row makes others wait who begin an upload there: they count after us.
const WAIT_FOR_OTHERS: &str = "UPDATE projects SET created_at_ms = created_at_ms WHERE id = $1";
const RUNNING_BYTES: &str = "
    SELECT CAST(COALESCE(SUM(size_bytes), 0) AS BIGINT) FROM uploads
    WHERE project_id = $1 AND finished_at_ms IS NULL";
const INSERT: &str = "
    INSERT INTO uploads (id, project_id, user_id, version, file_name, promised_sha256, size_bytes,
        offset_bytes, created_at_ms, last_byte_at_ms, finished_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const FIND: &str = "
    SELECT id, project_id, user_id, version, file_name, promised_sha256, size_bytes,
        offset_bytes, created_at_ms, last_byte_at_ms, finished_at_ms
    FROM uploads WHERE id = $1";
const ADVANCE: &str = "
    UPDATE uploads SET offset_bytes = $2, last_byte_at_ms = $3
    WHERE id = $1 AND finished_at_ms IS NULL";
const FINISH: &str =
    "UPDATE uploads SET finished_at_ms = $2 WHERE id = $1 AND finished_at_ms IS NULL";
const REMOVE: &str = "DELETE FROM uploads WHERE id = $1";
const IDLE: &str = "
    SELECT id FROM uploads WHERE last_byte_at_ms < $1 ORDER BY last_byte_at_ms, id LIMIT $2";
const RUNNING: &str = "SELECT id FROM uploads WHERE finished_at_ms IS NULL ORDER BY id";

for_both! {
    #[async_trait]
    impl Uploads for Backend {
        async fn insert_upload(&self, upload: &UploadRecord, room_bytes: Option<i64>) -> StoreResult<bool> {
            let mut tx = self.begin().await?;
            sqlx::query(WAIT_FOR_OTHERS).bind(upload.project_id).execute(&mut *tx).await.map_err(store_error)?;
            let running: i64 = sqlx::query_scalar(RUNNING_BYTES)
                .bind(upload.project_id)
                .fetch_one(&mut *tx)
                .await
                .map_err(store_error)?;
            if room_bytes.is_some_and(|room| running.saturating_add(upload.size_bytes) > room) {
                return Ok(false);
            }
            sqlx::query(INSERT)
                .bind(upload.id)
                .bind(upload.project_id)
                .bind(upload.user_id)
                .bind(&upload.version)
                .bind(&upload.file_name)
                .bind(upload.promised_sha256.as_ref().map(<[u8; 32]>::as_slice))
                .bind(upload.size_bytes)
                .bind(upload.offset_bytes)
                .bind(upload.created_at_ms)
                .bind(upload.last_byte_at_ms)
                .bind(upload.finished_at_ms)
                .execute(&mut *tx)
                .await
                .map_err(store_error)?;
            tx.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn upload(&self, id: Uuid) -> StoreResult<Option<UploadRecord>> {
            sqlx::query(FIND)
                .bind(id)
                .try_map(|row| upload_of(&row))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn advance_upload(&self, id: Uuid, offset_bytes: i64, now_ms: i64) -> StoreResult<bool> {
            let advanced = sqlx::query(ADVANCE)
                .bind(id)
                .bind(offset_bytes)
                .bind(now_ms)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(advanced.rows_affected() == 1)
        }

        async fn finish_upload(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let finished = sqlx::query(FINISH).bind(id).bind(now_ms).execute(self.writes()).await.map_err(store_error)?;
            Ok(finished.rows_affected() == 1)
        }

        async fn remove_upload(&self, id: Uuid) -> StoreResult<bool> {
            let removed = sqlx::query(REMOVE).bind(id).execute(self.writes()).await.map_err(store_error)?;
            Ok(removed.rows_affected() == 1)
        }

        async fn running_upload_bytes(&self, project_id: Uuid) -> StoreResult<i64> {
            sqlx::query_scalar(RUNNING_BYTES).bind(project_id).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn idle_uploads(&self, before_ms: i64, limit: i64) -> StoreResult<Vec<Uuid>> {
            sqlx::query_scalar(IDLE).bind(before_ms).bind(limit).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn running_uploads(&self) -> StoreResult<Vec<Uuid>> {
            sqlx::query_scalar(RUNNING).fetch_all(self.reads()).await.map_err(store_error)
        }
    }

    fn upload_of(row: &Row) -> sqlx::Result<UploadRecord> {
        Ok(UploadRecord {
            id: row.try_get("id")?,
            project_id: row.try_get("project_id")?,
            user_id: row.try_get("user_id")?,
            version: row.try_get("version")?,
            file_name: row.try_get("file_name")?,
            promised_sha256: row.try_get::<Option<&[u8]>, _>("promised_sha256")?.map(hash).transpose()?,
            size_bytes: row.try_get("size_bytes")?,
            offset_bytes: row.try_get("offset_bytes")?,
            created_at_ms: row.try_get("created_at_ms")?,
            last_byte_at_ms: row.try_get("last_byte_at_ms")?,
            finished_at_ms: row.try_get("finished_at_ms")?,
        })
    }
}
