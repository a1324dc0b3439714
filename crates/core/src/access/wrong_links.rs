//! How fast somebody may try links of invitations.
//!
//! A secret of 256 bits is not found by trying; this keeps the trying off the database. Only
//! what was wrong counts, so that a guest who clicks again and again is never held up.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use crate::{Error, Result};

/// Wrong links that cost nothing: one may be cut by a mail program, and be tried again.
const FREE: u32 = 10;
const LONGEST_S: i64 = 300;
const FORGET_AFTER_MS: i64 = 15 * 60 * 1000;
const MAX_ENTRIES: usize = 10_000;

#[derive(Clone, Copy, Default)]
struct Entry {
    wrong: u32,
    last_ms: i64,
    until_ms: i64,
}

#[derive(Default)]
pub(super) struct WrongLinks(Mutex<HashMap<Option<IpAddr>, Entry>>);

impl WrongLinks {
    /// Lets somebody try a link, or says how long to wait.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the seconds to wait.
    pub(super) fn check(&self, ip: Option<IpAddr>, now_ms: i64) -> Result<()> {
        let entries = self.entries();
        let until_ms = entries.get(&ip.map(network_of)).map(|entry| entry.until_ms);
        match until_ms {
            Some(until_ms) if until_ms > now_ms => Err(Error::TooMany {
                retry_after_s: (until_ms - now_ms).unsigned_abs().div_ceil(1000),
            }),
            _ => Ok(()),
        }
    }

    /// Notes that a link was wrong.
    pub(super) fn note(&self, ip: Option<IpAddr>, now_ms: i64) {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES {
            entries.retain(|_, entry| now_ms - entry.last_ms <= FORGET_AFTER_MS);
        }
        if entries.len() >= MAX_ENTRIES {
            entries.clear();
        }
        let entry = entries.entry(ip.map(network_of)).or_default();
        if now_ms - entry.last_ms > FORGET_AFTER_MS {
            *entry = Entry::default();
        }
        entry.wrong += 1;
        entry.last_ms = now_ms;
        entry.until_ms = now_ms + delay_ms(entry.wrong);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Option<IpAddr>, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 1 s after the free ones, doubled with each further one.
fn delay_ms(wrong: u32) -> i64 {
    wrong.checked_sub(FREE + 1).map_or(0, |over| {
        1_i64
            .checked_shl(over.min(16))
            .unwrap_or(LONGEST_S)
            .min(LONGEST_S)
            * 1000
    })
}

/// One IPv4 address, or the /64 that one IPv6 customer commands.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tries a wrong link.
    fn is_refused(links: &WrongLinks, ip: &str, now_ms: i64) -> bool {
        let ip = Some(ip.parse().unwrap());
        let refused = links.check(ip, now_ms).is_err();
        if !refused {
            links.note(ip, now_ms);
        }
        refused
    }

    #[test]
    fn who_tries_wrong_links_waits_and_nobody_else_does() {
        let links = WrongLinks::default();
        let wrong = (0..100).filter(|n| !is_refused(&links, &format!("2001:db8::{n:x}"), 0));
        assert_eq!(wrong.count(), 11, "one /64 is one network");
        assert!(is_refused(&links, "2001:db8::1", 999));
        assert!(!is_refused(&links, "2001:db8::1", 1_000));
        assert!(is_refused(&links, "2001:db8::1", 2_999), "two seconds now");
        assert!(!is_refused(&links, "203.0.113.7", 1_000));
        let later_ms = 1_000 + FORGET_AFTER_MS + 300_000;
        assert!(!is_refused(&links, "2001:db8::1", later_ms));
        assert!(
            !is_refused(&links, "2001:db8::1", later_ms),
            "it is forgotten"
        );
    }

    #[test]
    fn the_longest_wait_is_five_minutes() {
        assert_eq!(
            (delay_ms(10), delay_ms(11), delay_ms(13)),
            (0, 1_000, 4_000)
        );
        assert_eq!(delay_ms(u32::MAX), 300_000);
    }
}
