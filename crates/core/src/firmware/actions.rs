//! What admins see of devices' actions, and how they stop one or let it be tried again.

use gatehouse_types::{
    Page, PageQuery, Timestamp, codes,
    rollout::{Action, ActionEvent, ActionState},
};
use uuid::Uuid;

use super::{CatalogProject, Firmware, hearing::Hearing, no_such_device, standing};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::fleet::{ActionRecord, Progress},
};

const TIMELINE_LINES: i64 = 200;

impl Firmware {
    /// A device's actions, the newest first, at most 200.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn device_actions(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
    ) -> Result<Vec<Action>> {
        actor.require_admin()?;
        let record = self.find_device(project, device_id).await?;
        let actions = self
            .ports
            .store
            .device_actions(record.project_id, device_id, TIMELINE_LINES)
            .await?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        Ok(actions
            .iter()
            .filter_map(|action| to_action(project, action))
            .collect())
    }

    /// A device's timeline, the newest line first, at most 200.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn device_timeline(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
    ) -> Result<Vec<ActionEvent>> {
        actor.require_admin()?;
        let record = self.find_device(project, device_id).await?;
        let events = self
            .ports
            .store
            .action_events(record.project_id, device_id, TIMELINE_LINES)
            .await?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        let line = |event: crate::ports::fleet::EventRecord| {
            let release = project.release_by_id(event.release_id)?;
            Some(ActionEvent {
                at: Timestamp(event.at_ms),
                version: release.record.version.clone(),
                attempt: event.attempt,
                state: event.state,
                detail: event.detail,
            })
        };
        Ok(events.into_iter().filter_map(line).collect())
    }

    /// A release's actions by device, those in one state or all of them.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or the page cannot be read.
    pub async fn release_actions(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
        state: Option<ActionState>,
        query: &PageQuery,
    ) -> Result<Page<Action>> {
        actor.require_admin()?;
        let limit = query.limit()?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        let release = project.release(version)?;
        let after = cursor(query.after.as_deref())?;
        let rows = self
            .ports
            .store
            .release_actions(release.record.id, state, after, limit + 1)
            .await?;
        let rows = rows
            .iter()
            .filter_map(|action| to_action(project, action))
            .collect();
        Ok(Page::cut(rows, limit, |row: &Action| {
            row.device_id.to_string()
        }))
    }

    /// Stops a device's action; the device agrees at its next word.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such device, or it has nothing to stop.
    pub async fn cancel_action(&self, actor: &Actor, project: &str, device_id: Uuid) -> Result<()> {
        let stopped = self
            .change_action(actor, project, device_id, |hearing| {
                hearing.stop(ActionState::Cancelling, "An admin stopped it.")
            })
            .await?;
        if !stopped {
            return Err(Error::conflict(
                codes::FINISHED,
                "This device has no update under way.",
            ));
        }
        self.audit
            .note(
                actor,
                Note::ok("action.cancel", "device", device_id).detail(project),
            )
            .await
    }

    /// Lets a device try again at once what failed or was cancelled.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such device, or nothing of it failed.
    pub async fn retry_action(&self, actor: &Actor, project: &str, device_id: Uuid) -> Result<()> {
        let forgiven = self
            .change_action(actor, project, device_id, |hearing| {
                hearing.forgive("An admin lets it try again.")
            })
            .await?;
        if !forgiven {
            return Err(Error::conflict(
                codes::CONFLICT,
                "This device has no update that failed or was cancelled.",
            ));
        }
        self.audit
            .note(
                actor,
                Note::ok("action.retry", "device", device_id).detail(project),
            )
            .await
    }

    /// Fails what began and then was silent for too long; called every few seconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn end_overdue_actions(&self) -> Result<()> {
        const AT_ONCE: i64 = 1000;
        let now_ms = self.ports.now_ms();
        let overdue = self.ports.store.overdue_actions(now_ms, AT_ONCE).await?;
        let catalog = self.catalog();
        let mut ended: Vec<Progress> = Vec::new();
        for action in overdue {
            let key = (action.project_id, action.device_id);
            let Some(project) = catalog.project_by_id(action.project_id) else {
                continue;
            };
            self.know(key).await?;
            let heard = self.word_of(key, project, |hearing| {
                let standing = hearing.member.standing.as_deref();
                let still = standing.is_some_and(|standing| {
                    standing.release_id == action.release_id
                        && standing.deadline_at_ms.is_some_and(|end| end <= now_ms)
                });
                let state = match action.state {
                    ActionState::Cancelling => ActionState::Cancelled,
                    _ => ActionState::Failed,
                };
                still && hearing.stop(state, "By its deadline it had not said that it runs it.")
            });
            if heard.as_ref().is_none_or(|(stopped, _)| !*stopped) {
                // What lies in memory is not what is written down: the next round sees it alike.
                self.relearn(key).await?;
            }
            ended.extend(heard.filter(|(stopped, _)| *stopped).map(|(_, progress)| {
                // That the portal gave up is no word of the device.
                Progress {
                    at_ms: None,
                    ..progress
                }
            }));
        }
        if ended.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.ports.store.save_progress(&ended).await {
            self.fleet.keep_unwritten(ended);
            return Err(error.into());
        }
        Ok(())
    }

    async fn change_action(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
        change: impl FnOnce(&mut Hearing<'_>) -> bool,
    ) -> Result<bool> {
        actor.require_admin()?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        let key = (project.record.id, device_id);
        self.know(key).await?;
        let (changed, progress) = self
            .word_of(key, project, change)
            .ok_or_else(no_such_device)?;
        if changed {
            self.write_now(Progress {
                at_ms: None,
                ..progress
            })
            .await?;
        }
        Ok(changed)
    }
}

/// An action as people and programs see it; `None` when its release is not there any more.
pub(super) fn to_action(project: &CatalogProject, record: &ActionRecord) -> Option<Action> {
    let release = project.release_by_id(record.release_id)?;
    Some(Action {
        number: standing::number(release.record.number, record.attempt),
        device_id: record.device_id,
        version: release.record.version.clone(),
        state: record.state,
        attempt: record.attempt,
        from_version: record.from_version.clone(),
        progress_percent: record.progress_percent,
        detail: record.detail.clone(),
        created_at: Timestamp(record.created_at_ms),
        updated_at: Timestamp(record.updated_at_ms),
        retry_at: record.retry_at_ms.map(Timestamp),
        finished_at: record.finished_at_ms.map(Timestamp),
    })
}
