//! Which release a device should have: decided from memory, the same on every instance.

use std::sync::Arc;

use gatehouse_types::{
    Version,
    rollout::{ActionState, Channel, HourWindow, Rollout},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{CatalogProject, CatalogRelease, standing::Standing};

const HOUR_MS: i64 = 60 * 60 * 1000;

/// A device as far as rollouts care.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) device_id: Uuid,
    pub(super) group: &'a str,
    pub(super) channel: Channel,
    /// What it runs, when that is known.
    pub(super) current: Option<&'a Version>,
    /// Its newest action.
    pub(super) standing: Option<&'a Standing>,
    /// How it stood with other releases before that.
    pub(super) past: &'a [Standing],
}

/// The release that the device should install now.
///
/// The highest version that the device may have and does not run. Where its last try at that
/// one failed, there is none until the time to try again: it is not led to a lower version.
pub(super) fn pick<'a>(
    project: &'a CatalogProject,
    device: Candidate<'_>,
    now_ms: i64,
) -> Option<&'a Arc<CatalogRelease>> {
    let wanted = project
        .published()
        .rev()
        .find(|release| may_have(release, device, now_ms))
        .filter(|release| !runs(release, device));
    let busy = device.standing.filter(|standing| standing.is_under_way());
    let unfinished = busy.and_then(|standing| {
        let begun = project.published().rev();
        begun
            .filter(|release| !runs(release, device))
            .find(|release| release.record.id == standing.release_id)
    });
    match (wanted, unfinished) {
        // What is on its way may arrive, unless something newer is there for it.
        (Some(wanted), Some(begun)) if wanted.version > begun.version => Some(wanted),
        (_, Some(begun)) => Some(begun),
        (wanted, None) => wanted.filter(|release| may_try(release, device, now_ms)),
    }
}

/// The newest release that whoever tells nothing of itself may have: one that is out for everybody.
pub(super) fn newest_for_nobody(
    project: &CatalogProject,
    now_ms: i64,
) -> Option<&Arc<CatalogRelease>> {
    let nobody = Candidate {
        device_id: Uuid::nil(),
        group: "",
        channel: Channel::Stable,
        current: None,
        standing: None,
        past: &[],
    };
    project.published().rev().find(|release| {
        release.record.rollout.plan.percent == 100 && may_have(release, nobody, now_ms)
    })
}

/// Whether nothing that was decided about the release keeps it from the device.
fn may_have(release: &CatalogRelease, device: Candidate<'_>, now_ms: i64) -> bool {
    let record = &release.record;
    let fits_channel = record.channel == Channel::Stable || device.channel == Channel::Beta;
    let high_enough = release.min_version.as_ref().is_none_or(|least| {
        device.current.is_some_and(|current| current >= least) || runs(release, device)
    });
    let not_lower = record.allow_downgrade
        || device
            .current
            .is_none_or(|current| *current <= release.version);
    fits_channel
        && high_enough
        && not_lower
        && (runs(release, device) || has_turn(release, device, now_ms))
}

fn runs(release: &CatalogRelease, device: Candidate<'_>) -> bool {
    device
        .current
        .is_some_and(|current| *current == release.version)
}

/// Whether the rollout has come to the device.
fn has_turn(release: &CatalogRelease, device: Candidate<'_>, now_ms: i64) -> bool {
    let rollout = &release.record.rollout;
    let plan = &rollout.plan;
    !plan.paused
        && rollout.halted.is_none()
        && plan.starts_at.is_none_or(|start| start.0 <= now_ms)
        && plan.window.is_none_or(|window| is_open(window, now_ms))
        && is_included(rollout, release.record.id, device)
}

fn is_included(rollout: &Rollout, release_id: Uuid, device: Candidate<'_>) -> bool {
    let groups = &rollout.plan.groups;
    match groups.iter().position(|group| group == device.group) {
        Some(place) => place <= rollout.groups_done,
        None => {
            rollout.groups_done >= groups.len()
                && is_within(rollout.plan.percent, release_id, device.device_id)
        }
    }
}

/// Whether the device belongs to the first `percent` of a release.
///
/// Each pair has its fixed place, so raising the percentage only adds devices, and the
/// devices that go first differ from release to release.
fn is_within(percent: u8, release_id: Uuid, device_id: Uuid) -> bool {
    if percent >= 100 {
        return true;
    }
    let digest = Sha256::new()
        .chain_update(release_id.as_bytes())
        .chain_update(device_id.as_bytes())
        .finalize();
    let place = digest[..4]
        .iter()
        .fold(0_u64, |place, byte| place << 8 | u64::from(*byte));
    place * 100 < u64::from(percent) << 32
}

fn is_open(window: HourWindow, now_ms: i64) -> bool {
    let hour = now_ms.div_euclid(HOUR_MS).rem_euclid(24);
    let (from, to) = (i64::from(window.from_hour), i64::from(window.to_hour));
    if from < to {
        (from..to).contains(&hour)
    } else {
        hour >= from || hour < to
    }
}

fn may_try(release: &CatalogRelease, device: Candidate<'_>, now_ms: i64) -> bool {
    let mut standings = device.standing.into_iter().chain(device.past);
    standings
        .find(|standing| standing.release_id == release.record.id)
        .is_none_or(|standing| {
            let is_offered_anew = standing.state == ActionState::Cancelled
                && release
                    .record
                    .published_at_ms
                    .is_some_and(|published| published > standing.updated_at_ms);
            is_offered_anew || standing.may_try_again(now_ms)
        })
}

#[cfg(test)]
#[path = "rollout_tests.rs"]
mod tests;
