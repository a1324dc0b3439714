//! A clock and a randomness that tests hold in their hands.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::ports::{Clock, Rng};

/// A clock that moves when a test says so.
pub(crate) struct FakeClock(AtomicI64);

impl FakeClock {
    pub(crate) const fn at(now_ms: i64) -> Self {
        Self(AtomicI64::new(now_ms))
    }

    pub(crate) fn advance_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// Draws 1, 2, 3 … so that a test can state exact bodies.
#[derive(Default)]
pub(crate) struct CountingRng(AtomicU64);

impl Rng for CountingRng {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let next = (self.0.fetch_add(1, Ordering::SeqCst) + 1).to_be_bytes();
            chunk.copy_from_slice(&next[8 - chunk.len()..]);
        }
    }
}
