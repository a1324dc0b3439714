//! The forms that steer a rollout.

use gatehouse_core::{Error, Result};
use gatehouse_types::{
    Timestamp,
    firmware::Release,
    rollout::{HourWindow, RolloutPlan},
};
use leptos::{prelude::ServerFnError, server};
use serde::{Deserialize, Serialize};

use super::{filled, parsed};
use crate::{i18n::Notice, links, visit::Visit};

/// Tells the plan's fields from those of the other forms on the release's page.
pub(crate) const PLAN: &str = "plan";

/// What the form of a plan sends, as it was typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PlanForm {
    percent: String,
    groups: String,
    starts_at: String,
    from_hour: String,
    to_hour: String,
    error_threshold_percent: String,
    deadline_minutes: String,
}

impl PlanForm {
    fn read(&self) -> Result<RolloutPlan> {
        let threshold = &self.error_threshold_percent;
        Ok(RolloutPlan {
            percent: parsed("percent", &self.percent)?,
            groups: lines(&self.groups),
            paused: false,
            error_threshold_percent: number("error_threshold_percent", threshold)?,
            starts_at: moment(&self.starts_at)?,
            window: window(&self.from_hour, &self.to_hour)?,
            deadline_minutes: number("deadline_minutes", &self.deadline_minutes)?,
        })
    }

    fn typed(&self) -> [(&'static str, &str); 7] {
        [
            ("percent", &self.percent),
            ("groups", &self.groups),
            ("starts_at", &self.starts_at),
            ("from_hour", &self.from_hour),
            ("to_hour", &self.to_hour),
            ("error_threshold_percent", &self.error_threshold_percent),
            ("deadline_minutes", &self.deadline_minutes),
        ]
    }
}

/// Sets the plan; whether the rollout is paused stays as it is.
#[server(prefix = "/api/ui", endpoint = "change_rollout")]
pub async fn change_rollout(
    project: String,
    version: String,
    #[server(flatten)] form: PlanForm,
) -> std::result::Result<(), ServerFnError> {
    let visit = Visit::current();
    let changed = match form.read() {
        Ok(wish) => {
            change(&visit, &project, &version, |plan| RolloutPlan {
                paused: plan.paused,
                ..wish
            })
            .await
        }
        Err(error) => Err(error),
    };
    let way = links::release(&project, &version);
    match changed {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way.typed(form.typed()).fail_in(PLAN, &error),
    }
    Ok(())
}

/// Sets the share of the devices that may have a release, and nothing else of its plan.
#[server(prefix = "/api/ui", endpoint = "widen_rollout")]
pub async fn widen_rollout(
    project: String,
    version: String,
    #[server(default)] percent: String,
) -> std::result::Result<(), ServerFnError> {
    let visit = Visit::current();
    let changed = match parsed("percent", &percent) {
        Ok(percent) => {
            change(&visit, &project, &version, |plan| RolloutPlan {
                percent,
                ..plan
            })
            .await
        }
        Err(error) => Err(error),
    };
    links::release(&project, &version).report(&changed, Notice::Saved);
    Ok(())
}

/// Lets no further device begin.
#[server(prefix = "/api/ui", endpoint = "pause_rollout")]
pub async fn pause_rollout(
    project: String,
    version: String,
) -> std::result::Result<(), ServerFnError> {
    let visit = Visit::current();
    let paused = change(&visit, &project, &version, |plan| RolloutPlan {
        paused: true,
        ..plan
    });
    links::release(&project, &version).report(&paused.await, Notice::Paused);
    Ok(())
}

/// Lets a rollout go on that was paused or halted.
#[server(prefix = "/api/ui", endpoint = "resume_rollout")]
pub async fn resume_rollout(
    project: String,
    version: String,
) -> std::result::Result<(), ServerFnError> {
    let visit = Visit::current();
    let resumed = visit
        .portal
        .firmware
        .resume_rollout(&visit.actor, &project, &version)
        .await;
    links::release(&project, &version).report(&resumed, Notice::Resumed);
    Ok(())
}

async fn change(
    visit: &Visit,
    project: &str,
    version: &str,
    with: impl FnOnce(RolloutPlan) -> RolloutPlan,
) -> Result<Release> {
    let firmware = &visit.portal.firmware;
    let now = firmware.release(&visit.actor, project, version)?;
    let plan = with(now.rollout.plan);
    firmware
        .change_rollout(&visit.actor, project, version, &plan)
        .await
}

fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

fn number<T: std::str::FromStr>(field: &'static str, text: &str) -> Result<Option<T>> {
    filled(text.trim().to_owned())
        .map(|text| parsed(field, &text))
        .transpose()
}

/// Reads what a browser's field for a moment sends; the form says that it is meant in UTC.
fn moment(text: &str) -> Result<Option<Timestamp>> {
    let Some(text) = filled(text.trim().to_owned()) else {
        return Ok(None);
    };
    let seconds = if text.len() == "2026-01-31T22:00".len() {
        ":00Z"
    } else {
        "Z"
    };
    Timestamp::parse(&format!("{text}{seconds}"))
        .map(Some)
        .ok_or_else(|| Error::invalid("starts_at", "This is no moment."))
}

fn window(from_hour: &str, to_hour: &str) -> Result<Option<HourWindow>> {
    match (number("window", from_hour)?, number("window", to_hour)?) {
        (None, None) => Ok(None),
        (Some(from_hour), Some(to_hour)) => Ok(Some(HourWindow { from_hour, to_hour })),
        _ => Err(Error::invalid("window", "One of the two hours is missing.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_browsers_send_it() {
        let expected = Timestamp::parse("2026-01-31T22:00:00Z");
        assert_eq!(moment("2026-01-31T22:00").unwrap(), expected);
        assert_eq!(moment("2026-01-31T22:00:00").unwrap(), expected);
        assert_eq!(moment(" ").unwrap(), None);
        assert!(moment("tomorrow").is_err());
    }

    #[test]
    fn hours_come_in_pairs_and_groups_in_lines() {
        let night = HourWindow {
            from_hour: 22,
            to_hour: 6,
        };
        assert_eq!(window("22", "6").unwrap(), Some(night));
        assert_eq!(window("", "").unwrap(), None);
        assert!(window("22", "").is_err() && window("x", "6").is_err());
        assert_eq!(lines(" canary \r\n\r\nhall"), ["canary", "hall"]);
    }
}
