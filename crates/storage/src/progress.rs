//! What devices did, written down many at a time.

use std::collections::{BTreeMap, HashMap, HashSet};

use gatehouse_core::ports::{
    StoreResult,
    fleet::{ActionRecord, EventRecord, Progress},
};
use gatehouse_types::rollout::ActionState;
use sqlx::{QueryBuilder, Row as _, Transaction};
use uuid::Uuid;

use crate::{column::word, failure::store_error};

const RAISE_FLEET_SEQ: &str =
    "UPDATE portal_state SET fleet_seq = fleet_seq + $1 WHERE id = 1 RETURNING fleet_seq";
// Late words say nothing new of the version. Other instances have to read a new one: they would
// offer an older release to a device that came back on its own.
const NOTE_HEARD: &str = "
    UPDATE devices SET
        fleet_seq = CASE WHEN said.column3 IS NULL OR last_seen_at_ms > said.column4
            OR said.column3 = current_version THEN fleet_seq ELSE said.column6 END,
        current_version = CASE WHEN last_seen_at_ms > said.column4 THEN current_version
            ELSE COALESCE(said.column3, current_version) END,
        last_seen_at_ms = CASE WHEN last_seen_at_ms > said.column5 THEN last_seen_at_ms
            ELSE COALESCE(said.column5, last_seen_at_ms) END
    FROM (";
const OF_KNOWN_DEVICES: &str = ") AS said
    WHERE devices.project_id = said.column1 AND devices.device_id = said.column2
    RETURNING devices.project_id, devices.device_id";
const STATES_BEFORE: &str = "
    SELECT actions.project_id, actions.device_id, actions.release_id, state FROM (";
const OF_THEIR_ACTIONS: &str = ") AS said
    JOIN actions ON actions.project_id = said.column1 AND actions.device_id = said.column2
        AND actions.release_id = said.column3";
const SAVE_ACTIONS: &str = "
    INSERT INTO actions (project_id, device_id, release_id, attempt, state, from_version, detail,
        progress_percent, created_at_ms, updated_at_ms, retry_at_ms, deadline_at_ms, finished_at_ms)
    SELECT said.column1, said.column2, said.column3, said.column4, said.column5, said.column6, said.column7,
        said.column8, said.column9, said.column10, said.column11, said.column12, said.column13
    FROM (";
// A release that is gone, or of another project, has no actions. SQLite needs the WHERE to tell
// the conflict from a join.
const WHERE_NEW: &str = ") AS said
    JOIN releases ON releases.id = said.column3 AND releases.project_id = said.column1
    WHERE TRUE
    ON CONFLICT (project_id, device_id, release_id) DO UPDATE SET
        attempt = excluded.attempt, state = excluded.state, from_version = excluded.from_version,
        detail = excluded.detail, progress_percent = excluded.progress_percent,
        created_at_ms = excluded.created_at_ms, updated_at_ms = excluded.updated_at_ms,
        retry_at_ms = excluded.retry_at_ms, deadline_at_ms = excluded.deadline_at_ms,
        finished_at_ms = excluded.finished_at_ms
    WHERE excluded.attempt > actions.attempt OR excluded.created_at_ms > actions.updated_at_ms
        OR (excluded.attempt = actions.attempt AND excluded.updated_at_ms >= actions.updated_at_ms)
    RETURNING project_id, device_id, release_id";
const NOTE_ACTIONS: &str = "
    UPDATE devices SET action_release_id = COALESCE(said.column3, action_release_id), fleet_seq = said.column4,
        wants_attributes = wants_attributes OR said.column5
    FROM (";
const OF_DEVICES: &str =
    ") AS said WHERE devices.project_id = said.column1 AND devices.device_id = said.column2";
const COUNT_MINUTE: &str = "
    INSERT INTO rollout_minutes (release_id, minute_ms, state, delta) VALUES ($1, $2, $3, $4)
    ON CONFLICT (release_id, minute_ms, state) DO UPDATE SET delta = rollout_minutes.delta + excluded.delta";
const INSERT_EVENTS: &str = "
    INSERT INTO action_events (id, project_id, device_id, release_id, attempt, at_ms, state, detail) ";

const MINUTE_MS: i64 = 60_000;
/// So many rows go into one statement: enough to make its cost small, few enough to bind.
const ROWS_AT_ONCE: usize = 500;

/// Project, device and release.
type ActionKey = (Uuid, Uuid, Uuid);

/// What came into (or left, below zero) a state of a release within a minute.
type Minutes = BTreeMap<(Uuid, i64, ActionState), i64>;

for_both! {
    type Change = Transaction<'static, <Row as sqlx::Row>::Database>;

    impl Backend {
        /// Begins to change what other instances keep in memory, and numbers the change.
        ///
        /// Whoever comes next waits for the row, so numbers become visible in their order.
        pub(crate) async fn begin_fleet_change(&self) -> StoreResult<(Change, i64)> {
            let mut change = self.begin().await?;
            let number = Self::raise_fleet_seq(&mut change, 1).await?;
            Ok((change, number))
        }

        /// Holds the row of the number until the change ends, also when it rises by nothing.
        pub(crate) async fn raise_fleet_seq(change: &mut Change, by: i64) -> StoreResult<i64> {
            sqlx::query_scalar(RAISE_FLEET_SEQ).bind(by).fetch_one(&mut **change).await.map_err(store_error)
        }

        /// Writes all of it down and answers which of the devices there are; the caller commits.
        pub(crate) async fn write_progress(&self, progress: &[Progress]) -> StoreResult<(Change, HashSet<(Uuid, Uuid)>)> {
            let is_news = |said: &Progress| !said.actions.is_empty() || said.current_version.is_some();
            let has_news = progress.iter().any(is_news);
            let mut change = self.begin().await?;
            // Sightings raise nothing, but they hold the row, too: one statement locks many devices
            // in any order, and only whoever holds the row may do so.
            let number = Self::raise_fleet_seq(&mut change, has_news.into()).await?;
            let mut sorted: Vec<&Progress> = progress.iter().collect();
            sorted.sort_by_key(|said| (said.project_id, said.device_id, said.at_ms));
            let mut known = HashSet::with_capacity(sorted.len());
            let heard: Vec<Heard<'_>> = sorted.chunk_by(|one, other| key(one) == key(other)).map(Heard::of).collect();
            for some in heard.chunks(ROWS_AT_ONCE) {
                known.extend(Self::note_heard(&mut change, some, number).await?);
            }
            sorted.retain(|said| known.contains(&key(said)));
            Self::write_actions(&mut change, &sorted, number).await?;
            Self::write_events(&mut change, &sorted).await?;
            Ok((change, known))
        }

        async fn note_heard(change: &mut Change, heard: &[Heard<'_>], number: i64) -> StoreResult<Vec<(Uuid, Uuid)>> {
            let mut query = QueryBuilder::new(NOTE_HEARD);
            query.push_values(heard, |mut row, said| {
                row.push_bind(said.device.0)
                    .push_bind(said.device.1)
                    .push_bind(said.version)
                    .push_bind(said.version_at_ms)
                    .push_bind(said.at_ms)
                    .push_bind(number);
            });
            query.push(OF_KNOWN_DEVICES);
            query.build_query_as().fetch_all(&mut **change).await.map_err(store_error)
        }

        async fn write_actions(change: &mut Change, progress: &[&Progress], number: i64) -> StoreResult<()> {
            let actions = last_words(progress);
            let actions: Vec<&ActionRecord> = actions.into_values().collect();
            let (mut saved, mut minutes) = (HashSet::new(), Minutes::new());
            for some in actions.chunks(ROWS_AT_ONCE) {
                let before = Self::states_before(change, some).await?;
                let news = Self::save_actions(change, some).await?;
                for action in some.iter().filter(|action| news.contains(&action_key(action))) {
                    count(&mut minutes, action, before.get(&action_key(action)).copied());
                }
                saved.extend(news);
            }
            let touched: Vec<Touched> =
                progress.chunk_by(|one, other| key(one) == key(other)).filter_map(|said| Touched::of(said, &saved)).collect();
            for some in touched.chunks(ROWS_AT_ONCE) {
                Self::note_actions(change, some, number).await?;
            }
            Self::write_minutes(change, minutes).await
        }

        async fn states_before(change: &mut Change, actions: &[&ActionRecord]) -> StoreResult<HashMap<ActionKey, ActionState>> {
            let mut query = QueryBuilder::new(STATES_BEFORE);
            query.push_values(actions, |mut row, action| {
                row.push_bind(action.project_id).push_bind(action.device_id).push_bind(action.release_id);
            });
            query.push(OF_THEIR_ACTIONS);
            let states = query.build().try_map(|row: Row| {
                Ok((action_key_of(&row)?, word(row.try_get("state")?, ActionState::parse)?))
            });
            let states = states.fetch_all(&mut **change).await.map_err(store_error)?;
            Ok(states.into_iter().collect())
        }

        /// Answers which of them were news.
        async fn save_actions(change: &mut Change, actions: &[&ActionRecord]) -> StoreResult<HashSet<ActionKey>> {
            let mut query = QueryBuilder::new(SAVE_ACTIONS);
            query.push_values(actions, |mut row, action| {
                row.push_bind(action.project_id)
                    .push_bind(action.device_id)
                    .push_bind(action.release_id)
                    .push_bind(action.attempt)
                    .push_bind(action.state.as_str())
                    .push_bind(action.from_version.as_deref())
                    .push_bind(&*action.detail)
                    .push_bind(action.progress_percent.map(i64::from))
                    .push_bind(action.created_at_ms)
                    .push_bind(action.updated_at_ms)
                    .push_bind(action.retry_at_ms)
                    .push_bind(action.deadline_at_ms)
                    .push_bind(action.finished_at_ms);
            });
            query.push(WHERE_NEW);
            let news = query.build().try_map(|row| action_key_of(&row)).fetch_all(&mut **change).await;
            Ok(news.map_err(store_error)?.into_iter().collect())
        }

        async fn note_actions(change: &mut Change, touched: &[Touched], number: i64) -> StoreResult<()> {
            let mut query = QueryBuilder::new(NOTE_ACTIONS);
            query.push_values(touched, |mut row, touched| {
                row.push_bind(touched.device.0)
                    .push_bind(touched.device.1)
                    .push_bind(touched.newest_release_id)
                    .push_bind(number)
                    .push_bind(touched.has_ended);
            });
            query.push(OF_DEVICES);
            query.build().execute(&mut **change).await.map(drop).map_err(store_error)
        }

        async fn write_minutes(change: &mut Change, minutes: Minutes) -> StoreResult<()> {
            for ((release_id, minute_ms, state), delta) in minutes {
                sqlx::query(COUNT_MINUTE)
                    .bind(release_id)
                    .bind(minute_ms)
                    .bind(state.as_str())
                    .bind(delta)
                    .execute(&mut **change)
                    .await
                    .map_err(store_error)?;
            }
            Ok(())
        }

        async fn write_events(change: &mut Change, progress: &[&Progress]) -> StoreResult<()> {
            let events: Vec<(&Progress, &EventRecord)> =
                progress.iter().flat_map(|said| said.events.iter().map(move |event| (*said, event))).collect();
            for some in events.chunks(ROWS_AT_ONCE) {
                let mut query = QueryBuilder::new(INSERT_EVENTS);
                query.push_values(some, |mut row, (said, event)| {
                    row.push_bind(event.id)
                        .push_bind(said.project_id)
                        .push_bind(said.device_id)
                        .push_bind(event.release_id)
                        .push_bind(event.attempt)
                        .push_bind(event.at_ms)
                        .push_bind(event.state.as_str())
                        .push_bind(&*event.detail);
                });
                // A batch whose commit nobody heard of is written once more.
                query.push(" ON CONFLICT (id) DO NOTHING");
                query.build().execute(&mut **change).await.map_err(store_error)?;
            }
            Ok(())
        }
    }

    fn action_key_of(row: &Row) -> sqlx::Result<ActionKey> {
        Ok((row.try_get("project_id")?, row.try_get("device_id")?, row.try_get("release_id")?))
    }
}

/// Of each action the latest attempt, and of that the latest word: a statement writes a row once.
fn last_words<'a>(progress: &[&'a Progress]) -> BTreeMap<ActionKey, &'a ActionRecord> {
    let mut latest: BTreeMap<ActionKey, &ActionRecord> = BTreeMap::new();
    for action in progress.iter().flat_map(|said| &said.actions) {
        let kept = latest.entry(action_key(action)).or_insert(action);
        if (action.attempt, action.updated_at_ms) >= (kept.attempt, kept.updated_at_ms) {
            *kept = action;
        }
    }
    latest
}

/// Counts that an action left the state before, where there was one, and came to its own.
fn count(minutes: &mut Minutes, action: &ActionRecord, before: Option<ActionState>) {
    if before == Some(action.state) {
        return;
    }
    let minute_ms = minute_of(action.updated_at_ms);
    let mut add = |state, delta| {
        *minutes
            .entry((action.release_id, minute_ms, state))
            .or_default() += delta;
    };
    add(action.state, 1);
    if let Some(before) = before {
        add(before, -1);
    }
}

/// The beginning of the minute of a moment.
pub(crate) const fn minute_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(MINUTE_MS)
}

const fn key(said: &Progress) -> (Uuid, Uuid) {
    (said.project_id, said.device_id)
}

const fn action_key(action: &ActionRecord) -> ActionKey {
    (action.project_id, action.device_id, action.release_id)
}

/// A device of which an action changed.
struct Touched {
    /// Project and id.
    device: (Uuid, Uuid),
    /// The release of its newest action, unless that was no news.
    newest_release_id: Option<Uuid>,
    /// One of its actions came to an end: it may tell something else of itself by now.
    has_ended: bool,
}

impl Touched {
    /// Reads what was said of one device; `None` when none of it was news.
    fn of(said: &[&Progress], saved: &HashSet<ActionKey>) -> Option<Self> {
        let actions = || said.iter().flat_map(|said| &said.actions);
        let is_news = |action: &&ActionRecord| saved.contains(&action_key(action));
        actions().any(|action| is_news(&action)).then(|| Self {
            device: key(said[0]),
            newest_release_id: actions()
                .last()
                .filter(is_news)
                .map(|action| action.release_id),
            has_ended: actions().any(|action| is_news(&action) && action.state.is_finished()),
        })
    }
}

/// All that a batch says of a device itself.
struct Heard<'a> {
    /// Project and id.
    device: (Uuid, Uuid),
    /// What it said last that it runs.
    version: Option<&'a str>,
    /// When it said that.
    version_at_ms: Option<i64>,
    /// When it was last heard of, if it was.
    at_ms: Option<i64>,
}

impl<'a> Heard<'a> {
    /// Reads what was said of one device, at least once, by time.
    fn of(said: &[&'a Progress]) -> Self {
        let last = said[said.len() - 1];
        let mut newest_first = said.iter().rev();
        let versioned = newest_first.find(|said| said.current_version.is_some());
        Self {
            device: key(last),
            version: versioned.and_then(|said| said.current_version.as_deref()),
            version_at_ms: versioned.and_then(|said| said.at_ms),
            at_ms: last.at_ms,
        }
    }
}
