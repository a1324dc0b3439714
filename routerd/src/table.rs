//! What is open, in memory: who may reach what until when, and which sessions never open again.
//!
//! Nothing here touches the firewall. All times are milliseconds of the monotonic clock.

use crate::policy::Denied;
use gatehouse_router_protocol::message::{ErrorCode, OpenSession, Protocol, Route};
use std::collections::BTreeMap;
use std::net::IpAddr;
use uuid::Uuid;

/// How many closed sessions are remembered; of more, those that would have ended first are forgotten.
const MAX_CLOSED: usize = 4096;

/// One open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// Who is let through to what.
    pub route: Route,
    /// When it ends.
    pub ends_at_ms: u64,
}

impl Session {
    /// Shows the session as the portal sees it, without a count of its traffic.
    pub fn view(self, session_id: Uuid, now_ms: u64) -> OpenSession {
        OpenSession {
            session_id,
            route: self.route,
            remaining_ms: self.ends_at_ms.saturating_sub(now_ms),
            bytes: None,
        }
    }
}

/// One way through the firewall. Sessions with the same route share it; it ends with the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// Who is let through to what.
    pub route: Route,
    /// When it ends. A moment and not a duration, so that no slow disk or program makes it later.
    pub ends_at_ms: u64,
}

impl Passage {
    /// Gives what tells passages apart where they come in: client, protocol and public port.
    pub fn door(&self) -> (IpAddr, Protocol, u16) {
        let Route {
            ip_src,
            protocol,
            port_dst,
            ..
        } = self.route;
        (ip_src, protocol, port_dst)
    }

    /// Gives what tells connections apart behind the door: client, protocol, LAN host and port.
    /// Passages through several doors to one target share it.
    pub fn flow(&self) -> Flow {
        flow_of(&self.route)
    }
}

/// Client, protocol, LAN host and port.
pub type Flow = (IpAddr, Protocol, IpAddr, u16);

/// Gives the connections that a route stands for.
pub fn flow_of(route: &Route) -> Flow {
    (
        route.ip_src,
        route.protocol,
        route.ip_dst_lan,
        route.port_dst_lan,
    )
}

/// What one command changes: every passage that shares a door or a target with it, as it was and
/// as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The passages as they were.
    pub before: Vec<Passage>,
    /// The passages as they have to be.
    pub after: Vec<Passage>,
}

impl Change {
    /// Gives the routes that nobody may use any longer.
    pub fn closed_routes(&self) -> impl Iterator<Item = &Route> {
        self.before
            .iter()
            .filter(|was| self.after.iter().all(|is| is.route != was.route))
            .map(|was| &was.route)
    }
}

/// The open sessions and the closed ones that are still remembered.
#[derive(Debug)]
pub struct Table {
    open: BTreeMap<Uuid, Session>,
    closed: BTreeMap<Uuid, u64>,
    max_sessions: u32,
}

impl Table {
    /// Makes an empty table for at most `max_sessions`.
    pub fn new(max_sessions: u32) -> Self {
        Self {
            open: BTreeMap::new(),
            closed: BTreeMap::new(),
            max_sessions,
        }
    }

    /// Checks that a session may be put into the table.
    ///
    /// # Errors
    /// [`Denied`] if it was closed before, its public port leads elsewhere, or the table is full.
    pub fn check(&self, session_id: Uuid, route: &Route) -> Result<(), Denied> {
        self.refuse_closed(session_id)?;
        self.refuse_taken_port(session_id, route)?;
        self.refuse_when_full(session_id)
    }

    /// Puts a session in, or in place of the one with this id.
    pub fn put(&mut self, session_id: Uuid, session: Session, now_ms: u64) -> Change {
        let former = self.open.get(&session_id).map(|former| former.route);
        self.change(former, Some(session.route), now_ms, |open| {
            open.insert(session_id, session);
        })
    }

    /// Takes a session out.
    pub fn take(&mut self, session_id: Uuid, now_ms: u64) -> Option<Change> {
        let route = self.open.get(&session_id)?.route;
        Some(self.change(Some(route), None, now_ms, |open| {
            open.remove(&session_id);
        }))
    }

    /// Puts a session in that was open before a restart.
    pub fn restore(&mut self, session_id: Uuid, session: Session) {
        self.open.insert(session_id, session);
    }

    /// Takes a session out that the firewall does not hold.
    pub fn drop_open(&mut self, session_id: Uuid) {
        self.open.remove(&session_id);
    }

    /// Takes out what has ended by itself.
    pub fn take_ended(&mut self, now_ms: u64) -> Vec<(Uuid, Route)> {
        self.closed.retain(|_, until_ms| *until_ms > now_ms);
        self.open
            .extract_if(.., |_, session| session.ends_at_ms <= now_ms)
            .map(|(session_id, session)| (session_id, session.route))
            .collect()
    }

    /// Remembers that a session is not to be opened again before `until_ms`.
    pub fn remember_closed(&mut self, session_id: Uuid, until_ms: u64) {
        self.closed.insert(session_id, until_ms);
        if self.closed.len() > MAX_CLOSED
            && let Some(soonest) = self.closed.iter().min_by_key(|(_, until_ms)| **until_ms)
        {
            let soonest = *soonest.0;
            self.closed.remove(&soonest);
        }
    }

    /// Gives an open session.
    pub fn get(&self, session_id: Uuid) -> Option<Session> {
        self.open.get(&session_id).copied()
    }

    /// Goes through the open sessions by id.
    pub fn sessions(&self) -> impl Iterator<Item = (Uuid, Session)> {
        self.open.iter().map(|(id, session)| (*id, *session))
    }

    /// Goes through the closed sessions that are remembered, with the moment until which they are.
    pub fn closed(&self) -> impl Iterator<Item = (Uuid, u64)> {
        self.closed.iter().map(|(id, until_ms)| (*id, *until_ms))
    }

    /// Tells until when a closed session is remembered; 0 if it is not.
    pub fn closed_until(&self, session_id: Uuid) -> u64 {
        self.closed.get(&session_id).copied().unwrap_or_default()
    }

    /// Ends all open sessions and gives their ids and routes.
    pub fn clear(&mut self) -> Vec<(Uuid, Session)> {
        std::mem::take(&mut self.open).into_iter().collect()
    }

    /// Gives everything that the firewall has to let through.
    pub fn passages(&self, now_ms: u64) -> Vec<Passage> {
        merged(self.open.values(), now_ms)
    }

    /// Counts the open sessions.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Tells whether no session is open.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn change(
        &mut self,
        former: Option<Route>,
        next: Option<Route>,
        now_ms: u64,
        alter: impl FnOnce(&mut BTreeMap<Uuid, Session>),
    ) -> Change {
        let touched: Vec<Route> = former.into_iter().chain(next).collect();
        let before = self.around(&touched, now_ms);
        alter(&mut self.open);
        let after = self.around(&touched, now_ms);
        Change { before, after }
    }

    fn around(&self, routes: &[Route], now_ms: u64) -> Vec<Passage> {
        let related = self.open.values().filter(|session| {
            let other = &session.route;
            routes.iter().any(|route| {
                (other.ip_src, other.protocol) == (route.ip_src, route.protocol)
                    && (other.port_dst == route.port_dst || other.target() == route.target())
            })
        });
        merged(related, now_ms)
    }

    /// A session that was closed stays closed, even if the request that opened it comes in late.
    fn refuse_closed(&self, session_id: Uuid) -> Result<(), Denied> {
        if self.closed.contains_key(&session_id) {
            let reason = format!("session {session_id} was closed and does not open again");
            return Err(Denied::new(ErrorCode::UnknownSession, reason));
        }
        Ok(())
    }

    /// A public port leads to one target at a time, so that a link means the same to everybody.
    fn refuse_taken_port(&self, session_id: Uuid, route: &Route) -> Result<(), Denied> {
        let taken = self.open.iter().find(|(other_id, other)| {
            **other_id != session_id
                && (other.route.port_dst, other.route.protocol) == (route.port_dst, route.protocol)
                && other.route.ip_dst_lan.is_ipv4() == route.ip_dst_lan.is_ipv4()
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
        let full = self.open.len() >= self.max_sessions as usize;
        if full && !self.open.contains_key(&session_id) {
            let reason = format!(
                "this router keeps at most {} sessions open",
                self.max_sessions
            );
            return Err(Denied::new(ErrorCode::TooManySessions, reason));
        }
        Ok(())
    }
}

fn merged<'a>(sessions: impl Iterator<Item = &'a Session>, now_ms: u64) -> Vec<Passage> {
    let mut passages = BTreeMap::new();
    for session in sessions {
        if session.ends_at_ms <= now_ms {
            continue;
        }
        let passage = Passage {
            route: session.route,
            ends_at_ms: session.ends_at_ms,
        };
        passages
            .entry(passage.door())
            .and_modify(|known: &mut Passage| {
                known.ends_at_ms = known.ends_at_ms.max(passage.ends_at_ms);
            })
            .or_insert(passage);
    }
    passages.into_values().collect()
}

#[cfg(test)]
mod tests;
