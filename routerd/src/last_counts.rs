//! What went through sessions that are over, for a portal that asks a moment later.

use std::collections::BTreeMap;
use uuid::Uuid;

/// A portal that gets no answer to `del` asks again within this time, and one whose session ended by
/// itself does so in the next second.
const REMEMBERED_MS: u64 = 60_000;

/// Bytes by session, for a minute after its end.
#[derive(Debug, Default)]
pub(crate) struct LastCounts(BTreeMap<Uuid, (u64, u64)>);

impl LastCounts {
    /// Remembers the count of a session that ended now; of one that is not known there is none.
    pub(crate) fn remember(&mut self, session_id: Uuid, bytes: Option<u64>, now_ms: u64) {
        self.0.retain(|_, (_, until_ms)| *until_ms > now_ms);
        if let Some(bytes) = bytes {
            self.0.insert(session_id, (bytes, now_ms + REMEMBERED_MS));
        }
    }

    /// Gives the count of a session that ended.
    pub(crate) fn of(&self, session_id: Uuid) -> Option<u64> {
        self.0.get(&session_id).map(|(bytes, _)| *bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A portal whose first `del` got no answer would show too little for ever.
    #[test]
    fn a_count_is_told_again_for_a_minute() {
        let mut counts = LastCounts::default();
        let (counted, unknown) = (Uuid::from_u128(1), Uuid::from_u128(2));
        counts.remember(counted, Some(4096), 0);
        counts.remember(unknown, None, 0);
        assert_eq!((counts.of(counted), counts.of(unknown)), (Some(4096), None));
        counts.remember(counted, None, 59_999);
        assert_eq!(
            counts.of(counted),
            Some(4096),
            "a second end knows no better"
        );
        counts.remember(unknown, None, 60_000);
        assert_eq!(counts.of(counted), None);
    }
}
