//! From a frame to its answer: who asks, whether it is fresh, whether it may be, and doing it.

use crate::backend::dry_run::DryRun;
use crate::clock::Clock;
use crate::config::Config;
use crate::policy::{Denied, Policy};
use crate::random::random_bytes;
use crate::replay_journal::ReplayJournal;
use gatehouse_router_protocol::message::{
    Answer, Command, DaemonStatus, Envelope, ErrorCode, LIST_PAGE_SESSIONS, Refusal, Request,
    Response,
};
use gatehouse_router_protocol::replay::NotAdmitted;
use gatehouse_router_protocol::seal::{Direction, LinkKey};
use gatehouse_router_protocol::secret::Secret;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tracing::{error, info, warn};
use uuid::Uuid;

const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

/// The daemon's state, shared by all connections.
pub struct Service {
    key: LinkKey,
    api_key: Secret,
    policy: Policy,
    max_sessions: u32,
    clock: Arc<dyn Clock>,
    journal: Arc<Mutex<ReplayJournal>>,
    table: Mutex<DryRun>,
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
    /// Makes the state and reads the replay window back. `own_port` is the bound port.
    ///
    /// # Errors
    /// The I/O error if `state_dir` cannot be used.
    pub fn new(config: &Config, own_port: u16, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let journal = ReplayJournal::open(&config.state_dir, clock.now_ms())?;
        Ok(Self {
            key: LinkKey::derive(&config.aes_key),
            api_key: config.api_key.clone(),
            policy: config.policy(own_port),
            max_sessions: config.max_sessions,
            clock,
            journal: Arc::new(Mutex::new(journal)),
            table: Mutex::new(DryRun::new(config.max_sessions)),
        })
    }

    /// Takes ended sessions out of the table, so that the log tells their end in time.
    pub fn drop_ended_sessions(&self) {
        self.table().drop_ended(self.clock.monotonic_ms());
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
        let now_ms = self.clock.monotonic_ms();
        match command {
            Command::Add {
                session_id,
                route,
                duration_s,
            } => {
                self.policy.check_route(&route)?;
                self.policy.check_duration(duration_s)?;
                self.table()
                    .add(session_id, route, duration_s, now_ms)
                    .map(Answer::Session)
            }
            Command::Extend {
                session_id,
                duration_s,
            } => {
                self.policy.check_duration(duration_s)?;
                self.table()
                    .extend(session_id, duration_s, now_ms)
                    .map(Answer::Session)
            }
            Command::Del { session_id } => {
                self.table().del(session_id, now_ms);
                Ok(Answer::Done)
            }
            Command::List { after } => Ok(self.page(after, now_ms)),
            Command::Flush => Ok(Answer::Flushed {
                removed: self.table().flush(now_ms),
            }),
            Command::Probe { target } => self.probe(target).await,
            Command::Wake => Err(Denied::new(
                ErrorCode::Unsupported,
                "this version of the router daemon cannot wake hosts",
            )),
            Command::Ping => Ok(Answer::Status(self.status(now_ms))),
        }
    }

    /// Takes one more than a page holds, to learn whether there is a next one.
    fn page(&self, after: Option<Uuid>, now_ms: u64) -> Answer {
        let mut sessions = self.table().list(after, LIST_PAGE_SESSIONS + 1, now_ms);
        let more = sessions.len() > LIST_PAGE_SESSIONS;
        sessions.truncate(LIST_PAGE_SESSIONS);
        let next = sessions
            .last()
            .filter(|_| more)
            .map(|session| session.session_id);
        Answer::Sessions { sessions, next }
    }

    async fn probe(&self, target: SocketAddr) -> Result<Answer, Denied> {
        self.policy.check_target(target.ip())?;
        let started = Instant::now();
        let failure = match timeout(PROBE_TIMEOUT, TcpStream::connect(target)).await {
            Ok(Ok(_)) => {
                let latency_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
                return Ok(Answer::Reachable { latency_ms });
            }
            Ok(Err(error)) => error.kind().to_string(),
            Err(_) => "no answer within 2 s".to_owned(),
        };
        Err(Denied::new(
            ErrorCode::Unreachable,
            format!("{target} took no connection: {failure}"),
        ))
    }

    fn status(&self, now_ms: u64) -> DaemonStatus {
        DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            now_ms: self.clock.now_ms(),
            backend: DryRun::NAME.to_owned(),
            sessions: self.table().len(now_ms),
            max_sessions: self.max_sessions,
            max_minutes: self.policy.max_minutes,
        }
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

    fn table(&self) -> MutexGuard<'_, DryRun> {
        locked(&self.table)
    }
}

/// A panic while a lock was held must not take the daemon's other connections with it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
