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
use crate::shown::Shown;
use gatehouse_router_protocol::legacy_v1::LegacyKey;
use gatehouse_router_protocol::message::{
    Answer, Command, DaemonStatus, Envelope, ErrorCode, LIST_PAGE_SESSIONS, Refusal, Request,
    Response,
};
use gatehouse_router_protocol::replay::NotAdmitted;
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};
use uuid::Uuid;

/// How long a list waits for a fresh count of the traffic. A firewall that is busy or hangs must not
/// keep the portal from its list, which then has the former count.
const COUNTING_TIMEOUT: Duration = Duration::from_secs(1);

/// The daemon's state, shared by all connections.
pub struct Service {
    key: LinkKey,
    legacy_key: Option<LegacyKey>,
    api_key: Secret,
    policy: Policy,
    max_sessions: u32,
    clock: Arc<dyn Clock>,
    prober: Prober,
    waker: Waker,
    backend: &'static str,
    shown: Arc<Mutex<Shown>>,
    // Waiting for one of these takes no thread, so the few that may block are never all taken.
    journal: Arc<AsyncMutex<ReplayJournal>>,
    sessions: Arc<AsyncMutex<Sessions>>,
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
            prober: Prober::default(),
            waker: Waker::new(config.wake_broadcasts.clone()),
            backend: sessions.backend_name(),
            shown: sessions.view(),
            journal: Arc::new(AsyncMutex::new(journal)),
            sessions: Arc::new(AsyncMutex::new(sessions)),
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
        self.with_journal(move |journal| journal.admit(nonce, ts_ms, now_ms))
            .await
    }

    /// Works on the replay window in a thread that may wait for the disk.
    async fn with_journal(
        &self,
        admit: impl FnOnce(&mut ReplayJournal) -> Result<(), NotAdmitted> + Send + 'static,
    ) -> Result<(), String> {
        let mut journal = Arc::clone(&self.journal).lock_owned().await;
        tokio::task::spawn_blocking(move || admit(&mut journal))
            .await
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
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
                .map(|counted| counted.map_or(Answer::Done, |bytes| Answer::Closed { bytes })),
            Command::List { after } => Ok(self.page(after).await),
            Command::Flush => self
                .with_sessions(Sessions::flush)
                .await?
                .map(|removed| Answer::Flushed { removed }),
            Command::Probe { target } => {
                self.policy.check_target(target.ip())?;
                self.prober.probe(target).await
            }
            Command::Wake { mac } => self.waker.wake(mac).await,
            Command::Ping => Ok(Answer::Status(self.status())),
        }
    }

    /// Takes one more than a page holds, to learn whether there is a next one.
    async fn page(&self, after: Option<Uuid>) -> Answer {
        let counted = self.with_sessions(Sessions::count_traffic);
        if timeout(COUNTING_TIMEOUT, counted).await.is_err() {
            warn!("the firewall is busy: the list has the former count of the traffic");
        }
        let now_ms = self.clock.monotonic_ms();
        let mut sessions =
            self.with_shown(|shown| shown.list(after, LIST_PAGE_SESSIONS + 1, now_ms));
        let more = sessions.len() > LIST_PAGE_SESSIONS;
        sessions.truncate(LIST_PAGE_SESSIONS);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|session| session.session_id);
        Answer::Sessions { sessions, next }
    }

    fn status(&self) -> DaemonStatus {
        let now_ms = self.clock.monotonic_ms();
        DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: self.clock.now_ms(),
            backend: self.backend.to_owned(),
            sessions: self.with_shown(|shown| shown.count_open(now_ms)),
            max_sessions: self.max_sessions,
            max_minutes: self.policy.max_minutes,
        }
    }

    /// A panic while it was held leaves plain entries behind.
    fn with_shown<T>(&self, look: impl FnOnce(&Shown) -> T) -> T {
        look(&self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Works on the sessions in a thread that may wait for the disk and the firewall. What has been
    /// begun is done to the end, even if the connection that asked for it is gone.
    async fn with_sessions<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Sessions) -> T + Send + 'static,
    ) -> Result<T, Denied> {
        let mut sessions = Arc::clone(&self.sessions).lock_owned().await;
        tokio::task::spawn_blocking(move || work(&mut sessions))
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
