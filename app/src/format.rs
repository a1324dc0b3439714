//! Figures as people read them, the same text from the server and from an island.
//!
//! Whole numbers only: formatting of floats would weigh more than the islands themselves.

const STEP: u64 = 1024;
const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];

/// Writes a number of bytes with one decimal in the largest unit that fits, as in `1.4 MiB`.
///
/// `decimal_mark` is what the reader's language puts before the decimal.
pub fn size_text(bytes: u64, decimal_mark: char) -> String {
    if bytes < STEP {
        return format!("{bytes} B");
    }
    let mut unit_bytes = STEP;
    let mut unit = UNITS[0];
    for larger in &UNITS[1..] {
        if bytes / unit_bytes < STEP {
            break;
        }
        unit_bytes *= STEP;
        unit = larger;
    }
    let tenth = bytes % unit_bytes * 10 / unit_bytes;
    format!("{}{decimal_mark}{tenth} {unit}", bytes / unit_bytes)
}

/// Writes a span of time as a clock does: `4:05`, or `1:04:05` from an hour on.
///
/// Part of a second counts as a whole one, so that `0:00` means the end; below zero is zero.
pub fn clock_text(span_ms: i64) -> String {
    let all_seconds = span_ms.max(0).saturating_add(999) / 1000;
    let (hours, minutes, seconds) = (all_seconds / 3600, all_seconds / 60 % 60, all_seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// Replaces every `{name}` in a text of the catalogue with its value.
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(text.to_owned(), |filled, (name, value)| {
            filled.replace(&format!("{{{name}}}"), value)
        })
}

/// Escapes text for between the tags of `title` and `textarea`, where Leptos 0.8 writes it as it
/// is; markup would end the element and begin another.
pub fn raw_text(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_climb_through_the_units() {
        assert_eq!(size_text(1023, '.'), "1023 B");
        assert_eq!(size_text(1024, '.'), "1.0 KiB");
        assert_eq!(size_text(1024 * 1024 - 1, '.'), "1023.9 KiB");
        assert_eq!(size_text(1_468_006, ','), "1,3 MiB");
        assert_eq!(size_text(u64::MAX, '.'), "16777215.9 TiB");
    }

    #[test]
    fn the_clock_reads_zero_only_at_the_end() {
        assert_eq!(clock_text(-5), "0:00");
        assert_eq!(clock_text(1), "0:01");
        assert_eq!(clock_text(299_001), "5:00");
        assert_eq!(clock_text(3_845_000), "1:04:05");
    }

    #[test]
    fn text_cannot_end_the_element_it_stands_in() {
        assert_eq!(raw_text("</title>&lt;"), "&lt;/title>&amp;lt;");
    }

    #[test]
    fn values_take_the_place_of_their_names() {
        assert_eq!(
            fill("{n} of {all}, {n}", &[("n", "2"), ("all", "7")]),
            "2 of 7, 2"
        );
    }
}
