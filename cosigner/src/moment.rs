//! Times as text.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const DAY_MINUTES: i64 = 24 * 60;

/// Writes milliseconds since the Unix epoch as RFC 3339 in UTC, to the second.
pub(crate) fn rfc3339(at_ms: i64) -> String {
    OffsetDateTime::from_unix_timestamp(at_ms.div_euclid(1000))
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_else(|| format!("{at_ms} ms"))
}

/// Gives the minute since the Unix epoch.
pub(crate) fn minute(at_ms: i64) -> i64 {
    at_ms.div_euclid(60_000)
}

/// Gives the minute of the day in UTC, 0 to 1439.
pub(crate) fn minute_of_day(at_ms: i64) -> i64 {
    minute(at_ms).rem_euclid(DAY_MINUTES)
}
