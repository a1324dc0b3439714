//! How each router is, as far as this portal knows: learnt from whatever is sent to it.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use gatehouse_types::{Timestamp, access::RouterHealth};
use uuid::Uuid;

use super::Access;
use crate::ports::{
    access::RouterRecord,
    router_link::{RouterCommand, RouterFailure, RouterReply},
};

/// What a router answered, or why it did not.
pub(super) type Answer = std::result::Result<RouterReply, RouterFailure>;

/// It is forgotten with the process: the first round of the reconciler learns it anew.
#[derive(Default)]
pub(super) struct Healths(Mutex<HashMap<Uuid, Known>>);

struct Known {
    health: RouterHealth,
    /// Where it was when it last told of itself.
    reached_ip: Option<IpAddr>,
}

impl Access {
    /// Sends a command, and learns from what comes back how the router is.
    pub(super) async fn send(&self, router: &RouterRecord, command: RouterCommand) -> Answer {
        let answer = match self.target(router) {
            Ok(target) => self.ports.router_link.send(&target, command).await,
            Err(failure) => Err(failure),
        };
        // Who refuses a session is there all the same; who refuses a ping takes nothing from us.
        let was_heard = matches!(
            &answer,
            Err(RouterFailure::Refused(_) | RouterFailure::NotNow(_) | RouterFailure::Failed(_))
        );
        let tells_nothing = was_heard && command != RouterCommand::Ping;
        if !tells_nothing {
            self.note_health(router, &answer);
        }
        answer
    }

    /// Notes how a router answered, and tells the log when that changed.
    pub(super) fn note_health(&self, router: &RouterRecord, answer: &Answer) {
        let now = Timestamp(self.ports.now_ms());
        if !self.healths.note(router.id, now, answer) {
            return;
        }
        match answer {
            Ok(_) => tracing::info!(router_id = %router.id, "a router answers"),
            Err(failure) => {
                tracing::warn!(router_id = %router.id, reason = failure.detail(), "a router does not answer");
            }
        }
    }
}

impl Healths {
    /// How the router is; `None` when it was not asked yet.
    pub(super) fn of(&self, router_id: Uuid) -> Option<RouterHealth> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&router_id).map(|known| known.health.clone())
    }

    /// Whether the router was last reached at this address.
    pub(super) fn is_at(&self, router_id: Uuid, ip: IpAddr) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(&router_id)
            .is_some_and(|known| known.reached_ip == Some(ip))
    }

    /// Forgets a router that is gone or somewhere else by now.
    pub(super) fn forget(&self, router_id: Uuid) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(&router_id);
    }

    /// Notes an answer; says whether the router is reachable now and was not before, or the
    /// other way round.
    fn note(&self, router_id: Uuid, now: Timestamp, answer: &Answer) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.remove(&router_id);
        let changed = before
            .as_ref()
            .is_none_or(|before| before.health.reachable != answer.is_ok());
        known.insert(router_id, after(before, now, answer));
        changed
    }
}

/// What a short answer does not tell stays as it was told before.
fn after(before: Option<Known>, now: Timestamp, answer: &Answer) -> Known {
    let reached_before = before.as_ref().and_then(|known| known.reached_ip);
    let reached_now = answer.as_ref().ok().and_then(|reply| reply.reached_ip);
    let before = before.map(|known| known.health);
    Known {
        health: health_after(before, now, answer),
        reached_ip: reached_now.or(reached_before),
    }
}

fn health_after(before: Option<RouterHealth>, now: Timestamp, answer: &Answer) -> RouterHealth {
    let since = before
        .as_ref()
        .filter(|before| before.reachable == answer.is_ok())
        .map_or(now, |before| before.since);
    let reply = answer.as_ref().ok();
    let told = before.filter(|_| reply.is_some());
    let of_before = |member: fn(&RouterHealth) -> Option<i64>| told.as_ref().and_then(member);
    RouterHealth {
        reachable: reply.is_some(),
        since,
        checked_at: now,
        detail: answer
            .as_ref()
            .err()
            .map(|failure| failure.detail().to_owned()),
        latency_ms: reply.map(|reply| reply.latency_ms),
        clock_difference_ms: reply
            .and_then(|reply| reply.clock_difference_ms)
            .or_else(|| of_before(|health| health.clock_difference_ms)),
        sessions: reply
            .and_then(|reply| reply.sessions)
            .or_else(|| of_before(|health| health.sessions)),
        daemon_version: reply
            .and_then(|reply| reply.version.clone())
            .or_else(|| told.as_ref()?.daemon_version.clone()),
        backend: reply
            .and_then(|reply| reply.backend.clone())
            .or_else(|| told.as_ref()?.backend.clone()),
    }
}
