//! How much one device may say: what it says is written down, and a device that is broken or hostile
//! must not fill the timelines.
//!
//! Reports, feedback and attributes count, and of questions those that change an action. Each
//! instance counts what it hears.

use gatehouse_types::rollout::ActionState;

use super::{
    Firmware,
    fleet::{Key, Member},
};
use crate::{Error, Result};

/// One word more may be said after so long, for ever.
const WORD_MS: i64 = 2_000;
/// So many may come at once; an update with many words of progress stays far below.
const MOST_MS: i64 = 120 * WORD_MS;
/// What decides nothing leaves room for what does.
const MOST_CHATTER_MS: i64 = 100 * WORD_MS;

/// How much a word is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Progress, attributes and questions.
    Chatter,
    /// How an action ended, or whether the device stops one: without it nobody would know.
    Decisive,
}

impl Word {
    /// What the word is worth that brings a device's action into this state.
    pub(super) const fn of(state: ActionState) -> Self {
        if state.is_finished() {
            Self::Decisive
        } else {
            Self::Chatter
        }
    }

    const fn most_ms(self) -> i64 {
        match self {
            Self::Chatter => MOST_CHATTER_MS,
            Self::Decisive => MOST_MS,
        }
    }
}

/// How much a device said lately.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Pace {
    /// When all of it is made up for.
    even_at_ms: i64,
}

impl Pace {
    fn count(&mut self, now_ms: i64) {
        self.even_at_ms = now_ms + (self.debt_ms(now_ms) + WORD_MS).min(MOST_MS);
    }

    /// After how many seconds the device may say such a word; `None` while it may.
    fn wait_s(self, now_ms: i64, word: Word) -> Option<u64> {
        let over_ms = self.debt_ms(now_ms) + WORD_MS - word.most_ms();
        (over_ms > 0).then(|| over_ms.unsigned_abs().div_ceil(1000))
    }

    /// A clock that was set back leaves no debt, since nobody could wait for its end.
    fn debt_ms(self, now_ms: i64) -> i64 {
        let debt_ms = self.even_at_ms - now_ms;
        if (0..=MOST_MS).contains(&debt_ms) {
            debt_ms
        } else {
            0
        }
    }
}

impl Firmware {
    /// Refuses to hear a question of a device that said too much lately.
    pub(super) fn require_pace(&self, key: Key) -> Result<()> {
        let now_ms = self.ports.now_ms();
        let wait_s = |member: &mut Member| member.pace.wait_s(now_ms, Word::Chatter);
        refuse(self.fleet.with(key, wait_s).flatten())
    }

    /// Counts a word of a device.
    pub(super) fn count_word(&self, key: Key) {
        let now_ms = self.ports.now_ms();
        self.fleet.with(key, |member| member.pace.count(now_ms));
    }

    /// Counts a word of a device, unless it said too much lately: then it is refused.
    pub(super) fn take_word(&self, key: Key, word: Word) -> Result<()> {
        let now_ms = self.ports.now_ms();
        let wait_s = self.fleet.with(key, |member| {
            let wait_s = member.pace.wait_s(now_ms, word);
            if wait_s.is_none() {
                member.pace.count(now_ms);
            }
            wait_s
        });
        refuse(wait_s.flatten())
    }
}

fn refuse(wait_s: Option<u64>) -> Result<()> {
    match wait_s {
        Some(retry_after_s) => Err(Error::TooMany { retry_after_s }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Word::*, *};

    #[test]
    fn a_crowd_of_words_is_followed_by_one_at_a_time() {
        let (mut pace, now_ms) = (Pace::default(), 1_763_719_200_000);
        for _ in 0..120 {
            assert_eq!(pace.wait_s(now_ms, Decisive), None);
            pace.count(now_ms);
        }
        assert_eq!(pace.wait_s(now_ms, Decisive), Some(2));
        assert_eq!(pace.wait_s(now_ms + 1_999, Decisive), Some(1));
        assert_eq!(pace.wait_s(now_ms + 2_000, Decisive), None);
        pace.count(now_ms + 2_000);
        assert_eq!(pace.wait_s(now_ms + 2_000, Decisive), Some(2));
    }

    #[test]
    fn what_came_all_the_same_does_not_add_up() {
        let (mut pace, now_ms) = (Pace::default(), 1_763_719_200_000);
        for _ in 0..1_000 {
            pace.count(now_ms);
        }
        assert_eq!(pace.wait_s(now_ms, Decisive), Some(2));
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nobody() {
        let (mut pace, now_ms) = (Pace::default(), 1_763_719_200_000);
        for _ in 0..120 {
            pace.count(now_ms);
        }
        assert_eq!(pace.wait_s(now_ms - 1, Decisive), None);
    }

    #[test]
    fn after_much_chatter_there_is_room_for_what_decides() {
        let (mut pace, now_ms) = (Pace::default(), 1_763_719_200_000);
        for _ in 0..100 {
            assert_eq!(pace.wait_s(now_ms, Chatter), None);
            pace.count(now_ms);
        }
        assert_eq!(pace.wait_s(now_ms, Chatter), Some(2));
        for _ in 0..20 {
            assert_eq!(pace.wait_s(now_ms, Decisive), None);
            pace.count(now_ms);
        }
        assert_eq!(pace.wait_s(now_ms, Decisive), Some(2));
        assert_eq!(pace.wait_s(now_ms, Chatter), Some(42));
    }
}
