//! Releases and the facts of their images.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    firmware::{Artifact, ReleaseRecord, Releases},
};
use gatehouse_types::{firmware::ReleaseState, rollout::Channel};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    column::{crc32, digest, json, to_json, word},
    failure::store_error,
};

/// Releases of projects that were not removed, with the facts of their images.
pub(crate) const LIST_RELEASES: &str = "
    SELECT releases.id, project_id, version, version_key, file_name, state, notes,
        releases.created_at_ms, published_at_ms, withdrawn_at_ms, number, release_counter, image_json,
        channel, min_version, allow_downgrade, rollout_json, approval_json,
        releases.revision, artifacts.sha256, artifacts.sha1, artifacts.md5, artifacts.size_bytes,
        artifacts.crc32
    FROM releases
    JOIN projects ON projects.id = project_id
    JOIN artifacts ON artifacts.sha256 = releases.sha256
    WHERE projects.removed_at_ms IS NULL ORDER BY releases.id";
const INSERT_ARTIFACT: &str = "
    INSERT INTO artifacts (sha256, sha1, md5, size_bytes, crc32) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (sha256) DO NOTHING";
const INSERT: &str = "
    INSERT INTO releases (id, project_id, version, version_key, file_name, sha256, state, notes,
        created_at_ms, published_at_ms, withdrawn_at_ms, image_json, channel, min_version, allow_downgrade,
        rollout_json, approval_json, release_counter, number)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
        (SELECT COALESCE(MAX(number), 0) + 1 FROM releases WHERE project_id = $2))";
const UPDATE: &str = "
    UPDATE releases SET state = $3, notes = $4, published_at_ms = $5, withdrawn_at_ms = $6, image_json = $7,
        channel = $8, min_version = $9, allow_downgrade = $10, rollout_json = $11, approval_json = $12,
        revision = revision + 1
    WHERE id = $1 AND state = $2 AND revision = $13";
const RAISE_COUNTER: &str = "
    UPDATE projects SET last_release_counter = last_release_counter + 1 WHERE id = $1";
const TAKE_COUNTER: &str = "
    UPDATE releases SET release_counter = (SELECT last_release_counter FROM projects WHERE projects.id = project_id)
    WHERE id = $1";
const KEEP_CRC32: &str = "UPDATE artifacts SET crc32 = $2 WHERE sha256 = $1";
const DELETE_DRAFT: &str = "DELETE FROM releases WHERE id = $1 AND state = 'draft'";
const DELETE_ORPHANS: &str = "
    DELETE FROM artifacts
    WHERE NOT EXISTS (SELECT 1 FROM releases WHERE releases.sha256 = artifacts.sha256)";
const ADDRESSES: &str = "
    SELECT DISTINCT sha256 FROM releases JOIN projects ON projects.id = project_id
    WHERE projects.removed_at_ms IS NULL ORDER BY sha256";

for_both! {
    #[async_trait]
    impl Releases for Backend {
        async fn insert_release(&self, release: &ReleaseRecord) -> StoreResult<()> {
            let sha256 = digest(&release.artifact.sha256)?;
            let mut change = self.begin_change().await?;
            sqlx::query(INSERT_ARTIFACT)
                .bind(&sha256)
                .bind(digest(&release.artifact.sha1)?)
                .bind(digest(&release.artifact.md5)?)
                .bind(release.artifact.size_bytes)
                .bind(release.artifact.crc32.map(i64::from))
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            sqlx::query(INSERT)
                .bind(release.id)
                .bind(release.project_id)
                .bind(&release.version)
                .bind(&release.version_key)
                .bind(&release.file_name)
                .bind(&sha256)
                .bind(release.state.as_str())
                .bind(&release.notes)
                .bind(release.created_at_ms)
                .bind(release.published_at_ms)
                .bind(release.withdrawn_at_ms)
                .bind(release.image.as_ref().map(to_json))
                .bind(release.channel.as_str())
                .bind(&release.min_version)
                .bind(release.allow_downgrade)
                .bind(to_json(&release.rollout))
                .bind(to_json(&release.approval))
                .bind(release.release_counter)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)
        }

        async fn update_release(&self, release: &ReleaseRecord, from: ReleaseState) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let updated = sqlx::query(UPDATE)
                .bind(release.id)
                .bind(from.as_str())
                .bind(release.state.as_str())
                .bind(&release.notes)
                .bind(release.published_at_ms)
                .bind(release.withdrawn_at_ms)
                .bind(release.image.as_ref().map(to_json))
                .bind(release.channel.as_str())
                .bind(&release.min_version)
                .bind(release.allow_downgrade)
                .bind(to_json(&release.rollout))
                .bind(to_json(&release.approval))
                .bind(release.revision)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            if updated.rows_affected() == 0 {
                return Ok(false);
            }
            if release.state == ReleaseState::Published && from != ReleaseState::Published {
                sqlx::query(RAISE_COUNTER)
                    .bind(release.project_id)
                    .execute(&mut *change)
                    .await
                    .map_err(store_error)?;
                sqlx::query(TAKE_COUNTER).bind(release.id).execute(&mut *change).await.map_err(store_error)?;
            }
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn keep_crc32(&self, sha256: &str, crc32: u32) -> StoreResult<()> {
            let mut change = self.begin_change().await?;
            sqlx::query(KEEP_CRC32)
                .bind(digest(sha256)?)
                .bind(i64::from(crc32))
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)
        }

        async fn delete_draft(&self, id: Uuid) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let deleted = sqlx::query(DELETE_DRAFT).bind(id).execute(&mut *change).await.map_err(store_error)?;
            sqlx::query(DELETE_ORPHANS).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(deleted.rows_affected() == 1)
        }

        async fn artifact_addresses(&self) -> StoreResult<Vec<String>> {
            let addresses: Vec<Vec<u8>> =
                sqlx::query_scalar(ADDRESSES).fetch_all(self.reads()).await.map_err(store_error)?;
            Ok(addresses.iter().map(hex::encode).collect())
        }
    }

    impl Backend {
        pub(crate) fn release_of(row: &Row) -> sqlx::Result<ReleaseRecord> {
            Ok(ReleaseRecord {
                id: row.try_get("id")?,
                project_id: row.try_get("project_id")?,
                version: row.try_get("version")?,
                version_key: row.try_get("version_key")?,
                file_name: row.try_get("file_name")?,
                artifact: Artifact {
                    sha256: hex::encode(row.try_get::<&[u8], _>("sha256")?),
                    sha1: hex::encode(row.try_get::<&[u8], _>("sha1")?),
                    md5: hex::encode(row.try_get::<&[u8], _>("md5")?),
                    crc32: row.try_get::<Option<i64>, _>("crc32")?.map(crc32).transpose()?,
                    size_bytes: row.try_get("size_bytes")?,
                },
                state: word(row.try_get("state")?, ReleaseState::parse)?,
                notes: row.try_get("notes")?,
                number: row.try_get("number")?,
                release_counter: row.try_get("release_counter")?,
                image: row.try_get::<Option<&str>, _>("image_json")?.map(json).transpose()?,
                channel: word(row.try_get("channel")?, Channel::parse)?,
                min_version: row.try_get("min_version")?,
                allow_downgrade: row.try_get("allow_downgrade")?,
                rollout: json(row.try_get("rollout_json")?)?,
                approval: json(row.try_get("approval_json")?)?,
                revision: row.try_get("revision")?,
                created_at_ms: row.try_get("created_at_ms")?,
                published_at_ms: row.try_get("published_at_ms")?,
                withdrawn_at_ms: row.try_get("withdrawn_at_ms")?,
            })
        }
    }
}
