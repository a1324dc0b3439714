//! Devices that follow their actions by numbers, as hawkBit's clients do.

use std::sync::Arc;

use gatehouse_types::{codes, rollout::ActionState};

use super::{
    CatalogRelease, Firmware, no_such_device,
    pace::Word,
    standing,
    words::{key, tidy_detail},
};
use crate::{Actor, Error, Result, actor::DeviceActor};

/// Who asks for something still older is told that it never was.
const ACTIONS_LOOKED_AT: i64 = 200;

/// A device's action with its release.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// What foreign clients call it.
    pub number: i32,
    /// What is installed.
    pub release: Arc<CatalogRelease>,
    /// How far the device is.
    pub state: ActionState,
}

impl Firmware {
    /// Finds a device's action by its number.
    ///
    /// # Errors
    /// When no device asks, its newest action has another number
    /// ([`codes::FINISHED`] for one that an action of it had before), or it has none.
    pub async fn deployment(&self, actor: &Actor, number: i32) -> Result<Deployment> {
        let known = self.newest_deployment(actor).await;
        if let Ok(newest) = &known
            && newest.number == number
        {
            return known;
        }
        // Another instance may have given the number a moment ago.
        let device = actor.device()?;
        self.relearn(key(device)).await?;
        let newest = self.newest_deployment(actor).await?;
        if newest.number == number {
            return Ok(newest);
        }
        if self.was_given(device, number).await? {
            return Err(Error::conflict(codes::FINISHED, "This action is over."));
        }
        Err(Error::NotFound("action"))
    }

    /// Whether an action of the device ever had this number.
    async fn was_given(&self, device: &DeviceActor, number: i32) -> Result<bool> {
        let catalog = self.catalog.load_full();
        let releases = &catalog.project(&device.project)?.releases;
        let release_number = standing::release_number(number);
        let is_meant = |release: &&Arc<CatalogRelease>| release.record.number == release_number;
        let Some(release) = releases.iter().find(is_meant) else {
            return Ok(false);
        };
        let actions = self
            .ports
            .store
            .device_actions(device.project_id, device.device_id, ACTIONS_LOOKED_AT)
            .await?;
        let mut of_release = actions
            .iter()
            .filter(|action| action.release_id == release.record.id);
        Ok(of_release.any(|action| standing::includes(action.attempt, number)))
    }

    /// Finds a device's newest action.
    ///
    /// # Errors
    /// When no device asks or it has none.
    pub async fn newest_deployment(&self, actor: &Actor) -> Result<Deployment> {
        let device = actor.device()?;
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        self.know(key(device)).await?;
        let found = self.fleet.with(key(device), |member| {
            let standing = member.standing.as_deref()?;
            let release = project.release_by_id(standing.release_id)?;
            Some(Deployment {
                number: standing.number(release.record.number),
                release: release.clone(),
                state: standing.state,
            })
        });
        found.flatten().ok_or(Error::NotFound("action"))
    }

    /// Takes down whether a device stops as it was told; one that does not goes on.
    ///
    /// # Errors
    /// When no device asks, it has no such action, or the action is over.
    pub async fn answer_cancel(
        &self,
        actor: &Actor,
        number: i32,
        agrees: bool,
        detail: &str,
    ) -> Result<()> {
        if agrees {
            let state = Some(ActionState::Cancelled);
            return self.take_step(actor, number, state, None, detail).await;
        }
        let device = actor.device()?;
        self.take_word(key(device), Word::Decisive)?;
        self.deployment(actor, number).await?;
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        let (goes_on, progress) = self
            .word(device, project, |hearing| {
                hearing.goes_on(&tidy_detail(detail))
            })
            .ok_or_else(no_such_device)?;
        if goes_on {
            self.write_now(progress).await?;
        }
        Ok(())
    }

    /// Takes down how far a device is with an action; it is written before this answers.
    ///
    /// `None` for `state` moves nothing: the word becomes a line of the timeline, since the next one
    /// takes its place as the action's detail.
    ///
    /// # Errors
    /// When no device asks, it has no such action, or the action is over
    /// ([`codes::FINISHED`](gatehouse_types::codes::FINISHED)).
    pub async fn take_step(
        &self,
        actor: &Actor,
        number: i32,
        state: Option<ActionState>,
        percent: Option<u8>,
        detail: &str,
    ) -> Result<()> {
        let device = actor.device()?;
        self.take_word(key(device), state.map_or(Word::Chatter, Word::of))?;
        let deployment = self.deployment(actor, number).await?;
        let detail = tidy_detail(detail);
        if deployment.state.is_finished() {
            // The same last word once more: its answer was lost on the way.
            return if state == Some(deployment.state) {
                Ok(())
            } else {
                Err(Error::conflict(codes::FINISHED, "This action is over."))
            };
        }
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        let progress = self.word(device, project, |hearing| {
            let moved =
                state.is_some_and(|state| hearing.reaches(&deployment.release, state, &detail));
            match state {
                _ if moved || detail.is_empty() => {}
                Some(_) => hearing.says(&detail),
                None => hearing.remarks(&detail),
            }
            if let Some(percent) = percent {
                hearing.came_to(percent);
            }
        });
        self.write_now(progress.ok_or_else(no_such_device)?.1).await
    }
}
