//! What somebody sees change without asking again.
//!
//! The database numbers the changes of sessions; one follower an instance reads what is new and
//! hands it to everybody who listens here. So it does not matter which instance, which room or
//! which query changed a session. Nobody listens: nothing is read.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};

use gatehouse_types::access::{AccessSession, ServiceReach};
use tokio::sync::{broadcast, watch};
use uuid::Uuid;

use super::{Access, sessions::to_session};
use crate::{Actor, Error, Result, actor::Who};

/// Open in a few tabs of a few devices.
const STREAMS_PER_USER: usize = 32;
const STREAMS: usize = 1024;
/// Whoever lags behind by more is told to look at everything again.
const BACKLOG: u16 = 256;

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LiveEvent {
    /// A session changed: it is now so.
    Session {
        /// The number of the change; it rises.
        seq: i64,
        /// As it is now.
        session: Arc<AccessSession>,
    },
    /// These services were looked at, and something about them is new.
    Services(Arc<[ServiceReach]>),
    /// More happened than could be kept: look at everything again.
    Missed,
}

/// Who listens, and how far the follower has read.
pub(super) struct Live {
    events: broadcast::Sender<LiveEvent>,
    /// The number of the newest change that was handed out; `None` while nobody listens.
    read: tokio::sync::Mutex<Option<i64>>,
    seats: Arc<Mutex<HashMap<Uuid, usize>>>,
    is_over: watch::Sender<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(BACKLOG.into()),
            read: tokio::sync::Mutex::default(),
            seats: Arc::default(),
            is_over: watch::Sender::new(false),
        }
    }
}

impl Live {
    pub(super) fn tell(&self, event: LiveEvent) {
        // An error means that nobody listens.
        let _ = self.events.send(event);
    }
}

/// A place among those who listen; it is free again when dropped.
struct Seat {
    user_id: Uuid,
    seats: Arc<Mutex<HashMap<Uuid, usize>>>,
}

impl Seat {
    fn take(live: &Live, user_id: Uuid) -> Result<Self> {
        let mut taken = live.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let of_user = taken.get(&user_id).copied().unwrap_or_default();
        if of_user >= STREAMS_PER_USER || taken.values().sum::<usize>() >= STREAMS {
            return Err(Error::Unavailable {
                detail: "Too many event streams are open. Close some, or ask again later.".into(),
                retry_after_s: 30,
            });
        }
        taken.insert(user_id, of_user + 1);
        drop(taken);
        let seats = Arc::clone(&live.seats);
        Ok(Self { user_id, seats })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        match taken.get_mut(&self.user_id) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(taken.remove(&self.user_id)),
        }
    }
}

/// Somebody who listens.
pub struct Subscription {
    actor: Actor,
    events: broadcast::Receiver<LiveEvent>,
    missed: VecDeque<LiveEvent>,
    is_over: watch::Receiver<bool>,
    /// The services whose state is wanted; `None` when none is.
    services: Option<HashSet<Uuid>>,
    _seat: Seat,
}

impl Subscription {
    /// Who listens.
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Waits for the next event that concerns the actor; `None` when the portal is closing.
    ///
    /// Giving up the wait loses nothing.
    pub async fn next(&mut self) -> Option<LiveEvent> {
        loop {
            let event = if let Some(missed) = self.missed.pop_front() {
                missed
            } else {
                tokio::select! {
                    biased;
                    _ = self.is_over.wait_for(|is_over| *is_over) => return None,
                    received = self.events.recv() => match received {
                        Ok(event) => event,
                        Err(broadcast::error::RecvError::Lagged(_)) => LiveEvent::Missed,
                        Err(broadcast::error::RecvError::Closed) => return None,
                    },
                }
            };
            if let Some(event) = self.concerns(event) {
                return Some(event);
            }
        }
    }

    fn concerns(&self, event: LiveEvent) -> Option<LiveEvent> {
        match event {
            LiveEvent::Session { ref session, .. } => {
                let is_own = self
                    .actor
                    .account()
                    .is_ok_and(|account| account.id == session.user_id);
                (is_own || self.actor.is_admin()).then_some(event)
            }
            LiveEvent::Services(reaches) => {
                let wanted = self.services.as_ref()?;
                let mine: Vec<_> = reaches
                    .iter()
                    .filter(|reach| wanted.contains(&reach.id))
                    .cloned()
                    .collect();
                (!mine.is_empty()).then(|| LiveEvent::Services(mine.into()))
            }
            LiveEvent::Missed => Some(LiveEvent::Missed),
        }
    }
}

impl Access {
    /// Lets somebody listen to what changes: their own sessions, every session for an admin, and
    /// on demand the states of the services they may open.
    ///
    /// With the number of the last change that was seen, everything since comes first; a change
    /// that was seen may come again.
    ///
    /// # Errors
    /// When nobody is signed in, or [`Error::Unavailable`] when too many listen or the portal
    /// is closing.
    pub async fn subscribe(
        &self,
        actor: &Actor,
        services: bool,
        last_seen: Option<i64>,
    ) -> Result<Subscription> {
        let user_id = actor.account()?.id;
        let is_over = self.live.is_over.subscribe();
        if *is_over.borrow() {
            return Err(Error::Unavailable {
                detail: "The portal is closing.".into(),
                retry_after_s: 5,
            });
        }
        let seat = Seat::take(&self.live, user_id)?;
        let events = self.live.events.subscribe();
        self.begin_reading().await?;
        let mut subscription = Subscription {
            actor: actor.clone(),
            events,
            missed: match last_seen {
                Some(seq) => self.changes_since(seq).await?,
                None => VecDeque::new(),
            },
            is_over,
            services: services.then(HashSet::new),
            _seat: seat,
        };
        self.look_on(&mut subscription).await?;
        Ok(subscription)
    }

    /// Notes that somebody still listens, which keeps the states of their services fresh.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn look_on(&self, subscription: &mut Subscription) -> Result<()> {
        let Some(wanted) = &mut subscription.services else {
            return Ok(());
        };
        let mut account = subscription.actor.account()?.clone();
        // What may be opened now, and not when the stream began.
        account.change_seq = None;
        let actor = subscription.actor.as_who(Who::Account(account));
        let visible = self.list_services(&actor).await?;
        *wanted = visible.iter().map(|service| service.id).collect();
        self.look_at(&visible);
        Ok(())
    }

    /// Hands out what changed since the last time; called a few times a second.
    ///
    /// # Errors
    /// When the database does not answer; the next round tries again.
    pub async fn follow_sessions(&self) -> Result<()> {
        let mut read = self.live.read.lock().await;
        let Some(last) = *read else {
            return Ok(());
        };
        if self.live.events.receiver_count() == 0 {
            *read = None;
            return Ok(());
        }
        let changed = self.ports.store.sessions_changed_after(last, i64::MAX);
        for (seq, record) in changed.await? {
            let session = Arc::new(to_session(record));
            self.live.tell(LiveEvent::Session { seq, session });
            *read = Some(seq);
        }
        Ok(())
    }

    /// Ends every stream of events, and lets none begin: the portal is closing.
    pub fn end_streams(&self) {
        self.live.is_over.send_replace(true);
    }

    /// The first who listens sets the follower to where the changes stand now. Who calls this
    /// receives already, so nothing falls between.
    async fn begin_reading(&self) -> Result<()> {
        let mut read = self.live.read.lock().await;
        if read.is_none() {
            *read = Some(self.ports.store.session_change_seq().await?);
        }
        Ok(())
    }

    async fn changes_since(&self, seq: i64) -> Result<VecDeque<LiveEvent>> {
        // Several may share the last number that was seen, so it is read again.
        let before = seq.saturating_sub(1).max(0);
        let changed = self
            .ports
            .store
            .sessions_changed_after(before, BACKLOG.into())
            .await?;
        if changed.len() >= usize::from(BACKLOG) {
            return Ok(VecDeque::from([LiveEvent::Missed]));
        }
        let to_event = |(seq, record)| LiveEvent::Session {
            seq,
            session: Arc::new(to_session(record)),
        };
        Ok(changed.into_iter().map(to_event).collect())
    }
}
