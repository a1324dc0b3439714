//! The machine's clock and randomness: the only place that asks for them.

use std::time::{SystemTime, UNIX_EPOCH};

/// Gives milliseconds since the Unix epoch.
#[expect(clippy::disallowed_methods, reason = "this is the clock itself")]
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Fills with random bytes; without them nothing secret could be made, so their lack ends the program.
#[expect(clippy::disallowed_methods, reason = "this is the randomness itself")]
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the kernel gives randomness");
}
