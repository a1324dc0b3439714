//! When something signed is valid, and how its own id spells that.

use alloc::{format, string::String};

use crate::Refusal;

/// The longest time that something signed may be valid for, in seconds.
pub const MAX_LIFETIME_S: i64 = 3600;

/// How long after `exp` a message is still taken, in seconds.
const EXPIRY_LEEWAY_S: i64 = 3;

/// How far the signer's clock may be ahead, in seconds.
const CLOCK_LEEWAY_S: i64 = 120;

const DAY_S: i64 = 24 * 60 * 60;

pub(crate) fn check_times(nbf_s: i64, exp_s: i64, now_s: i64) -> Result<(), Refusal> {
    if now_s.saturating_sub(exp_s) > EXPIRY_LEEWAY_S {
        return Err(Refusal::Expired);
    }
    if nbf_s.saturating_sub(now_s) > CLOCK_LEEWAY_S {
        return Err(Refusal::NotYetValid);
    }
    let too_far_ahead = exp_s.saturating_sub(now_s) > MAX_LIFETIME_S + CLOCK_LEEWAY_S;
    if too_far_ahead || exp_s.saturating_sub(nbf_s) > MAX_LIFETIME_S {
        return Err(Refusal::LifetimeTooLong);
    }
    Ok(())
}

/// A point in time as `YYYY-MM-DDTHH:MM:SSZ`.
pub(crate) fn utc(time_s: i64) -> String {
    let (year, month, day) = date(time_s.div_euclid(DAY_S));
    let second = time_s.rem_euclid(DAY_S);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// The Gregorian date of a day counted from 1970-01-01.
///
/// Counts in years that begin in March, so that the leap day comes last, and in eras of 400 years,
/// after which the calendar repeats.
fn date(day: i64) -> (i64, i64, i64) {
    const DAYS_FROM_MARCH_OF_YEAR_0_TO_1970: i64 = 719_468;
    const ERA_DAYS: i64 = 146_097;
    let day = day + DAYS_FROM_MARCH_OF_YEAR_0_TO_1970;
    let (era, day) = (day.div_euclid(ERA_DAYS), day.rem_euclid(ERA_DAYS));
    let leap_days_before = day / 1460 - day / 36_524 + day / 146_096;
    let year = (day - leap_days_before) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on the lengths of months repeat every five months, which have 153 days.
    let month_from_march = (5 * day + 2) / 153;
    let day = day - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = era * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_the_calendar_has_them() {
        for (time_s, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(utc(time_s), text);
        }
    }

    #[test]
    fn the_times_bounds_are_part_of_what_is_valid() {
        let now_s = 1_800_000_000;
        for (nbf_s, exp_s, expected) in [
            (now_s, now_s - 3, Ok(())),
            (now_s, now_s - 4, Err(Refusal::Expired)),
            (now_s + 120, now_s + 120, Ok(())),
            (now_s + 121, now_s + 900, Err(Refusal::NotYetValid)),
            (now_s, now_s + 3600, Ok(())),
            (now_s, now_s + 3601, Err(Refusal::LifetimeTooLong)),
            (now_s - 1, now_s + 3600, Err(Refusal::LifetimeTooLong)),
            (i64::MIN, i64::MAX, Err(Refusal::LifetimeTooLong)),
            (i64::MAX, i64::MIN, Err(Refusal::Expired)),
        ] {
            assert_eq!(
                check_times(nbf_s, exp_s, now_s),
                expected,
                "{nbf_s} {exp_s}"
            );
        }
    }
}
