//! A randomness that tests hold in their hands.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::ports::Rng;

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
