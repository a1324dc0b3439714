//! The two clocks that the daemon reads: one tells the date, one only ever moves forward.

use rustix::time::{ClockId, clock_gettime};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the daemon has the time from; tests bring their own.
pub trait Clock: Send + Sync {
    /// Gives milliseconds since the Unix epoch, for comparing with the portal's clock.
    fn now_ms(&self) -> u64;

    /// Gives milliseconds since the machine's start, never going back, for the ends of sessions: a
    /// router without a battery sets its date after the start, and no session may grow by that.
    fn monotonic_ms(&self) -> u64;

    /// Names the machine's start that [`Clock::monotonic_ms`] counts from.
    fn boot_id(&self) -> String;
}

/// The machine's clocks.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the port's real side")]
    fn now_ms(&self) -> u64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
    }

    /// It counts the time asleep too, which a session lives through as well.
    fn monotonic_ms(&self) -> u64 {
        let since_boot = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(since_boot.tv_sec).unwrap_or_default();
        let millis = u64::try_from(since_boot.tv_nsec / 1_000_000).unwrap_or_default();
        seconds * 1000 + millis
    }

    /// Without `/proc` each start of the daemon counts as one of the machine.
    fn boot_id(&self) -> String {
        std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
            |_| hex::encode(crate::random::random_bytes::<16>()),
            |id| id.trim_end().to_owned(),
        )
    }
}
