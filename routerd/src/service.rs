//! From a frame to its answer: who asks, whether it is fresh, whether it may be, and doing it.

mod legacy;
mod probe;
mod wake;

use self::probe::Prober;
use self::wake::Waker;
use crate::Failure;
use crate::clock::Clock;
use crate::config::Config;
use crate::policy::{Denied, Policy};
use crate::random::random_bytes;
use crate::replay_journal::ReplayJournal;
use crate::sessions::Sessions;
use gatehouse_router_protocol::legacy_v1::LegacyKey;
use gatehouse_router_protocol::message::{
    Answer, Command, DaemonStatus, Envelope, ErrorCode, LIST_PAGE_SESSIONS, Refusal, Request,
    Response,
};
use gatehouse_router_protocol::replay::NotAdmitted;
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};
use uuid::Uuid;

/// The daemon's state, shared by all connections.
pub struct Service {
    key: LinkKey,
    legacy_key: Option<LegacyKey>,
    api_key: Secret,
    policy: Policy,
    max_sessions: u32,
    clock: Arc<dyn Clock>,
    journal: Arc<Mutex<ReplayJournal>>,
    prober: Prober,
    waker: Waker,
    sessions: Arc<Mutex<Sessions>>,
}

/// What to do with the connection after a frame.
pub(crate) enum Verdict {
    /// Send this line and read on.
    Answer(String),
    /// Send this line and hang up.
    LastAnswer(String),
    /// Hang up without a word.
    HangUp,
}

impl Service {
    /// Reads the state back and brings the firewall to it. `own_port` is the bound port.
    ///
    /// It blocks; call it from a thread that may.
    ///
    /// # Errors
    /// [`Failure`] if `state_dir` or the firewall cannot be used.
    pub fn open(config: &Config, own_port: u16, clock: Arc<dyn Clock>) -> Result<Self, Failure> {
        let journal = ReplayJournal::open(&config.state_dir, clock.now_ms())
            .map_err(|error| config.state_dir_failure(&error))?;
        let policy = config.policy(own_port);
        let sessions = Sessions::open(config, &policy, Arc::clone(&clock))?;
        Ok(Self {
            key: LinkKey::derive(&config.aes_key),
            legacy_key: config.legacy_v1.then(|| LegacyKey::derive(&config.aes_key)),
            api_key: config.api_key.clone(),
            policy,
            max_sessions: config.max_sessions,
            clock,
            journal: Arc::new(Mutex::new(journal)),
            prober: Prober::default(),
            waker: Waker::new(config.wake_broadcasts.clone()),
            sessions: Arc::new(Mutex::new(sessions)),
        })
    }

    /// Looks after the sessions every second, for ever: their ends, and that the firewall is as it
    /// should be.
    pub(crate) async fn keep_sessions(&self) {
        let mut tick = interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            // A panic in it was logged; the next second is another try.
            let _ = self.with_sessions(Sessions::keep).await;
        }
    }

    /// Handles one frame of `peer`.
    ///
    /// A sender without the AES key gets no word, one without the API key, with a wrong clock or
    /// with an old request always the same one; the log says precisely what it was.
    pub(crate) async fn handle(&self, peer: IpAddr, frame: &[u8]) -> Verdict {
        let json = match self.key.open(Direction::Request, frame) {
            Ok(json) => json,
            Err(error) => {
                warn!(%peer, "hung up: {error}");
                return Verdict::HangUp;
            }
        };
        let envelope = match Envelope::parse(&json) {
            Ok(envelope) => envelope,
            Err(error) => {
                warn!(%peer, "hung up: the request has no proper envelope: {error}");
                return Verdict::HangUp;
            }
        };
        if let Err(reason) = self.admit(&envelope).await {
            warn!(%peer, "not accepted: {reason}");
            let denied = Denied::new(ErrorCode::NotAccepted, "the daemon's log has the reason");
            return self
                .sealed(envelope.id, Err(denied))
                .map_or(Verdict::HangUp, Verdict::LastAnswer);
        }
        let outcome = self.run(peer, &json).await;
        self.sealed(envelope.id, outcome)
            .map_or(Verdict::HangUp, Verdict::Answer)
    }

    async fn admit(&self, envelope: &Envelope) -> Result<(), String> {
        if !self.api_key.same_as(&envelope.api_key) {
            return Err("the API key is wrong".into());
        }
        let (nonce, ts_ms, now_ms) = (envelope.nonce, envelope.ts_ms, self.clock.now_ms());
        let journal = Arc::clone(&self.journal);
        // It waits for the disk, which must not hold up the other connections.
        tokio::task::spawn_blocking(move || locked(&journal).admit(nonce, ts_ms, now_ms))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error: NotAdmitted| error.to_string())
    }

    async fn run(&self, peer: IpAddr, json: &[u8]) -> Result<Answer, Denied> {
        let request = Request::parse(json).map_err(|error| {
            warn!(%peer, "refused: {error}");
            Denied::new(ErrorCode::InvalidRequest, error.to_string())
        })?;
        let outcome = self.execute(request.command).await;
        if let Err(denied) = &outcome {
            info!(%peer, code = %denied.code, "refused: {}", denied.reason);
        }
        outcome
    }

    async fn execute(&self, command: Command) -> Result<Answer, Denied> {
        match command {
            Command::Add {
                session_id,
                route,
                duration_s,
            } => {
                self.policy.check_route(&route)?;
                self.policy.check_duration(duration_s)?;
                self.with_sessions(move |sessions| sessions.add(session_id, route, duration_s))
                    .await?
                    .map(Answer::Session)
            }
            Command::Extend {
                session_id,
                duration_s,
            } => {
                self.policy.check_duration(duration_s)?;
                self.with_sessions(move |sessions| sessions.extend(session_id, duration_s))
                    .await?
                    .map(Answer::Session)
            }
            Command::Del { session_id } => self
                .with_sessions(move |sessions| sessions.del(session_id))
                .await?
                .map(|()| Answer::Done),
            Command::List { after } => self.page(after).await,
            Command::Flush => self
                .with_sessions(Sessions::flush)
                .await?
                .map(|removed| Answer::Flushed { removed }),
            Command::Probe { target } => {
                self.policy.check_target(target.ip())?;
                self.prober.probe(target).await
            }
            Command::Wake { mac } => self.waker.wake(mac).await,
            Command::Ping => self.status().await.map(Answer::Status),
        }
    }

    /// Takes one more than a page holds, to learn whether there is a next one.
    async fn page(&self, after: Option<Uuid>) -> Result<Answer, Denied> {
        let mut sessions = self
            .with_sessions(move |sessions| sessions.list(after, LIST_PAGE_SESSIONS + 1))
            .await?;
        let more = sessions.len() > LIST_PAGE_SESSIONS;
        sessions.truncate(LIST_PAGE_SESSIONS);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|session| session.session_id);
        Ok(Answer::Sessions { sessions, next })
    }

    async fn status(&self) -> Result<DaemonStatus, Denied> {
        let (backend, sessions) = self
            .with_sessions(|sessions| (sessions.backend_name(), sessions.len()))
            .await?;
        Ok(DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: self.clock.now_ms(),
            backend: backend.to_owned(),
            sessions,
            max_sessions: self.max_sessions,
            max_minutes: self.policy.max_minutes,
        })
    }

    /// Works on the sessions in a thread that may wait for the disk and the firewall, to the end
    /// even if the connection that asked for it is gone.
    async fn with_sessions<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sessions) -> T + Send + 'static,
    ) -> Result<T, Denied> {
        let sessions = Arc::clone(&self.sessions);
        tokio::task::spawn_blocking(move || work(&mut locked(&sessions)))
            .await
            .map_err(|error| {
                error!("a command was not finished: {error}");
                Denied::new(ErrorCode::Internal, "the daemon's log has the reason")
            })
    }

    fn sealed(&self, id: Uuid, outcome: Result<Answer, Denied>) -> Option<String> {
        let outcome = outcome.map_err(|Denied { code, reason }| Refusal {
            code,
            reason,
            now_ms: self.clock.now_ms(),
        });
        let json = Response { id, outcome }.to_json();
        let line = self.key.seal(Direction::Answer, random_bytes(), &json);
        line.inspect_err(|error| error!("no answer could be sent: {error}"))
            .ok()
    }
}

/// A panic while a lock was held must not take the daemon's other connections with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
