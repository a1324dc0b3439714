//! Times, sizes and parts of a whole.

use gatehouse_types::Timestamp;
use leptos::prelude::*;

use crate::{
    context::PageContext,
    format::{fill, size_text},
    i18n::Lang,
};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// A moment, to the minute in UTC or as a distance from now.
#[component]
pub fn Time(
    /// The moment, in milliseconds since 1970.
    at_ms: i64,
    /// Whether to say how long ago it was instead of when.
    #[prop(optional)]
    relative: bool,
) -> impl IntoView {
    let page = PageContext::current();
    let machine = Timestamp(at_ms).rfc3339();
    let absolute = minute_text(&machine);
    let text = if relative {
        distance_text(at_ms, page.now_ms, page.lang)
    } else {
        absolute.clone()
    };
    view! { <time datetime=machine title=relative.then_some(absolute)>{text}</time> }
}

fn minute_text(rfc3339: &str) -> String {
    let (date, clock) = rfc3339.split_once('T').unwrap_or((rfc3339, ""));
    let minute: String = clock.chars().take(5).collect();
    format!("{date} {minute} UTC")
}

fn distance_text(at_ms: i64, now_ms: i64, lang: Lang) -> String {
    let common = &lang.messages().common;
    let ahead = at_ms > now_ms;
    let (unit_ms, text) = match (at_ms.abs_diff(now_ms), ahead) {
        (..MINUTE_MS, _) => return common.just_now.to_owned(),
        (..HOUR_MS, false) => (MINUTE_MS, common.minutes_ago),
        (..HOUR_MS, true) => (MINUTE_MS, common.in_minutes),
        (..DAY_MS, false) => (HOUR_MS, common.hours_ago),
        (..DAY_MS, true) => (HOUR_MS, common.in_hours),
        (_, false) => (DAY_MS, common.days_ago),
        (_, true) => (DAY_MS, common.in_days),
    };
    fill(
        text,
        &[("n", &(at_ms.abs_diff(now_ms) / unit_ms).to_string())],
    )
}

/// The time of day of a moment, to the second in UTC and without saying so.
pub fn second_text(at_ms: i64) -> String {
    let machine = Timestamp(at_ms).rfc3339();
    let clock = machine.split_once('T').map_or("", |(_, clock)| clock);
    clock.chars().take(8).collect()
}

/// Writes a number of bytes in the language of the page; a negative one counts as zero.
pub fn size(bytes: i64) -> String {
    size_text(
        u64::try_from(bytes).unwrap_or(0),
        PageContext::current().lang.decimal_mark(),
    )
}

/// A part of a whole as a bar with its figures beside it.
#[component]
pub fn Meter(
    /// What is measured.
    #[prop(into)]
    label: String,
    /// The part.
    value: i64,
    /// The whole.
    max: i64,
) -> impl IntoView {
    view! {
        <div class="meter">
            <span>{label.clone()}</span>
            <progress aria-label=label value=value max=max></progress>
            <span class="figure">{format!("{value} / {max}")}</span>
        </div>
    }
}

/// The end of an id, where UUIDv7 differ most; the whole of it shows on hover.
pub fn short_id(id: &str) -> impl IntoView + use<> {
    const UUID_CHARS: usize = 36;
    const END_CHARS: usize = 8;
    let is_uuid = id.len() == UUID_CHARS && id.is_ascii();
    let end = match id.get(UUID_CHARS - END_CHARS..) {
        Some(end) if is_uuid => format!("…{end}"),
        _ => id.to_owned(),
    };
    view! { <code title=id.to_owned()>{end}</code> }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_reads_to_the_minute() {
        assert_eq!(
            minute_text("2026-11-21T10:04:59.999Z"),
            "2026-11-21 10:04 UTC"
        );
    }

    #[test]
    fn a_time_of_day_reads_to_the_second() {
        assert_eq!(second_text(1_763_719_499_999), "10:04:59");
    }

    #[test]
    fn distances_take_the_largest_whole_unit() {
        let from = |at_ms| distance_text(at_ms, 1_000_000_000, Lang::En);
        assert_eq!(from(1_000_000_000 - 59_999), "just now");
        assert_eq!(from(1_000_000_000 - 60_000), "1 min ago");
        assert_eq!(from(1_000_000_000 - 7_200_000), "2 h ago");
        assert_eq!(from(1_000_000_000 + 3 * 86_400_000), "in 3 d");
        assert_eq!(distance_text(0, 90_000, Lang::Es), "hace 1 min");
    }
}
