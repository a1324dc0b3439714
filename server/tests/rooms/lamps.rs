//! Releases and devices of the house, and what an admin sees of them.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_core::{
    Actor, Portal,
    actor::{DeviceActor, Who},
    firmware::{Running, UploadTarget},
};
use gatehouse_types::{
    firmware::{Device, NewDevice, NewProject, PublishRelease, Report, ReportState},
    rollout::{Action, ActionState, RolloutPlan},
};
use serde_json::json;

use crate::house::{House, PROJECT, nobody};

/// A registered device as it asks, with its lasting secret.
pub(crate) struct Lamp {
    pub(crate) actor: Actor,
    pub(crate) device: Device,
    pub(crate) target_token: String,
}

impl House {
    /// Makes the project with a published release of this version.
    pub(crate) async fn release(&self, version: &str) {
        self.draft(version).await;
        self.publish(version).await;
    }

    pub(crate) async fn publish(&self, version: &str) {
        let wish = PublishRelease::default();
        let firmware = &self.portal.firmware;
        firmware
            .publish(&Actor::system(), PROJECT, version, wish)
            .await
            .expect("publishes");
    }

    /// Makes the project with a release of this version that nobody published.
    pub(crate) async fn draft(&self, version: &str) {
        let (firmware, system) = (&self.portal.firmware, Actor::system());
        let target = UploadTarget {
            project: PROJECT,
            version,
            file_name: None,
            content_length: None,
        };
        let new: NewProject = serde_json::from_value(json!({ "name": PROJECT })).expect("fits");
        // It is there from the second release on.
        let _ = firmware.create_project(&system, &new).await;
        let mut upload = firmware
            .begin_upload(&system, target)
            .await
            .expect("begins");
        upload
            .write(Bytes::from(version.to_owned()))
            .await
            .expect("writes");
        upload.finish(None).await.expect("finishes");
    }

    /// Registers a device of a group.
    pub(crate) async fn lamp(&self, group: &str) -> Lamp {
        let new: NewDevice = serde_json::from_value(json!({ "group": group })).expect("fits");
        let firmware = &self.portal.firmware;
        let made = firmware
            .create_device(&Actor::system(), PROJECT, &new)
            .await
            .expect("registers it");
        let catalog = firmware.catalog();
        let actor = nobody().as_who(Who::Device(DeviceActor {
            project_id: catalog.project(PROJECT).expect("is there").record.id,
            project: PROJECT.into(),
            device_id: made.device.device_id,
            fw_version: None,
        }));
        Lamp {
            actor,
            device: made.device,
            target_token: made.target_token,
        }
    }

    pub(crate) async fn plan(&self, version: &str, plan: RolloutPlan) {
        let firmware = &self.portal.firmware;
        let changed = firmware.change_rollout(&self.admin, PROJECT, version, &plan);
        changed.await.expect("takes the plan");
    }

    pub(crate) async fn keep_rollouts(&self) {
        let firmware = &self.portal.firmware;
        firmware.flush_progress().await.expect("writes");
        firmware.keep_rollouts().await.expect("keeps");
    }
}

/// The version that the device is offered when it says what it runs.
pub(crate) async fn offered(portal: &Arc<Portal>, lamp: &Lamp, runs: &str) -> Option<String> {
    let answer = portal
        .firmware
        .check_update(&lamp.actor, Running::Version(runs))
        .await
        .expect("answers");
    answer.release.map(|release| release.record.version.clone())
}

pub(crate) async fn says(portal: &Arc<Portal>, lamp: &Lamp, version: &str, state: ReportState) {
    let report = Report {
        version: version.into(),
        state,
        detail: String::new(),
    };
    let kept = portal.firmware.report(&lamp.actor, &report).await;
    kept.expect("is kept");
}

/// The newest action as it is written down.
pub(crate) async fn action(house: &House, lamp: &Lamp) -> Action {
    let firmware = &house.portal.firmware;
    firmware.flush_progress().await.expect("writes");
    let actions = firmware
        .device_actions(&house.admin, PROJECT, lamp.device.device_id)
        .await
        .expect("lists");
    actions.into_iter().next().expect("has one")
}

pub(crate) async fn state(house: &House, lamp: &Lamp) -> ActionState {
    action(house, lamp).await.state
}
