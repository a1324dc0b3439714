//! The devices of a rollout, all of them or those in one state.

use gatehouse_core::Result;
use gatehouse_types::{
    Page as Part, PageQuery,
    rollout::{Action, ActionState, StateCount},
};
use leptos::prelude::*;

use crate::{
    components::{
        ButtonLink, DataTable, EmptyState, Look, NextPage, StateBadge, Time, action_state,
        state_word,
    },
    context::PageContext,
    format::fill,
    forms::Way,
    links,
    visit::Visit,
};

/// So many rows need so many names, each a look into the database.
const ROWS: i64 = 25;

/// A part of the list.
pub(super) struct Listed {
    /// Devices in this state only.
    pub(super) state: Option<ActionState>,
    /// Each with the device's name.
    pub(super) rows: Vec<(String, Action)>,
    /// The cursor of the next part.
    pub(super) next: Option<String>,
}

/// Reads the part of the list that the page's query asks for: `?state=` and `?after=`.
pub(super) async fn load(
    visit: &Visit,
    page: &PageContext,
    project: &str,
    version: &str,
) -> Result<Listed> {
    let (firmware, actor) = (&visit.portal.firmware, &visit.actor);
    let state = page
        .query_value("state")
        .and_then(|word| ActionState::parse(&word));
    let query = PageQuery {
        limit: Some(ROWS),
        after: page.query_value("after"),
    };
    let Part { items, next } = firmware
        .release_actions(actor, project, version, state, &query)
        .await?;
    let mut rows = Vec::with_capacity(items.len());
    for action in items {
        let device = firmware.device(actor, project, action.device_id).await?;
        rows.push((device.name, action));
    }
    Ok(Listed { state, rows, next })
}

/// What the list says, in short; see [`crate::components::LivePart`].
pub(super) fn rev(listed: &Listed) -> String {
    let row = |(_, action): &(String, Action)| {
        let progress = action.progress_percent.unwrap_or(0);
        format!("{}:{progress}:{};", action.number, action.updated_at.0)
    };
    listed.rows.iter().map(row).collect()
}

/// The filter, the rows and the way on.
pub(super) fn list(release: (&str, &str), listed: Listed, counts: &[StateCount]) -> AnyView {
    let texts = &PageContext::current().messages().rollout;
    let (project, version) = release;
    let way = || links::release(project, version);
    let filter = filter(release, listed.state, counts);
    if listed.rows.is_empty() {
        let every = way().into_url();
        return view! {
            {filter}
            <EmptyState title=texts.none_in_state>
                <ButtonLink href=every look=Look::Plain>{texts.show_all}</ButtonLink>
            </EmptyState>
        }
        .into_any();
    }
    let next = listed.next.map(|after| {
        let narrowed = narrowed(way(), listed.state);
        narrowed.with("after", &after).into_url()
    });
    view! {
        {filter}
        {table(project, listed.rows)}
        <NextPage href=next />
    }
    .into_any()
}

fn narrowed(way: Way, state: Option<ActionState>) -> Way {
    match state {
        Some(state) => way.with("state", state.as_str()),
        None => way,
    }
}

fn filter(
    (project, version): (&str, &str),
    chosen: Option<ActionState>,
    counts: &[StateCount],
) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let all: i64 = counts.iter().map(|count| count.devices).sum();
    let link = |state: Option<ActionState>, label: String| {
        let href = narrowed(links::release(project, version), state).into_url();
        let current = (state == chosen).then_some("true");
        view! { <li><a class="chip" href=href aria-current=current>{label}</a></li> }
    };
    let label = |count: &StateCount| {
        let word = state_word(action_state(count.state)).to_owned();
        format!("{word} ({})", count.devices)
    };
    let states = counts
        .iter()
        .map(|count| link(Some(count.state), label(count)))
        .collect_view();
    let every = link(None, fill(texts.all, &[("n", &all.to_string())]));
    view! { <nav aria-label=texts.filter><ul class="filter">{every}{states}</ul></nav> }
}

fn table(project: &str, rows: Vec<(String, Action)>) -> impl IntoView + use<> {
    let messages = PageContext::current().messages();
    let texts = &messages.rollout;
    let heads = vec![
        messages.project.device,
        messages.common.state,
        texts.progress,
        texts.attempts,
        texts.changed_at,
        messages.device.report_detail,
    ];
    let rows = rows
        .into_iter()
        .map(|(name, action)| {
            let href = links::device(project, &action.device_id.to_string()).into_url();
            view! {
                <tr>
                    <td><a href=href>{name}</a></td>
                    <td><StateBadge state=action_state(action.state) /></td>
                    <td class="figure">{percent(&action)}</td>
                    <td class="figure">{action.attempt}</td>
                    <td><Time at_ms=action.updated_at.0 relative=true /></td>
                    <td class="words">{action.detail}</td>
                </tr>
            }
        })
        .collect_view();
    view! { <DataTable caption=texts.devices heads=heads>{rows}</DataTable> }
}

/// How far a device is, as long as it is on its way.
pub(super) fn percent(action: &Action) -> Option<String> {
    let shown = action
        .progress_percent
        .filter(|_| !action.state.is_finished());
    shown.map(|percent| format!("{percent} %"))
}
