//! Projects, the catalogue that hot paths are fed from, and the number that tells of its changes.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    firmware::{CatalogRows, ProjectRecord, Projects},
    project_keys::ProjectKeyRecord,
};
use sqlx::{Row as _, Transaction};
use uuid::Uuid;

use crate::{
    column::{hash, json, to_json},
    failure::store_error,
    project_keys::{LIST_KEYS, RETIRE_ALL},
    releases::LIST_RELEASES,
};

const INSERT: &str = "
    INSERT INTO projects (id, name, title, description, hardware_json, created_at_ms, two_person_approval,
        registers_unknown_devices, gateway_token_hash, quota_bytes, poll_s)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
const LIST: &str = "
    SELECT id, name, title, description, hardware_json, created_at_ms, two_person_approval,
        registers_unknown_devices, gateway_token_hash, quota_bytes, poll_s,
        revision
    FROM projects WHERE removed_at_ms IS NULL ORDER BY lower(name), name";
const UPDATE: &str = "
    UPDATE projects SET title = $2, description = $3, hardware_json = $4, two_person_approval = $5,
        registers_unknown_devices = $6, gateway_token_hash = $7, quota_bytes = $8, poll_s = $9,
        revision = revision + 1
    WHERE id = $1 AND removed_at_ms IS NULL AND revision = $10";
const REMOVE: &str =
    "UPDATE projects SET removed_at_ms = $2 WHERE id = $1 AND removed_at_ms IS NULL";
const REVOKE_TOKENS: &str = "
    UPDATE device_tokens SET revoked_at_ms = $2 WHERE project_id = $1 AND revoked_at_ms IS NULL";
const LIST_REVOKED: &str = "
    SELECT jti FROM device_tokens WHERE revoked_at_ms IS NOT NULL AND expires_at_ms > $1 ORDER BY jti";
pub(crate) const CHANGE_SEQ: &str = "SELECT change_seq FROM portal_state WHERE id = 1";
const RAISE_CHANGE_SEQ: &str = "UPDATE portal_state SET change_seq = change_seq + 1 WHERE id = 1";

for_both! {
    impl Backend {
        /// Begins a change that others must notice. It runs alone: the next one waits for the row.
        pub(crate) async fn begin_change(&self) -> StoreResult<Transaction<'static, <Row as sqlx::Row>::Database>> {
            let mut change = self.begin().await?;
            sqlx::query(RAISE_CHANGE_SEQ).execute(&mut *change).await.map_err(store_error)?;
            Ok(change)
        }
    }

    #[async_trait]
    impl Projects for Backend {
        async fn insert_project(&self, project: &ProjectRecord, key: &ProjectKeyRecord) -> StoreResult<()> {
            let mut change = self.begin_change().await?;
            sqlx::query(INSERT)
                .bind(project.id)
                .bind(&project.name)
                .bind(&project.title)
                .bind(&project.description)
                .bind(to_json(&project.hardware))
                .bind(project.created_at_ms)
                .bind(project.two_person_approval)
                .bind(project.registers_unknown_devices)
                .bind(project.gateway_token_hash.as_ref().map(|hash| &hash[..]))
                .bind(project.quota_bytes)
                .bind(project.poll_s)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            Self::add_key(&mut change, key, 0).await?;
            change.commit().await.map_err(store_error)
        }

        async fn update_project(&self, project: &ProjectRecord) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let updated = sqlx::query(UPDATE)
                .bind(project.id)
                .bind(&project.title)
                .bind(&project.description)
                .bind(to_json(&project.hardware))
                .bind(project.two_person_approval)
                .bind(project.registers_unknown_devices)
                .bind(project.gateway_token_hash.as_ref().map(|hash| &hash[..]))
                .bind(project.quota_bytes)
                .bind(project.poll_s)
                .bind(project.revision)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(updated.rows_affected() == 1)
        }

        async fn remove_project(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let removed = sqlx::query(REMOVE).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            if removed.rows_affected() == 0 {
                return Ok(false);
            }
            for end_what_it_has in [REVOKE_TOKENS, RETIRE_ALL] {
                sqlx::query(end_what_it_has).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            }
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn change_seq(&self) -> StoreResult<i64> {
            sqlx::query_scalar(CHANGE_SEQ).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn load_catalog(&self, now_ms: i64) -> StoreResult<CatalogRows> {
            let mut snapshot = self.begin_snapshot().await?;
            let change_seq = sqlx::query_scalar(CHANGE_SEQ).fetch_one(&mut *snapshot).await.map_err(store_error)?;
            let projects =
                sqlx::query(LIST).try_map(|row| project(&row)).fetch_all(&mut *snapshot).await.map_err(store_error)?;
            let releases = sqlx::query(LIST_RELEASES)
                .try_map(|row| Self::release_of(&row))
                .fetch_all(&mut *snapshot)
                .await
                .map_err(store_error)?;
            let project_keys = sqlx::query(LIST_KEYS)
                .try_map(|row| Self::key_of(&row))
                .fetch_all(&mut *snapshot)
                .await
                .map_err(store_error)?;
            let revoked = sqlx::query_scalar(LIST_REVOKED)
                .bind(now_ms)
                .fetch_all(&mut *snapshot)
                .await
                .map_err(store_error)?;
            Ok(CatalogRows { change_seq, projects, releases, project_keys, revoked })
        }
    }

    fn project(row: &Row) -> sqlx::Result<ProjectRecord> {
        Ok(ProjectRecord {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            title: row.try_get("title")?,
            description: row.try_get("description")?,
            hardware: json(row.try_get("hardware_json")?)?,
            two_person_approval: row.try_get("two_person_approval")?,
            registers_unknown_devices: row.try_get("registers_unknown_devices")?,
            gateway_token_hash: row.try_get::<Option<&[u8]>, _>("gateway_token_hash")?.map(hash).transpose()?,
            quota_bytes: row.try_get("quota_bytes")?,
            poll_s: row.try_get("poll_s")?,
            revision: row.try_get("revision")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}
