//! Devices, what they report, and when they were heard of.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    firmware::{DeviceRecord, Devices, Sighting},
};
use gatehouse_types::{
    Timestamp,
    firmware::{ReportEntry, ReportState},
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    column::{hash, json, optional_word, to_json, word},
    failure::store_error,
};

const INSERT: &str = "
    INSERT INTO devices (project_id, device_id, name, group_name, attributes_json, target_token_hash,
        current_version, last_state, last_seen_at_ms, created_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
const GET: &str = "
    SELECT project_id, device_id, name, group_name, attributes_json, target_token_hash,
        current_version, last_state, last_seen_at_ms, created_at_ms
    FROM devices WHERE project_id = $1 AND device_id = $2";
const LIST: &str = "
    SELECT project_id, device_id, name, group_name, attributes_json, target_token_hash,
        current_version, last_state, last_seen_at_ms, created_at_ms
    FROM devices WHERE project_id = $1 AND device_id > $2 ORDER BY device_id LIMIT $3";
// A cursor cannot stand before the all-zero UUID, which is a device like any other.
const LIST_FROM_THE_FIRST: &str = "
    SELECT project_id, device_id, name, group_name, attributes_json, target_token_hash,
        current_version, last_state, last_seen_at_ms, created_at_ms
    FROM devices WHERE project_id = $1 ORDER BY device_id LIMIT $2";
const VERSIONS: &str = "
    SELECT current_version, COUNT(*) FROM devices WHERE project_id = $1
    GROUP BY current_version ORDER BY current_version NULLS FIRST";
const UPDATE: &str = "
    UPDATE devices SET name = $3, group_name = $4, attributes_json = $5
    WHERE project_id = $1 AND device_id = $2";
// Its reports go with it, by their foreign key.
const DELETE: &str = "DELETE FROM devices WHERE project_id = $1 AND device_id = $2";
const REVOKE_TOKENS: &str = "
    UPDATE device_tokens SET revoked_at_ms = $3
    WHERE project_id = $1 AND device_id = $2 AND revoked_at_ms IS NULL";
const NOTE_SIGHTING: &str = "
    UPDATE devices SET last_seen_at_ms = $3, current_version = COALESCE($4, current_version)
    WHERE project_id = $1 AND device_id = $2 AND (last_seen_at_ms IS NULL OR last_seen_at_ms <= $3)";
const NOTE_REPORT: &str = "
    UPDATE devices SET last_state = $5, current_version = COALESCE($4, current_version),
        last_seen_at_ms = CASE WHEN last_seen_at_ms > $3 THEN last_seen_at_ms ELSE $3 END
    WHERE project_id = $1 AND device_id = $2";
const INSERT_REPORT: &str = "
    INSERT INTO device_reports (id, project_id, device_id, at_ms, version, state, detail)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const LIST_REPORTS: &str = "
    SELECT at_ms, version, state, detail FROM device_reports
    WHERE project_id = $1 AND device_id = $2 ORDER BY id DESC LIMIT $3";

for_both! {
    #[async_trait]
    impl Devices for Backend {
        async fn insert_device(&self, device: &DeviceRecord) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(device.project_id)
                .bind(device.device_id)
                .bind(&device.name)
                .bind(&device.group_name)
                .bind(to_json(&device.attributes))
                .bind(device.target_token_hash.as_ref().map(|hash| &hash[..]))
                .bind(&device.current_version)
                .bind(device.last_state.map(ReportState::as_str))
                .bind(device.last_seen_at_ms)
                .bind(device.created_at_ms)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn device(&self, project_id: Uuid, device_id: Uuid) -> StoreResult<Option<DeviceRecord>> {
            sqlx::query(GET)
                .bind(project_id)
                .bind(device_id)
                .try_map(|row| device(&row))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn list_devices(&self, project_id: Uuid, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<DeviceRecord>> {
            let query = match after {
                Some(after) => sqlx::query(LIST).bind(project_id).bind(after).bind(limit),
                None => sqlx::query(LIST_FROM_THE_FIRST).bind(project_id).bind(limit),
            };
            query.try_map(|row| device(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn versions_in_field(&self, project_id: Uuid) -> StoreResult<Vec<(Option<String>, i64)>> {
            sqlx::query_as(VERSIONS).bind(project_id).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn update_device(&self, device: &DeviceRecord) -> StoreResult<bool> {
            let updated = sqlx::query(UPDATE)
                .bind(device.project_id)
                .bind(device.device_id)
                .bind(&device.name)
                .bind(&device.group_name)
                .bind(to_json(&device.attributes))
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(updated.rows_affected() == 1)
        }

        async fn remove_device(&self, project_id: Uuid, device_id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let deleted =
                sqlx::query(DELETE).bind(project_id).bind(device_id).execute(&mut *change).await.map_err(store_error)?;
            if deleted.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(REVOKE_TOKENS)
                .bind(project_id)
                .bind(device_id)
                .bind(now_ms)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn note_sightings(&self, sightings: &[Sighting]) -> StoreResult<()> {
            // In one order everywhere, so that two portals writing at once cannot deadlock.
            let mut sorted: Vec<&Sighting> = sightings.iter().collect();
            sorted.sort_by_key(|sighting| (sighting.project_id, sighting.device_id, sighting.at_ms));
            let mut tx = self.begin().await?;
            for sighting in sorted {
                sqlx::query(NOTE_SIGHTING)
                    .bind(sighting.project_id)
                    .bind(sighting.device_id)
                    .bind(sighting.at_ms)
                    .bind(&sighting.current_version)
                    .execute(&mut *tx)
                    .await
                    .map_err(store_error)?;
            }
            tx.commit().await.map_err(store_error)
        }

        async fn insert_report(&self, id: Uuid, sighting: &Sighting, report: &ReportEntry) -> StoreResult<bool> {
            let mut tx = self.begin().await?;
            let noted = sqlx::query(NOTE_REPORT)
                .bind(sighting.project_id)
                .bind(sighting.device_id)
                .bind(sighting.at_ms)
                .bind(&sighting.current_version)
                .bind(report.state.as_str())
                .execute(&mut *tx)
                .await
                .map_err(store_error)?;
            if noted.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(INSERT_REPORT)
                .bind(id)
                .bind(sighting.project_id)
                .bind(sighting.device_id)
                .bind(report.at.0)
                .bind(&report.version)
                .bind(report.state.as_str())
                .bind(&report.detail)
                .execute(&mut *tx)
                .await
                .map_err(store_error)?;
            tx.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn list_reports(&self, project_id: Uuid, device_id: Uuid, limit: i64) -> StoreResult<Vec<ReportEntry>> {
            sqlx::query(LIST_REPORTS)
                .bind(project_id)
                .bind(device_id)
                .bind(limit)
                .try_map(|row| report(&row))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }
    }

    fn device(row: &Row) -> sqlx::Result<DeviceRecord> {
        Ok(DeviceRecord {
            project_id: row.try_get("project_id")?,
            device_id: row.try_get("device_id")?,
            name: row.try_get("name")?,
            group_name: row.try_get("group_name")?,
            attributes: json(row.try_get("attributes_json")?)?,
            target_token_hash: row.try_get::<Option<&[u8]>, _>("target_token_hash")?.map(hash).transpose()?,
            current_version: row.try_get("current_version")?,
            last_state: optional_word(row.try_get("last_state")?, ReportState::parse)?,
            last_seen_at_ms: row.try_get("last_seen_at_ms")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }

    fn report(row: &Row) -> sqlx::Result<ReportEntry> {
        Ok(ReportEntry {
            at: Timestamp(row.try_get("at_ms")?),
            version: row.try_get("version")?,
            state: word(row.try_get("state")?, ReportState::parse)?,
            detail: row.try_get("detail")?,
        })
    }
}
