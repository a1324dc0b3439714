//! Devices as the portal keeps them in memory, their actions, and how rollouts come along.

mod past;

use std::collections::BTreeMap;

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    fleet::{
        ActionRecord, EventRecord, Fleet, FleetChange, FleetDevice, GroupStanding, MinuteDelta,
        PAST_MAX, Progress,
    },
};
use gatehouse_types::rollout::{ActionState, Channel};
use sqlx::{Executor, QueryBuilder, Row as _};
use uuid::Uuid;

use self::past::{HELD_BACK, LATEST, add_past};
use crate::{
    column::{hash, to_json, word},
    failure::store_error,
};

const FLEET_SEQ: &str = "SELECT fleet_seq FROM portal_state WHERE id = 1";
const DEVICES: &str = "
    SELECT devices.project_id, devices.device_id, controller_id, group_name, channel, target_token_hash,
        current_version, wants_attributes, fleet_seq,
        release_id, attempt, state, from_version, detail, progress_percent,
        actions.created_at_ms AS offered_at_ms, updated_at_ms, retry_at_ms, deadline_at_ms, finished_at_ms
    FROM devices LEFT JOIN actions ON actions.project_id = devices.project_id
        AND actions.device_id = devices.device_id AND release_id = action_release_id
    WHERE ";
// Nobody asks for devices of a removed project. The project is looked up for each row: driven by
// the projects, the rows would have to be sorted.
const OF_LIVING_PROJECTS: &str = "
    AND EXISTS (SELECT 1 FROM projects WHERE id = devices.project_id AND removed_at_ms IS NULL)
    ORDER BY devices.project_id, devices.device_id LIMIT ";
const CONTROLLER: &str =
    "SELECT device_id FROM devices WHERE project_id = $1 AND controller_id = $2";
// The number of the row at the limit. All rows of that number belong to the answer: a batch gives
// many devices the same one.
const CUT: &str = "
    SELECT fleet_seq FROM (
        SELECT fleet_seq FROM (
            SELECT fleet_seq FROM devices WHERE fleet_seq > $1 ORDER BY fleet_seq LIMIT $2) AS changed
        UNION ALL
        SELECT fleet_seq FROM (
            SELECT fleet_seq FROM removed_devices WHERE fleet_seq > $1 ORDER BY fleet_seq LIMIT $2) AS removed
    ) AS news ORDER BY fleet_seq LIMIT 1 OFFSET $2 - 1";
const REMOVED: &str = "
    SELECT project_id, device_id, fleet_seq FROM removed_devices WHERE fleet_seq > $1 AND fleet_seq <= $2";
const SAVE_ATTRIBUTES: &str = "
    UPDATE devices SET attributes_json = $3, wants_attributes = FALSE, fleet_seq = $4
    WHERE project_id = $1 AND device_id = $2";
const ACTIONS: &str = "
    SELECT project_id, device_id, release_id, attempt, state, from_version, detail, progress_percent,
        created_at_ms AS offered_at_ms, updated_at_ms, retry_at_ms, deadline_at_ms, finished_at_ms
    FROM actions WHERE ";
const EVENTS: &str = "
    SELECT id, release_id, attempt, at_ms, state, detail FROM action_events
    WHERE project_id = $1 AND device_id = $2 ORDER BY id DESC LIMIT $3";
const COUNTS: &str = "
    SELECT state, COUNT(*) FROM actions WHERE release_id = $1 GROUP BY state ORDER BY state";
// What an admin lets try again is due when it is marked so; what failed by itself waits.
const COUNTS_SINCE: &str = "
    SELECT state, COUNT(*) FROM actions WHERE release_id = $1 AND finished_at_ms > $2 AND state <> 'failed'
    GROUP BY state
    UNION ALL
    SELECT state, COUNT(*) FROM actions WHERE release_id = $1 AND finished_at_ms > $2 AND state = 'failed'
        AND (retry_at_ms IS NULL OR retry_at_ms > finished_at_ms)
    GROUP BY state ORDER BY state";
const MINUTES: &str = "
    SELECT minute_ms, state, delta FROM rollout_minutes
    WHERE release_id = $1 AND delta <> 0 ORDER BY minute_ms, state";
// Who was heard of since the publication and was offered nothing may not have the release.
const STANDING: &str = "
    SELECT COUNT(*) AS devices,
        COUNT(*) FILTER (WHERE counts) AS heard_of,
        COUNT(*) FILTER (WHERE counts AND has_it) AS succeeded,
        COUNT(*) FILTER (WHERE counts AND gave_up AND NOT has_it) AS given_up
    FROM (
        SELECT (current_version IS NOT NULL AND current_version = $4) OR COALESCE(state = 'succeeded', FALSE) AS has_it,
            COALESCE(state = 'cancelled' OR (state IN ('failed', 'rolled_back') AND attempt >= 3), FALSE) AS gave_up,
            COALESCE(last_seen_at_ms >= $5, FALSE) AND (state IS NOT NULL OR last_seen_at_ms < $6
                OR (current_version IS NOT NULL AND current_version = $4)) AS counts
        FROM devices LEFT JOIN actions ON actions.project_id = devices.project_id
            AND actions.device_id = devices.device_id AND release_id = $3
        WHERE devices.project_id = $1 AND group_name = $2
    ) AS members";
const GROUP_SIZES: &str = "
    SELECT group_name, COUNT(*) FROM devices WHERE project_id = $1 GROUP BY group_name ORDER BY group_name";

for_both! {
    type Database = <Row as sqlx::Row>::Database;

    #[async_trait]
    impl Fleet for Backend {
        async fn fleet_seq(&self) -> StoreResult<i64> {
            sqlx::query_scalar(FLEET_SEQ).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn load_fleet(&self, after: Option<(Uuid, Uuid)>, limit: i64) -> StoreResult<Vec<FleetDevice>> {
            // No project has the all-zero UUID, so all devices come after it.
            let (project_id, device_id) = after.unwrap_or_default();
            let mut query = QueryBuilder::new(DEVICES);
            query.push("(devices.project_id, devices.device_id) > (").push_bind(project_id);
            query.push(", ").push_bind(device_id).push(")");
            query.push(OF_LIVING_PROJECTS).push_bind(limit);
            let devices = query.build().try_map(|row| fleet_device(&row)).fetch_all(self.reads()).await;
            let mut devices = devices.map_err(store_error)?;
            if let Some(last) = devices.last() {
                let mut query = QueryBuilder::new(HELD_BACK);
                query.push("(project_id, device_id) > (").push_bind(project_id);
                query.push(", ").push_bind(device_id);
                query.push(") AND (project_id, device_id) <= (").push_bind(last.project_id);
                query.push(", ").push_bind(last.device_id).push(")");
                add_past(&mut devices, Self::held_back(self.reads(), query).await?);
            }
            Ok(devices)
        }

        async fn fleet_device(&self, project_id: Uuid, device_id: Uuid) -> StoreResult<Option<FleetDevice>> {
            let mut query = QueryBuilder::new(DEVICES);
            query.push("devices.project_id = ").push_bind(project_id);
            query.push(" AND devices.device_id = ").push_bind(device_id);
            let device = query.build().try_map(|row| fleet_device(&row)).fetch_optional(self.reads()).await;
            let mut device = device.map_err(store_error)?;
            if device.is_some() {
                let mut query = QueryBuilder::new(HELD_BACK);
                query.push("project_id = ").push_bind(project_id);
                query.push(" AND device_id = ").push_bind(device_id);
                add_past(&mut device, Self::held_back(self.reads(), query).await?);
            }
            Ok(device)
        }

        async fn controller(&self, project_id: Uuid, controller_id: &str) -> StoreResult<Option<Uuid>> {
            sqlx::query_scalar(CONTROLLER)
                .bind(project_id)
                .bind(controller_id)
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn fleet_changes(&self, since: i64, limit: i64) -> StoreResult<(i64, Vec<FleetChange>)> {
            let mut snapshot = self.begin_snapshot().await?;
            let newest = sqlx::query_scalar(FLEET_SEQ).fetch_one(&mut *snapshot).await.map_err(store_error)?;
            let cut = sqlx::query_scalar(CUT)
                .bind(since)
                .bind(limit)
                .fetch_optional(&mut *snapshot)
                .await
                .map_err(store_error)?;
            let up_to = cut.unwrap_or(newest);
            let mut query = QueryBuilder::new(DEVICES);
            query.push("fleet_seq > ").push_bind(since).push(" AND fleet_seq <= ").push_bind(up_to);
            let mut changes =
                query.build().try_map(|row| changed(&row)).fetch_all(&mut *snapshot).await.map_err(store_error)?;
            let removed = sqlx::query(REMOVED)
                .bind(since)
                .bind(up_to)
                .try_map(|row| removed(&row))
                .fetch_all(&mut *snapshot)
                .await
                .map_err(store_error)?;
            if !changes.is_empty() {
                let mut query = QueryBuilder::new(HELD_BACK);
                query.push("(project_id, device_id) IN (SELECT project_id, device_id FROM devices WHERE fleet_seq > ");
                query.push_bind(since).push(" AND fleet_seq <= ").push_bind(up_to).push(")");
                let held_back = Self::held_back(&mut *snapshot, query).await?;
                let devices = changes.iter_mut().filter_map(|(_, change)| match change {
                    FleetChange::Device(device) => Some(&mut **device),
                    FleetChange::Removed { .. } => None,
                });
                add_past(devices, held_back);
            }
            changes.extend(removed);
            changes.sort_by_key(|(number, _)| *number);
            Ok((up_to, changes.into_iter().map(|(_, change)| change).collect()))
        }

        async fn save_progress(&self, progress: &[Progress]) -> StoreResult<()> {
            let (change, _) = self.write_progress(progress).await?;
            change.commit().await.map_err(store_error)
        }

        async fn save_attributes(
            &self,
            project_id: Uuid,
            device_id: Uuid,
            attributes: &BTreeMap<String, String>,
        ) -> StoreResult<bool> {
            let (mut change, number) = self.begin_fleet_change().await?;
            let saved = sqlx::query(SAVE_ATTRIBUTES)
                .bind(project_id)
                .bind(device_id)
                .bind(to_json(attributes))
                .bind(number)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(saved.rows_affected() == 1)
        }

        async fn device_actions(&self, project_id: Uuid, device_id: Uuid, limit: i64) -> StoreResult<Vec<ActionRecord>> {
            let mut query = QueryBuilder::new(ACTIONS);
            query.push("project_id = ").push_bind(project_id);
            query.push(" AND device_id = ").push_bind(device_id);
            query.push(" ORDER BY created_at_ms DESC, release_id DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| Self::action_of(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn action_events(&self, project_id: Uuid, device_id: Uuid, limit: i64) -> StoreResult<Vec<EventRecord>> {
            sqlx::query(EVENTS)
                .bind(project_id)
                .bind(device_id)
                .bind(limit)
                .try_map(|row| event(&row))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn action_counts(&self, release_id: Uuid, since_ms: Option<i64>) -> StoreResult<Vec<(ActionState, i64)>> {
            let query = match since_ms {
                Some(since_ms) => sqlx::query(COUNTS_SINCE).bind(release_id).bind(since_ms),
                None => sqlx::query(COUNTS).bind(release_id),
            };
            query
                .try_map(|row: Row| Ok((word(row.try_get(0)?, ActionState::parse)?, row.try_get(1)?)))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn release_actions(
            &self,
            release_id: Uuid,
            state: Option<ActionState>,
            after: Option<Uuid>,
            limit: i64,
        ) -> StoreResult<Vec<ActionRecord>> {
            let mut query = QueryBuilder::new(ACTIONS);
            query.push("release_id = ").push_bind(release_id);
            if let Some(state) = state {
                query.push(" AND state = ").push_bind(state.as_str());
            } else {
                // The primary key has the actions of a project in the order of its devices.
                query.push(" AND project_id = (SELECT project_id FROM releases WHERE id = ").push_bind(release_id).push(")");
            }
            if let Some(after) = after {
                query.push(" AND device_id > ").push_bind(after);
            }
            query.push(" ORDER BY device_id LIMIT ").push_bind(limit);
            query.build().try_map(|row| Self::action_of(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn rollout_minutes(&self, release_id: Uuid) -> StoreResult<Vec<MinuteDelta>> {
            sqlx::query(MINUTES)
                .bind(release_id)
                .try_map(|row: Row| {
                    Ok(MinuteDelta {
                        minute_ms: row.try_get("minute_ms")?,
                        state: word(row.try_get("state")?, ActionState::parse)?,
                        delta: row.try_get("delta")?,
                    })
                })
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn overdue_actions(&self, now_ms: i64, limit: i64) -> StoreResult<Vec<ActionRecord>> {
            let mut query = QueryBuilder::new(ACTIONS);
            query.push("finished_at_ms IS NULL AND deadline_at_ms <= ").push_bind(now_ms);
            query.push(" AND actions.project_id IN (SELECT id FROM projects WHERE removed_at_ms IS NULL)");
            query.push(" ORDER BY deadline_at_ms LIMIT ").push_bind(limit);
            query.build().try_map(|row| Self::action_of(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn group_standing(
            &self,
            project_id: Uuid,
            group_name: &str,
            release_id: Uuid,
            version_key: &str,
            heard_since_ms: i64,
            published_at_ms: i64,
        ) -> StoreResult<GroupStanding> {
            sqlx::query(STANDING)
                .bind(project_id)
                .bind(group_name)
                .bind(release_id)
                .bind(version_key)
                .bind(heard_since_ms)
                .bind(published_at_ms)
                .try_map(|row: Row| {
                    Ok(GroupStanding {
                        devices: row.try_get("devices")?,
                        heard_of: row.try_get("heard_of")?,
                        succeeded: row.try_get("succeeded")?,
                        given_up: row.try_get("given_up")?,
                    })
                })
                .fetch_one(self.reads())
                .await
                .map_err(store_error)
        }

        async fn group_sizes(&self, project_id: Uuid) -> StoreResult<Vec<(String, i64)>> {
            sqlx::query_as(GROUP_SIZES).bind(project_id).fetch_all(self.reads()).await.map_err(store_error)
        }
    }

    impl Backend {
        pub(crate) fn action_of(row: &Row) -> sqlx::Result<ActionRecord> {
            Ok(ActionRecord {
                project_id: row.try_get("project_id")?,
                device_id: row.try_get("device_id")?,
                release_id: row.try_get("release_id")?,
                attempt: row.try_get("attempt")?,
                state: word(row.try_get("state")?, ActionState::parse)?,
                from_version: row.try_get("from_version")?,
                detail: row.try_get("detail")?,
                progress_percent: row
                    .try_get::<Option<i64>, _>("progress_percent")?
                    .map(u8::try_from)
                    .transpose()
                    .map_err(|cause| sqlx::Error::Decode(cause.into()))?,
                created_at_ms: row.try_get("offered_at_ms")?,
                updated_at_ms: row.try_get("updated_at_ms")?,
                retry_at_ms: row.try_get("retry_at_ms")?,
                deadline_at_ms: row.try_get("deadline_at_ms")?,
                finished_at_ms: row.try_get("finished_at_ms")?,
            })
        }

        /// Reads the latest actions that hold a release back, of the devices that `query` ends with.
        async fn held_back<'a>(
            database: impl Executor<'a, Database = Database>,
            mut query: QueryBuilder<Database>,
        ) -> StoreResult<Vec<ActionRecord>> {
            // The newest action may be among them.
            query.push(LATEST).push_bind(i64::try_from(PAST_MAX + 1).unwrap_or(i64::MAX));
            query.build().try_map(|row| Self::action_of(&row)).fetch_all(database).await.map_err(store_error)
        }

        /// The action that was read along with a device.
        pub(crate) fn newest_action_of(row: &Row) -> sqlx::Result<Option<ActionRecord>> {
            let release_id: Option<Uuid> = row.try_get("release_id")?;
            release_id.is_some().then(|| Self::action_of(row)).transpose()
        }
    }

    fn fleet_device(row: &Row) -> sqlx::Result<FleetDevice> {
        Ok(FleetDevice {
            project_id: row.try_get("project_id")?,
            device_id: row.try_get("device_id")?,
            controller_id: row.try_get("controller_id")?,
            group_name: row.try_get("group_name")?,
            channel: word(row.try_get("channel")?, Channel::parse)?,
            target_token_hash: row.try_get::<Option<&[u8]>, _>("target_token_hash")?.map(hash).transpose()?,
            current_version: row.try_get("current_version")?,
            wants_attributes: row.try_get("wants_attributes")?,
            action: Backend::newest_action_of(row)?,
            past: Vec::new(),
        })
    }

    fn changed(row: &Row) -> sqlx::Result<(i64, FleetChange)> {
        Ok((row.try_get("fleet_seq")?, FleetChange::Device(Box::new(fleet_device(row)?))))
    }

    fn removed(row: &Row) -> sqlx::Result<(i64, FleetChange)> {
        let (project_id, device_id) = (row.try_get("project_id")?, row.try_get("device_id")?);
        Ok((row.try_get("fleet_seq")?, FleetChange::Removed { project_id, device_id }))
    }

    fn event(row: &Row) -> sqlx::Result<EventRecord> {
        Ok(EventRecord {
            id: row.try_get("id")?,
            release_id: row.try_get("release_id")?,
            attempt: row.try_get("attempt")?,
            at_ms: row.try_get("at_ms")?,
            state: word(row.try_get("state")?, ActionState::parse)?,
            detail: row.try_get("detail")?,
        })
    }
}
