//! Storage's part in forgetting what nobody can ask for any more.

use async_trait::async_trait;
use uuid::Uuid;

use super::StoreResult;

/// Deletes at most `limit` rows at a time and answers how many, so that no other write waits long.
#[async_trait]
pub trait Pruning: Send + Sync {
    /// Deletes reports of devices that were made before `before_ms`.
    async fn prune_old_reports(&self, before_ms: i64, limit: i64) -> StoreResult<u64>;
    /// Lists at most `limit` devices with more than `keep` reports, by project and device.
    async fn busiest_reporters(&self, keep: i64, limit: i64) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// Deletes a device's reports beyond its newest `keep`.
    async fn prune_reports_of(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        keep: i64,
        limit: i64,
    ) -> StoreResult<u64>;
    /// Deletes device tokens that ended before `before_ms`, revoked or not.
    async fn prune_device_tokens(&self, before_ms: i64, limit: i64) -> StoreResult<u64>;
    /// Deletes acknowledgements of which the same account has a newer one.
    async fn prune_acks(&self, limit: i64) -> StoreResult<u64>;
    /// Deletes lines of timelines that were written before `before_ms`.
    async fn prune_action_events(&self, before_ms: i64, limit: i64) -> StoreResult<u64>;
    /// Lists at most `limit` devices whose timelines have more than `keep` lines, by project and
    /// device.
    async fn longest_timelines(&self, keep: i64, limit: i64) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// Deletes the lines of a device's timeline beyond its newest `keep`.
    async fn prune_timeline_of(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        keep: i64,
        limit: i64,
    ) -> StoreResult<u64>;
    /// Deletes the minutes of releases with which nothing happened since `before_ms`. Those of
    /// another one stay from its beginning: only together do they say how many are in a state.
    async fn prune_rollout_minutes(&self, before_ms: i64, limit: i64) -> StoreResult<u64>;
    /// Deletes what tells other instances of devices that were removed before `before_ms`.
    async fn prune_removed_devices(&self, before_ms: i64, limit: i64) -> StoreResult<u64>;
}
