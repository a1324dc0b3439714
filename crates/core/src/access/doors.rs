//! The original protocol knows no sessions. Our own daemon knows a rule of it by the client, the
//! public port and the LAN host; the original daemon by the LAN port as well, and it stacks equal
//! rules, which the link takes away together. So sessions that agree in the first three share what
//! one `del` closes, whoever opened them: an owner and a guest behind one address do. It lasts as
//! long as the longest of them, and goes with the last.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use gatehouse_types::access::SessionState;
use tokio::sync::{Mutex as Lock, OwnedMutexGuard};
use uuid::Uuid;

use super::{
    Access,
    health::Answer,
    sessions::{rule, seconds_until},
};
use crate::{
    Result,
    ports::{
        access::{AccessSessionRecord, RouterRecord, SessionFilter},
        router_link::{LinkProtocol, RouterCommand},
    },
};

/// More sessions than one address may have.
const ROWS: i64 = 1_000;

/// Lets one at a time of this portal look who shares a rule and change it: each door has a lock of
/// its own, for as long as somebody wants it. A silent router holds up nobody else's.
#[derive(Default)]
pub(super) struct Doors(Mutex<HashMap<Place, DoorLock>>);

/// What sessions share a rule by: client, public port and LAN host. The LAN port is left out, as
/// nobody can tell which of the two daemons is there.
type Door = (IpAddr, u16, IpAddr);
/// A door of one router.
type Place = (Uuid, Door);
type DoorLock = Weak<Lock<()>>;

impl Doors {
    fn lock_of(&self, session: &AccessSessionRecord) -> Arc<Lock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        let place = (session.router_id, door_of(session));
        if let Some(lock) = locks.get(&place).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(place, Arc::downgrade(&lock));
        lock
    }
}

impl Access {
    /// Keeps others of this portal from the rule of a session while it and its row change.
    pub(super) async fn hold_door(
        &self,
        router: &RouterRecord,
        session: &AccessSessionRecord,
    ) -> Option<OwnedMutexGuard<()>> {
        if !has_doors(router) {
            return None;
        }
        Some(self.doors.lock_of(session).lock_owned().await)
    }

    /// Sends a command about the rule of a session, so that those who share it keep what is
    /// theirs. The caller holds the door.
    pub(super) async fn send_at_door(
        &self,
        router: &RouterRecord,
        session: &AccessSessionRecord,
        command: RouterCommand,
    ) -> Result<Answer> {
        let command = if has_doors(router) {
            self.for_all_behind(session, command).await?
        } else {
            command
        };
        Ok(self.send(router, command).await)
    }

    async fn for_all_behind(
        &self,
        session: &AccessSessionRecord,
        command: RouterCommand,
    ) -> Result<RouterCommand> {
        let Some(longest) = self.longest_beside(session).await? else {
            return Ok(command);
        };
        let its_s = seconds_until(longest.expires_at_ms, self.ports.now_ms());
        Ok(match command {
            RouterCommand::Add(rule, own_s) => RouterCommand::Add(rule, own_s.max(its_s)),
            RouterCommand::Extend(rule, own_s) => RouterCommand::Extend(rule, own_s.max(its_s)),
            RouterCommand::Del(_) => RouterCommand::Add(rule(&longest), its_s),
            RouterCommand::Ping => RouterCommand::Ping,
        })
    }

    /// The open session with the latest end of those that share a session's rule.
    async fn longest_beside(
        &self,
        session: &AccessSessionRecord,
    ) -> Result<Option<AccessSessionRecord>> {
        let from_there = SessionFilter {
            router_id: Some(session.router_id),
            client_ip: Some(session.client_ip),
            unfinished_only: true,
            ..SessionFilter::default()
        };
        let rows = self.ports.store.list_sessions(from_there, ROWS).await?;
        let beside = rows.into_iter().filter(|other| {
            other.id != session.id
                && other.state == SessionState::Open
                && !self.is_expired(other)
                && door_of(other) == door_of(session)
        });
        Ok(beside.max_by_key(|other| other.expires_at_ms))
    }
}

fn has_doors(router: &RouterRecord) -> bool {
    LinkProtocol::of_version(router.protocol) == LinkProtocol::Original
}

fn door_of(session: &AccessSessionRecord) -> Door {
    (session.client_ip, session.public_port, session.lan_ip)
}
