//! A table in memory with the semantics of the kernel's timed sets, and a log of what would be done.
//!
//! An entry is gone at its end by itself: each look at the table takes the ended ones out first, so
//! it does not matter when, or whether, anything else comes by.

use crate::policy::Denied;
use gatehouse_router_protocol::message::{ErrorCode, OpenSession, Route};
use std::collections::BTreeMap;
use std::ops::Bound;
use tracing::info;
use uuid::Uuid;

/// The open sessions by id; all times are milliseconds of the monotonic clock.
#[derive(Debug)]
pub struct DryRun {
    sessions: BTreeMap<Uuid, Entry>,
    max_sessions: u32,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    route: Route,
    ends_at_ms: u64,
}

impl Entry {
    fn view(self, session_id: Uuid, now_ms: u64) -> OpenSession {
        let remaining_ms = self.ends_at_ms.saturating_sub(now_ms);
        OpenSession {
            session_id,
            route: self.route,
            remaining_ms,
        }
    }
}

impl DryRun {
    /// The name of this backend in the configuration and in the answer to `ping`.
    pub const NAME: &str = "dry-run";

    /// Makes an empty table for at most `max_sessions`.
    pub fn new(max_sessions: u32) -> Self {
        Self {
            sessions: BTreeMap::new(),
            max_sessions,
        }
    }

    /// Opens a session, or puts one with a known id anew with this route and end.
    ///
    /// # Errors
    /// [`Denied`] if the public port leads elsewhere, or the table is full.
    pub fn add(
        &mut self,
        session_id: Uuid,
        route: Route,
        duration_s: u32,
        now_ms: u64,
    ) -> Result<OpenSession, Denied> {
        self.drop_ended(now_ms);
        self.refuse_taken_port(session_id, &route)?;
        self.refuse_when_full(session_id)?;
        info!(
            "dry run: would let {} reach {}/{} through port {} for {duration_s} s (session {session_id})",
            route.ip_src,
            route.target(),
            route.protocol,
            route.port_dst,
        );
        let entry = Entry {
            route,
            ends_at_ms: end_of(duration_s, now_ms),
        };
        self.sessions.insert(session_id, entry);
        Ok(entry.view(session_id, now_ms))
    }

    /// Replaces the end of an open session.
    ///
    /// # Errors
    /// [`Denied`] if there is no such session any more.
    pub fn extend(
        &mut self,
        session_id: Uuid,
        duration_s: u32,
        now_ms: u64,
    ) -> Result<OpenSession, Denied> {
        self.drop_ended(now_ms);
        let entry = self.sessions.get_mut(&session_id).ok_or_else(|| {
            Denied::new(
                ErrorCode::UnknownSession,
                format!("session {session_id} is not open here"),
            )
        })?;
        info!("dry run: would end session {session_id} in {duration_s} s from now");
        entry.ends_at_ms = end_of(duration_s, now_ms);
        Ok(entry.view(session_id, now_ms))
    }

    /// Ends a session; an absent one is no error.
    pub fn del(&mut self, session_id: Uuid, now_ms: u64) {
        self.drop_ended(now_ms);
        if let Some(Entry { route, .. }) = self.sessions.remove(&session_id) {
            info!(
                "dry run: would shut {} out of {}/{} and end its connections (session {session_id})",
                route.ip_src,
                route.target(),
                route.protocol,
            );
        }
    }

    /// Ends all sessions and tells how many there were.
    pub fn flush(&mut self, now_ms: u64) -> u32 {
        let removed = self.len(now_ms);
        info!("dry run: would empty the table of {removed} sessions");
        self.sessions.clear();
        removed
    }

    /// Lists at most `limit` sessions by id, after the one named.
    pub fn list(&mut self, after: Option<Uuid>, limit: usize, now_ms: u64) -> Vec<OpenSession> {
        self.drop_ended(now_ms);
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.sessions
            .range((start, Bound::Unbounded))
            .take(limit)
            .map(|(session_id, entry)| entry.view(*session_id, now_ms))
            .collect()
    }

    /// Counts the open sessions.
    pub fn len(&mut self, now_ms: u64) -> u32 {
        self.drop_ended(now_ms);
        u32::try_from(self.sessions.len()).unwrap_or(u32::MAX)
    }

    /// Takes out what has ended, and says so in the log.
    pub fn drop_ended(&mut self, now_ms: u64) {
        self.sessions.retain(|session_id, entry| {
            let open = entry.ends_at_ms > now_ms;
            if !open {
                info!("dry run: session {session_id} has ended by itself");
            }
            open
        });
    }

    /// A public port leads to one target at a time, so that a link means the same to everybody.
    fn refuse_taken_port(&self, session_id: Uuid, route: &Route) -> Result<(), Denied> {
        let taken = self.sessions.iter().find(|(other_id, other)| {
            **other_id != session_id
                && (other.route.port_dst, other.route.protocol) == (route.port_dst, route.protocol)
                && other.route.target() != route.target()
        });
        match taken {
            None => Ok(()),
            Some((_, other)) => {
                let reason = format!(
                    "port {}/{} leads to {} at the moment",
                    route.port_dst,
                    route.protocol,
                    other.route.target()
                );
                Err(Denied::new(ErrorCode::PortInUse, reason))
            }
        }
    }

    fn refuse_when_full(&self, session_id: Uuid) -> Result<(), Denied> {
        let full = self.sessions.len() >= self.max_sessions as usize;
        if full && !self.sessions.contains_key(&session_id) {
            let reason = format!(
                "this router keeps at most {} sessions open",
                self.max_sessions
            );
            return Err(Denied::new(ErrorCode::TooManySessions, reason));
        }
        Ok(())
    }
}

fn end_of(duration_s: u32, now_ms: u64) -> u64 {
    now_ms.saturating_add(u64::from(duration_s) * 1000)
}

#[cfg(test)]
mod tests {
    use super::DryRun;
    use gatehouse_router_protocol::message::{ErrorCode, Protocol, Route};
    use uuid::Uuid;

    fn id(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn route(client: u8, port_dst: u16, host: u8) -> Route {
        Route {
            ip_src: [203, 0, 113, client].into(),
            port_dst,
            ip_dst_lan: [192, 168, 50, host].into(),
            port_dst_lan: 80,
            protocol: Protocol::Tcp,
        }
    }

    fn table(max_sessions: u32) -> DryRun {
        DryRun::new(max_sessions)
    }

    #[test]
    fn an_entry_is_gone_at_its_end_and_there_just_before() {
        let mut table = table(8);
        table.add(id(1), route(7, 7890, 10), 60, 1000).unwrap();
        assert_eq!(table.list(None, 10, 60_999)[0].remaining_ms, 1);
        assert!(table.list(None, 10, 61_000).is_empty());
        let late = table.extend(id(1), 60, 61_000).unwrap_err();
        assert_eq!(late.code, ErrorCode::UnknownSession);
    }

    #[test]
    fn adding_again_replaces_route_and_end() {
        let mut table = table(1);
        table.add(id(1), route(7, 7890, 10), 60, 0).unwrap();
        table.add(id(1), route(8, 7890, 11), 90, 30_000).unwrap();
        let sessions = table.list(None, 10, 30_000);
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].route, route(8, 7890, 11));
        assert_eq!(sessions[0].remaining_ms, 90_000);
    }

    #[test]
    fn extending_replaces_the_end_also_with_an_earlier_one() {
        let mut table = table(8);
        table.add(id(1), route(7, 7890, 10), 600, 0).unwrap();
        assert_eq!(
            table.extend(id(1), 1200, 60_000).unwrap().remaining_ms,
            1_200_000
        );
        assert_eq!(
            table.extend(id(1), 10, 60_000).unwrap().remaining_ms,
            10_000
        );
    }

    #[test]
    fn deleting_twice_is_deleting_once() {
        let mut table = table(8);
        table.add(id(1), route(7, 7890, 10), 60, 0).unwrap();
        table.del(id(1), 0);
        table.del(id(1), 0);
        assert_eq!(table.len(0), 0);
    }

    #[test]
    fn a_port_is_shared_only_by_sessions_with_the_same_target() {
        let mut table = table(8);
        table.add(id(1), route(7, 7890, 10), 60, 0).unwrap();
        table.add(id(2), route(8, 7890, 10), 60, 0).unwrap();
        table.add(id(3), route(7, 7890, 10), 60, 0).unwrap();
        for client in [7, 9] {
            let denied = table
                .add(id(4), route(client, 7890, 11), 60, 0)
                .unwrap_err();
            assert_eq!(denied.code, ErrorCode::PortInUse);
        }
        let udp = Route {
            protocol: Protocol::Udp,
            ..route(7, 7890, 11)
        };
        table.add(id(5), udp, 60, 0).unwrap();
        table
            .add(id(4), route(7, 7890, 11), 60, 60_000)
            .expect("the port is free after their end");
    }

    #[test]
    fn the_limit_counts_open_sessions_only_and_lets_known_ones_in() {
        let mut table = table(2);
        table.add(id(1), route(7, 7001, 10), 10, 0).unwrap();
        table.add(id(2), route(7, 7002, 10), 60, 0).unwrap();
        let denied = table.add(id(3), route(7, 7003, 10), 60, 0).unwrap_err();
        assert_eq!(denied.code, ErrorCode::TooManySessions);
        table
            .add(id(2), route(7, 7002, 10), 90, 0)
            .expect("a known id needs no room");
        table
            .add(id(3), route(7, 7003, 10), 60, 10_000)
            .expect("the first has ended");
    }

    #[test]
    fn pages_follow_each_other_by_id() {
        let mut table = table(8);
        for number in 1..=5 {
            table.add(id(number), route(7, 7890, 10), 60, 0).unwrap();
        }
        let ids = |after, limit, table: &mut DryRun| -> Vec<u128> {
            let page = table.list(after, limit, 0);
            page.iter()
                .map(|session| session.session_id.as_u128())
                .collect()
        };
        assert_eq!(ids(None, 2, &mut table), [1, 2]);
        assert_eq!(ids(Some(id(2)), 2, &mut table), [3, 4]);
        assert_eq!(ids(Some(id(4)), 2, &mut table), [5]);
        assert_eq!(table.flush(0), 5);
        assert!(ids(None, 2, &mut table).is_empty());
    }
}
