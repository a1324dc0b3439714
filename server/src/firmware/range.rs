//! The `Range` header as ESP32, RAUC and SWUpdate send it (RFC 9110 §14.2).

use std::ops::Range;

/// Which bytes of a file are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of them, as 200.
    Whole,
    /// These, as 206.
    Part(Range<u64>),
    /// None that exist: 416.
    Nothing,
}

/// Reads a `Range` header for a file of `size_bytes`.
///
/// What is malformed or names several ranges is as if it were not there. An end past the file
/// is clamped, since `esp_https_ota` asks for its last window that way.
pub(super) fn wanted(header: Option<&str>, size_bytes: u64) -> Wanted {
    let Some(spec) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = spec.trim().split_once('-') else {
        return Wanted::Whole;
    };
    match (first, last) {
        ("", suffix) => match number(suffix) {
            Some(0) => Wanted::Nothing,
            Some(length) => part(size_bytes.saturating_sub(length)..size_bytes, size_bytes),
            None => Wanted::Whole,
        },
        (first, "") => match number(first) {
            Some(start) => part(start..size_bytes, size_bytes),
            None => Wanted::Whole,
        },
        (first, last) => match (number(first), number(last)) {
            (Some(start), Some(end)) => {
                part(start..end.saturating_add(1).min(size_bytes), size_bytes)
            }
            _ => Wanted::Whole,
        },
    }
}

fn part(range: Range<u64>, size_bytes: u64) -> Wanted {
    if range.start < range.end && range.end <= size_bytes {
        Wanted::Part(range)
    } else {
        Wanted::Nothing
    }
}

/// Digits only; a number that does not fit lies past every file.
fn number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SIZE: u64 = 1000;

    #[test]
    fn every_form_that_clients_send() {
        for (header, expected) in [
            ("bytes=0-499", Wanted::Part(0..500)),
            ("bytes=500-", Wanted::Part(500..1000)),
            ("bytes=-1", Wanted::Part(999..1000)),
            ("bytes=0-1000", Wanted::Part(0..1000)),
            ("bytes=999-99999999999999999999999", Wanted::Part(999..1000)),
            ("bytes=-5000", Wanted::Part(0..1000)),
            ("bytes=1000-", Wanted::Nothing),
            ("bytes=-0", Wanted::Nothing),
            ("bytes=10-5", Wanted::Nothing),
            ("bytes=99999999999999999999-", Wanted::Nothing),
            ("bytes=", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=+1-2", Wanted::Whole),
            ("bytes=0-1,5-9", Wanted::Whole),
            ("items=0-1", Wanted::Whole),
            ("0-1", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), SIZE), expected, "{header}");
        }
        assert_eq!(wanted(None, SIZE), Wanted::Whole);
    }

    #[test]
    fn a_hundred_thousand_ranges_are_no_work() {
        let many = format!("bytes={}", "0-1,".repeat(100_000));
        let started = std::time::Instant::now();
        for _ in 0..100 {
            assert_eq!(wanted(Some(&many), SIZE), Wanted::Whole);
        }
        // On average, so that a pause of the machine does not count.
        assert!(started.elapsed() < std::time::Duration::from_millis(100));
    }

    proptest! {
        #[test]
        fn no_header_reaches_outside_the_file(header in "bytes=[0-9,-]{0,24}", size in 0_u64..5000) {
            if let Wanted::Part(range) = wanted(Some(&header), size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }

        #[test]
        fn any_header_at_all_is_answered(header in "\\PC{0,40}", size in 1_u64..5000) {
            match wanted(Some(&header), size) {
                Wanted::Part(range) => prop_assert!(range.start < range.end && range.end <= size),
                Wanted::Whole | Wanted::Nothing => {}
            }
        }

        #[test]
        fn the_last_bytes_are_the_last_ones(length in 1_u64..3 * SIZE) {
            let header = format!("bytes=-{length}");
            prop_assert_eq!(wanted(Some(&header), SIZE), Wanted::Part(SIZE.saturating_sub(length)..SIZE));
        }

        #[test]
        fn windows_side_by_side_are_the_whole_file(size in 1_u64..20_000, window in 1_u64..5000) {
            let mut next = 0;
            while next < size {
                let header = format!("bytes={next}-{}", next + window - 1);
                let Wanted::Part(part) = wanted(Some(&header), size) else {
                    return Err(TestCaseError::fail(header));
                };
                prop_assert_eq!(part.start, next);
                next = part.end;
            }
            prop_assert_eq!(next, size);
        }

        #[test]
        fn what_begins_past_the_end_is_nothing(past in 0_u64..u64::MAX - SIZE, length in 0_u64..10_000) {
            let start = SIZE + past;
            let header = format!("bytes={start}-{}", start.saturating_add(length));
            prop_assert_eq!(wanted(Some(&header), SIZE), Wanted::Nothing);
        }

        #[test]
        fn several_ranges_are_as_if_there_were_none(one in "[0-9]{1,4}-[0-9]{0,4}", more in "(,[0-9]{0,4}-[0-9]{0,4}){1,50}") {
            let header = format!("bytes={one}{more}");
            prop_assert_eq!(wanted(Some(&header), SIZE), Wanted::Whole);
        }

        #[test]
        fn the_asked_bytes_are_the_answered_bytes(start in 0_u64..SIZE, length in 1_u64..SIZE) {
            let header = format!("bytes={start}-{}", start + length - 1);
            prop_assert_eq!(wanted(Some(&header), SIZE), Wanted::Part(start..(start + length).min(SIZE)));
        }
    }
}
