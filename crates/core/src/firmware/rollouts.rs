//! How admins steer a rollout, how it goes on by itself, and how it stands.

use std::collections::BTreeMap;

use gatehouse_types::{
    Timestamp, codes,
    firmware::Release,
    limits,
    rollout::{ActionState, RolloutPlan, RolloutPoint, RolloutProgress, StateCount},
};

use super::{Firmware, releases::take_wish_back};
use crate::{Actor, Error, Result, audit::changes, ports::fleet::MinuteDelta};

const GROUPS_MAX: usize = 16;
const CHART_POINTS: i64 = 60;
const MINUTE_MS: i64 = 60 * 1000;

impl Firmware {
    /// Sets the plan of a release's rollout. A halt stays until somebody resumes.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or a value cannot be taken.
    pub async fn change_rollout(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
        plan: &RolloutPlan,
    ) -> Result<Release> {
        actor.require_admin()?;
        check(plan)?;
        let mut record = self.find_release(project, version)?;
        let before = std::mem::replace(&mut record.rollout.plan, plan.clone());
        let same_groups = before.groups.iter().zip(&plan.groups);
        let kept = same_groups.take_while(|(old, new)| old == new).count();
        record.rollout.groups_done = record.rollout.groups_done.min(kept);
        take_wish_back(&mut record);
        let from = record.state;
        let detail = changes(&before, plan, &[]);
        self.save_release(actor, project, record, from, "rollout.change", &detail)
            .await
    }

    /// Lets a rollout go on that was paused or halted; failures so far no longer count.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or it goes on anyway.
    pub async fn resume_rollout(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
    ) -> Result<Release> {
        actor.require_admin()?;
        let mut record = self.find_release(project, version)?;
        let rollout = &mut record.rollout;
        if !rollout.plan.paused && rollout.halted.is_none() {
            return Err(Error::conflict(
                codes::CONFLICT,
                "This rollout is neither paused nor halted.",
            ));
        }
        rollout.plan.paused = false;
        rollout.halted = None;
        rollout.resumed_at = Some(Timestamp(self.ports.now_ms()));
        let from = record.state;
        self.save_release(actor, project, record, from, "rollout.resume", "")
            .await
    }

    /// Shows how a rollout stands and how it came there.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such release.
    pub async fn rollout_progress(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
    ) -> Result<RolloutProgress> {
        actor.require_admin()?;
        let record = self.find_release(project, version)?;
        let store = &self.ports.store;
        let groups = store.group_sizes(record.project_id).await?;
        let counts = store.action_counts(record.id, None).await?;
        let minutes = store.rollout_minutes(record.id).await?;
        Ok(RolloutProgress {
            rollout: record.rollout,
            devices: groups.iter().map(|(_, devices)| devices).sum(),
            counts: in_chart_order(|state| {
                counts
                    .iter()
                    .filter(|(counted, _)| *counted == state)
                    .map(|(_, devices)| devices)
                    .sum()
            }),
            history: history(&minutes, self.ports.now_ms()),
        })
    }

    /// The groups that devices of a project are in, with how many are in each.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn device_groups(&self, actor: &Actor, project: &str) -> Result<Vec<(String, i64)>> {
        actor.require_admin()?;
        let project_id = self.catalog().project(project)?.record.id;
        Ok(self.ports.store.group_sizes(project_id).await?)
    }
}

fn check(plan: &RolloutPlan) -> Result<()> {
    if plan.percent > 100 {
        return Err(Error::invalid("percent", "A share lies between 0 and 100."));
    }
    let named_well =
        |group: &String| !group.trim().is_empty() && limits::one_line("groups", group).is_ok();
    let mut sorted: Vec<&String> = plan.groups.iter().collect();
    sorted.sort_unstable();
    sorted.dedup();
    if plan.groups.len() > GROUPS_MAX
        || sorted.len() < plan.groups.len()
        || !plan.groups.iter().all(named_well)
    {
        return Err(Error::invalid(
            "groups",
            "At most 16 groups, each named once, with 1 to 80 characters.",
        ));
    }
    if plan
        .error_threshold_percent
        .is_some_and(|threshold| !(1..=100).contains(&threshold))
    {
        return Err(Error::invalid(
            "error_threshold_percent",
            "A threshold lies between 1 and 100; leave it out for none.",
        ));
    }
    let bad_window = |window: gatehouse_types::rollout::HourWindow| {
        window.from_hour > 23 || window.to_hour > 23 || window.from_hour == window.to_hour
    };
    if plan.window.is_some_and(bad_window) {
        return Err(Error::invalid(
            "window",
            "Hours lie between 0 and 23, and the last differs from the first.",
        ));
    }
    if plan
        .deadline_minutes
        .is_some_and(|minutes| !(5..=43_200).contains(&minutes))
    {
        return Err(Error::invalid(
            "deadline_minutes",
            "A deadline lies between 5 minutes and 30 days.",
        ));
    }
    Ok(())
}

fn in_chart_order(devices: impl Fn(ActionState) -> i64) -> Vec<StateCount> {
    ActionState::ALL
        .into_iter()
        .map(|state| StateCount {
            state,
            devices: devices(state),
        })
        .filter(|count| count.devices > 0)
        .collect()
}

/// Cuts the time from the first change until now into equal stretches.
fn history(minutes: &[MinuteDelta], now_ms: i64) -> Vec<RolloutPoint> {
    let Some(first) = minutes.first() else {
        return Vec::new();
    };
    let span_ms = (now_ms - first.minute_ms).max(MINUTE_MS);
    let step_ms = (span_ms / CHART_POINTS).max(MINUTE_MS);
    let mut sums: BTreeMap<ActionState, i64> = BTreeMap::new();
    let mut next = minutes.iter().peekable();
    let mut points = Vec::new();
    let mut end_ms = first.minute_ms + step_ms;
    while points.len() < usize::try_from(CHART_POINTS).unwrap_or(0) {
        while let Some(delta) = next.next_if(|delta| delta.minute_ms < end_ms) {
            *sums.entry(delta.state).or_default() += delta.delta;
        }
        points.push(RolloutPoint {
            at: Timestamp(end_ms.min(now_ms)),
            counts: in_chart_order(|state| sums.get(&state).copied().unwrap_or(0)),
        });
        if end_ms >= now_ms {
            break;
        }
        end_ms += step_ms;
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

    fn delta(minute: i64, state: ActionState, delta: i64) -> MinuteDelta {
        MinuteDelta {
            minute_ms: minute * MINUTE_MS,
            state,
            delta,
        }
    }

    fn devices(point: &RolloutPoint, state: ActionState) -> i64 {
        let mut counts = point.counts.iter();
        counts
            .find(|count| count.state == state)
            .map_or(0, |count| count.devices)
    }

    #[test]
    fn the_chart_ends_with_what_is_true_now() {
        let minutes = [
            delta(0, ActionState::Pending, 10),
            delta(3, ActionState::Pending, -4),
            delta(3, ActionState::Succeeded, 4),
        ];
        let points = history(&minutes, 5 * MINUTE_MS);
        assert_eq!(devices(&points[0], ActionState::Pending), 10);
        let last = points.last().expect("points");
        assert_eq!(last.at, Timestamp(5 * MINUTE_MS));
        assert_eq!(devices(last, ActionState::Pending), 6);
        assert_eq!(devices(last, ActionState::Succeeded), 4);
    }

    #[test]
    fn a_rollout_of_a_year_has_few_points() {
        let minutes = [
            delta(0, ActionState::Pending, 1),
            delta(365 * 24 * 60 - 1, ActionState::Succeeded, 1),
        ];
        let points = history(&minutes, 365 * DAY_MS);
        assert_eq!(points.len(), 60);
        let last = points.last().expect("points");
        assert_eq!(devices(last, ActionState::Succeeded), 1);
        assert!(history(&[], DAY_MS).is_empty());
    }

    #[test]
    fn plans_that_make_no_sense_are_refused_with_their_field() {
        let plan = RolloutPlan::default;
        let group = |name: &str| vec![name.to_owned(); 1];
        for (field, plan) in [
            (
                "percent",
                RolloutPlan {
                    percent: 101,
                    ..plan()
                },
            ),
            (
                "groups",
                RolloutPlan {
                    groups: group(" "),
                    ..plan()
                },
            ),
            (
                "groups",
                RolloutPlan {
                    groups: [group("a"), group("a")].concat(),
                    ..plan()
                },
            ),
            (
                "error_threshold_percent",
                RolloutPlan {
                    error_threshold_percent: Some(0),
                    ..plan()
                },
            ),
            (
                "window",
                RolloutPlan {
                    window: Some(gatehouse_types::rollout::HourWindow {
                        from_hour: 3,
                        to_hour: 3,
                    }),
                    ..plan()
                },
            ),
            (
                "deadline_minutes",
                RolloutPlan {
                    deadline_minutes: Some(4),
                    ..plan()
                },
            ),
        ] {
            assert!(
                matches!(check(&plan), Err(Error::Invalid { field: named, .. }) if named == field),
                "{field}"
            );
        }
        assert!(check(&plan()).is_ok());
    }
}
