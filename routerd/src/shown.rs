//! What a portal is shown of the sessions: as the last finished command left them.
//!
//! The sessions themselves are locked for as long as the firewall takes with a command. This here is
//! locked for a moment only, so a firewall that hangs keeps nobody from looking.

use crate::backend::Traffic;
use crate::table::{Flow, Session, Table, flow_of};
use gatehouse_router_protocol::message::OpenSession;
use std::collections::BTreeMap;
use std::ops::Bound;
use uuid::Uuid;

/// The open sessions and the bytes counted on them.
#[derive(Debug, Default)]
pub struct Shown {
    open: BTreeMap<Uuid, Entry>,
    traffic: Traffic,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    session: Session,
    /// What had gone the same way before this session: not its own.
    bytes_before: u64,
}

impl Entry {
    fn flow(&self) -> Flow {
        flow_of(&self.session.route)
    }

    fn own_part_of(&self, traffic: &Traffic) -> Option<u64> {
        let bytes = traffic.get(&self.flow())?;
        Some(bytes.saturating_sub(self.bytes_before))
    }
}

impl Shown {
    /// Shows a session as it is now.
    pub(crate) fn open(&mut self, session_id: Uuid, session: Session) {
        let flow = flow_of(&session.route);
        let known = self
            .open
            .get(&session_id)
            .filter(|known| known.flow() == flow);
        let bytes_before = known.map_or_else(
            || self.traffic.get(&flow).copied().unwrap_or_default(),
            |known| known.bytes_before,
        );
        let entry = Entry {
            session,
            bytes_before,
        };
        self.open.insert(session_id, entry);
    }

    /// Shows a session no longer; gives the bytes that were counted on it.
    pub(crate) fn close(&mut self, session_id: Uuid) -> Option<u64> {
        let entry = self.open.remove(&session_id)?;
        let bytes = entry.own_part_of(&self.traffic);
        if self.open.values().all(|other| other.flow() != entry.flow()) {
            // Whoever opens the same way again begins at zero.
            self.traffic.remove(&entry.flow());
        }
        bytes
    }

    /// Shows what the table has and nothing else; gives the bytes of what is shown no longer.
    pub(crate) fn take_over_all(&mut self, table: &Table) -> Vec<(Uuid, Option<u64>)> {
        let gone: Vec<Uuid> = self
            .open
            .keys()
            .copied()
            .filter(|session_id| table.get(*session_id).is_none())
            .collect();
        let counted = gone.into_iter().map(|id| (id, self.close(id))).collect();
        for (session_id, session) in table.sessions() {
            self.open(session_id, session);
        }
        counted
    }

    /// Shows these counts from now on, and the former ones where there is none: the kernel forgets
    /// a count with its session, a moment before that is closed here.
    pub(crate) fn count(&mut self, traffic: Traffic) {
        self.traffic.extend(traffic);
    }

    /// Lists at most `limit` sessions by id, after the one named.
    pub fn list(&self, after: Option<Uuid>, limit: usize, now_ms: u64) -> Vec<OpenSession> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.open
            .range((start, Bound::Unbounded))
            .filter(|(_, entry)| entry.session.ends_at_ms > now_ms)
            .take(limit)
            .map(|(session_id, entry)| OpenSession {
                bytes: entry.own_part_of(&self.traffic),
                ..entry.session.view(*session_id, now_ms)
            })
            .collect()
    }

    /// Counts the sessions that have not ended.
    pub fn count_open(&self, now_ms: u64) -> u32 {
        let is_open = |entry: &&Entry| entry.session.ends_at_ms > now_ms;
        u32::try_from(self.open.values().filter(is_open).count()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatehouse_router_protocol::message::{Protocol, Route};

    fn session(port_dst: u16) -> Session {
        let route = Route {
            ip_src: [203, 0, 113, 7].into(),
            port_dst,
            ip_dst_lan: [192, 168, 50, 10].into(),
            port_dst_lan: 80,
            protocol: Protocol::Tcp,
        };
        Session {
            route,
            ends_at_ms: 60_000,
        }
    }

    fn counts(shown: &Shown) -> Vec<Option<u64>> {
        let listed = shown.list(None, 10, 0);
        listed.into_iter().map(|session| session.bytes).collect()
    }

    /// Or an owner would be shown the bytes of whoever had the way before.
    #[test]
    fn a_session_shows_what_went_its_way_since_it_began() {
        let mut shown = Shown::default();
        let [first, beside, later] = [1, 2, 3].map(Uuid::from_u128);
        let flow = flow_of(&session(7890).route);
        shown.open(first, session(7890));
        shown.count(Traffic::from([(flow, 1000)]));
        shown.open(beside, session(7891));
        assert_eq!(counts(&shown), [Some(1000), Some(0)]);
        shown.count(Traffic::from([(flow, 1500)]));
        shown.open(beside, session(7891));
        assert_eq!(
            counts(&shown),
            [Some(1500), Some(500)],
            "extending keeps it"
        );
        assert_eq!(shown.close(first), Some(1500));
        assert_eq!(shown.close(beside), Some(500));
        assert_eq!(shown.close(beside), None);
        shown.open(later, session(7890));
        assert_eq!(counts(&shown), [None], "nobody has the way any more");
    }

    #[test]
    fn a_count_stays_until_its_session_is_closed_or_there_is_a_newer_one() {
        let mut shown = Shown::default();
        let other = Route {
            port_dst_lan: 81,
            ..session(7891).route
        };
        shown.open(Uuid::from_u128(1), session(7890));
        shown.open(
            Uuid::from_u128(2),
            Session {
                route: other,
                ends_at_ms: 60_000,
            },
        );
        let flow = flow_of(&session(7890).route);
        shown.count(Traffic::from([(flow, 10), (flow_of(&other), 20)]));
        shown.count(Traffic::from([(flow, 11)]));
        assert_eq!(counts(&shown), [Some(11), Some(20)]);
        let gone = shown.take_over_all(&Table::new(10));
        let ids = [1, 2].map(Uuid::from_u128);
        assert_eq!(gone, [(ids[0], Some(11)), (ids[1], Some(20))]);
        assert!(shown.traffic.is_empty());
    }
}
