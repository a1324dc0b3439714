//! Devices, what they report, and when they were heard of.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    firmware::{DeviceRecord, Devices},
    fleet::Progress,
};
use gatehouse_types::{
    Timestamp,
    firmware::{ReportEntry, ReportState},
    rollout::Channel,
};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use crate::{
    column::{hash, json, optional_word, to_json, word},
    failure::store_error,
    progress::minute_of,
};

const INSERT: &str = "
    INSERT INTO devices (project_id, device_id, name, group_name, attributes_json, target_token_hash,
        current_version, last_state, last_seen_at_ms, created_at_ms, controller_id, channel, fleet_seq)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
const LIST: &str = "
    SELECT devices.project_id, devices.device_id, name, controller_id, group_name, channel, attributes_json,
        target_token_hash, current_version, last_state, last_seen_at_ms, devices.created_at_ms,
        release_id, attempt, state, from_version, detail, progress_percent,
        actions.created_at_ms AS offered_at_ms, updated_at_ms, retry_at_ms, deadline_at_ms, finished_at_ms
    FROM devices LEFT JOIN actions ON actions.project_id = devices.project_id
        AND actions.device_id = devices.device_id AND release_id = action_release_id
    WHERE devices.project_id = ";
const VERSIONS: &str = "
    SELECT current_version, COUNT(*) FROM devices WHERE project_id = $1
    GROUP BY current_version ORDER BY current_version NULLS FIRST";
const HEARD_OF: &str = "
    SELECT COUNT(CASE WHEN last_seen_at_ms >= $2 THEN 1 END), MAX(last_seen_at_ms)
    FROM devices WHERE project_id = $1";
const UPDATE: &str = "
    UPDATE devices SET name = $3, group_name = $4, attributes_json = $5, channel = $6, fleet_seq = $7
    WHERE project_id = $1 AND device_id = $2";
const UNCOUNT_ACTIONS: &str = "
    INSERT INTO rollout_minutes (release_id, minute_ms, state, delta)
    SELECT release_id, $3, state, -1 FROM actions WHERE project_id = $1 AND device_id = $2
    ON CONFLICT (release_id, minute_ms, state) DO UPDATE SET delta = rollout_minutes.delta + excluded.delta";
// Its reports, actions and their events go with it, by their foreign keys.
const DELETE: &str = "DELETE FROM devices WHERE project_id = $1 AND device_id = $2";
const REVOKE_TOKENS: &str = "
    UPDATE device_tokens SET revoked_at_ms = $3
    WHERE project_id = $1 AND device_id = $2 AND revoked_at_ms IS NULL";
const LEAVE_TOMBSTONE: &str = "
    INSERT INTO removed_devices (project_id, device_id, fleet_seq, removed_at_ms) VALUES ($1, $2, $3, $4)";
const CLEAR_TOMBSTONE: &str =
    "DELETE FROM removed_devices WHERE project_id = $1 AND device_id = $2";
const NOTE_STATE: &str =
    "UPDATE devices SET last_state = $3 WHERE project_id = $1 AND device_id = $2";
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
            let (mut change, number) = self.begin_fleet_change().await?;
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
                .bind(&device.controller_id)
                .bind(device.channel.as_str())
                .bind(number)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            sqlx::query(CLEAR_TOMBSTONE)
                .bind(device.project_id)
                .bind(device.device_id)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)
        }

        async fn device(&self, project_id: Uuid, device_id: Uuid) -> StoreResult<Option<DeviceRecord>> {
            let mut query = QueryBuilder::new(LIST);
            query.push_bind(project_id).push(" AND devices.device_id = ").push_bind(device_id);
            query.build().try_map(|row| device(&row)).fetch_optional(self.reads()).await.map_err(store_error)
        }

        async fn list_devices(&self, project_id: Uuid, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<DeviceRecord>> {
            let mut query = QueryBuilder::new(LIST);
            query.push_bind(project_id);
            // A cursor cannot stand before the all-zero UUID, which is a device like any other.
            if let Some(after) = after {
                query.push(" AND devices.device_id > ").push_bind(after);
            }
            query.push(" ORDER BY devices.device_id LIMIT ").push_bind(limit);
            query.build().try_map(|row| device(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn versions_in_field(&self, project_id: Uuid) -> StoreResult<Vec<(Option<String>, i64)>> {
            sqlx::query_as(VERSIONS).bind(project_id).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn heard_of(&self, project_id: Uuid, since_ms: i64) -> StoreResult<(i64, Option<i64>)> {
            sqlx::query_as(HEARD_OF)
                .bind(project_id)
                .bind(since_ms)
                .fetch_one(self.reads())
                .await
                .map_err(store_error)
        }

        async fn update_device(&self, device: &DeviceRecord) -> StoreResult<bool> {
            let (mut change, number) = self.begin_fleet_change().await?;
            let updated = sqlx::query(UPDATE)
                .bind(device.project_id)
                .bind(device.device_id)
                .bind(&device.name)
                .bind(&device.group_name)
                .bind(to_json(&device.attributes))
                .bind(device.channel.as_str())
                .bind(number)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(updated.rows_affected() == 1)
        }

        async fn remove_device(&self, project_id: Uuid, device_id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let number = Self::raise_fleet_seq(&mut change, 1).await?;
            sqlx::query(UNCOUNT_ACTIONS)
                .bind(project_id)
                .bind(device_id)
                .bind(minute_of(now_ms))
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            let deleted =
                sqlx::query(DELETE).bind(project_id).bind(device_id).execute(&mut *change).await.map_err(store_error)?;
            if deleted.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(LEAVE_TOMBSTONE)
                .bind(project_id)
                .bind(device_id)
                .bind(number)
                .bind(now_ms)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
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

        async fn insert_report(&self, id: Uuid, progress: &Progress, report: &ReportEntry) -> StoreResult<bool> {
            let (mut change, known) = self.write_progress(std::slice::from_ref(progress)).await?;
            if known.is_empty() {
                return Ok(false);
            }
            sqlx::query(NOTE_STATE)
                .bind(progress.project_id)
                .bind(progress.device_id)
                .bind(report.state.as_str())
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            sqlx::query(INSERT_REPORT)
                .bind(id)
                .bind(progress.project_id)
                .bind(progress.device_id)
                .bind(report.at.0)
                .bind(&report.version)
                .bind(report.state.as_str())
                .bind(&report.detail)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
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
            controller_id: row.try_get("controller_id")?,
            group_name: row.try_get("group_name")?,
            channel: word(row.try_get("channel")?, Channel::parse)?,
            attributes: json(row.try_get("attributes_json")?)?,
            target_token_hash: row.try_get::<Option<&[u8]>, _>("target_token_hash")?.map(hash).transpose()?,
            current_version: row.try_get("current_version")?,
            last_state: optional_word(row.try_get("last_state")?, ReportState::parse)?,
            action: Backend::newest_action_of(row)?,
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
