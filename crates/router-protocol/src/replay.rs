//! Refusing a request that was seen before, or that is too old to know.
//!
//! A request counts for 60 s on either side of its own time. Its nonce is remembered until that
//! span has passed, after which its time alone refuses it. So the window stays small, and a copy of
//! it on disk lets a restarted daemon go on refusing.
//!
//! A request of protocol version 1 has no time. The last ones are remembered however old they are:
//! weeks of them in a household, since a click is two.

use crate::message::RequestNonce;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far a request's time may lie from the daemon's, in milliseconds.
pub const MAX_CLOCK_DIFFERENCE_MS: u64 = 60_000;

/// How many nonces are remembered at most; only holders of both keys can add one.
pub const MAX_REMEMBERED: usize = 100_000;

/// How many requests of version 1 are remembered; the oldest gives way to a new one.
pub const MAX_REMEMBERED_LEGACY: usize = 4096;

/// Why a request was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// The portal's clock and the daemon's are too far apart.
    #[error("the portal's clock is {difference_ms} ms from this one, more than 60 s")]
    ClockOff {
        /// The absolute difference in milliseconds.
        difference_ms: u64,
    },
    /// The same request came before, or one so old that its nonce is forgotten.
    #[error("the request was played again")]
    Replayed,
    /// Too many requests within the window.
    #[error("more than {MAX_REMEMBERED} requests within two minutes")]
    Full,
}

/// The nonces of the last minutes.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReplayWindow {
    seen: BTreeMap<RequestNonce, u64>,
    /// The latest request time whose nonce was forgotten. Without it, setting the daemon's clock
    /// back would make forgotten requests fresh again.
    forgotten_through_ms: u64,
    seen_legacy: BTreeSet<RequestNonce>,
    legacy_by_age: VecDeque<RequestNonce>,
}

impl ReplayWindow {
    /// Admits a request once, and remembers it.
    ///
    /// `ts_ms` is the request's own time, `now_ms` the daemon's, both since the Unix epoch.
    ///
    /// # Errors
    /// [`NotAdmitted`] if the clocks differ too much, it was seen before, or the window is full.
    pub fn admit(
        &mut self,
        nonce: RequestNonce,
        ts_ms: u64,
        now_ms: u64,
    ) -> Result<(), NotAdmitted> {
        let difference_ms = ts_ms.abs_diff(now_ms);
        if difference_ms > MAX_CLOCK_DIFFERENCE_MS {
            return Err(NotAdmitted::ClockOff { difference_ms });
        }
        if ts_ms <= self.forgotten_through_ms || self.seen.contains_key(&nonce) {
            return Err(NotAdmitted::Replayed);
        }
        if self.seen.len() >= MAX_REMEMBERED {
            self.forget_old(now_ms);
        }
        if self.seen.len() >= MAX_REMEMBERED {
            return Err(NotAdmitted::Full);
        }
        self.seen.insert(nonce, ts_ms);
        Ok(())
    }

    /// Admits a request of version 1 once, by its digest, and remembers it.
    ///
    /// # Errors
    /// [`NotAdmitted::Replayed`] if it was seen before.
    pub fn admit_legacy(&mut self, digest: RequestNonce) -> Result<(), NotAdmitted> {
        if !self.seen_legacy.insert(digest) {
            return Err(NotAdmitted::Replayed);
        }
        self.legacy_by_age.push_back(digest);
        if self.legacy_by_age.len() > MAX_REMEMBERED_LEGACY
            && let Some(oldest) = self.legacy_by_age.pop_front()
        {
            self.seen_legacy.remove(&oldest);
        }
        Ok(())
    }

    /// Forgets the requests whose time alone refuses them by now.
    pub fn forget_old(&mut self, now_ms: u64) {
        let forgotten_through_ms = &mut self.forgotten_through_ms;
        self.seen.retain(|_, ts_ms| {
            let fresh = now_ms.saturating_sub(*ts_ms) <= MAX_CLOCK_DIFFERENCE_MS;
            if !fresh {
                *forgotten_through_ms = (*forgotten_through_ms).max(*ts_ms);
            }
            fresh
        });
    }

    /// Gives the number of remembered requests, of both versions.
    pub fn len(&self) -> usize {
        self.seen.len() + self.seen_legacy.len()
    }

    /// Tells whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes the whole window as lines, to be read by [`ReplayWindow::from_text`].
    pub fn to_text(&self) -> String {
        let head = format!("forgotten {}\n", self.forgotten_through_ms);
        let requests = self.seen.iter();
        let lines = requests.map(|(nonce, ts_ms)| Self::line(*nonce, *ts_ms));
        let legacy = self.legacy_by_age.iter();
        let lines = lines.chain(legacy.map(|digest| Self::legacy_line(*digest)));
        lines.fold(head, |text, line| text + &line)
    }

    /// Writes one admitted request as a line that can be appended to the text.
    pub fn line(nonce: RequestNonce, ts_ms: u64) -> String {
        format!("{ts_ms} {nonce}\n")
    }

    /// Writes one admitted request of version 1 as a line that can be appended to the text.
    pub fn legacy_line(digest: RequestNonce) -> String {
        format!("v1 {digest}\n")
    }

    /// Reads a window back; a line that a crash cut short is passed over.
    pub fn from_text(text: &str) -> Self {
        let mut window = Self::default();
        for (first, second) in text.lines().filter_map(|line| line.split_once(' ')) {
            window.remember_line(first, second);
        }
        window
    }

    fn remember_line(&mut self, first: &str, second: &str) {
        if let ("v1", Ok(digest)) = (first, second.parse()) {
            // A line that is there twice says nothing more.
            let _ = self.admit_legacy(digest);
        } else if let (Ok(ts_ms), Ok(nonce)) = (first.parse(), second.parse()) {
            self.seen.insert(nonce, ts_ms);
        } else if let ("forgotten", Ok(through_ms)) = (first, second.parse()) {
            self.forgotten_through_ms = through_ms;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_REMEMBERED_LEGACY, NotAdmitted, ReplayWindow};
    use crate::message::RequestNonce;

    const NOW_MS: u64 = 1_700_000_000_000;
    const NONCE: RequestNonce = RequestNonce([7; 16]);

    #[test]
    fn a_request_is_admitted_once() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.admit(NONCE, NOW_MS, NOW_MS), Ok(()));
        assert_eq!(
            window.admit(NONCE, NOW_MS, NOW_MS),
            Err(NotAdmitted::Replayed)
        );
        assert_eq!(window.admit(RequestNonce([8; 16]), NOW_MS, NOW_MS), Ok(()));
    }

    #[test]
    fn sixty_seconds_either_way_are_admitted_and_one_millisecond_more_is_not() {
        for ts_ms in [NOW_MS - 60_000, NOW_MS + 60_000] {
            assert_eq!(ReplayWindow::default().admit(NONCE, ts_ms, NOW_MS), Ok(()));
        }
        for ts_ms in [NOW_MS - 60_001, NOW_MS + 60_001] {
            let refusal = Err(NotAdmitted::ClockOff {
                difference_ms: 60_001,
            });
            assert_eq!(ReplayWindow::default().admit(NONCE, ts_ms, NOW_MS), refusal);
        }
    }

    #[test]
    fn a_request_from_ahead_is_remembered_as_long_as_its_time_would_pass() {
        let mut window = ReplayWindow::default();
        window.admit(NONCE, NOW_MS + 60_000, NOW_MS).expect("fresh");
        window.forget_old(NOW_MS + 120_000);
        let again = window.admit(NONCE, NOW_MS + 60_000, NOW_MS + 120_000);
        assert_eq!(again, Err(NotAdmitted::Replayed));
    }

    #[test]
    fn a_forgotten_request_stays_refused_when_the_clock_is_set_back() {
        let mut window = ReplayWindow::default();
        window.admit(NONCE, NOW_MS, NOW_MS).expect("fresh");
        window.forget_old(NOW_MS + 60_001);
        assert!(window.is_empty());
        assert_eq!(
            window.admit(NONCE, NOW_MS, NOW_MS),
            Err(NotAdmitted::Replayed)
        );
        let reread = ReplayWindow::from_text(&window.to_text());
        assert_eq!(reread, window);
    }

    #[test]
    fn a_request_without_a_time_is_remembered_through_its_text_and_however_old() {
        let mut window = ReplayWindow::default();
        assert_eq!(window.admit_legacy(NONCE), Ok(()));
        window.forget_old(u64::MAX);
        let mut reread = ReplayWindow::from_text(&window.to_text());
        assert_eq!(reread, window);
        assert_eq!(reread.admit_legacy(NONCE), Err(NotAdmitted::Replayed));
        assert_eq!(reread.admit(NONCE, NOW_MS, NOW_MS), Ok(()), "other numbers");
    }

    #[test]
    fn the_oldest_request_without_a_time_gives_way() {
        let numbered = |number: usize| RequestNonce((number as u128).to_be_bytes());
        let mut window = ReplayWindow::default();
        for number in 0..=MAX_REMEMBERED_LEGACY {
            assert_eq!(window.admit_legacy(numbered(number)), Ok(()));
        }
        assert_eq!(window.len(), MAX_REMEMBERED_LEGACY);
        let second = window.admit_legacy(numbered(1));
        assert_eq!(second, Err(NotAdmitted::Replayed));
        assert_eq!(window.admit_legacy(numbered(0)), Ok(()));
    }

    #[test]
    fn a_window_survives_its_text_and_a_torn_last_line() {
        let mut window = ReplayWindow::default();
        window.admit(NONCE, NOW_MS, NOW_MS).expect("fresh");
        let mut text = window.to_text() + &ReplayWindow::line(RequestNonce([9; 16]), NOW_MS + 1);
        text.push_str("1700000000002 0909");
        let mut reread = ReplayWindow::from_text(&text);
        assert_eq!(reread.len(), 2);
        assert_eq!(
            reread.admit(NONCE, NOW_MS, NOW_MS),
            Err(NotAdmitted::Replayed)
        );
    }
}
