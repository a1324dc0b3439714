//! The real clock and the real randomness: the only place that asks the machine for them.

use std::time::{SystemTime, UNIX_EPOCH};

use gatehouse_core::ports::{Clock, Rng};

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the clock port's adapter"
    )]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The kernel's randomness.
#[derive(Debug, Clone, Copy)]
pub struct SystemRng;

impl Rng for SystemRng {
    /// # Panics
    /// When the kernel has no randomness: nothing secret could be made then.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the randomness port's adapter"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        getrandom::fill(bytes).expect("the kernel gives randomness");
    }
}
