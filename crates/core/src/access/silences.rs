//! Routers that let the keeper wait in vain: it turns to the others for a while.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use uuid::Uuid;

/// A router that fails faster than this costs nobody anything: the next round asks it again.
const TOLERABLE: Duration = Duration::from_secs(1);

/// Until when routers are left alone: for twice as long as they were waited for, so that silent
/// ones cost the keeper a third of its time at most.
#[derive(Default)]
pub(super) struct Silences(Mutex<HashMap<Uuid, Instant>>);

impl Silences {
    /// Whether the router is left alone for now.
    pub(super) fn has(&self, router_id: Uuid) -> bool {
        let untils = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untils
            .get(&router_id)
            .is_some_and(|until| Instant::now() < *until)
    }

    /// Notes that the router was waited for in vain since `asked`.
    pub(super) fn note(&self, router_id: Uuid, asked: Instant) {
        let waited = asked.elapsed();
        if waited < TOLERABLE {
            return;
        }
        let until = Instant::now() + 2 * waited;
        let mut untils = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untils.insert(router_id, until);
    }

    /// Gives the router another chance.
    pub(super) fn forget(&self, router_id: Uuid) {
        let mut untils = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        untils.remove(&router_id);
    }
}
