//! Deleting what is over, a few rows at a time.

use async_trait::async_trait;
use gatehouse_core::ports::{StoreResult, upkeep::Pruning};
use sqlx::Row as _;
use uuid::Uuid;

use crate::failure::store_error;

// Ids are UUIDv7: their order is the order of time, and the primary key finds the oldest at once.
const PRUNE_OLD_REPORTS: &str = "
    DELETE FROM device_reports WHERE id IN (
        SELECT id FROM device_reports WHERE id < $1 ORDER BY id LIMIT $2)";
const BUSIEST_REPORTERS: &str = "
    SELECT project_id, device_id FROM device_reports
    GROUP BY project_id, device_id HAVING COUNT(*) > $1 LIMIT $2";
const PRUNE_REPORTS_OF: &str = "
    DELETE FROM device_reports WHERE id IN (
        SELECT id FROM device_reports WHERE project_id = $1 AND device_id = $2
        ORDER BY id DESC LIMIT $4 OFFSET $3)";
// No token ends before it is made, so the ids tell where to look.
const PRUNE_TOKENS: &str = "
    DELETE FROM device_tokens WHERE jti IN (
        SELECT jti FROM device_tokens WHERE jti < $1 AND expires_at_ms < $2 ORDER BY jti LIMIT $3)";
const PRUNE_ACKS: &str = "
    DELETE FROM acks WHERE id IN (
        SELECT id FROM acks WHERE EXISTS (
            SELECT 1 FROM acks AS newer WHERE newer.user_id = acks.user_id AND newer.id > acks.id)
        LIMIT $1)";
const PRUNE_ACTION_EVENTS: &str = "
    DELETE FROM action_events WHERE id IN (
        SELECT id FROM action_events WHERE id < $1 ORDER BY id LIMIT $2)";
const LONGEST_TIMELINES: &str = "
    SELECT project_id, device_id FROM action_events
    GROUP BY project_id, device_id HAVING COUNT(*) > $1 LIMIT $2";
const PRUNE_TIMELINE_OF: &str = "
    DELETE FROM action_events WHERE id IN (
        SELECT id FROM action_events WHERE project_id = $1 AND device_id = $2
        ORDER BY id DESC LIMIT $4 OFFSET $3)";
const PRUNE_ROLLOUT_MINUTES: &str = "
    DELETE FROM rollout_minutes WHERE (release_id, minute_ms, state) IN (
        SELECT release_id, minute_ms, state FROM rollout_minutes AS minutes
        WHERE minute_ms < $1 AND NOT EXISTS (
            SELECT 1 FROM rollout_minutes AS newer
            WHERE newer.release_id = minutes.release_id AND newer.minute_ms >= $1)
        LIMIT $2)";
const PRUNE_REMOVED_DEVICES: &str = "
    DELETE FROM removed_devices WHERE (project_id, device_id) IN (
        SELECT project_id, device_id FROM removed_devices WHERE removed_at_ms < $1 LIMIT $2)";

for_both! {
    #[async_trait]
    impl Pruning for Backend {
        async fn prune_old_reports(&self, before_ms: i64, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_OLD_REPORTS)
                .bind(first_id_of(before_ms))
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn busiest_reporters(&self, keep: i64, limit: i64) -> StoreResult<Vec<(Uuid, Uuid)>> {
            sqlx::query(BUSIEST_REPORTERS)
                .bind(keep)
                .bind(limit)
                .try_map(|row: Row| Ok((row.try_get("project_id")?, row.try_get("device_id")?)))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn prune_reports_of(
            &self,
            project_id: Uuid,
            device_id: Uuid,
            keep: i64,
            limit: i64,
        ) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_REPORTS_OF)
                .bind(project_id)
                .bind(device_id)
                .bind(keep)
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn prune_device_tokens(&self, before_ms: i64, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_TOKENS)
                .bind(first_id_of(before_ms))
                .bind(before_ms)
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn prune_acks(&self, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_ACKS).bind(limit).execute(self.writes()).await.map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn prune_action_events(&self, before_ms: i64, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_ACTION_EVENTS)
                .bind(first_id_of(before_ms))
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn longest_timelines(&self, keep: i64, limit: i64) -> StoreResult<Vec<(Uuid, Uuid)>> {
            sqlx::query(LONGEST_TIMELINES)
                .bind(keep)
                .bind(limit)
                .try_map(|row: Row| Ok((row.try_get("project_id")?, row.try_get("device_id")?)))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn prune_timeline_of(
            &self,
            project_id: Uuid,
            device_id: Uuid,
            keep: i64,
            limit: i64,
        ) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_TIMELINE_OF)
                .bind(project_id)
                .bind(device_id)
                .bind(keep)
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn prune_rollout_minutes(&self, before_ms: i64, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_ROLLOUT_MINUTES)
                .bind(before_ms)
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }

        async fn prune_removed_devices(&self, before_ms: i64, limit: i64) -> StoreResult<u64> {
            let pruned = sqlx::query(PRUNE_REMOVED_DEVICES)
                .bind(before_ms)
                .bind(limit)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(pruned.rows_affected())
        }
    }
}

/// The id before which every id was made before this moment.
fn first_id_of(at_ms: i64) -> Uuid {
    let at_ms = u64::try_from(at_ms).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(at_ms, &[0; 10]).into_uuid()
}
