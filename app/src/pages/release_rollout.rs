//! How the rollout of a release stands, and how it is steered.

use gatehouse_types::{
    firmware::{Release, ReleaseState},
    rollout::{ActionState, HourWindow, RolloutPlan, RolloutProgress, StateCount},
};
use leptos::prelude::*;

use super::{
    loading::typed,
    release_chart::{chart, legend},
    release_offer::hidden,
};
use crate::{
    components::{
        Banner, Button, Card, Choice, Confirm, EmptyState, Look, PostButton, PostForm, SelectField,
        TextArea, TextField, Time, Tone,
    },
    context::PageContext,
    format::fill,
    forms::rollouts::PLAN,
};

/// The shares that one click offers a release to, in percent.
const SHARES: [u8; 4] = [1, 10, 50, 100];

/// How many devices began and are not through.
pub(super) fn under_way(progress: &RolloutProgress) -> i64 {
    let is_under_way = |state| {
        matches!(
            state,
            ActionState::Pending | ActionState::Downloading | ActionState::Installing
        )
    };
    let counts = progress.counts.iter();
    counts
        .filter(|count| is_under_way(count.state))
        .map(|count| count.devices)
        .sum()
}

/// What the standing says, in short; see [`crate::components::LivePart`].
pub(super) fn rev(progress: &RolloutProgress) -> String {
    let word = |count: &StateCount| format!("{}{};", count.state.as_str(), count.devices);
    let counts: String = progress.counts.iter().map(word).collect();
    let rollout = &progress.rollout;
    let is_halted = rollout.halted.is_some();
    let points = progress.history.len();
    let (done, devices) = (rollout.groups_done, progress.devices);
    let paused = rollout.plan.paused;
    format!("{counts}{points}:{devices}:{done}:{paused}:{is_halted}")
}

/// How many devices have it, in a sentence.
pub(super) fn summary(progress: &RolloutProgress) -> String {
    let texts = &PageContext::current().messages().rollout;
    let done = progress
        .counts
        .iter()
        .find(|count| count.state == ActionState::Succeeded);
    let done = done.map_or(0, |count| count.devices).to_string();
    let all = progress.devices.to_string();
    fill(texts.done, &[("done", &done), ("all", &all)])
}

/// Halt or pause with the way on, the figures and the chart.
pub(super) fn standing(release: &Release, progress: &RolloutProgress) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let is_published = release.state == ReleaseState::Published;
    let drawn = if progress.history.is_empty() {
        let hint = if is_published {
            texts.nobody_asked
        } else {
            texts.nobody_draft
        };
        view! { <EmptyState title=texts.nobody_title hint=hint /> }.into_any()
    } else {
        view! {
            <p><strong>{summary(progress)}</strong></p>
            {legend(&progress.counts)}
            {chart(&progress.history)}
        }
        .into_any()
    };
    let before = (!is_published).then_some(texts.before);
    view! {
        {before.map(|before| view! { <p class="muted">{before}</p> })}
        {stop_banner(release)}
        {drawn}
    }
}

fn stop_banner(release: &Release) -> Option<AnyView> {
    let texts = &PageContext::current().messages().rollout;
    let rollout = &release.rollout;
    let (tone, title, sentence, button) = match (&rollout.halted, rollout.plan.paused) {
        (Some(halt), _) => {
            let (failed, finished) = (halt.failed.to_string(), halt.finished.to_string());
            let values = [("failed", &*failed), ("finished", &*finished)];
            let sentence = fill(texts.halted, &values);
            (Tone::Bad, texts.halted_title, sentence, texts.go_on)
        }
        (None, true) => {
            let sentence = texts.paused.to_owned();
            (Tone::Warn, texts.paused_title, sentence, texts.resume)
        }
        (None, false) => return None,
    };
    let since = rollout.halted.as_ref().map(|halt| halt.at.0);
    let extra = hidden(release);
    let banner = view! {
        <Banner tone=tone title=title>
            {since.map(|at_ms| view! { <Time at_ms=at_ms /> ". " })}
            {sentence}
        </Banner>
        <PostButton action="/api/ui/resume_rollout" look=Look::Primary extra=extra>{button}</PostButton>
    };
    Some(banner.into_any())
}

/// What the plan says, and the forms that change it.
pub(super) fn control(
    release: &Release,
    progress: &RolloutProgress,
    groups: &[(String, i64)],
) -> impl IntoView + use<> {
    let goes = !release.rollout.plan.paused && release.rollout.halted.is_none();
    let can_pause = goes && release.state == ReleaseState::Published;
    view! {
        {plan_in_words(release)}
        {shares(release)}
        {can_pause.then(|| pause(release, under_way(progress)))}
        {plan_form(release, groups)}
    }
}

fn plan_in_words(release: &Release) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let (plan, done) = (&release.rollout.plan, release.rollout.groups_done);
    let share = if plan.groups.is_empty() {
        texts.share
    } else {
        texts.share_rest
    };
    let turn = plan.groups.get(done).map(|group| {
        let (n, all) = ((done + 1).to_string(), plan.groups.len().to_string());
        fill(
            texts.group_turn,
            &[("group", group), ("n", &n), ("all", &all)],
        )
    });
    let starts = plan.starts_at.map(|at| {
        let moment = format!("{} UTC", local_moment(at.rfc3339()).replace('T', " "));
        fill(texts.starts, &[("time", &moment)])
    });
    let within = plan.window.map(|window| {
        let (from, to) = (hour(window.from_hour), hour(window.to_hour));
        fill(texts.within, &[("from", &from), ("to", &to)])
    });
    let share = fill(share, &[("percent", &plan.percent.to_string())]);
    let sentences = [turn, Some(share), starts, within];
    let sentences: Vec<String> = sentences.into_iter().flatten().collect();
    view! { <p>{sentences.join(" ")}</p> }
}

/// One click for a usual share of the devices.
fn shares(release: &Release) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let now = release.rollout.plan.percent;
    let inputs = inputs(release);
    let buttons = SHARES
        .map(|share| {
            let pressed = (share == now).to_string();
            view! {
                <button
                    type="submit"
                    class="button"
                    name="percent"
                    value=share.to_string()
                    aria-pressed=pressed
                >
                    {format!("{share} %")}
                </button>
            }
        })
        .collect_view();
    view! {
        <form class="shares" method="post" action="/api/ui/widen_rollout">
            {inputs}
            <fieldset class="chips" aria-describedby="shares-hint">
                <legend>{texts.widen}</legend>
                {buttons}
            </fieldset>
            <p class="field-hint" id="shares-hint">{texts.widen_hint}</p>
        </form>
    }
}

fn pause(release: &Release, under_way: i64) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let n = under_way.to_string();
    let values = [("version", release.version.as_str()), ("n", &n)];
    view! {
        <Confirm
            summary=texts.pause
            warning=fill(texts.pause_warning, &values)
            action="/api/ui/pause_rollout"
            button=texts.pause
            extra=hidden(release)
        />
    }
}

fn inputs(release: &Release) -> impl IntoView + use<> {
    hidden(release)
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}

fn plan_form(release: &Release, groups: &[(String, i64)]) -> impl IntoView + use<> {
    let page = PageContext::current();
    let texts = &page.messages().rollout;
    let was_refused = page
        .query_value("field")
        .is_some_and(|field| field.starts_with(PLAN));
    let fields = fields(&page, &release.rollout.plan, groups);
    let inputs = inputs(release);
    view! {
        <details class="more" open=was_refused>
            <summary>{texts.plan}</summary>
            <Card>
                <PostForm action="/api/ui/change_rollout">
                    {inputs}
                    {fields}
                    <Button>{texts.save}</Button>
                </PostForm>
            </Card>
        </details>
    }
}

fn fields(
    page: &PageContext,
    plan: &RolloutPlan,
    groups: &[(String, i64)],
) -> impl IntoView + use<> {
    let texts = &page.messages().rollout;
    let optional = |number: Option<String>| number.unwrap_or_default();
    let threshold = optional(plan.error_threshold_percent.map(|share| share.to_string()));
    let deadline = optional(plan.deadline_minutes.map(|minutes| minutes.to_string()));
    let starts_at = optional(plan.starts_at.map(|at| local_moment(at.rfc3339())));
    view! {
        <TextField
            name="percent"
            label=texts.percent
            hint=texts.percent_hint
            scope=PLAN
            kind="number"
            range=(0, 100)
            required=true
            value=typed(page, "percent", &plan.percent.to_string())
        />
        <TextArea
            name="groups"
            label=texts.groups
            hint=groups_hint(page, groups)
            scope=PLAN
            value=typed(page, "groups", &plan.groups.join("\n"))
        />
        <TextField
            name="starts_at"
            label=texts.starts_at
            hint=texts.starts_at_hint
            scope=PLAN
            kind="datetime-local"
            value=typed(page, "starts_at", &starts_at)
        />
        {hours(page, plan.window)}
        <TextField
            name="error_threshold_percent"
            label=texts.threshold
            hint=texts.threshold_hint
            scope=PLAN
            kind="number"
            range=(1, 100)
            value=typed(page, "error_threshold_percent", &threshold)
        />
        <TextField
            name="deadline_minutes"
            label=texts.deadline
            hint=texts.deadline_hint
            scope=PLAN
            kind="number"
            range=(5, 43_200)
            value=typed(page, "deadline_minutes", &deadline)
        />
    }
}

fn groups_hint(page: &PageContext, groups: &[(String, i64)]) -> String {
    let texts = &page.messages().rollout;
    let named: Vec<String> = groups
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, devices)| format!("{group} ({devices})"))
        .collect();
    if named.is_empty() {
        return texts.groups_hint.to_owned();
    }
    let known = fill(texts.groups_known, &[("groups", &named.join(", "))]);
    format!("{} {known}", texts.groups_hint)
}

fn hours(page: &PageContext, window: Option<HourWindow>) -> impl IntoView + use<> {
    let texts = &page.messages().rollout;
    let options = || {
        let mut options = vec![Choice::new("", texts.any_hour)];
        options.extend((0..24).map(|value: u8| Choice::new(value.to_string(), hour(value))));
        options
    };
    let kept = |value: Option<u8>| value.map(|value| value.to_string()).unwrap_or_default();
    let from = typed(
        page,
        "from_hour",
        &kept(window.map(|window| window.from_hour)),
    );
    let to = typed(page, "to_hour", &kept(window.map(|window| window.to_hour)));
    let error = page
        .field_error(&format!("{PLAN}.window"))
        .map(|error| view! { <p class="field-error" role="alert">{error}</p> });
    view! {
        {error}
        <SelectField name="from_hour" label=texts.from_hour scope=PLAN options=options() selected=from />
        <SelectField name="to_hour" label=texts.to_hour scope=PLAN options=options() selected=to />
    }
}

fn hour(hour: u8) -> String {
    format!("{hour:02}:00")
}

/// A moment as browsers want it in their field: to the minute, without a zone.
fn local_moment(rfc3339: String) -> String {
    rfc3339.chars().take("2026-01-31T22:00".len()).collect()
}
