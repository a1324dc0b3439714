//! Rollouts of a release and the actions they lead to, one for each device.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Who gets a release at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Every device.
    #[default]
    Stable,
    /// Only devices that are on this channel themselves.
    Beta,
}

impl Channel {
    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::Beta => "beta",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Stable, Self::Beta]
            .into_iter()
            .find(|channel| channel.as_str() == word)
    }
}

/// The hours of a day in which devices may begin, in UTC; from 22 to 6 goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct HourWindow {
    /// 0..=23, the first hour in which devices may begin.
    pub from_hour: u8,
    /// 0..=23, the first hour in which they may not; the same as `from_hour` is refused.
    pub to_hour: u8,
}

/// PUT `/api/v1/projects/{project}/releases/{version}/rollout`: the whole plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RolloutPlan {
    /// How many of the devices outside `groups`, 0..=100. Raising it only adds devices.
    pub percent: u8,
    /// These groups come first, one after the other; everybody else comes after the last.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether no further device may begin.
    #[serde(default)]
    pub paused: bool,
    /// Above this share of failures the rollout halts by itself, 1..=100; never when missing.
    #[serde(default)]
    pub error_threshold_percent: Option<u8>,
    /// No device begins before.
    #[serde(default)]
    pub starts_at: Option<Timestamp>,
    /// The hours in which devices may begin; all of them when missing.
    #[serde(default)]
    pub window: Option<HourWindow>,
    /// A device that began and then says nothing for so long has failed, 5..=43200; 1440 when missing.
    #[serde(default)]
    pub deadline_minutes: Option<u32>,
}

impl Default for RolloutPlan {
    /// Everybody at once, halted above one failure in five.
    fn default() -> Self {
        Self {
            percent: 100,
            groups: Vec::new(),
            paused: false,
            error_threshold_percent: Some(20),
            starts_at: None,
            window: None,
            deadline_minutes: None,
        }
    }
}

/// That a rollout stopped by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Halt {
    /// When.
    pub at: Timestamp,
    /// Devices that had failed or rolled back.
    pub failed: i64,
    /// Devices that were through, these included.
    pub finished: i64,
}

/// Plan and standing of a release's rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Rollout {
    /// What was asked for.
    #[serde(flatten)]
    pub plan: RolloutPlan,
    /// How many of `groups` are through; the next one has its turn.
    pub groups_done: usize,
    /// That too many devices failed; no further device begins until somebody resumes.
    pub halted: Option<Halt>,
    /// Failures before this moment no longer count against the threshold.
    pub resumed_at: Option<Timestamp>,
}

/// Who wanted a release published and who agreed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Approval {
    /// The account that asked to publish it.
    pub requested_by: Option<Uuid>,
    /// Its e-mail address then; `system` for the command line.
    pub requested_by_email: Option<String>,
    /// When.
    pub requested_at: Option<Timestamp>,
    /// The account that agreed; only with two-person approval.
    pub approved_by: Option<Uuid>,
    /// Its e-mail address then.
    pub approved_by_email: Option<String>,
    /// When.
    pub approved_at: Option<Timestamp>,
}

/// How far a device is with a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// It was offered the release.
    Pending,
    /// It fetches the image.
    Downloading,
    /// It has the image and writes it; the new image has yet to speak.
    Installing,
    /// The new image runs.
    Succeeded,
    /// It did not work.
    Failed,
    /// The old image runs again.
    RolledBack,
    /// It was told to stop and has yet to agree.
    Cancelling,
    /// It stopped.
    Cancelled,
}

impl ActionState {
    /// All of them, in the order of a chart.
    pub const ALL: [Self; 8] = [
        Self::Succeeded,
        Self::Installing,
        Self::Downloading,
        Self::Pending,
        Self::Failed,
        Self::RolledBack,
        Self::Cancelling,
        Self::Cancelled,
    ];

    /// The word in JSON and in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Downloading => "downloading",
            Self::Installing => "installing",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more happens in this attempt.
    pub const fn is_finished(self) -> bool {
        matches!(
            self,
            Self::Succeeded | Self::Failed | Self::RolledBack | Self::Cancelled
        )
    }
}

/// What became, or becomes, of a release on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Action {
    /// What foreign clients call it; 1..=2147483647, unique for the device, another one for each attempt.
    pub number: i32,
    /// The device.
    pub device_id: Uuid,
    /// The version to install.
    pub version: String,
    /// How far the device is.
    pub state: ActionState,
    /// 1 for the first try.
    pub attempt: i64,
    /// The version the device came from, when it told.
    pub from_version: Option<String>,
    /// 0..=100 while the device tells.
    pub progress_percent: Option<u8>,
    /// What the device said last.
    pub detail: String,
    /// When it was first offered.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When a failed one is offered again.
    pub retry_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Option<Timestamp>,
}

/// One line of a device's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ActionEvent {
    /// When.
    pub at: Timestamp,
    /// The release it is about.
    pub version: String,
    /// 1 for the first try.
    pub attempt: i64,
    /// What the device came to.
    pub state: ActionState,
    /// More words.
    pub detail: String,
}

/// How many devices are in a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StateCount {
    /// The state.
    pub state: ActionState,
    /// Devices in it.
    pub devices: i64,
}

/// The devices of a release by state, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolloutPoint {
    /// The end of the stretch of time.
    pub at: Timestamp,
    /// States that have devices.
    pub counts: Vec<StateCount>,
}

/// GET `/api/v1/projects/{project}/releases/{version}/rollout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RolloutProgress {
    /// Plan and standing.
    pub rollout: Rollout,
    /// Devices of the project.
    pub devices: i64,
    /// Devices by state now.
    pub counts: Vec<StateCount>,
    /// Over time, at most 60 points, oldest first.
    pub history: Vec<RolloutPoint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_read_back_as_it_was_written() {
        let kept = serde_json::to_string(&Rollout::default()).unwrap();
        assert_eq!(
            serde_json::from_str::<Rollout>(&kept).unwrap(),
            Rollout::default()
        );
    }
}
