//! The time of day, which a manifest's validity is held against.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since 1970; 0 when the clock stands before that.
#[expect(
    clippy::disallowed_methods,
    reason = "the device is a program of its own, without the portal's `Clock` port"
)]
pub(crate) fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
