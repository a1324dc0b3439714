//! The keys that sign a project's manifests.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    project_keys::{ProjectKeyRecord, ProjectKeys},
};
use sqlx::{Row as _, Transaction};
use uuid::Uuid;

use crate::failure::store_error;

/// Keys in force of projects that were not removed, the oldest of each first.
pub(crate) const LIST_KEYS: &str = "
    SELECT project_keys.id, project_id, public_pem, sealed_private, project_keys.created_at_ms
    FROM project_keys
    JOIN projects ON projects.id = project_id
    WHERE projects.removed_at_ms IS NULL AND retired_at_ms IS NULL
    ORDER BY project_keys.created_at_ms, project_keys.id";
pub(crate) const RETIRE_ALL: &str = "
    UPDATE project_keys SET retired_at_ms = $2, sealed_private = NULL
    WHERE project_id = $1 AND retired_at_ms IS NULL";
const ADD: &str = "
    INSERT INTO project_keys (id, project_id, public_pem, sealed_private, created_at_ms)
    SELECT $1, id, $3, $4, $5 FROM projects
    WHERE id = $2 AND removed_at_ms IS NULL
        AND (SELECT COUNT(*) FROM project_keys WHERE project_id = $2 AND retired_at_ms IS NULL) = $6";
const RETIRE: &str = "
    UPDATE project_keys SET retired_at_ms = $2, sealed_private = NULL
    WHERE id = $1 AND retired_at_ms IS NULL
        AND EXISTS (SELECT 1 FROM project_keys AS other
            WHERE other.project_id = project_keys.project_id AND other.id <> $1 AND other.retired_at_ms IS NULL)";

for_both! {
    #[async_trait]
    impl ProjectKeys for Backend {
        async fn add_project_key(&self, key: &ProjectKeyRecord, in_force: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let is_added = Self::add_key(&mut change, key, in_force).await?;
            change.commit().await.map_err(store_error)?;
            Ok(is_added)
        }

        async fn retire_project_key(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let retired =
                sqlx::query(RETIRE).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(retired.rows_affected() == 1)
        }
    }

    impl Backend {
        pub(crate) async fn add_key(
            change: &mut Transaction<'static, <Row as sqlx::Row>::Database>,
            key: &ProjectKeyRecord,
            in_force: i64,
        ) -> StoreResult<bool> {
            let added = sqlx::query(ADD)
                .bind(key.id)
                .bind(key.project_id)
                .bind(&key.public_pem)
                .bind(&key.sealed_private)
                .bind(key.created_at_ms)
                .bind(in_force)
                .execute(&mut **change)
                .await
                .map_err(store_error)?;
            Ok(added.rows_affected() == 1)
        }

        pub(crate) fn key_of(row: &Row) -> sqlx::Result<ProjectKeyRecord> {
            Ok(ProjectKeyRecord {
                id: row.try_get("id")?,
                project_id: row.try_get("project_id")?,
                public_pem: row.try_get("public_pem")?,
                sealed_private: row.try_get("sealed_private")?,
                created_at_ms: row.try_get("created_at_ms")?,
            })
        }
    }
}
