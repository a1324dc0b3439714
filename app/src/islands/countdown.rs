//! How long an access session still lasts.
//!
//! The server says how much is left; the browser only measures what has passed since, so a wrong
//! clock on the device does not matter. Of the two clocks that a browser has, the one that ran
//! further counts: the steady one may stand still while the device sleeps, and the countdown must
//! never promise more than there is.
//!
//! The markup: `.countdown` holds what is left in `data-left-ms` and the texts in `data-time-left`
//! (with `{time}`), `data-soon-over` and `data-over`. Inside it are the timer, an empty status for
//! what is announced, and a hidden link to the page that shows the state after the end.

use std::{cell::Cell, rc::Rc, time::Duration};

use leptos::{leptos_dom::helpers::IntervalHandle, prelude::*};
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement, js_sys::Date};

use super::{data, part, say, steady_ms};
use crate::format::{clock_text, fill};

/// With this much left or less, in milliseconds, a session is soon over.
pub const SOON_MS: i64 = 5 * 60 * 1000;

/// Counts down to the end of a session, every second, and announces only what matters.
#[island]
pub fn Countdown(
    /// The markup named above.
    children: Children,
) -> impl IntoView {
    view! { <span use:count_down>{children()}</span> }
}

fn count_down(root: Element) {
    start(part(&root, ".countdown"), Stopwatch::since_page_load());
}

/// Starts the countdowns in a part of the page that came just now.
pub(super) fn start_within(fresh: &Element) {
    let Ok(countdowns) = fresh.query_selector_all(".countdown") else {
        return;
    };
    for place in 0..countdowns.length() {
        if let Some(node) = countdowns.item(place) {
            start(node.unchecked_into(), Stopwatch::since_now());
        }
    }
}

fn start(countdown: HtmlElement, stopwatch: Stopwatch) {
    let at_first_ms: i64 = data(&countdown, "data-left-ms").parse().unwrap_or(0);
    let running: Rc<Cell<Option<IntervalHandle>>> = Rc::default();
    let own_handle = Rc::clone(&running);
    let tick = move || {
        let left_ms = (at_first_ms - stopwatch.elapsed_ms()).max(0);
        show(&countdown, at_first_ms, left_ms);
        // Another may have taken its place in the page.
        if (left_ms == 0 || !countdown.is_connected())
            && let Some(interval) = own_handle.get()
        {
            interval.clear();
        }
    };
    running.set(set_interval_with_handle(tick, Duration::from_secs(1)).ok());
}

fn show(countdown: &HtmlElement, at_first_ms: i64, left_ms: i64) {
    let is_over = left_ms == 0;
    let is_soon_over = left_ms <= SOON_MS;
    let over = data(countdown, "data-over");
    // What holds from the first is in the page already and need not be announced.
    let announcement = match (is_over, is_soon_over) {
        (true, _) if at_first_ms > 0 => over.clone(),
        (false, true) if at_first_ms > SOON_MS => data(countdown, "data-soon-over"),
        _ => String::new(),
    };
    let clock = if is_over {
        over
    } else {
        let time_left = data(countdown, "data-time-left");
        fill(&time_left, &[("time", &clock_text(left_ms))])
    };
    say(&part(countdown, "[role=timer]"), &clock);
    say(&part(countdown, "[role=status]"), &announcement);
    part(countdown, "a").set_hidden(!is_over);
    countdown.set_class_name(class_name(left_ms));
}

/// The classes of a countdown with this much left.
pub fn class_name(left_ms: i64) -> &'static str {
    match left_ms {
        ..=0 => "countdown soon over",
        1..=SOON_MS => "countdown soon",
        _ => "countdown",
    }
}

#[derive(Clone, Copy)]
#[expect(clippy::struct_field_names, reason = "each names its unit")]
struct Stopwatch {
    /// What had passed when this began, by the steady clock.
    head_start_ms: f64,
    steady_start_ms: f64,
    started_at_ms: f64,
}

impl Stopwatch {
    fn since_page_load() -> Self {
        Self {
            head_start_ms: steady_ms(),
            ..Self::since_now()
        }
    }

    fn since_now() -> Self {
        Self {
            head_start_ms: 0.0,
            steady_start_ms: steady_ms(),
            started_at_ms: Date::now(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a page does not stay open for 2^53 ms"
    )]
    fn elapsed_ms(self) -> i64 {
        let by_steady_clock_ms = steady_ms() - self.steady_start_ms;
        let by_wall_clock_ms = Date::now() - self.started_at_ms;
        (self.head_start_ms + by_steady_clock_ms.max(by_wall_clock_ms)) as i64
    }
}
