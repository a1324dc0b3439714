//! How soon somebody may try again what went wrong: a few tries are free, then each makes the next
//! wait, twice as long every time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Error, Result};

const FORGET_AFTER_MS: i64 = 15 * 60 * 1000;
const MAX_ENTRIES: usize = 10_000;

#[derive(Clone, Copy, Default)]
struct Entry {
    wrong: u32,
    last_ms: i64,
    until_ms: i64,
}

/// What went wrong lately, by whose it was. It is forgotten with the process.
pub(super) struct Tries<K> {
    /// Tries that cost nothing.
    free: u32,
    longest_s: i64,
    entries: Mutex<HashMap<K, Entry>>,
}

impl<K: Eq + Hash> Tries<K> {
    pub(super) fn new(free: u32, longest_s: i64) -> Self {
        Self {
            free,
            longest_s,
            entries: Mutex::default(),
        }
    }

    /// Lets somebody try, or says how long to wait.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the seconds to wait.
    pub(super) fn check(&self, whose: &K, now_ms: i64) -> Result<()> {
        let until_ms = self.entries().get(whose).map(|entry| entry.until_ms);
        match until_ms {
            Some(until_ms) if until_ms > now_ms => Err(Error::TooMany {
                retry_after_s: (until_ms - now_ms).unsigned_abs().div_ceil(1000),
            }),
            _ => Ok(()),
        }
    }

    /// Notes that a try went wrong.
    pub(super) fn note(&self, whose: K, now_ms: i64) {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| now_ms - entry.last_ms <= FORGET_AFTER_MS);
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        let entry = entries.entry(whose).or_default();
        if now_ms - entry.last_ms > FORGET_AFTER_MS {
            *entry = Entry::default();
        }
        entry.wrong += 1;
        entry.last_ms = now_ms;
        entry.until_ms = now_ms + self.delay_ms(entry.wrong);
    }

    /// Forgets what went wrong, since it went well.
    pub(super) fn forget(&self, whose: &K) {
        self.entries().remove(whose);
    }

    /// 1 s after the free ones, doubled with each further one.
    fn delay_ms(&self, wrong: u32) -> i64 {
        wrong.checked_sub(self.free + 1).map_or(0, |over| {
            1_i64
                .checked_shl(over.min(16))
                .unwrap_or(self.longest_s)
                .min(self.longest_s)
                * 1000
        })
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<K, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let tries = Tries::<u8>::new(10, 300);
        let delays = [10, 11, 13, u32::MAX].map(|wrong| tries.delay_ms(wrong));
        assert_eq!(delays, [0, 1_000, 4_000, 300_000]);
    }

    #[test]
    fn what_went_well_or_is_long_ago_is_forgotten() {
        let tries = Tries::new(0, 60);
        tries.note("anna", 0);
        tries.note("ben", 0);
        assert!(tries.check(&"anna", 999).is_err() && tries.check(&"anna", 1_000).is_ok());
        tries.forget(&"anna");
        assert!(tries.check(&"anna", 0).is_ok() && tries.check(&"ben", 0).is_err());
        let later_ms = FORGET_AFTER_MS + 1;
        tries.note("ben", later_ms);
        assert!(
            tries.check(&"ben", later_ms + 1_000).is_ok(),
            "the first again"
        );
    }
}
