//! What a portal is shown of the sessions: as the last finished command left them.
//!
//! The sessions themselves are locked for as long as the firewall takes with a command. This here is
//! locked for a moment only, so a firewall that hangs keeps nobody from looking.

use crate::backend::Traffic;
use crate::table::{Session, Table, flow_of};
use gatehouse_router_protocol::message::OpenSession;
use std::collections::BTreeMap;
use std::ops::Bound;
use uuid::Uuid;

/// The open sessions and the bytes counted on them.
#[derive(Debug, Default)]
pub struct Shown {
    open: BTreeMap<Uuid, Session>,
    traffic: Traffic,
}

impl Shown {
    /// Shows one session as the table has it, or no longer if it is not open there.
    pub(crate) fn take_over(&mut self, session_id: Uuid, table: &Table) {
        match table.get(session_id) {
            Some(session) => self.open.insert(session_id, session),
            None => self.open.remove(&session_id),
        };
    }

    /// Shows what the table has and nothing else.
    pub(crate) fn take_over_all(&mut self, table: &Table) {
        self.open = table.sessions().collect();
    }

    /// Shows these counts from now on.
    pub(crate) fn count(&mut self, traffic: Traffic) {
        self.traffic = traffic;
    }

    /// Lists at most `limit` sessions by id, after the one named.
    pub fn list(&self, after: Option<Uuid>, limit: usize, now_ms: u64) -> Vec<OpenSession> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.open
            .range((start, Bound::Unbounded))
            .filter(|(_, session)| session.ends_at_ms > now_ms)
            .take(limit)
            .map(|(session_id, session)| OpenSession {
                bytes: self.traffic.get(&flow_of(&session.route)).copied(),
                ..session.view(*session_id, now_ms)
            })
            .collect()
    }

    /// Counts the sessions that have not ended.
    pub fn count_open(&self, now_ms: u64) -> u32 {
        let is_open = |session: &&Session| session.ends_at_ms > now_ms;
        u32::try_from(self.open.values().filter(is_open).count()).unwrap_or(u32::MAX)
    }
}
