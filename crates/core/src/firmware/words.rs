//! What devices say and ask: checks, polls, downloads and reports.

use std::sync::Arc;

use gatehouse_types::{
    Timestamp, Version,
    firmware::{Report, ReportEntry, ReportState},
    rollout::ActionState,
};
use uuid::Uuid;

use super::{
    CatalogProject, CatalogRelease, Firmware,
    fleet::{Key, Member},
    hearing::Hearing,
    no_such_device,
    pace::Word,
    running::Running,
};
use crate::{
    Actor, Result,
    actor::DeviceActor,
    ports::{fleet::Progress, new_id},
};

const DETAIL_MAX_CHARS: usize = 4000;
/// Devices differ by up to a tenth of the poll time either way, so that a fleet never comes in step.
const JITTER_PART: u64 = 10;

/// What a device should do now.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What to install; `None` when there is nothing for it.
    pub release: Option<Arc<CatalogRelease>>,
    /// What it runs, where that is a published release.
    pub runs: Option<Arc<CatalogRelease>>,
    /// When to ask again, in seconds.
    pub next_poll_s: u64,
}

/// What a device that follows actions by their numbers should do now.
#[derive(Debug, Clone)]
pub struct Orders {
    /// The action to carry out.
    pub install: Option<i32>,
    /// The action to stop.
    pub cancel: Option<i32>,
    /// The last action that succeeded.
    pub installed: Option<i32>,
    /// Whether the device should tell its attributes.
    pub wants_attributes: bool,
    /// When to ask again, in seconds.
    pub next_poll_s: u64,
}

impl Firmware {
    /// Tells a device what to install. Touches no database row once the device is known.
    ///
    /// # Errors
    /// When no device asks, or the version it names is none.
    pub async fn check_update(&self, actor: &Actor, running: Running<'_>) -> Result<Answer> {
        let device = actor.device()?;
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        self.require_pace(key(device))?;
        let current = running.version(project, device)?;
        let heard = self
            .hear(device, project, |hearing| {
                // What the token says is as old as the token.
                let is_news = !matches!(running, Running::AsBefore);
                if let Some(current) = &current
                    && (is_news || hearing.member.current.is_none())
                {
                    hearing.runs(current);
                } else if matches!(running, Running::Md5(..)) && current.is_none() {
                    hearing.runs_another("an image that is not known here");
                }
                if hearing.is_cancelling() {
                    hearing.stop(ActionState::Cancelled, "It asked again and so has stopped.");
                } else if hearing.is_withdrawn() {
                    hearing.stop(ActionState::Cancelled, "The release is no longer offered.");
                }
                let offer = hearing.offer().map(|(release, _)| release);
                (offer, hearing.member.current.clone())
            })
            .await?;
        let (release, current) = heard.unwrap_or_else(|| {
            let now_ms = self.ports.now_ms();
            let newest = newest_for_stranger(project, device.device_id, current.as_ref(), now_ms);
            (newest, current)
        });
        let runs = current.and_then(|version| {
            let mut published = project.published();
            published
                .find(|release| release.version == version)
                .cloned()
        });
        Ok(Answer {
            release,
            runs,
            next_poll_s: self.next_poll_s(project, device),
        })
    }

    /// Tells a device that follows actions by their numbers what to do. Touches no row once it is known.
    ///
    /// # Errors
    /// When no device asks or it was removed.
    pub async fn poll(&self, actor: &Actor) -> Result<Orders> {
        let device = actor.device()?;
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        self.know(key(device)).await?;
        self.require_pace(key(device))?;
        let (orders, progress) = self
            .word(device, project, |hearing| {
                if hearing.is_withdrawn() {
                    hearing.stop(ActionState::Cancelling, "The release is no longer offered.");
                }
                if hearing.is_overtaken() {
                    hearing.stop(ActionState::Cancelling, "A newer release takes its place.");
                }
                // First the one comes to its end, then the other begins.
                let install = if hearing.is_cancelling() {
                    None
                } else {
                    hearing.offer().map(|(_, number)| number)
                };
                let standing = hearing.member.standing.as_deref();
                let number_if = |state| {
                    let standing = standing.filter(|standing| standing.state == state)?;
                    let release = hearing.project.release_by_id(standing.release_id)?;
                    Some(standing.number(release.record.number))
                };
                Orders {
                    install,
                    cancel: number_if(ActionState::Cancelling),
                    installed: number_if(ActionState::Succeeded),
                    wants_attributes: hearing.member.wants_attributes,
                    next_poll_s: 0,
                }
            })
            .ok_or_else(no_such_device)?;
        // The device comes back with the number at once, perhaps to another instance.
        if progress.actions.is_empty() {
            self.fleet.note(progress);
        } else {
            self.count_word(key(device));
            self.write_now(progress).await?;
        }
        Ok(Orders {
            next_poll_s: self.next_poll_s(project, device),
            ..orders
        })
    }

    /// Keeps what a device says of its update.
    ///
    /// # Errors
    /// When no device asks, it was removed, or the version cannot be read.
    pub async fn report(&self, actor: &Actor, report: &Report) -> Result<()> {
        let device = actor.device()?;
        let version: Version = report.version.parse()?;
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        self.know(key(device)).await?;
        self.take_word(key(device), Word::of(reported(report.state)))?;
        let detail = tidy_detail(&report.detail);
        let ((), progress) = self
            .word(device, project, |hearing| {
                let mut of_version = project.published();
                match of_version.find(|release| release.version == version) {
                    Some(release) => {
                        hearing.reaches(release, reported(report.state), &detail);
                    }
                    None if report.state == ReportState::Succeeded => hearing.runs(&version),
                    None => {}
                }
            })
            .ok_or_else(no_such_device)?;
        let progress = self.fleet.with_unwritten(progress);
        let entry = ReportEntry {
            at: Timestamp(self.ports.now_ms()),
            version: version.key(),
            state: report.state,
            detail,
        };
        match self
            .ports
            .store
            .insert_report(self.ports.new_id(), &progress, &entry)
            .await
        {
            Ok(true) => {
                self.fleet
                    .touch(releases_of(std::slice::from_ref(&progress)));
                Ok(())
            }
            Ok(false) => Err(no_such_device()),
            Err(error) => {
                self.fleet.keep_unwritten(vec![progress]);
                Err(error.into())
            }
        }
    }

    /// Notes that a device fetches an image and has its first `there_bytes`; answers in which
    /// attempt, if that is one of an update. Touches no database row.
    pub fn note_fetch(
        &self,
        actor: &Actor,
        release: &CatalogRelease,
        there_bytes: u64,
    ) -> Option<i64> {
        self.note(actor, |hearing| hearing.fetches(release, there_bytes))
            .flatten()
    }

    /// Notes that the first `there_bytes` of an image went out to a device that fetched it in this
    /// attempt. Touches no database row.
    pub fn note_handed_out(
        &self,
        actor: &Actor,
        release: &CatalogRelease,
        attempt: i64,
        there_bytes: u64,
    ) {
        self.note(actor, |hearing| {
            hearing.was_handed(release, attempt, there_bytes);
        });
    }

    fn note<R>(&self, actor: &Actor, hear: impl FnOnce(&mut Hearing<'_>) -> R) -> Option<R> {
        let device = actor.device().ok()?;
        let catalog = self.catalog.load();
        let project = catalog.project(&device.project).ok()?;
        let (heard, progress) = self.word(device, project, hear)?;
        if !progress.actions.is_empty() {
            self.fleet.note(progress);
        }
        Some(heard)
    }

    /// The published release that a device has begun to fetch.
    pub fn fetching(&self, actor: &Actor) -> Option<Arc<CatalogRelease>> {
        let device = actor.device().ok()?;
        let catalog = self.catalog.load();
        let project = catalog.project(&device.project).ok()?;
        let release_id = self.fleet.with(key(device), |member| {
            let standing = member.standing.as_deref()?;
            (standing.state == ActionState::Downloading).then_some(standing.release_id)
        })??;
        let mut published = project.published();
        published
            .find(|release| release.record.id == release_id)
            .cloned()
    }

    /// Whether a device was told to stop fetching this release.
    pub fn is_stopped(&self, actor: &Actor, release: &CatalogRelease) -> bool {
        let Ok(device) = actor.device() else {
            return false;
        };
        self.fleet
            .with(key(device), |member| {
                member.standing.as_deref().is_some_and(|standing| {
                    standing.release_id == release.record.id
                        && matches!(
                            standing.state,
                            ActionState::Cancelling | ActionState::Cancelled
                        )
                })
            })
            .unwrap_or(false)
    }

    /// Hears a device and keeps what follows for the next writing; `None` for one that is not registered.
    pub(super) async fn hear<R>(
        &self,
        device: &DeviceActor,
        project: &CatalogProject,
        hear: impl FnOnce(&mut Hearing<'_>) -> R,
    ) -> Result<Option<R>> {
        self.know(key(device)).await?;
        Ok(self.word(device, project, hear).map(|(heard, progress)| {
            if !progress.actions.is_empty() {
                self.count_word(key(device));
            }
            self.fleet.note(progress);
            heard
        }))
    }

    pub(super) fn word<R>(
        &self,
        device: &DeviceActor,
        project: &CatalogProject,
        hear: impl FnOnce(&mut Hearing<'_>) -> R,
    ) -> Option<(R, Progress)> {
        self.word_of(key(device), project, hear)
    }

    /// Hears one device in memory; `None` when it is not there.
    pub(super) fn word_of<R>(
        &self,
        key: Key,
        project: &CatalogProject,
        hear: impl FnOnce(&mut Hearing<'_>) -> R,
    ) -> Option<(R, Progress)> {
        let now_ms = self.ports.now_ms();
        let new_id = || new_id(self.ports.clock.as_ref(), self.ports.rng.as_ref());
        self.fleet.with(key, |member: &mut Member| {
            let mut hearing = Hearing::new(project, key, member, now_ms, &new_id);
            let heard = hear(&mut hearing);
            (heard, hearing.progress())
        })
    }

    /// Reads a device into memory if it is not there.
    pub(super) async fn know(&self, (project_id, device_id): Key) -> Result<()> {
        if self.fleet.knows((project_id, device_id)) {
            return Ok(());
        }
        if let Some(device) = self.ports.store.fleet_device(project_id, device_id).await? {
            self.fleet.learn(&device);
        }
        Ok(())
    }

    /// Writes down what a device relies on; what cannot be written now is written later all the same.
    pub(super) async fn write_now(&self, progress: Progress) -> Result<()> {
        let batch = [self.fleet.with_unwritten(progress)];
        if let Err(error) = self.ports.store.save_progress(&batch).await {
            self.fleet.keep_unwritten(batch.into());
            return Err(error.into());
        }
        self.fleet.touch(releases_of(&batch));
        Ok(())
    }

    fn next_poll_s(&self, project: &CatalogProject, device: &DeviceActor) -> u64 {
        let poll_s = project.record.poll_s.unsigned_abs();
        let jitter_s = poll_s / JITTER_PART;
        let scattered = scatter(device.device_id, self.ports.now_ms());
        poll_s - jitter_s + scattered % (2 * jitter_s + 1)
    }
}

/// A number that differs from device to device and from moment to moment, at no cost: asking the
/// kernel for randomness would take a part of each poll.
fn scatter(device_id: Uuid, now_ms: i64) -> u64 {
    let (high, low) = device_id.as_u64_pair();
    (high ^ low ^ now_ms.unsigned_abs()).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
}

pub(super) fn key(device: &DeviceActor) -> Key {
    (device.project_id, device.device_id)
}

/// The releases whose actions change.
pub(super) fn releases_of(batch: &[Progress]) -> impl Iterator<Item = Uuid> {
    let actions = batch.iter().flat_map(|progress| &progress.actions);
    actions.map(|action| action.release_id)
}

/// A token may name a device that is not registered; it is served like one without a group.
pub(super) fn newest_for_stranger(
    project: &CatalogProject,
    device_id: Uuid,
    current: Option<&Version>,
    now_ms: i64,
) -> Option<Arc<CatalogRelease>> {
    let stranger = super::rollout::Candidate {
        device_id,
        group: "",
        channel: gatehouse_types::rollout::Channel::Stable,
        current,
        standing: None,
        past: &[],
    };
    super::rollout::pick(project, stranger, now_ms).cloned()
}

const fn reported(state: ReportState) -> ActionState {
    match state {
        ReportState::Downloading => ActionState::Downloading,
        ReportState::Installing => ActionState::Installing,
        ReportState::Succeeded => ActionState::Succeeded,
        ReportState::Failed => ActionState::Failed,
        ReportState::RolledBack => ActionState::RolledBack,
    }
}

pub(super) fn tidy_detail(detail: &str) -> String {
    detail
        .replace('\0', "")
        .chars()
        .take(DETAIL_MAX_CHARS)
        .collect()
}
