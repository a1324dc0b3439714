//! The sessions of this router: table, journal and firewall, changed in this order.
//!
//! The journal comes before the firewall, so that after a crash at any point the comparison at the
//! start removes what was not finished: what is in the firewall and not in the journal is nobody's.
//!
//! All of it blocks, on the disk and on the firewall's programs; call it from a thread that may.

use crate::Failure;
use crate::backend::{self, Backend, ToolError};
use crate::clock::Clock;
use crate::config::Config;
use crate::flows::Cutter;
use crate::last_counts::LastCounts;
use crate::policy::{Denied, Policy};
use crate::session_journal::SessionJournal;
use crate::shown::Shown;
use crate::table::{Change, Session, Table};
use gatehouse_router_protocol::legacy_v1::is_door;
use gatehouse_router_protocol::message::{ErrorCode, OpenSession, Route};
use gatehouse_router_protocol::replay::MAX_CLOCK_DIFFERENCE_MS;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::{error, info, warn};
use uuid::Uuid;

/// How often the firewall is compared with the table.
const COMPARE_EVERY_MS: u64 = 30_000;

/// How old a count of traffic may be that is told to a portal.
const TRAFFIC_FRESH_MS: u64 = 2000;

/// The kernel forgets a count at the end of its session. What ends before the next second is over
/// is counted before.
const ENDING_MS: u64 = 1500;

/// From how long a call on its ends in the kernel are looked at: it counts from its own end.
const SLOW_MS: u64 = 1000;

/// A request may come in this late after it was sent, with clocks apart as far as is allowed.
const LATEST_REQUEST_MS: u64 = 2 * MAX_CLOCK_DIFFERENCE_MS;

/// The open sessions and what enforces them.
pub struct Sessions {
    table: Table,
    journal: SessionJournal,
    backend: Box<dyn Backend>,
    cutter: Cutter,
    clock: Arc<dyn Clock>,
    max_ms: u64,
    /// The firewall did not take something and has to be brought back to the table.
    unsure: bool,
    compared_at_ms: u64,
    shown: Arc<Mutex<Shown>>,
    counted_at_ms: Option<u64>,
    last_counts: LastCounts,
}

impl Sessions {
    /// Reads the journal back and brings the firewall to it.
    ///
    /// # Errors
    /// [`Failure`] if the journal or the firewall cannot be used.
    pub fn open(config: &Config, policy: &Policy, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let mut table = Table::new(config.max_sessions);
        let (journal, ended) = SessionJournal::open(&config.state_dir, &mut table, &*clock)
            .map_err(|error| config.state_dir_failure(&error))?;
        let mut sessions = Self {
            table,
            journal,
            backend: backend::choose(config, &clock),
            cutter: Cutter::new(config),
            max_ms: u64::from(config.max_minutes) * 60_000,
            unsure: false,
            compared_at_ms: clock.monotonic_ms(),
            shown: Arc::default(),
            counted_at_ms: None,
            last_counts: LastCounts::default(),
            clock,
        };
        // Nobody cut their connections while the daemon was away.
        sessions.cutter.closed(ended);
        sessions.drop_what_is_no_longer_allowed(policy);
        sessions.enforce_at_start()?;
        sessions.cut();
        sessions.shown().take_over_all(&sessions.table);
        Ok(sessions)
    }

    /// Names the backend.
    pub fn backend_name(&self) -> &'static str {
        self.backend.name()
    }

    /// Gives what can be looked at while a command is at work.
    pub fn view(&self) -> Arc<Mutex<Shown>> {
        Arc::clone(&self.shown)
    }

    /// Opens a session, or puts one with a known id anew with this route and end.
    ///
    /// # Errors
    /// [`Denied`] if the session was closed before, the public port leads elsewhere, the table is
    /// full, or the firewall does not take it.
    pub fn add(
        &mut self,
        session_id: Uuid,
        route: Route,
        duration_s: u32,
    ) -> Result<OpenSession, Denied> {
        let now_ms = self.drop_ended();
        self.table.check(session_id, &route)?;
        let session = Session {
            route,
            ends_at_ms: end_of(duration_s, now_ms),
        };
        self.put(session_id, session, now_ms)?;
        info!(
            "session {session_id}: {} may reach {}/{} through port {} for {duration_s} s",
            route.ip_src,
            route.target(),
            route.protocol,
            route.port_dst,
        );
        Ok(session.view(session_id, now_ms))
    }

    /// Replaces the end of an open session.
    ///
    /// # Errors
    /// [`Denied`] if there is no such session any more, or the firewall does not take it.
    pub fn extend(&mut self, session_id: Uuid, duration_s: u32) -> Result<OpenSession, Denied> {
        let now_ms = self.drop_ended();
        let Some(Session { route, .. }) = self.table.get(session_id) else {
            let reason = format!("session {session_id} is not open here");
            return Err(Denied::new(ErrorCode::UnknownSession, reason));
        };
        let session = Session {
            route,
            ends_at_ms: end_of(duration_s, now_ms),
        };
        self.put(session_id, session, now_ms)?;
        info!("session {session_id} ends in {duration_s} s from now");
        Ok(session.view(session_id, now_ms))
    }

    /// Ends a session for good: its id does not open again. An absent one is no error. Tells how
    /// many bytes went through it, where they are counted; also of one that ended a moment ago.
    ///
    /// # Errors
    /// [`Denied`] if the firewall may still let it through; ask again.
    pub fn del(&mut self, session_id: Uuid) -> Result<Option<u64>, Denied> {
        let now_ms = self.drop_ended();
        let possible_end_ms = match self.table.get(session_id) {
            Some(session) => session.ends_at_ms.max(now_ms + LATEST_REQUEST_MS),
            None => now_ms + self.max_ms,
        };
        self.remember_closed(session_id, possible_end_ms);
        let change = self.table.take(session_id, now_ms);
        self.journal.note(session_id, &self.table, &*self.clock);
        let outcome = match change {
            Some(change) => {
                info!("session {session_id} is closed");
                self.settle(&change, now_ms)
            }
            None if self.unsure => self.enforce().map_err(|error| not_taken(&error)),
            None => Ok(()),
        };
        // Until the firewall has taken it, it may let the session through, and that is shown.
        outcome?;
        self.remember_count(session_id, now_ms);
        Ok(self.last_counts.of(session_id))
    }

    /// Ends all sessions for good and tells how many there were.
    ///
    /// # Errors
    /// As [`Sessions::del`].
    pub fn flush(&mut self) -> Result<u32, Denied> {
        let now_ms = self.drop_ended();
        if !self.unsure {
            self.count_now();
        }
        let ended = self.table.clear();
        for (session_id, session) in &ended {
            let possible_end_ms = session.ends_at_ms.max(now_ms + LATEST_REQUEST_MS);
            self.remember_closed(*session_id, possible_end_ms);
        }
        self.journal.note_all(&self.table, &*self.clock);
        info!("all {} sessions are closed", ended.len());
        let routes = ended.iter().map(|(_, session)| session.route);
        self.cutter.closed(routes);
        self.enforce().map_err(|error| not_taken(&error))?;
        Ok(u32::try_from(ended.len()).unwrap_or(u32::MAX))
    }

    /// Counts the traffic, unless that was done a moment ago.
    pub fn count_traffic(&mut self) {
        let now_ms = self.clock.monotonic_ms();
        let fresh = self
            .counted_at_ms
            .is_some_and(|moment_ms| now_ms.saturating_sub(moment_ms) < TRAFFIC_FRESH_MS);
        if fresh || self.table.is_empty() {
            return;
        }
        self.counted_at_ms = Some(now_ms);
        self.count_now();
    }

    fn count_now(&mut self) {
        match self.backend.traffic() {
            Ok(traffic) => self.shown().count(traffic),
            Err(failure) => warn!("the traffic cannot be counted: {failure}"),
        }
    }

    /// Does what is due every second: tells ended sessions in the log, tries again what the firewall
    /// did not take, compares it with the table every 30 s, and counts what is about to end.
    pub fn keep(&mut self) {
        let now_ms = self.drop_ended();
        let due = now_ms.saturating_sub(self.compared_at_ms) >= COMPARE_EVERY_MS;
        if self.unsure || due {
            // The log has the reason, once.
            let _ = self.enforce();
        }
        let is_ending = |(_, open): (Uuid, Session)| open.ends_at_ms <= now_ms + ENDING_MS;
        if !self.unsure && self.table.sessions().any(is_ending) {
            self.count_now();
        }
    }

    /// The ids of version 1 are made from client and port, and mean the same door every time.
    fn remember_closed(&mut self, session_id: Uuid, until_ms: u64) {
        if !is_door(session_id) {
            self.table.remember_closed(session_id, until_ms);
        }
    }

    fn put(&mut self, session_id: Uuid, session: Session, now_ms: u64) -> Result<(), Denied> {
        let former = self.table.get(session_id);
        let change = self.table.put(session_id, session, now_ms);
        self.journal.note(session_id, &self.table, &*self.clock);
        self.settle(&change, now_ms).inspect_err(|_| {
            // The portal hears that nothing was opened, so nothing may open later.
            match former {
                Some(former) => self.table.restore(session_id, former),
                None => self.table.drop_open(session_id),
            }
            self.journal.note(session_id, &self.table, &*self.clock);
        })?;
        self.shown().open(session_id, session);
        Ok(())
    }

    fn remember_count(&mut self, session_id: Uuid, now_ms: u64) {
        let bytes = self.shown().close(session_id);
        self.last_counts.remember(session_id, bytes, now_ms);
    }

    /// Takes a change into the firewall; if that is refused, everything is set anew.
    fn settle(&mut self, change: &Change, now_ms: u64) -> Result<(), Denied> {
        self.cutter.closed(change.closed_routes().copied());
        let outcome = if self.unsure {
            self.enforce()
        } else {
            self.change(change, now_ms)
        };
        outcome.map_err(|error| not_taken(&error))?;
        self.cut();
        Ok(())
    }

    fn change(&mut self, change: &Change, now_ms: u64) -> Result<(), ToolError> {
        let begun_ms = self.clock.monotonic_ms();
        match self.backend.change(change, &self.table, now_ms) {
            Ok(traffic) => {
                self.shown().count(traffic);
                if self.clock.monotonic_ms().saturating_sub(begun_ms) >= SLOW_MS {
                    self.compared_at_ms = 0;
                }
                Ok(())
            }
            // What hangs would hang again: the next second is the next try.
            Err(hung @ ToolError::TooSlow(_)) => {
                self.unsure = true;
                Err(hung)
            }
            Err(error) => {
                warn!("the firewall did not take a change, all is set anew: {error}");
                self.enforce()
            }
        }
    }

    fn enforce(&mut self) -> Result<(), ToolError> {
        let now_ms = self.clock.monotonic_ms();
        self.compared_at_ms = now_ms;
        match self.backend.enforce(&self.table.passages(now_ms)) {
            Ok(repairs) => {
                if !repairs.is_none() && !self.unsure {
                    warn!("the firewall was not as it should be and is again: {repairs}");
                }
                self.unsure = false;
                let gone = self.shown().take_over_all(&self.table);
                for (session_id, bytes) in gone {
                    self.last_counts.remember(session_id, bytes, now_ms);
                }
                self.cut();
                Ok(())
            }
            Err(failure) => {
                if !self.unsure {
                    error!("the firewall is not as it should be, trying every second: {failure}");
                }
                self.unsure = true;
                Err(failure)
            }
        }
    }

    fn enforce_at_start(&mut self) -> Result<(), Failure> {
        let passages = self.table.passages(self.clock.monotonic_ms());
        let repairs = self.backend.enforce(&passages).map_err(|failure| {
            Failure::new(format!(
                "the firewall cannot be set up: {failure}; `gatehouse-routerd check` looks for the cause"
            ))
        })?;
        info!(
            "the firewall is set up; {} sessions go on",
            self.table.len()
        );
        if repairs.strangers > 0 {
            warn!(
                "{} entries that nobody had asked for are removed",
                repairs.strangers
            );
        }
        Ok(())
    }

    /// The owner may have narrowed the configuration since they were opened.
    fn drop_what_is_no_longer_allowed(&mut self, policy: &Policy) {
        let refused: Vec<(Uuid, Denied)> = self
            .table
            .sessions()
            .filter_map(|(id, session)| Some((id, policy.check_route(&session.route).err()?)))
            .collect();
        for (session_id, denied) in refused {
            warn!("session {session_id} does not go on: {}", denied.reason);
            if let Some(session) = self.table.get(session_id) {
                self.cutter.closed([session.route]);
            }
            self.table.drop_open(session_id);
            self.journal.note(session_id, &self.table, &*self.clock);
        }
    }

    /// Takes ended sessions out of the table; the kernel has ended them already.
    fn drop_ended(&mut self) -> u64 {
        let now_ms = self.clock.monotonic_ms();
        let ended = self.table.take_ended(now_ms);
        for (session_id, route) in &ended {
            info!("session {session_id} has ended by itself");
            self.cutter.ended(*route, now_ms);
            self.remember_count(*session_id, now_ms);
        }
        if let Err(failure) = self.backend.keep_up(!ended.is_empty(), &self.table, now_ms) {
            if !self.unsure {
                error!("what has ended cannot be cleared away: {failure}");
            }
            self.unsure = true;
        }
        if !self.unsure {
            self.cut();
        }
        now_ms
    }

    /// Ends the connections of what was closed, unless another session lets them go on.
    fn cut(&mut self) {
        let table = &self.table;
        let is_open = |route: &Route| table.sessions().any(|(_, open)| open.route == *route);
        self.cutter.cut_due(self.clock.monotonic_ms(), is_open);
    }

    /// A panic while it was held leaves plain entries behind.
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_of(duration_s: u32, now_ms: u64) -> u64 {
    now_ms.saturating_add(u64::from(duration_s) * 1000)
}

fn not_taken(failure: &ToolError) -> Denied {
    error!("a command failed: {failure}");
    Denied::new(
        ErrorCode::Internal,
        "the router's firewall did not take it; the daemon's log has the reason",
    )
}
