//! How far a device is with a release, and what may follow on what.

use std::sync::Arc;

use gatehouse_types::rollout::ActionState;
use uuid::Uuid;

use crate::ports::fleet::ActionRecord;

const MINUTE_MS: i64 = 60 * 1000;
/// After the first failure, after the second; afterwards the device is in the penalty box.
const RETRY_AFTER_MS: [i64; 2] = [5 * MINUTE_MS, 30 * MINUTE_MS];
const PENALTY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Attempts repeat their numbers only after so many.
const ATTEMPTS_NUMBERED: i64 = 64;

/// A device's newest action as it is kept in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) release_id: Uuid,
    pub(super) attempt: i64,
    pub(super) state: ActionState,
    pub(super) from_version: Option<Arc<str>>,
    pub(super) progress_percent: Option<u8>,
    pub(super) created_at_ms: i64,
    pub(super) updated_at_ms: i64,
    pub(super) retry_at_ms: Option<i64>,
    pub(super) deadline_at_ms: Option<i64>,
}

impl Standing {
    /// A release is offered for the first time, or once more after `before`.
    pub(super) fn offered(
        release_id: Uuid,
        before: Option<&Self>,
        from_version: Option<Arc<str>>,
        now_ms: i64,
    ) -> Self {
        let attempts = before
            .filter(|before| before.release_id == release_id)
            .map_or(0, |before| before.attempt);
        Self {
            release_id,
            attempt: attempts + 1,
            state: ActionState::Pending,
            from_version,
            progress_percent: None,
            created_at_ms: now_ms,
            updated_at_ms: now_ms,
            retry_at_ms: None,
            deadline_at_ms: None,
        }
    }

    /// Whether the device has been told and is not through.
    pub(super) const fn is_under_way(&self) -> bool {
        matches!(
            self.state,
            ActionState::Downloading | ActionState::Installing
        )
    }

    /// Whether this release may be offered to the device now.
    pub(super) fn may_try_again(&self, now_ms: i64) -> bool {
        match self.state {
            // One that succeeded runs another version by now, and nothing was said of a failure.
            ActionState::Pending
            | ActionState::Downloading
            | ActionState::Installing
            | ActionState::Succeeded => true,
            ActionState::Failed | ActionState::RolledBack => {
                self.retry_at_ms.is_some_and(|retry| retry <= now_ms)
            }
            ActionState::Cancelling | ActionState::Cancelled => false,
        }
    }

    /// Takes the next state; `false` when it cannot follow on this one and nothing changed.
    pub(super) fn advance(&mut self, to: ActionState, now_ms: i64, deadline_ms: i64) -> bool {
        use ActionState::{
            Cancelled, Cancelling, Downloading, Failed, Installing, Pending, RolledBack, Succeeded,
        };
        let follows = match (self.state, to) {
            (from, to) if from == to => false,
            (Pending | Downloading | Installing, _) => to != Pending,
            (Cancelling, to) => matches!(to, Cancelled | Failed | Succeeded | RolledBack),
            (Succeeded, to) => to == RolledBack,
            (Failed | RolledBack, to) => {
                matches!(to, Downloading | Installing | Succeeded | RolledBack)
            }
            (Cancelled, to) => to == Succeeded,
        };
        if !follows {
            return false;
        }
        let was_over = self.state.is_finished();
        if was_over && matches!(to, Downloading | Installing) {
            self.attempt += 1;
            self.created_at_ms = now_ms;
        }
        let began = matches!(to, Downloading | Installing | Cancelling);
        let failed = matches!(to, Failed | RolledBack);
        self.deadline_at_ms = began.then_some(now_ms + deadline_ms);
        self.retry_at_ms = failed.then(|| now_ms + retry_after_ms(self.attempt));
        if !matches!(to, Failed | RolledBack) {
            self.progress_percent = None;
        }
        self.state = to;
        self.updated_at_ms = now_ms;
        true
    }

    /// What foreign clients call this attempt: positive, and another one for the next.
    pub(super) fn number(&self, release_number: i64) -> i32 {
        number(release_number, self.attempt)
    }

    pub(super) fn record(&self, project_id: Uuid, device_id: Uuid, detail: &str) -> ActionRecord {
        ActionRecord {
            project_id,
            device_id,
            release_id: self.release_id,
            attempt: self.attempt,
            state: self.state,
            from_version: self.from_version.as_deref().map(str::to_owned),
            detail: detail.to_owned(),
            progress_percent: self.progress_percent,
            created_at_ms: self.created_at_ms,
            updated_at_ms: self.updated_at_ms,
            retry_at_ms: self.retry_at_ms,
            deadline_at_ms: self.deadline_at_ms,
            finished_at_ms: self.state.is_finished().then_some(self.updated_at_ms),
        }
    }

    /// Whether this is later than what is known from elsewhere, as from another instance.
    pub(super) fn is_newer_than(&self, stored: &Self) -> bool {
        if self.release_id == stored.release_id {
            let begins_later = self.created_at_ms > stored.updated_at_ms;
            begins_later
                || (self.attempt, self.updated_at_ms) > (stored.attempt, stored.updated_at_ms)
        } else {
            self.updated_at_ms > stored.updated_at_ms
        }
    }
}

impl From<&ActionRecord> for Standing {
    fn from(record: &ActionRecord) -> Self {
        Self {
            release_id: record.release_id,
            attempt: record.attempt,
            state: record.state,
            from_version: record.from_version.as_deref().map(Arc::from),
            progress_percent: record.progress_percent,
            created_at_ms: record.created_at_ms,
            updated_at_ms: record.updated_at_ms,
            retry_at_ms: record.retry_at_ms,
            deadline_at_ms: record.deadline_at_ms,
        }
    }
}

/// What foreign clients call an attempt at a release.
pub(super) fn number(release_number: i64, attempt: i64) -> i32 {
    let number = release_number * ATTEMPTS_NUMBERED + (attempt - 1) % ATTEMPTS_NUMBERED;
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Whether an attempt or one before it had this number, which is one of the same release.
pub(super) fn includes(attempt: i64, number: i32) -> bool {
    i64::from(number) % ATTEMPTS_NUMBERED < attempt
}

/// The number of the release behind an action's number.
pub(super) fn release_number(number: i32) -> i64 {
    i64::from(number) / ATTEMPTS_NUMBERED
}

fn retry_after_ms(attempt: i64) -> i64 {
    let failures_before = usize::try_from(attempt - 1).unwrap_or(0);
    RETRY_AFTER_MS
        .get(failures_before)
        .copied()
        .unwrap_or(PENALTY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;
    const DAY_MS: i64 = 24 * 60 * MINUTE_MS;

    fn offered() -> Standing {
        Standing::offered(Uuid::from_u128(1), None, None, NOW)
    }

    fn at(state: ActionState) -> Standing {
        Standing { state, ..offered() }
    }

    #[test]
    fn a_device_that_keeps_failing_waits_longer_each_time() {
        let mut standing = offered();
        let mut waits = Vec::new();
        for _ in 0..4 {
            assert!(standing.advance(ActionState::Downloading, NOW, DAY_MS));
            assert!(standing.advance(ActionState::Failed, NOW, DAY_MS));
            waits.push((standing.retry_at_ms.unwrap_or_default() - NOW) / MINUTE_MS);
            assert!(!standing.may_try_again(NOW));
            standing = Standing::offered(standing.release_id, Some(&standing), None, NOW);
        }
        assert_eq!(waits, [5, 30, 24 * 60, 24 * 60]);
        assert_eq!(standing.attempt, 5);
    }

    #[test]
    fn a_late_word_undoes_nothing_that_is_over() {
        for (over, late) in [
            (ActionState::Succeeded, ActionState::Downloading),
            (ActionState::Succeeded, ActionState::Failed),
            (ActionState::Cancelled, ActionState::Downloading),
            (ActionState::Cancelling, ActionState::Installing),
            (ActionState::RolledBack, ActionState::Failed),
        ] {
            let mut standing = at(over);
            assert!(!standing.advance(late, NOW, DAY_MS), "{over:?} {late:?}");
            assert_eq!(standing, at(over));
        }
    }

    #[test]
    fn what_began_has_a_deadline_and_what_is_over_has_none() {
        let mut standing = offered();
        assert_eq!(standing.deadline_at_ms, None, "an offer may wait for ever");
        standing.advance(ActionState::Downloading, NOW, DAY_MS);
        assert_eq!(standing.deadline_at_ms, Some(NOW + DAY_MS));
        standing.advance(ActionState::Succeeded, NOW, DAY_MS);
        assert_eq!(standing.deadline_at_ms, None);
    }

    #[test]
    fn foreign_clients_see_another_positive_number_for_each_attempt() {
        let numbers: Vec<i32> = (1..=64).map(|attempt| number(3, attempt)).collect();
        assert!(numbers.iter().all(|number| *number > 0));
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(number(4, 1) > number(3, 64));
        assert_eq!(number(i64::from(i32::MAX), 1), i32::MAX);
    }
}
