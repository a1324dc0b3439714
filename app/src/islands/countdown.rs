//! How long an access session still lasts.
//!
//! The server says how much is left; the browser only measures what has passed since, so a wrong
//! clock on the device does not matter. Of the two clocks that a browser has, the one that ran
//! further counts: the steady one may stand still while the device sleeps, and the countdown must
//! never promise more than there is.

use std::time::Duration;

use leptos::{leptos_dom::helpers::IntervalHandle, prelude::*};
use serde::{Deserialize, Serialize};
use web_sys::js_sys::Date;

use super::steady_ms;
use crate::format::{clock_text, fill};

const SOON_MS: i64 = 5 * 60 * 1000;

/// What the countdown says, in the language of the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CountdownTexts {
    /// The time left, with `{time}`.
    pub time_left: String,
    /// Announced when five minutes are left.
    pub soon_over: String,
    /// Said and announced at the end.
    pub over: String,
    /// The link to the page that shows the state after the end.
    pub reload: String,
}

/// Counts down to the end of a session, every second, and announces only what matters.
#[island]
pub fn Countdown(
    /// When the session ends by the server's clock, in milliseconds since 1970.
    expires_at_ms: i64,
    /// When the server rendered this, in milliseconds since 1970.
    now_ms: i64,
    /// The page that shows the state after the end.
    href: String,
    /// What it says.
    texts: CountdownTexts,
) -> impl IntoView {
    let at_first_ms = (expires_at_ms - now_ms).max(0);
    let left_ms = RwSignal::new(at_first_ms);
    Effect::new(move |_| count_down(at_first_ms, left_ms));

    let is_over = Memo::new(move |_| left_ms.get() == 0);
    let is_soon_over = Memo::new(move |_| left_ms.get() <= SOON_MS);
    let CountdownTexts {
        time_left,
        soon_over,
        over,
        reload,
    } = texts;
    let said_at_end = over.clone();
    let clock = move || match left_ms.get() {
        0 => over.clone(),
        left => fill(&time_left, &[("time", &clock_text(left))]),
    };
    // What holds from the first is in the page already and need not be announced.
    let announcement = move || match (is_over.get(), is_soon_over.get()) {
        (true, _) if at_first_ms > 0 => said_at_end.clone(),
        (false, true) if at_first_ms > SOON_MS => soon_over.clone(),
        _ => String::new(),
    };
    view! {
        <span class="countdown" class:soon=move || is_soon_over.get() class:over=move || is_over.get()>
            <span role="timer">{clock}</span>
            <span class="visually-hidden" role="status">{announcement}</span>
            <a href=href hidden=move || !is_over.get()>{reload}</a>
        </span>
    }
}

fn count_down(at_first_ms: i64, left_ms: RwSignal<i64>) {
    let stopwatch = Stopwatch::since_page_load();
    let running: StoredValue<Option<IntervalHandle>> = StoredValue::new(None);
    let tick = move || {
        let left = (at_first_ms - stopwatch.elapsed_ms()).max(0);
        left_ms.set(left);
        if left == 0
            && let Some(interval) = running.get_value()
        {
            interval.clear();
        }
    };
    running.set_value(set_interval_with_handle(tick, Duration::from_secs(1)).ok());
}

#[derive(Clone, Copy)]
struct Stopwatch {
    /// What the steady clock had run since the page began to load.
    head_start_ms: f64,
    started_at_ms: f64,
}

impl Stopwatch {
    fn since_page_load() -> Self {
        Self {
            head_start_ms: steady_ms(),
            started_at_ms: Date::now(),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a page does not stay open for 2^53 ms"
    )]
    fn elapsed_ms(self) -> i64 {
        let by_wall_clock_ms = self.head_start_ms + (Date::now() - self.started_at_ms);
        steady_ms().max(by_wall_clock_ms) as i64
    }
}
