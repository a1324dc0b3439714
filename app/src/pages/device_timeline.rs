//! What a device is doing about an update, and everything that happened to it before.

use gatehouse_types::{
    Timestamp,
    firmware::{Device, ReportEntry},
    rollout::{Action, ActionEvent, ActionState},
};
use leptos::prelude::*;

use super::release_devices::percent;
use crate::{
    components::{
        Confirm, DataTable, EmptyState, Fact, Facts, Look, Meter, PostButton, StateBadge, Time,
        action_state,
    },
    context::PageContext,
    format::fill,
    links,
};

/// A report and the event that it led to come this close to each other.
const SAME_WORD_MS: u64 = 2_000;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    at: Timestamp,
    version: String,
    state: &'static str,
    attempt: Option<i64>,
    detail: String,
}

/// Puts events and reports in one order, the newest first; a report that an event repeats is left out.
pub(super) fn merged(events: Vec<ActionEvent>, reports: Vec<ReportEntry>) -> Vec<Line> {
    let is_told = |report: &ReportEntry| {
        events.iter().any(|event| {
            event.version == report.version
                && event.state.as_str() == report.state.as_str()
                && event.detail == report.detail
                && event.at.0.abs_diff(report.at.0) <= SAME_WORD_MS
        })
    };
    let reports: Vec<Line> = reports
        .into_iter()
        .filter(|report| !is_told(report))
        .map(|report| Line {
            at: report.at,
            version: report.version,
            state: report.state.as_str(),
            attempt: None,
            detail: report.detail,
        })
        .collect();
    let mut lines: Vec<Line> = events
        .into_iter()
        .map(|event| Line {
            at: event.at,
            version: event.version,
            state: action_state(event.state),
            attempt: Some(event.attempt),
            detail: event.detail,
        })
        .chain(reports)
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.at));
    lines
}

/// What the page says about the device's update, in short; see [`crate::components::LivePart`].
pub(super) fn rev(device: &Device, lines: &[Line]) -> String {
    let action = device.action.as_ref().map(|action| {
        let percent = action.progress_percent.unwrap_or(0);
        format!("{}{}:{percent}", action.number, action.state.as_str())
    });
    let newest = lines.first().map_or(0, |line| line.at.0);
    let current = device.current_version.as_deref().unwrap_or("");
    format!(
        "{}:{newest}:{current}:{}",
        action.unwrap_or_default(),
        lines.len()
    )
}

/// The newest action, with what may be done about it.
pub(super) fn current(device: &Device) -> AnyView {
    let texts = &PageContext::current().messages().device;
    let Some(action) = &device.action else {
        return view! { <EmptyState title=texts.no_update_title hint=texts.no_update_hint /> }
            .into_any();
    };
    view! {
        {facts(device, action)}
        {means(device, action)}
    }
    .into_any()
}

fn facts(device: &Device, action: &Action) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let (texts, common) = (&messages.device, &messages.common);
    let rollout = &messages.rollout;
    let href = links::release(&device.project, &action.version).into_url();
    let from = action
        .from_version
        .as_deref()
        .unwrap_or(texts.unknown_version);
    let versions = [("from", from), ("to", action.version.as_str())];
    let versions = fill(texts.update_of, &versions);
    let attempt =
        (action.attempt > 1).then(|| fill(rollout.attempt, &[("n", &action.attempt.to_string())]));
    let progress = percent(action).and(action.progress_percent);
    let progress = progress.map(|percent| {
        view! { <Meter label=rollout.progress value=i64::from(percent) max=100 /> }
    });
    let retry = action.retry_at.filter(|_| may_retry(action.state));
    let retry = retry.map(next_try);
    let (state, at_ms, detail) = (action.state, action.updated_at.0, action.detail.clone());
    let detail =
        (!detail.is_empty()).then(|| view! { <Fact term=texts.report_detail>{detail}</Fact> });
    view! {
        <Facts>
            <Fact term=messages.project.version><a href=href>{versions}</a></Fact>
            <Fact term=common.state><StateBadge state=action_state(state) />" "{attempt}</Fact>
            <Fact term=rollout.changed_at><Time at_ms=at_ms relative=true /></Fact>
            {detail}
        </Facts>
        {progress}
        {retry}
    }
}

/// When a device is offered again what failed.
fn next_try(at: Timestamp) -> AnyView {
    let page = PageContext::current();
    let texts = &page.messages().device;
    if at.0 <= page.now_ms {
        return view! { <p>{texts.retry_next}</p> }.into_any();
    }
    let (before, after) = texts.retry_at.split_once("{time}").unwrap_or_default();
    view! { <p>{before}<Time at_ms=at.0 relative=true />{after}</p> }.into_any()
}

/// Cancel what is under way, try again what is not.
fn means(device: &Device, action: &Action) -> Option<AnyView> {
    let texts = &PageContext::current().messages().device;
    let named = vec![
        ("project", device.project.clone()),
        ("device_id", device.device_id.to_string()),
    ];
    if may_retry(action.state) {
        let now_ms = PageContext::current().now_ms;
        let is_next = action.retry_at.is_some_and(|at| at.0 <= now_ms);
        if is_next {
            return None;
        }
        let retry = view! {
            <PostButton action="/api/ui/retry_action" look=Look::Primary extra=named>{texts.retry}</PostButton>
        };
        return Some(retry.into_any());
    }
    let can_stop = !action.state.is_finished() && action.state != ActionState::Cancelling;
    let values = [("name", &*device.name), ("version", &*action.version)];
    let warning = fill(texts.cancel_warning, &values);
    can_stop.then(|| {
        view! {
            <Confirm
                summary=texts.cancel
                warning=warning
                action="/api/ui/cancel_action"
                button=texts.cancel
                extra=named
            />
        }
        .into_any()
    })
}

const fn may_retry(state: ActionState) -> bool {
    matches!(
        state,
        ActionState::Failed | ActionState::RolledBack | ActionState::Cancelled
    )
}

/// The whole past, as far as the portal keeps it.
pub(super) fn timeline(lines: Vec<Line>) -> AnyView {
    let messages = PageContext::current().messages();
    let texts = &messages.device;
    if lines.is_empty() {
        return view! { <EmptyState title=texts.no_reports_title hint=texts.no_reports_hint /> }
            .into_any();
    }
    let heads = vec![
        texts.report_at,
        messages.project.version,
        messages.common.state,
        messages.rollout.attempts,
        texts.report_detail,
    ];
    let rows = lines
        .into_iter()
        .map(|line| {
            view! {
                <tr>
                    <td><Time at_ms=line.at.0 /></td>
                    <td><code>{line.version}</code></td>
                    <td><StateBadge state=line.state /></td>
                    <td class="figure">{line.attempt}</td>
                    <td class="words">{line.detail}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <DataTable caption=texts.timeline_caption heads=heads>{rows}</DataTable> }.into_any()
}

#[cfg(test)]
mod tests {
    use gatehouse_types::firmware::ReportState;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, demo_action, demo_device, render},
    };

    fn html(state: ActionState) -> String {
        let action = Action {
            state,
            retry_at: Some(Timestamp(context("").now_ms + 600_000)),
            attempt: 2,
            ..demo_action()
        };
        let device = Device {
            action: Some(action),
            ..demo_device()
        };
        let html = render(context(""), || current(&device));
        assert_sound(&html);
        html
    }

    #[test]
    fn what_is_under_way_can_be_stopped_and_what_failed_tried_again() {
        let offers = |state| {
            let html = html(state);
            ["cancel", "retry"].map(|verb| html.contains(&format!("/api/ui/{verb}_action")))
        };
        assert_eq!(offers(ActionState::Downloading), [true, false]);
        assert_eq!(offers(ActionState::Failed), [false, true]);
        assert_eq!(offers(ActionState::Cancelled), [false, true]);
        assert_eq!(offers(ActionState::Cancelling), [false, false]);
        assert_eq!(offers(ActionState::Succeeded), [false, false]);
    }

    #[test]
    fn progress_shows_on_the_way_and_the_next_try_after_a_failure() {
        let busy = html(ActionState::Downloading);
        assert!(
            busy.contains("40 / 100") && busy.contains("Attempt 2"),
            "{busy}"
        );
        assert!(busy.contains("1.0.1 → 1.0.2") && !busy.contains("tries again"));
        let failed = html(ActionState::Failed);
        assert!(
            failed.contains("in 10 min") && !failed.contains("40 / 100"),
            "{failed}"
        );
    }

    #[test]
    fn a_report_that_an_event_repeats_is_one_line() {
        let event = |at, state| ActionEvent {
            at: Timestamp(at),
            version: "1.0.2".to_owned(),
            attempt: 1,
            state,
            detail: "low power".to_owned(),
        };
        let report = |at, state, detail: &str| ReportEntry {
            at: Timestamp(at),
            version: "1.0.2".to_owned(),
            state,
            detail: detail.to_owned(),
        };
        let events = vec![
            event(9_000, ActionState::Failed),
            event(0, ActionState::Pending),
        ];
        let reports = vec![
            report(9_010, ReportState::Failed, "low power"),
            report(5_000, ReportState::Downloading, "half"),
        ];
        let lines = merged(events, reports);
        let told: Vec<_> = lines.iter().map(|line| (line.at.0, line.state)).collect();
        let expected = [(9_000, "failed"), (5_000, "downloading"), (0, "offered")];
        assert_eq!(told, expected);
        let html = render(context(""), || timeline(lines));
        assert!(html.contains("Offered") && html.contains("half"), "{html}");
    }
}
