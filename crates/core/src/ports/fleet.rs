//! Storage of what every device runs and what it was told to install.

use async_trait::async_trait;
use gatehouse_types::rollout::{ActionState, Channel};
use uuid::Uuid;

use super::StoreResult;

/// So many releases before the newest are remembered of a device.
pub const PAST_MAX: usize = 3;

/// A device's newest attempt at a release, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRecord {
    /// Whose device it is.
    pub project_id: Uuid,
    /// The device.
    pub device_id: Uuid,
    /// The release.
    pub release_id: Uuid,
    /// 1 for the first try.
    pub attempt: i64,
    /// How far the device is.
    pub state: ActionState,
    /// The version it came from, in the canonical spelling, when it told.
    pub from_version: Option<String>,
    /// What the device said last.
    pub detail: String,
    /// 0..=100 while the device tells.
    pub progress_percent: Option<u8>,
    /// When it was first offered.
    pub created_at_ms: i64,
    /// When it last changed.
    pub updated_at_ms: i64,
    /// When a failed one may be offered again.
    pub retry_at_ms: Option<i64>,
    /// When one that began counts as stuck.
    pub deadline_at_ms: Option<i64>,
    /// When it was over.
    pub finished_at_ms: Option<i64>,
}

/// What the portal keeps in memory of a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetDevice {
    /// Whose it is.
    pub project_id: Uuid,
    /// The device.
    pub device_id: Uuid,
    /// What foreign clients call it, where that is not the id.
    pub controller_id: Option<String>,
    /// For rollouts by group.
    pub group_name: String,
    /// Which releases it gets.
    pub channel: Channel,
    /// SHA-256 of its target token, when it has one.
    pub target_token_hash: Option<[u8; 32]>,
    /// The version it last said it runs, in the canonical spelling.
    pub current_version: Option<String>,
    /// Whether it has yet to tell its attributes.
    pub wants_attributes: bool,
    /// Its newest action.
    pub action: Option<ActionRecord>,
    /// Its latest other actions that hold a release back (failed, rolled back or cancelled), the
    /// latest first; at most [`PAST_MAX`].
    pub past: Vec<ActionRecord>,
}

/// What is new of a device since some number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetChange {
    /// It is like this now.
    Device(Box<FleetDevice>),
    /// It was removed.
    Removed {
        /// Whose it was.
        project_id: Uuid,
        /// The device.
        device_id: Uuid,
    },
}

/// What a device did, as it is written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// Whose it is.
    pub project_id: Uuid,
    /// The device.
    pub device_id: Uuid,
    /// When it was heard of; `None` when the portal itself did something.
    pub at_ms: Option<i64>,
    /// The version it said it runs, in the canonical spelling.
    pub current_version: Option<String>,
    /// What became of its actions; the last one is its newest.
    pub actions: Vec<ActionRecord>,
    /// Lines of its timeline.
    pub events: Vec<EventRecord>,
}

/// A line of a device's timeline, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRecord {
    /// The line.
    pub id: Uuid,
    /// The release it is about.
    pub release_id: Uuid,
    /// 1 for the first try.
    pub attempt: i64,
    /// When.
    pub at_ms: i64,
    /// What the device came to.
    pub state: ActionState,
    /// More words.
    pub detail: String,
}

/// How many devices came into (or left, below zero) a state within a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinuteDelta {
    /// The minute's beginning.
    pub minute_ms: i64,
    /// The state.
    pub state: ActionState,
    /// The difference.
    pub delta: i64,
}

/// How a group stands with a release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GroupStanding {
    /// Devices of the group.
    pub devices: i64,
    /// Of these, devices that were heard of since the given moment and count: they were offered
    /// the release, run it, or were not heard of since it was published.
    pub heard_of: i64,
    /// Of these, devices that run the release's version, or whose action with it succeeded.
    pub succeeded: i64,
    /// Of these, devices whose action with it was cancelled, or failed three times.
    pub given_up: i64,
}

/// Devices in memory and their actions.
#[async_trait]
pub trait Fleet: Send + Sync {
    /// The number that rises with every change of a device or its action, sightings apart.
    async fn fleet_seq(&self) -> StoreResult<i64>;
    /// Reads devices in the order of project and id, after the given one.
    async fn load_fleet(
        &self,
        after: Option<(Uuid, Uuid)>,
        limit: i64,
    ) -> StoreResult<Vec<FleetDevice>>;
    /// Reads one device.
    async fn fleet_device(
        &self,
        project_id: Uuid,
        device_id: Uuid,
    ) -> StoreResult<Option<FleetDevice>>;
    /// Finds a device by what foreign clients call it.
    async fn controller(&self, project_id: Uuid, controller_id: &str) -> StoreResult<Option<Uuid>>;
    /// What changed after the number `since`, with the number up to which that is all, oldest first.
    ///
    /// `limit` is at least 1 and is passed where a batch gave several devices one number.
    async fn fleet_changes(&self, since: i64, limit: i64) -> StoreResult<(i64, Vec<FleetChange>)>;
    /// Writes down in one transaction what devices did; unknown ones are passed over.
    ///
    /// An action is replaced only by a later attempt or by the same one at the same time or later.
    /// Counts of `rollout_minutes` follow, and `fleet_seq` rises once if there are actions. A device
    /// gets the new number if one of its own was news; of a release that is gone none is written.
    async fn save_progress(&self, progress: &[Progress]) -> StoreResult<()>;
    /// Keeps a device's attributes and that they are no longer wanted; `false` when it is gone.
    async fn save_attributes(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        attributes: &std::collections::BTreeMap<String, String>,
    ) -> StoreResult<bool>;
    /// A device's actions, the newest first.
    async fn device_actions(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        limit: i64,
    ) -> StoreResult<Vec<ActionRecord>>;
    /// A device's timeline, the newest first.
    async fn action_events(
        &self,
        project_id: Uuid,
        device_id: Uuid,
        limit: i64,
    ) -> StoreResult<Vec<EventRecord>>;
    /// How many devices are in which state with a release; `since_ms` counts only those that finished
    /// after it, without those that an admin lets try again.
    async fn action_counts(
        &self,
        release_id: Uuid,
        since_ms: Option<i64>,
    ) -> StoreResult<Vec<(ActionState, i64)>>;
    /// A release's actions in the given state, by device, after the given one.
    async fn release_actions(
        &self,
        release_id: Uuid,
        state: Option<ActionState>,
        after: Option<Uuid>,
        limit: i64,
    ) -> StoreResult<Vec<ActionRecord>>;
    /// What happened with a release, minute by minute, oldest first.
    async fn rollout_minutes(&self, release_id: Uuid) -> StoreResult<Vec<MinuteDelta>>;
    /// Actions whose deadline passed, the oldest first.
    async fn overdue_actions(&self, now_ms: i64, limit: i64) -> StoreResult<Vec<ActionRecord>>;
    /// How a group stands with a release.
    async fn group_standing(
        &self,
        project_id: Uuid,
        group_name: &str,
        release_id: Uuid,
        version_key: &str,
        heard_since_ms: i64,
        published_at_ms: i64,
    ) -> StoreResult<GroupStanding>;
    /// Devices of a project, and how many of each group, by group.
    async fn group_sizes(&self, project_id: Uuid) -> StoreResult<Vec<(String, i64)>>;
}
