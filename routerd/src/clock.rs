//! The two clocks that the daemon reads: one tells the date, one only ever moves forward.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where the daemon has the time from; tests bring their own.
pub trait Clock: Send + Sync {
    /// Gives milliseconds since the Unix epoch, for comparing with the portal's clock.
    fn now_ms(&self) -> u64;

    /// Gives milliseconds since some fixed moment, never going back, for the ends of sessions: a
    /// router without a battery sets its date after the start, and no session may grow by that.
    fn monotonic_ms(&self) -> u64;
}

/// The machine's clocks.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at 0.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's real side")]
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
