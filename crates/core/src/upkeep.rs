//! What the portal forgets by itself: rows that are made all the time and that nobody can ask
//! for any more.

use uuid::Uuid;

use crate::{
    Result,
    ports::{Ports, StoreResult},
};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const REPORTS_PER_DEVICE: i64 = 1000;
/// Lines of its timeline, five times what an admin is shown.
const LINES_PER_DEVICE: i64 = 1000;
const REPORTS_STAY_MS: i64 = 400 * DAY_MS;
/// Counted from a token's end: until then a revoked one must be known as such.
const TOKENS_STAY_MS: i64 = 30 * DAY_MS;
/// Lines of timelines, and the minutes of rollouts with which nothing happens any more.
const ROLLOUTS_STAY_MS: i64 = 400 * DAY_MS;
/// Other instances look for what is new several times a second.
const TOMBSTONES_STAY_MS: i64 = DAY_MS;
/// So few rows go at a time that other writes hardly wait.
const BATCH: i64 = 500;
/// So often are devices with too many rows looked for at the most: it reads every row.
const ROUNDS: u32 = 20;

/// The keeping of the house.
pub struct Upkeep {
    ports: Ports,
}

/// How many rows went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pruned {
    /// Reports of devices.
    pub reports: u64,
    /// Device tokens.
    pub tokens: u64,
    /// Acknowledgements of the owners' app.
    pub acks: u64,
    /// Lines of devices' timelines.
    pub events: u64,
    /// Minutes of rollouts.
    pub minutes: u64,
    /// What told other instances of removed devices.
    pub tombstones: u64,
}

impl Upkeep {
    pub(crate) const fn new(ports: Ports) -> Self {
        Self { ports }
    }

    /// Deletes what is over; called about once a day.
    ///
    /// Of each device the newest 1,000 reports stay, for 400 days; a device token stays for 30
    /// days after its end; of each account the newest acknowledgement stays. The newest 1,000
    /// lines of a timeline stay for 400 days, and so does how a rollout came along, counted from its last change.
    ///
    /// # Errors
    /// When the database does not answer; what went is gone, and the next round does the rest.
    pub async fn prune(&self) -> Result<Pruned> {
        let (store, now_ms) = (&self.ports.store, self.ports.now_ms());
        let old = in_batches(|| store.prune_old_reports(now_ms - REPORTS_STAY_MS, BATCH)).await?;
        let surplus_reports = surplus(
            || store.busiest_reporters(REPORTS_PER_DEVICE, BATCH),
            |project_id, device_id| {
                store.prune_reports_of(project_id, device_id, REPORTS_PER_DEVICE, BATCH)
            },
        )
        .await?;
        let tokens =
            in_batches(|| store.prune_device_tokens(now_ms - TOKENS_STAY_MS, BATCH)).await?;
        let acks = in_batches(|| store.prune_acks(BATCH)).await?;
        let told_before_ms = now_ms - ROLLOUTS_STAY_MS;
        let events = in_batches(|| store.prune_action_events(told_before_ms, BATCH)).await?;
        let surplus_events = surplus(
            || store.longest_timelines(LINES_PER_DEVICE, BATCH),
            |project_id, device_id| {
                store.prune_timeline_of(project_id, device_id, LINES_PER_DEVICE, BATCH)
            },
        )
        .await?;
        let minutes = in_batches(|| store.prune_rollout_minutes(told_before_ms, BATCH)).await?;
        let tombstones =
            in_batches(|| store.prune_removed_devices(now_ms - TOMBSTONES_STAY_MS, BATCH)).await?;
        Ok(Pruned {
            reports: old + surplus_reports,
            tokens,
            acks,
            events: events + surplus_events,
            minutes,
            tombstones,
        })
    }
}

/// Repeats `prune` for each device that `busiest` lists, until it lists no more.
async fn surplus<L, P>(busiest: impl Fn() -> L, prune: impl Fn(Uuid, Uuid) -> P) -> StoreResult<u64>
where
    L: Future<Output = StoreResult<Vec<(Uuid, Uuid)>>>,
    P: Future<Output = StoreResult<u64>>,
{
    let mut removed = 0;
    for _ in 0..ROUNDS {
        let devices = busiest().await?;
        for &(project_id, device_id) in &devices {
            removed += in_batches(|| prune(project_id, device_id)).await?;
        }
        if i64::try_from(devices.len()).is_ok_and(|count| count < BATCH) {
            break;
        }
    }
    Ok(removed)
}

/// Repeats `prune` until there is no full batch left.
async fn in_batches<W>(prune: impl Fn() -> W) -> StoreResult<u64>
where
    W: Future<Output = StoreResult<u64>>,
{
    let mut removed = 0;
    loop {
        let batch = prune().await?;
        removed += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(removed);
        }
    }
}
