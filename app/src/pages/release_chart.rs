//! A rollout over time as stacked bars, drawn by the server.
//!
//! Each state has a texture of its own beside its colour, its word and figure in the legend, and
//! its column in the table. The policy of the pages refuses inline styles, so all of it is SVG with
//! attributes and classes.

use gatehouse_types::rollout::{ActionState, RolloutPoint, StateCount};
use leptos::prelude::*;

use crate::{
    components::{DataTable, Time, action_state, state_word},
    context::PageContext,
    format::fill,
};

const WIDTH: i64 = 6000;
const HEIGHT: i64 = 2200;
/// Between bars, where there is room for it.
const GAP: i64 = 20;

const RISING: &str = "M-20 20 20-20M0 80 80 0M60 100 100 60";
const FALLING: &str = "M60-20 100 20M0 0 80 80M-20 60 20 100";

/// The textures that chart and legend are painted with; once on a page.
pub(super) fn textures() -> impl IntoView {
    // `view!` would write a pattern's attributes in lower case, which SVG does not understand.
    let line = |id: &str, ground: &str, path: &str, ink: &str| {
        format!(
            "<pattern id=\"tex-{id}\" width=\"80\" height=\"80\" patternUnits=\"userSpaceOnUse\">\
             <rect class=\"tex-{ground}\" width=\"80\" height=\"80\"/>\
             <path class=\"tex-ink-{ink}\" d=\"{path}\"/></pattern>"
        )
    };
    let patterns = [
        line("succeeded", "good", "", "surface"),
        line("installing", "accent", RISING, "surface"),
        line("downloading", "surface", RISING, "accent"),
        line("pending", "sunken", "M40 0V80", "muted"),
        line("failed", "bad", "M0 40H80", "surface"),
        line("rolled_back", "warn", FALLING, "surface"),
        line("cancelling", "surface", FALLING, "muted"),
        line("cancelled", "muted", "", "surface"),
    ];
    let defs = format!("<defs>{}</defs>", patterns.concat());
    view! { <svg class="visually-hidden" aria-hidden="true" focusable="false" inner_html=defs></svg> }
}

/// The chart with its span of time; nothing while there is no history.
pub(super) fn chart(history: &[RolloutPoint]) -> Option<AnyView> {
    let (first, last) = (history.first()?, history.last()?);
    let texts = &PageContext::current().messages().rollout;
    let most = history.iter().map(devices).max().unwrap_or(0).max(1);
    let (from, to) = (first.at.rfc3339(), last.at.rfc3339());
    let values = [("from", &*from), ("to", &*to), ("max", &most.to_string())];
    let label = fill(texts.chart_label, &values);
    let series = ActionState::ALL
        .iter()
        .map(|state| (state, outline(history, *state, most)))
        .filter(|(_, outline)| !outline.is_empty())
        .map(|(state, outline)| {
            let fill = texture(*state);
            view! { <path d=outline fill=fill /> }
        })
        .collect_view();
    let (from_ms, to_ms) = (first.at.0, last.at.0);
    let chart = view! {
        <figure class="chart">
            <figcaption>{fill(texts.at_most, &[("n", &most.to_string())])}</figcaption>
            <svg viewBox=format!("0 0 {WIDTH} {HEIGHT}") role="img" aria-label=label focusable="false">
                {series}
            </svg>
            <div class="chart-span"><Time at_ms=from_ms /><Time at_ms=to_ms /></div>
        </figure>
    };
    Some(chart.into_any())
}

/// One rectangle for each moment at which devices were in the state.
fn outline(history: &[RolloutPoint], state: ActionState, most: i64) -> String {
    let columns = i64::try_from(history.len()).unwrap_or(1).max(1);
    let gap = if columns > 1 { GAP } else { 0 };
    let height = |devices: i64| devices * HEIGHT / most;
    let bar = |(place, point): (i64, &RolloutPoint)| {
        let below: i64 = below(&point.counts, state);
        let own = count(&point.counts, state);
        let (top, foot) = (HEIGHT - height(below + own), HEIGHT - height(below));
        let (left, right) = (place * WIDTH / columns, (place + 1) * WIDTH / columns - gap);
        if own == 0 {
            return String::new();
        }
        // What is there is seen, however few among many.
        let top = top.min(foot - GAP).max(0);
        format!("M{left} {foot}V{top}H{right}V{foot}Z")
    };
    (0..columns).zip(history).map(bar).collect()
}

fn below(counts: &[StateCount], state: ActionState) -> i64 {
    ActionState::ALL
        .into_iter()
        .take_while(|other| *other != state)
        .map(|other| count(counts, other))
        .sum()
}

fn count(counts: &[StateCount], state: ActionState) -> i64 {
    let mut found = counts.iter().filter(|count| count.state == state);
    found.next().map_or(0, |count| count.devices.max(0))
}

fn devices(point: &RolloutPoint) -> i64 {
    point.counts.iter().map(|count| count.devices.max(0)).sum()
}

fn texture(state: ActionState) -> String {
    format!("url(#tex-{})", state.as_str())
}

/// What each texture means, with how many devices are in its state now.
pub(super) fn legend(counts: &[StateCount]) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let items = counts
        .iter()
        .map(|count| {
            let word = state_word(action_state(count.state)).to_owned();
            let fill = texture(count.state);
            view! {
                <li>
                    <svg class="swatch" viewBox="0 0 240 160" aria-hidden="true" focusable="false">
                        <rect width="240" height="160" fill=fill></rect>
                    </svg>
                    <span>{word}</span>
                    <strong class="figure">{count.devices}</strong>
                </li>
            }
        })
        .collect_view();
    view! { <ul class="legend" aria-label=texts.now>{items}</ul> }
}

/// The figures behind the chart, the newest first.
pub(super) fn table(history: &[RolloutPoint]) -> impl IntoView + use<> {
    let texts = &PageContext::current().messages().rollout;
    let states: Vec<ActionState> = ActionState::ALL
        .into_iter()
        .filter(|state| history.iter().any(|point| count(&point.counts, *state) > 0))
        .collect();
    let mut heads = vec![texts.moment];
    heads.extend(states.iter().map(|state| state_word(action_state(*state))));
    let rows = history
        .iter()
        .rev()
        .map(|point| {
            let figures = states
                .iter()
                .map(|state| view! { <td class="figure">{count(&point.counts, *state)}</td> })
                .collect_view();
            view! { <tr><td><Time at_ms=point.at.0 /></td>{figures}</tr> }
        })
        .collect_view();
    view! {
        <details class="more">
            <summary>{texts.as_table}</summary>
            <DataTable caption=texts.chart heads=heads>{rows}</DataTable>
        </details>
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_types::Timestamp;

    use super::*;
    use crate::{
        context::tests::context,
        pages::firmware_tests::{assert_sound, render},
    };

    fn point(minute: i64, counts: &[(ActionState, i64)]) -> RolloutPoint {
        RolloutPoint {
            at: Timestamp(minute * 60_000),
            counts: counts
                .iter()
                .map(|(state, devices)| StateCount {
                    state: *state,
                    devices: *devices,
                })
                .collect(),
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_the_highest_fills_the_chart() {
        let history = [
            point(0, &[(ActionState::Pending, 10)]),
            point(1, &[(ActionState::Succeeded, 5), (ActionState::Pending, 5)]),
        ];
        let outline = |state| outline(&history, state, 10);
        assert_eq!(
            outline(ActionState::Succeeded),
            "M3000 2200V1100H5980V2200Z"
        );
        assert_eq!(
            outline(ActionState::Pending),
            "M0 2200V0H2980V2200ZM3000 1100V0H5980V1100Z"
        );
        assert_eq!(outline(ActionState::Failed), "");
    }

    #[test]
    fn one_device_among_a_million_is_seen() {
        let many = [(ActionState::Succeeded, 999_999), (ActionState::Failed, 1)];
        let drawn = outline(&[point(0, &many)], ActionState::Failed, 1_000_000);
        assert_eq!(drawn, "M0 1V0H6000V1Z");
        let few = [(ActionState::Succeeded, 1), (ActionState::Failed, 999_999)];
        let drawn = outline(&[point(0, &few)], ActionState::Succeeded, 1_000_000);
        assert_eq!(drawn, "M0 2200V2180H6000V2200Z");
    }

    #[test]
    fn chart_legend_and_table_tell_the_same() {
        let history = [point(
            1,
            &[(ActionState::Succeeded, 3), (ActionState::Failed, 1)],
        )];
        let html = render(context(""), || {
            (
                textures(),
                chart(&history),
                legend(&history[0].counts),
                table(&history),
            )
        });
        for texture in ["succeeded", "failed"] {
            assert!(html.contains(&format!("id=\"tex-{texture}\"")), "{html}");
            assert!(html.contains(&format!("fill=\"url(#tex-{texture})\"")));
        }
        assert!(html.contains("at most 4 at once") && html.contains("1970-01-01T00:01"));
        assert_eq!(html.matches("Failed").count(), 2, "{html}");
        assert_sound(&html);
        assert!(!render(context(""), || chart(&[])).contains("<svg"));
    }
}
