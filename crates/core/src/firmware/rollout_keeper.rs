//! How rollouts go on by themselves: the halt of what fails too often, the turn of the next group.

use std::sync::atomic::Ordering;

use gatehouse_types::{
    Timestamp,
    firmware::ReleaseState,
    rollout::{ActionState, Halt},
};

use super::{CatalogProject, CatalogRelease, Firmware};
use crate::{Actor, Result, audit::Note, ports::firmware::ReleaseRecord};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// Failures are weighed against at least so many devices, so that the first one alone stops nothing.
const LEAST_WEIGHED: i64 = 5;
/// A device of a group that was silent for so long does not hold the others up.
const HEARD_WITHIN_MS: i64 = 7 * DAY_MS;

impl Firmware {
    /// Halts what fails too often and gives the next group its turn; called every few seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn keep_rollouts(&self) -> Result<()> {
        self.end_overdue_actions().await?;
        let catalog = self.catalog();
        let touched = self.fleet.take_touched();
        let is_changed = self
            .rollouts_seen_seq
            .swap(catalog.change_seq(), Ordering::Relaxed)
            != catalog.change_seq();
        for project in catalog.projects() {
            for release in project.published() {
                let rollout = &release.record.rollout;
                if rollout.plan.paused || rollout.halted.is_some() {
                    continue;
                }
                // Groups also come to their end when a silent device falls out of the count.
                let has_groups = rollout.groups_done < rollout.plan.groups.len();
                if !(is_changed || has_groups || touched.contains(&release.record.id)) {
                    continue;
                }
                if let Err(error) = self.keep_rollout(project, release).await {
                    tracing::warn!(%error, version = release.record.version, "could not look at a rollout; trying again");
                    self.fleet.touch([release.record.id]);
                }
            }
        }
        Ok(())
    }

    async fn keep_rollout(&self, project: &CatalogProject, release: &CatalogRelease) -> Result<()> {
        if let Some(halt) = self.reason_to_halt(release).await? {
            tracing::warn!(
                project = project.record.name,
                version = release.record.version,
                failed = halt.failed,
                finished = halt.finished,
                "a rollout halted by itself"
            );
            let detail = format!("{} of {} devices failed", halt.failed, halt.finished);
            let mut record = release.record.clone();
            record.rollout.halted = Some(halt);
            return self
                .save_by_itself(project, record, "rollout.halt", &detail)
                .await;
        }
        let done = self.groups_done(release).await?;
        if done > release.record.rollout.groups_done {
            let detail = format!("{done} groups are through");
            let mut record = release.record.clone();
            record.rollout.groups_done = done;
            return self
                .save_by_itself(project, record, "rollout.next_group", &detail)
                .await;
        }
        Ok(())
    }

    async fn save_by_itself(
        &self,
        project: &CatalogProject,
        record: ReleaseRecord,
        action: &'static str,
        detail: &str,
    ) -> Result<()> {
        let target = format!("{}/{}", project.record.name, record.version);
        let saved = self
            .ports
            .store
            .update_release(&record, ReleaseState::Published)
            .await?;
        if saved {
            self.audit
                .note(
                    &Actor::system(),
                    Note::ok(action, "release", target).detail(detail),
                )
                .await?;
        }
        self.reload_catalog().await
    }

    async fn reason_to_halt(&self, release: &CatalogRelease) -> Result<Option<Halt>> {
        let rollout = &release.record.rollout;
        let Some(threshold) = rollout.plan.error_threshold_percent else {
            return Ok(None);
        };
        let since_ms = rollout.resumed_at.map_or(0, |at| at.0);
        let counts = self
            .ports
            .store
            .action_counts(release.record.id, Some(since_ms))
            .await?;
        let of = |wanted: fn(ActionState) -> bool| -> i64 {
            let counted = counts.iter().filter(|(state, _)| wanted(*state));
            counted.map(|(_, devices)| devices).sum()
        };
        let failed = of(|state| matches!(state, ActionState::Failed | ActionState::RolledBack));
        let finished = failed + of(|state| state == ActionState::Succeeded);
        let too_many = failed * 100 > i64::from(threshold) * finished.max(LEAST_WEIGHED);
        Ok(too_many.then(|| Halt {
            at: Timestamp(self.ports.now_ms()),
            failed,
            finished,
        }))
    }

    /// How many of the groups, from the first on, are through.
    ///
    /// A group is through when each of its devices that was heard of within a week, and may have
    /// the release, has it or gave up; at least one must have it. One whose devices may all not
    /// have it is through; one without devices never is.
    async fn groups_done(&self, release: &CatalogRelease) -> Result<usize> {
        let record = &release.record;
        let heard_since_ms = self.ports.now_ms() - HEARD_WITHIN_MS;
        let mut done = record.rollout.groups_done;
        while let Some(group) = record.rollout.plan.groups.get(done) {
            let standing = self
                .ports
                .store
                .group_standing(
                    record.project_id,
                    group,
                    record.id,
                    &record.version_key,
                    heard_since_ms,
                    record.published_at_ms.unwrap_or(0),
                )
                .await?;
            let all_over = standing.succeeded + standing.given_up >= standing.heard_of;
            // Without a device that counts: those that were heard of may not have the release.
            let nobody_counts = standing.heard_of == 0 && standing.devices > 0;
            let is_through = all_over && (standing.succeeded > 0 || nobody_counts);
            if !is_through {
                break;
            }
            done += 1;
        }
        Ok(done)
    }
}
