//! How fast somebody may try passwords.
//!
//! Three counters: this account from this network, this network for any account, and this
//! account from everywhere it is not familiar. The last one only slows strangers down, so
//! nobody can shut an owner out by guessing. An attempt counts as a failure from its start,
//! and is taken back by success: parallel tries gain nothing.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use crate::{Error, Result};

const FORGET_AFTER_MS: i64 = 15 * 60 * 1000;
const MAX_ENTRIES: usize = 50_000;

const ACCOUNT_FROM_NETWORK: Limit = Limit {
    free: 5,
    longest_s: 300,
};
const NETWORK: Limit = Limit {
    free: 30,
    longest_s: 300,
};
const ACCOUNT_FROM_STRANGERS: Limit = Limit {
    free: 20,
    longest_s: 60,
};

struct Limit {
    /// Failures that cost nothing.
    free: u32,
    /// No delay grows beyond this.
    longest_s: u64,
}

impl Limit {
    /// 1 s after the free tries, doubled with each further one.
    fn delay_ms(&self, failures: u32) -> i64 {
        let Some(over) = failures.checked_sub(self.free + 1) else {
            return 0;
        };
        let delay_s = 1_u64
            .checked_shl(over)
            .unwrap_or(u64::MAX)
            .min(self.longest_s);
        i64::try_from(delay_s * 1000).unwrap_or(i64::MAX)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    AccountFromNetwork(String, Option<IpAddr>),
    Network(Option<IpAddr>),
    AccountFromStrangers(String),
}

impl Key {
    const fn limit(&self) -> &'static Limit {
        match self {
            Self::AccountFromNetwork(..) => &ACCOUNT_FROM_NETWORK,
            Self::Network(_) => &NETWORK,
            Self::AccountFromStrangers(_) => &ACCOUNT_FROM_STRANGERS,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Entry {
    failures: u32,
    last_ms: i64,
    until_ms: i64,
}

#[derive(Default)]
pub(super) struct Throttle(Mutex<HashMap<Key, Entry>>);

/// An attempt that counts as failed unless it is taken back.
pub(super) struct Attempt(Vec<Key>);

impl Throttle {
    /// Counts an attempt, or says how long to wait.
    ///
    /// # Errors
    /// [`Error::TooMany`] with the seconds to wait.
    pub(super) fn attempt(
        &self,
        email_key: &str,
        ip: Option<IpAddr>,
        familiar: bool,
        now_ms: i64,
    ) -> Result<Attempt> {
        let network = ip.map(network_of);
        let mut keys = vec![
            Key::AccountFromNetwork(email_key.into(), network),
            Key::Network(network),
        ];
        if !familiar {
            keys.push(Key::AccountFromStrangers(email_key.into()));
        }
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait_ms = keys
            .iter()
            .filter_map(|key| entries.get(key))
            .map(|entry| entry.until_ms - now_ms)
            .max()
            .unwrap_or(0);
        if wait_ms > 0 {
            return Err(Error::TooMany {
                retry_after_s: wait_ms.unsigned_abs().div_ceil(1000),
            });
        }
        make_room(&mut entries, now_ms);
        for key in &keys {
            let entry = entries.entry(key.clone()).or_default();
            if now_ms - entry.last_ms > FORGET_AFTER_MS {
                *entry = Entry::default();
            }
            entry.failures += 1;
            entry.last_ms = now_ms;
            entry.until_ms = now_ms + key.limit().delay_ms(entry.failures);
        }
        Ok(Attempt(keys))
    }

    /// Takes the attempt back: the password was right.
    pub(super) fn succeeded(&self, attempt: &Attempt) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in &attempt.0 {
            match key {
                Key::AccountFromNetwork(..) => {
                    entries.remove(key);
                }
                // One good account must not clear what its neighbour tried on others.
                Key::Network(_) | Key::AccountFromStrangers(_) => {
                    if let Some(entry) = entries.get_mut(key) {
                        entry.failures = entry.failures.saturating_sub(1);
                        entry.until_ms = entry.last_ms;
                    }
                }
            }
        }
    }
}

/// Whether an account that signed in from these addresses is at home at `ip`: in the /24 of an
/// IPv4 address or the /64 of an IPv6 one, where providers hand out another address day by day.
pub(super) fn is_familiar(ip: IpAddr, earlier: &[IpAddr]) -> bool {
    let neighbourhood = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => IpAddr::V4((v4.to_bits() & !0xff).into()),
        IpAddr::V6(_) => network_of(ip),
    };
    let here = neighbourhood(ip);
    earlier.iter().any(|ip| neighbourhood(*ip) == here)
}

/// One IPv4 address, or the /64 that one IPv6 customer commands. IPv4 neighbours are counted
/// apart, or the guesses of one would make the other wait.
fn network_of(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((v6.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

fn make_room(entries: &mut HashMap<Key, Entry>, now_ms: i64) {
    if entries.len() < MAX_ENTRIES {
        return;
    }
    entries.retain(|_, entry| now_ms - entry.last_ms <= FORGET_AFTER_MS);
    if entries.len() >= MAX_ENTRIES {
        // Under a flood those who wait longest matter most.
        entries.retain(|_, entry| entry.until_ms > now_ms);
    }
    if entries.len() >= MAX_ENTRIES {
        entries.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: &str = "ana@example.org";

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn wait_s(result: Result<Attempt>) -> u64 {
        match result {
            Err(Error::TooMany { retry_after_s }) => retry_after_s,
            Ok(_) => 0,
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn the_delay_grows_and_is_forgotten() {
        let throttle = Throttle::default();
        let mut now_ms = 0;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let wait = wait_s(throttle.attempt(OWNER, Some(ip("203.0.113.7")), true, now_ms));
            waits.push(wait);
            now_ms += i64::try_from(wait).unwrap() * 1000;
            if wait > 0 {
                throttle
                    .attempt(OWNER, Some(ip("203.0.113.7")), true, now_ms)
                    .unwrap();
            }
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 1, 2, 4]);
        now_ms += FORGET_AFTER_MS + 300_000;
        assert_eq!(
            wait_s(throttle.attempt(OWNER, Some(ip("203.0.113.7")), true, now_ms)),
            0
        );
    }

    #[test]
    fn a_stranger_cannot_shut_the_owner_out() {
        let throttle = Throttle::default();
        for host in 0..200_u32 {
            let _ = throttle.attempt(
                OWNER,
                Some(IpAddr::V4((0xCB00_7100 + host).into())),
                false,
                0,
            );
        }
        assert!(
            wait_s(throttle.attempt(OWNER, Some(ip("198.51.100.1")), false, 0)) > 0,
            "strangers wait"
        );
        assert_eq!(
            wait_s(throttle.attempt(OWNER, Some(ip("192.0.2.44")), true, 0)),
            0,
            "the owner's own network does not"
        );
    }

    #[test]
    fn an_address_is_familiar_within_its_network() {
        let earlier = [ip("198.51.100.1"), ip("2001:db8:1:2::7")];
        for near in ["198.51.100.1", "198.51.100.254", "2001:db8:1:2:aaaa::1"] {
            assert!(is_familiar(ip(near), &earlier), "{near}");
        }
        for far in ["198.51.101.1", "203.0.113.1", "2001:db8:1:3::7", "::1"] {
            assert!(!is_familiar(ip(far), &earlier), "{far}");
        }
        assert!(!is_familiar(ip("198.51.100.1"), &[]));
    }

    #[test]
    fn one_network_cannot_walk_through_all_accounts() {
        let throttle = Throttle::default();
        let refused = (0..1000).filter(|n| {
            let neighbour = Some(ip(&format!("2001:db8::{n:x}")));
            throttle
                .attempt(&format!("user{n}@example.org"), neighbour, false, 0)
                .is_err()
        });
        assert!(refused.count() >= 960, "one /64 is one network");
    }

    #[test]
    fn success_takes_the_attempt_back() {
        let throttle = Throttle::default();
        for _ in 0..100 {
            let attempt = throttle
                .attempt(OWNER, Some(ip("203.0.113.7")), true, 0)
                .unwrap();
            throttle.succeeded(&attempt);
        }
    }

    #[test]
    fn parallel_tries_gain_nothing() {
        let throttle = Throttle::default();
        let started = (0..100)
            .filter(|_| {
                throttle
                    .attempt(OWNER, Some(ip("203.0.113.7")), true, 0)
                    .is_ok()
            })
            .count();
        assert_eq!(started, 6);
    }
}
