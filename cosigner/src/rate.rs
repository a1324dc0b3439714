//! How many signatures a portal had within the last hour.
//!
//! Counted by the minute in memory, and now and then added to a file, so that neither a restart nor a
//! second process on the folder gives anybody a fresh hour.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use crate::Refused;
use crate::cached::Cached;
use crate::folder::Folder;
use crate::moment::minute;

const WINDOW_MINUTES: i64 = 60;
/// What was counted is written at the latest so long afterwards.
const SAVE_AFTER_MS: i64 = 10_000;
/// What was counted is written at the latest when it is this part of the limit.
const SAVED_PART: u64 = 20;

type Minutes = BTreeMap<i64, u64>;

/// What this process counted and the file does not know yet.
#[derive(Default)]
struct Unsaved {
    minutes: Minutes,
    since_ms: Option<i64>,
}

pub(crate) struct Rates {
    saved: Cached<Minutes>,
    unsaved: Mutex<HashMap<Uuid, Unsaved>>,
}

impl Rates {
    pub(crate) fn new() -> Self {
        Self {
            saved: Cached::new(|text| {
                serde_json::from_str(text).map_err(|error| error.to_string())
            }),
            unsaved: Mutex::default(),
        }
    }

    /// Counts one more signature of a portal, unless it had its `per_hour` already.
    pub(crate) fn take(
        &self,
        folder: &Folder,
        server_id: Uuid,
        per_hour: u32,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let mut all = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        let unsaved = all.entry(server_id).or_default();
        let saved = self.saved.read(&folder.rate(server_id))?;
        let mut hour = unsaved.minutes.clone();
        add(&mut hour, saved.as_deref().unwrap_or(&Minutes::new()));
        drop_old(&mut hour, now_ms);
        if hour.values().sum::<u64>() >= u64::from(per_hour) {
            let retry_after_s = seconds_until_room(&hour, now_ms);
            return Err(Refused::TooMany { retry_after_s });
        }
        *unsaved.minutes.entry(minute(now_ms)).or_default() += 1;
        let since_ms = *unsaved.since_ms.get_or_insert(now_ms);
        let weight = unsaved.minutes.values().sum::<u64>() * SAVED_PART;
        if weight >= u64::from(per_hour) || now_ms - since_ms >= SAVE_AFTER_MS {
            self.save(folder, server_id, unsaved, now_ms)?;
        }
        Ok(())
    }

    /// Writes what was counted and is not written yet.
    pub(crate) fn save_all(&self, folder: &Folder, now_ms: i64) -> Result<(), Refused> {
        let mut all = self.unsaved.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = all
            .iter_mut()
            .filter(|(_, unsaved)| unsaved.since_ms.is_some());
        for (server_id, unsaved) in counted {
            self.save(folder, *server_id, unsaved, now_ms)?;
        }
        Ok(())
    }

    fn save(
        &self,
        folder: &Folder,
        server_id: Uuid,
        unsaved: &mut Unsaved,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let path = folder.rate(server_id);
        let lock = folder.lock()?;
        let mut minutes = self.saved.read_anew(&path)?.unwrap_or_default();
        add(&mut minutes, &unsaved.minutes);
        drop_old(&mut minutes, now_ms);
        folder.replace(&path, &crate::json(&minutes), &lock)?;
        *unsaved = Unsaved::default();
        Ok(())
    }
}

fn add(to: &mut Minutes, more: &Minutes) {
    for (minute, count) in more {
        *to.entry(*minute).or_default() += count;
    }
}

fn drop_old(minutes: &mut Minutes, now_ms: i64) {
    *minutes = minutes.split_off(&(minute(now_ms) - WINDOW_MINUTES + 1));
}

fn seconds_until_room(hour: &Minutes, now_ms: i64) -> u64 {
    let oldest = hour.keys().next().copied().unwrap_or(minute(now_ms));
    let room_at_ms = (oldest + WINDOW_MINUTES) * 60_000;
    u64::try_from((room_at_ms - now_ms + 999) / 1000)
        .unwrap_or(1)
        .max(1)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use uuid::Uuid;

    use super::Rates;
    use crate::Refused;
    use crate::folder::Folder;

    const NOON_MS: i64 = 1_800_000_000_000;
    const MINUTE_MS: i64 = 60_000;

    fn folder() -> (TempDir, Folder) {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(&home.path().join("cosigner")).expect("opens");
        (home, folder)
    }

    #[test]
    fn an_hour_has_so_many_and_they_come_back_one_by_one() {
        let (_home, folder) = folder();
        let rates = Rates::new();
        let take = |now_ms| rates.take(&folder, Uuid::nil(), 3, now_ms);
        for at_minute in [0, 10, 20] {
            assert_eq!(take(NOON_MS + at_minute * MINUTE_MS), Ok(()));
        }
        let retry_after_s = 39 * 60 + 60;
        let full = Err(Refused::TooMany { retry_after_s });
        assert_eq!(take(NOON_MS + 20 * MINUTE_MS), full);
        assert_eq!(
            take(NOON_MS + 60 * MINUTE_MS - 1),
            Err(Refused::TooMany { retry_after_s: 1 })
        );
        assert_eq!(take(NOON_MS + 60 * MINUTE_MS), Ok(()));
        assert!(take(NOON_MS + 60 * MINUTE_MS).is_err());
    }

    #[test]
    fn neither_a_restart_nor_a_second_process_begins_a_fresh_hour() {
        let (_home, folder) = folder();
        let (first, second) = (Rates::new(), Rates::new());
        let mut taken = 0;
        for turn in 0..200 {
            let rates = if turn % 2 == 0 { &first } else { &second };
            taken += u32::from(rates.take(&folder, Uuid::nil(), 100, NOON_MS).is_ok());
        }
        // Each may hold back a twentieth of the limit.
        assert!((100..=110).contains(&taken), "{taken}");
        first.save_all(&folder, NOON_MS).expect("writes");
        second.save_all(&folder, NOON_MS).expect("writes");
        let restarted = Rates::new().take(&folder, Uuid::nil(), 100, NOON_MS);
        assert!(restarted.is_err(), "a restart forgot the hour");
    }
}
