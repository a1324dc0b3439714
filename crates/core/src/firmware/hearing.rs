//! What follows for a device's action when it says a word: pure, on one device in memory.
//!
//! Long file: one type, with a method for each kind of word; they share its private steps.

use std::{cmp::Ordering, sync::Arc};

use gatehouse_types::{Version, rollout::ActionState};
use uuid::Uuid;

use super::{
    CatalogProject, CatalogRelease,
    fleet::{Key, Member},
    rollout::{Candidate, pick},
    standing::Standing,
};
use crate::ports::fleet::{ActionRecord, EventRecord, Progress};

const DEFAULT_DEADLINE_MINUTES: u32 = 24 * 60;
const MINUTE_MS: i64 = 60 * 1000;
/// A device that fetched everything and asks again with the old version so much later has
/// started the old image; sooner, its download broke off at the very end.
const RESTART_MS: i64 = MINUTE_MS;

/// Changes of one device that are to be written down.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) actions: Vec<ActionRecord>,
    pub(super) events: Vec<EventRecord>,
    pub(super) current_version: Option<String>,
}

/// One device while it speaks.
pub(super) struct Hearing<'a> {
    pub(super) project: &'a CatalogProject,
    pub(super) key: Key,
    pub(super) member: &'a mut Member,
    pub(super) now_ms: i64,
    /// Makes the ids of lines in the timeline.
    pub(super) new_id: &'a dyn Fn() -> Uuid,
    pub(super) changes: Changes,
}

impl<'a> Hearing<'a> {
    pub(super) fn new(
        project: &'a CatalogProject,
        key: Key,
        member: &'a mut Member,
        now_ms: i64,
        new_id: &'a dyn Fn() -> Uuid,
    ) -> Self {
        Self {
            project,
            key,
            member,
            now_ms,
            new_id,
            changes: Changes::default(),
        }
    }

    pub(super) fn progress(self) -> Progress {
        Progress {
            project_id: self.key.0,
            device_id: self.key.1,
            at_ms: Some(self.now_ms),
            current_version: self.changes.current_version,
            actions: self.changes.actions,
            events: self.changes.events,
        }
    }

    /// The device says which version it runs: that confirms its action, or shows that the new
    /// image does not run.
    pub(super) fn runs(&mut self, current: &Version) {
        if self.member.current.as_ref() != Some(current) {
            self.member.current = Some(current.clone());
            self.changes.current_version = Some(current.key());
        }
        let Some(target) = self.target() else {
            return;
        };
        match current.cmp(&target.version) {
            Ordering::Equal => {
                self.advance(ActionState::Succeeded, "It came back with the new version.");
            }
            // It went beyond on its own; where a lower one was wanted, it did not get there.
            Ordering::Greater if !target.record.allow_downgrade => {}
            _ => self.runs_another(current.key().as_str()),
        }
    }

    /// The device runs some image that is not the one it was offered.
    pub(super) fn runs_another(&mut self, what: &str) {
        let Some(standing) = self.member.standing.as_deref() else {
            return;
        };
        let has_all = standing.state == ActionState::Downloading
            && standing.progress_percent == Some(100)
            && standing.updated_at_ms + RESTART_MS <= self.now_ms;
        let installed = matches!(
            standing.state,
            ActionState::Installing | ActionState::Succeeded
        );
        if has_all && standing.attempt == 1 {
            // The answer went out whole, but perhaps never arrived: one more try costs nothing.
            self.begin_again("It asked again before it ran the new image.");
        } else if has_all || installed {
            let detail = format!("It came back with {what}.");
            self.advance(ActionState::RolledBack, &detail);
        }
    }

    /// What the device should install now; a first or further attempt is begun if that is new.
    pub(super) fn offer(&mut self) -> Option<(Arc<CatalogRelease>, i32)> {
        let release = self.wanted()?.clone();
        let standing = self.member.standing.as_deref();
        let goes_on = standing.is_some_and(|standing| {
            standing.release_id == release.record.id && !standing.state.is_finished()
        });
        if !goes_on {
            self.begin(&release, ActionState::Pending);
        }
        let number = self
            .member
            .standing
            .as_ref()
            .map_or(0, |standing| standing.number(release.record.number));
        Some((release, number))
    }

    /// The release that the device should have, by what is decided and what it said so far.
    pub(super) fn wanted(&self) -> Option<&'a Arc<CatalogRelease>> {
        let candidate = Candidate {
            device_id: self.key.1,
            group: &self.member.group,
            channel: self.member.channel,
            current: self.member.current.as_ref(),
            standing: self.member.standing.as_deref(),
            past: &self.member.past,
        };
        pick(self.project, candidate, self.now_ms)
    }

    /// Whether something else than what is under way should be installed.
    pub(super) fn is_overtaken(&self) -> bool {
        let under_way = self
            .member
            .standing
            .as_deref()
            .filter(|standing| standing.is_under_way());
        under_way.is_some_and(|standing| {
            self.wanted()
                .is_some_and(|wanted| wanted.record.id != standing.release_id)
        })
    }

    fn is_about(&self, release: &CatalogRelease) -> bool {
        let standing = self.member.standing.as_deref();
        standing.is_some_and(|standing| standing.release_id == release.record.id)
    }

    fn target(&self) -> Option<&'a Arc<CatalogRelease>> {
        self.release(self.member.standing.as_deref()?.release_id)
    }

    /// The device fetches the image and has its first `there_bytes`; answers in which attempt.
    pub(super) fn fetches(&mut self, release: &CatalogRelease, there_bytes: u64) -> Option<i64> {
        if !self.is_about(release) {
            let offered = self.wanted().map(|wanted| wanted.record.id);
            // Any published file may be fetched by its name; that alone is no update.
            if offered != Some(release.record.id) {
                return None;
            }
            self.begin(release, ActionState::Pending);
        }
        self.advance(ActionState::Downloading, "");
        self.came_to(percent_of(release, there_bytes));
        self.attempt_to_fetch(release)
    }

    /// The first `there_bytes` of the image that was asked for in this attempt went out. Who did
    /// something else meanwhile, or began anew, is not moved by it.
    pub(super) fn was_handed(&mut self, release: &CatalogRelease, attempt: i64, there_bytes: u64) {
        if self.attempt_to_fetch(release) == Some(attempt) {
            self.came_to(percent_of(release, there_bytes));
        }
    }

    /// In which attempt the device fetches this release just now.
    fn attempt_to_fetch(&self, release: &CatalogRelease) -> Option<i64> {
        let standing = self.member.standing.as_deref()?;
        let fetches =
            standing.release_id == release.record.id && standing.state == ActionState::Downloading;
        fetches.then_some(standing.attempt)
    }

    /// How much of the image the device has; written down in steps of a tenth.
    pub(super) fn came_to(&mut self, percent: u8) {
        let (now_ms, key, deadline_ms) = (self.now_ms, self.key, self.deadline_ms());
        let Some(standing) = self.member.standing.as_deref_mut() else {
            return;
        };
        let before = standing.progress_percent.unwrap_or(0);
        if !standing.is_under_way() || percent <= before {
            return;
        }
        standing.progress_percent = Some(percent);
        standing.updated_at_ms = now_ms;
        standing.deadline_at_ms = Some(now_ms + deadline_ms);
        if percent / 10 > before / 10 {
            self.changes.actions.push(standing.record(key.0, key.1, ""));
        }
    }

    /// The device says how far it is with a release; `false` when that cannot be any more.
    pub(super) fn reaches(
        &mut self,
        release: &CatalogRelease,
        state: ActionState,
        detail: &str,
    ) -> bool {
        if !self.is_about(release) {
            let is_current = self.member.current.as_ref() == Some(&release.version);
            let is_an_end = matches!(state, ActionState::Succeeded | ActionState::RolledBack);
            if is_current || is_an_end {
                // The end of what was never begun: it only tells what the device runs.
                if state == ActionState::Succeeded {
                    self.runs(&release.version);
                }
                return false;
            }
            self.begin(release, ActionState::Pending);
        }
        let moved = self.advance(state, detail);
        if state == ActionState::Succeeded && self.member.current.as_ref() != Some(&release.version)
        {
            self.member.current = Some(release.version.clone());
            self.changes.current_version = Some(release.version.key());
        }
        moved
    }

    /// Takes a further word of the device along, without a change of its state.
    pub(super) fn says(&mut self, detail: &str) {
        let deadline_ms = self.deadline_ms();
        if let Some(standing) = self.member.standing.as_deref_mut() {
            standing.updated_at_ms = self.now_ms;
            if standing.deadline_at_ms.is_some() {
                standing.deadline_at_ms = Some(self.now_ms + deadline_ms);
            }
            let record = standing.record(self.key.0, self.key.1, detail);
            self.changes.actions.push(record);
        }
    }

    /// Takes along a word that somebody looks for later, such as why a device rejects something.
    pub(super) fn remarks(&mut self, detail: &str) {
        self.says(detail);
        let standing = self.member.standing.as_deref();
        let line = standing.map(|standing| self.line(standing, detail));
        self.changes.events.extend(line);
    }

    /// Stops the action, because the release is no longer offered or an admin wants it.
    pub(super) fn stop(&mut self, state: ActionState, detail: &str) -> bool {
        self.advance(state, detail)
    }

    /// Whether the device was told to stop and has yet to agree.
    pub(super) fn is_cancelling(&self) -> bool {
        let standing = self.member.standing.as_deref();
        standing.is_some_and(|standing| standing.state == ActionState::Cancelling)
    }

    /// The release of the device's action is no longer there for anybody.
    pub(super) fn is_withdrawn(&self) -> bool {
        let unfinished = self
            .member
            .standing
            .as_deref()
            .filter(|standing| !standing.state.is_finished());
        unfinished.is_some_and(|standing| {
            standing.state != ActionState::Cancelling
                && !self
                    .project
                    .published()
                    .any(|release| release.record.id == standing.release_id)
        })
    }

    /// The device does not stop: what it was told to stop goes on.
    pub(super) fn goes_on(&mut self, detail: &str) -> bool {
        let Some(standing) = self.member.standing.as_deref() else {
            return false;
        };
        if standing.state != ActionState::Cancelling {
            return false;
        }
        let mut next = standing.clone();
        next.state = ActionState::Installing;
        next.updated_at_ms = self.now_ms;
        self.keep(next, detail);
        true
    }

    /// Lets a failed or cancelled release be offered again at once.
    pub(super) fn forgive(&mut self, detail: &str) -> bool {
        let (now_ms, key) = (self.now_ms, self.key);
        let Some(standing) = self.member.standing.as_deref_mut() else {
            return false;
        };
        let is_held_back = matches!(
            standing.state,
            ActionState::Failed | ActionState::RolledBack | ActionState::Cancelled
        );
        if !is_held_back {
            return false;
        }
        standing.state = ActionState::Failed;
        standing.retry_at_ms = Some(now_ms);
        standing.updated_at_ms = now_ms;
        self.changes
            .actions
            .push(standing.record(key.0, key.1, detail));
        true
    }

    fn begin(&mut self, release: &CatalogRelease, state: ActionState) {
        let id = release.record.id;
        let is_unfinished_other = self
            .member
            .standing
            .as_deref()
            .is_some_and(|standing| standing.release_id != id && !standing.state.is_finished());
        if is_unfinished_other {
            self.supersede(&release.record.version);
        }
        let from = self
            .member
            .current
            .as_ref()
            .map(|version| version.key().into());
        let mut standings = self
            .member
            .standing
            .as_deref()
            .into_iter()
            .chain(&self.member.past);
        let before = standings.find(|standing| standing.release_id == id);
        let mut standing = Standing::offered(id, before, from, self.now_ms);
        standing.state = state;
        self.put_aside(id);
        self.keep(standing, "");
    }

    /// Keeps how the device stood with another release, while `id` is the newest.
    fn put_aside(&mut self, id: Uuid) {
        self.member
            .past
            .retain(|standing| standing.release_id != id);
        let old = self.member.standing.take();
        let other = old.filter(|old| old.release_id != id);
        self.member.remember(other.map(|old| *old));
    }

    /// A newer release takes the place of one that is not through.
    fn supersede(&mut self, version: &str) {
        let Some(old) = self.member.standing.as_deref_mut() else {
            return;
        };
        old.state = ActionState::Cancelled;
        old.deadline_at_ms = None;
        old.updated_at_ms = self.now_ms;
        let old = old.clone();
        self.keep(old, &format!("Release {version} took its place."));
    }

    fn deadline_ms(&self) -> i64 {
        let minutes = self
            .target()
            .and_then(|release| release.record.rollout.plan.deadline_minutes)
            .unwrap_or(DEFAULT_DEADLINE_MINUTES);
        i64::from(minutes) * MINUTE_MS
    }

    /// The same release once more, without counting a failure.
    fn begin_again(&mut self, detail: &str) {
        let Some(standing) = self.member.standing.as_deref() else {
            return;
        };
        let from = standing.from_version.clone();
        let next = Standing::offered(standing.release_id, Some(standing), from, self.now_ms);
        self.keep(next, detail);
    }

    fn advance(&mut self, to: ActionState, detail: &str) -> bool {
        let Some(standing) = self.member.standing.as_deref() else {
            return false;
        };
        let mut next = standing.clone();
        if !next.advance(to, self.now_ms, self.deadline_ms()) {
            return false;
        }
        if next.state.is_finished() {
            // It may tell something else of itself by now.
            self.member.wants_attributes = true;
        }
        self.keep(next, detail);
        true
    }

    fn keep(&mut self, standing: Standing, detail: &str) {
        self.changes
            .actions
            .retain(|known| known.release_id != standing.release_id);
        self.changes
            .actions
            .push(standing.record(self.key.0, self.key.1, detail));
        let line = self.line(&standing, detail);
        self.changes.events.push(line);
        self.member.standing = Some(Box::new(standing));
    }

    /// A line of the timeline that is written now.
    fn line(&self, standing: &Standing, detail: &str) -> EventRecord {
        EventRecord {
            id: (self.new_id)(),
            release_id: standing.release_id,
            attempt: standing.attempt,
            at_ms: self.now_ms,
            state: standing.state,
            detail: detail.to_owned(),
        }
    }

    fn release(&self, id: Uuid) -> Option<&'a Arc<CatalogRelease>> {
        let project = self.project;
        project.release_by_id(id)
    }
}

/// How much of an image that is, 0..=100.
fn percent_of(release: &CatalogRelease, there_bytes: u64) -> u8 {
    let size_bytes = release.record.artifact.size_bytes.unsigned_abs().max(1);
    u8::try_from((there_bytes * 100 / size_bytes).min(100)).unwrap_or(100)
}
