//! How fast somebody may try links of invitations.
//!
//! A secret of 256 bits is not found by trying; this keeps the trying off the database. Only
//! what was wrong counts, so that a guest who clicks again and again is never held up.

use std::net::IpAddr;

use super::tries::Tries;
use crate::Result;

/// Wrong links that cost nothing: one may be cut by a mail program, and be tried again.
const FREE: u32 = 10;
const LONGEST_S: i64 = 300;

pub(super) struct WrongLinks(Tries<Option<IpAddr>>);

impl Default for WrongLinks {
    fn default() -> Self {
        Self(Tries::new(FREE, LONGEST_S))
    }
}

impl WrongLinks {
    /// Lets somebody try a link, or says how long to wait.
    ///
    /// # Errors
    /// [`crate::Error::TooMany`] with the seconds to wait.
    pub(super) fn check(&self, ip: Option<IpAddr>, now_ms: i64) -> Result<()> {
        self.0.check(&ip.map(network_of), now_ms)
    }

    /// Notes that a link was wrong.
    pub(super) fn note(&self, ip: Option<IpAddr>, now_ms: i64) {
        self.0.note(ip.map(network_of), now_ms);
    }
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
        let later_ms = 30 * 60 * 1000;
        assert!(!is_refused(&links, "2001:db8::1", later_ms));
        assert!(
            !is_refused(&links, "2001:db8::1", later_ms),
            "it is forgotten"
        );
    }
}
