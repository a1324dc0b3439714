//! How devices stood with releases before their newest, as far as that holds those back.

use std::{cmp::Reverse, collections::HashMap};

use gatehouse_core::ports::fleet::{ActionRecord, FleetDevice, PAST_MAX};
use uuid::Uuid;

// The primary key has the actions of a range of devices, and each device's next to each other.
pub(super) const HELD_BACK: &str = "
    SELECT project_id, device_id, release_id, attempt, state, from_version, detail, progress_percent,
        created_at_ms AS offered_at_ms, updated_at_ms, retry_at_ms, deadline_at_ms, finished_at_ms
    FROM (
        SELECT *, ROW_NUMBER() OVER (
            PARTITION BY project_id, device_id ORDER BY updated_at_ms DESC, release_id DESC) AS place
        FROM actions WHERE state IN ('failed', 'rolled_back', 'cancelled') AND ";
pub(super) const LATEST: &str = ") AS held_back WHERE place <= ";

/// Gives each device its latest actions with other releases than its newest.
pub(super) fn add_past<'a>(
    devices: impl IntoIterator<Item = &'a mut FleetDevice>,
    held_back: Vec<ActionRecord>,
) {
    let mut of_device: HashMap<(Uuid, Uuid), Vec<ActionRecord>> = HashMap::new();
    for action in held_back {
        let key = (action.project_id, action.device_id);
        of_device.entry(key).or_default().push(action);
    }
    for device in devices {
        let key = (device.project_id, device.device_id);
        let newest = device.action.as_ref().map(|action| action.release_id);
        let mut past = of_device.remove(&key).unwrap_or_default();
        past.retain(|action| Some(action.release_id) != newest);
        past.sort_by_key(|action| Reverse((action.updated_at_ms, action.release_id)));
        past.truncate(PAST_MAX);
        device.past = past;
    }
}
