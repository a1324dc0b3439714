//! What the portal keeps in memory of every device, so that asking costs no row.
//!
//! A device is read when it first speaks, or earlier: after the start the whole fleet is read in
//! the background. What devices do goes into the memory at once and to the database every few
//! seconds ([`Fleet::take_unwritten`]), or before the answer where the device relies on it. That a
//! device was heard of and said nothing new may wait longer: where a whole fleet asks at once, those
//! rows would take the database's whole time.
//! What other instances wrote comes back by its number ([`Fleet::learn`]).

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
};

use gatehouse_types::{Version, rollout::Channel};
use uuid::Uuid;

use super::{pace::Pace, standing::Standing};
use crate::ports::fleet::{FleetChange, FleetDevice, PAST_MAX, Progress};

const SHARDS: usize = 64;
/// Words beyond this wait until the next writing; a bound, not a quota.
const UNWRITTEN_MAX: usize = 2_000_000;
/// Of one device that many lines of its timeline wait at the most; the newest stay.
const UNWRITTEN_EVENTS_MAX: usize = 32;
/// So many devices of a shard that said nothing new are written at a time; 20,000 in all.
const SIGHTINGS_AT_ONCE: usize = 20_000 / SHARDS;

/// Project and device.
pub(super) type Key = (Uuid, Uuid);

/// A device in memory.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) controller_id: Option<Box<str>>,
    pub(super) group: Box<str>,
    pub(super) channel: Channel,
    pub(super) target_token_hash: Option<[u8; 32]>,
    pub(super) current: Option<Version>,
    pub(super) wants_attributes: bool,
    pub(super) standing: Option<Box<Standing>>,
    /// How it stood with releases before the newest, so that none begins anew what failed.
    pub(super) past: Vec<Standing>,
    pub(super) pace: Pace,
    /// When it was last heard of, as far as that is neither written down nor among what is unwritten.
    sighted_at_ms: Option<i64>,
}

impl From<&FleetDevice> for Member {
    fn from(device: &FleetDevice) -> Self {
        Self {
            controller_id: device.controller_id.as_deref().map(Box::from),
            group: device.group_name.as_str().into(),
            channel: device.channel,
            target_token_hash: device.target_token_hash,
            current: device
                .current_version
                .as_deref()
                .and_then(|version| version.parse().ok()),
            wants_attributes: device.wants_attributes,
            standing: device.action.as_ref().map(|action| Box::new(action.into())),
            past: device.past.iter().map(Standing::from).collect(),
            pace: Pace::default(),
            sighted_at_ms: None,
        }
    }
}

impl Member {
    /// Keeps how it stood with releases before its newest: of each the latest, and only of the last few.
    pub(super) fn remember(&mut self, standings: impl IntoIterator<Item = Standing>) {
        for standing in standings {
            let is_same = |past: &&mut Standing| past.release_id == standing.release_id;
            match self.past.iter_mut().find(is_same) {
                Some(past) if standing.is_newer_than(past) => *past = standing,
                Some(_) => {}
                None => self.past.push(standing),
            }
        }
        let newest = self.standing.as_ref().map(|standing| standing.release_id);
        self.past.retain(|past| Some(past.release_id) != newest);
        self.past.sort_by_key(|past| Reverse(past.updated_at_ms));
        self.past.truncate(PAST_MAX);
    }
}

/// A part of the fleet under one lock.
#[derive(Debug, Default)]
struct Shard {
    /// Boxed, because half of a table's places may be empty.
    members: HashMap<Key, Box<Member>>,
    /// Whose sighting is to be written down, who waited longest first.
    sighted: VecDeque<Key>,
}

impl Shard {
    fn take_sightings(&mut self) -> impl Iterator<Item = Progress> {
        let due = SIGHTINGS_AT_ONCE.min(self.sighted.len());
        self.sighted.drain(..due).filter_map(|key| {
            let at_ms = self.members.get_mut(&key)?.sighted_at_ms.take()?;
            Some(sighting(key, at_ms))
        })
    }
}

/// Every device that was heard of, or all of them.
#[derive(Debug)]
pub(super) struct Fleet {
    shards: Vec<Mutex<Shard>>,
    controllers: Mutex<HashMap<(Uuid, Box<str>), Uuid>>,
    is_whole: AtomicBool,
    seq: AtomicI64,
    unwritten: Mutex<HashMap<Key, Progress>>,
    /// Releases of which some device's action changed since they were last looked at.
    touched: Mutex<HashSet<Uuid>>,
}

impl Default for Fleet {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            controllers: Mutex::default(),
            is_whole: AtomicBool::new(false),
            seq: AtomicI64::new(0),
            unwritten: Mutex::default(),
            touched: Mutex::default(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Fleet {
    fn shard(&self, (_, device_id): Key) -> MutexGuard<'_, Shard> {
        // The last byte of a UUID is random in every version that devices use.
        let place = usize::from(device_id.as_bytes()[15]) % SHARDS;
        lock(&self.shards[place])
    }

    /// Looks at a device, or changes it; `None` when it is not in memory.
    pub(super) fn with<R>(&self, key: Key, look: impl FnOnce(&mut Member) -> R) -> Option<R> {
        self.shard(key)
            .members
            .get_mut(&key)
            .map(|member| look(member))
    }

    pub(super) fn knows(&self, key: Key) -> bool {
        self.shard(key).members.contains_key(&key)
    }

    /// Whether a device that is not in memory does not exist.
    pub(super) fn is_whole(&self) -> bool {
        self.is_whole.load(Ordering::Acquire)
    }

    pub(super) fn set_whole(&self) {
        self.is_whole.store(true, Ordering::Release);
    }

    pub(super) fn seq(&self) -> i64 {
        self.seq.load(Ordering::Acquire)
    }

    pub(super) fn set_seq(&self, seq: i64) {
        self.seq.fetch_max(seq, Ordering::AcqRel);
    }

    /// The device that foreign clients call so, when it is in memory.
    pub(super) fn controller(&self, project_id: Uuid, controller_id: &str) -> Option<Uuid> {
        lock(&self.controllers)
            .get(&(project_id, controller_id.into()))
            .copied()
    }

    /// Takes what the database says of a device; what was heard since stays.
    pub(super) fn learn(&self, device: &FleetDevice) {
        let key = (device.project_id, device.device_id);
        let mut fresh = Member::from(device);
        self.touch(device.action.iter().map(|action| action.release_id));
        if let Some(controller_id) = &fresh.controller_id {
            lock(&self.controllers).insert((key.0, controller_id.clone()), key.1);
        }
        match self.shard(key).members.entry(key) {
            Entry::Vacant(place) => {
                place.insert(Box::new(fresh));
            }
            Entry::Occupied(mut place) => {
                let known = place.get_mut();
                let stays = match (&known.standing, &fresh.standing) {
                    (Some(known), Some(stored)) => known.is_newer_than(stored),
                    (Some(_), None) => true,
                    (None, _) => false,
                };
                if stays {
                    std::mem::swap(&mut fresh.standing, &mut known.standing);
                    fresh.current = known.current.take();
                }
                let displaced = known.standing.take().map(|standing| *standing);
                fresh.remember(displaced.into_iter().chain(known.past.drain(..)));
                fresh.pace = known.pace;
                fresh.sighted_at_ms = known.sighted_at_ms;
                **known = fresh;
            }
        }
    }

    /// Takes what is new.
    pub(super) fn learn_change(&self, change: &FleetChange) {
        match change {
            FleetChange::Device(device) => self.learn(device),
            FleetChange::Removed {
                project_id,
                device_id,
            } => self.forget((*project_id, *device_id)),
        }
    }

    pub(super) fn forget(&self, key: Key) {
        let gone = self.shard(key).members.remove(&key);
        if let Some(controller_id) = gone.and_then(|member| member.controller_id) {
            lock(&self.controllers).remove(&(key.0, controller_id));
        }
        lock(&self.unwritten).remove(&key);
    }

    /// Keeps what a device did until it is written down.
    pub(super) fn note(&self, progress: Progress) {
        let key = (progress.project_id, progress.device_id);
        if let Some(at_ms) = only_sighting(&progress) {
            return self.sight(key, at_ms);
        }
        let mut unwritten = lock(&self.unwritten);
        if unwritten.len() >= UNWRITTEN_MAX && !unwritten.contains_key(&key) {
            return;
        }
        match unwritten.entry(key) {
            Entry::Vacant(place) => {
                place.insert(progress);
            }
            Entry::Occupied(mut place) => append(place.get_mut(), progress),
        }
    }

    fn sight(&self, key: Key, at_ms: i64) {
        let mut shard = self.shard(key);
        let Some(member) = shard.members.get_mut(&key) else {
            return;
        };
        if member.sighted_at_ms.replace(at_ms).is_none() {
            shard.sighted.push_back(key);
        }
    }

    /// What is not written down yet: all that is new, and some 20,000 devices that said nothing new.
    pub(super) fn take_unwritten(&self) -> Vec<Progress> {
        let unwritten = std::mem::take(&mut *lock(&self.unwritten));
        let mut batch: Vec<Progress> = unwritten.into_values().collect();
        for shard in &self.shards {
            batch.extend(lock(shard).take_sightings());
        }
        batch
    }

    /// Remembers which releases the keeper of rollouts has to look at.
    pub(super) fn touch(&self, releases: impl IntoIterator<Item = Uuid>) {
        lock(&self.touched).extend(releases);
    }

    pub(super) fn take_touched(&self) -> HashSet<Uuid> {
        std::mem::take(&mut *lock(&self.touched))
    }

    /// Joins a word with what the same device did before and is not written down yet.
    pub(super) fn with_unwritten(&self, progress: Progress) -> Progress {
        let key = (progress.project_id, progress.device_id);
        match lock(&self.unwritten).remove(&key) {
            Some(mut older) => {
                append(&mut older, progress);
                older
            }
            None => progress,
        }
    }

    /// Keeps what could not be written; what came since is newer.
    pub(super) fn keep_unwritten(&self, batch: Vec<Progress>) {
        let mut unwritten = lock(&self.unwritten);
        for mut older in batch {
            let key = (older.project_id, older.device_id);
            if let Some(newer) = unwritten.remove(&key) {
                append(&mut older, newer);
            }
            unwritten.insert(key, older);
        }
    }
}

fn sighting((project_id, device_id): Key, at_ms: i64) -> Progress {
    Progress {
        project_id,
        device_id,
        at_ms: Some(at_ms),
        current_version: None,
        actions: Vec::new(),
        events: Vec::new(),
    }
}

/// When a device was heard of that said nothing new.
fn only_sighting(progress: &Progress) -> Option<i64> {
    let is_news = progress.current_version.is_some()
        || !progress.actions.is_empty()
        || !progress.events.is_empty();
    progress.at_ms.filter(|_| !is_news)
}

fn append(older: &mut Progress, newer: Progress) {
    older.at_ms = older.at_ms.max(newer.at_ms);
    if newer.current_version.is_some() {
        older.current_version = newer.current_version;
    }
    for action in newer.actions {
        older
            .actions
            .retain(|known| known.release_id != action.release_id);
        older.actions.push(action);
    }
    older.events.extend(newer.events);
    let surplus = older.events.len().saturating_sub(UNWRITTEN_EVENTS_MAX);
    older.events.drain(..surplus);
}

#[cfg(test)]
#[path = "fleet_tests.rs"]
mod tests;
