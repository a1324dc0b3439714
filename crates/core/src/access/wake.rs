//! Waking before opening: the session is there at once, and a task of its own takes it from step
//! to step. The row says which step it is; who closes it ends the task at its next look. What a
//! portal that died left behind is ended by the keeper.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use gatehouse_types::access::{EndReason, SessionState, Transport, Wake, WakeStep};
use serde::Serialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Access, webhook_key};
use crate::{
    Actor, Error, Result,
    audit::Note,
    jwt::TokenKey,
    ports::{
        access::{AccessSessionRecord, RouterRecord, ServiceRecord},
        router_link::{Probed, RouterFailure, RouterTarget},
    },
};

/// How long a host may take until its port answers, in milliseconds.
pub const WAKE_LASTS_MS: i64 = 60_000;
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const TOKEN_LASTS_S: i64 = 60;

/// What was clicked and is not yet on its way.
#[derive(Default)]
pub(super) struct Wakes(Mutex<Vec<WakeJob>>);

/// A session whose host is to be woken; for [`Access::wake_up`].
pub struct WakeJob {
    pub(super) actor: Actor,
    pub(super) session: AccessSessionRecord,
    pub(super) service: ServiceRecord,
    pub(super) lasts_ms: i64,
}

impl Wakes {
    pub(super) fn add(&self, job: WakeJob) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.push(job);
    }
}

/// The claims of a token for a home backend.
#[derive(Serialize)]
struct WakeClaims {
    sub: Uuid,
    aud: Uuid,
    iat: i64,
    exp: i64,
    jti: Uuid,
}

/// What a look at a service's port came to.
enum Look {
    /// It answers.
    Up,
    /// It does not answer yet, or its router did not tell.
    Down,
    /// Nobody can tell.
    Untold,
    /// The router refuses to look, and would refuse to let in; the sentence says why.
    Refused(String),
}

/// Why the router said nothing at the last look; whoever loses patience with the host reads it.
struct Silence(Mutex<Option<String>>);

impl Silence {
    /// Before the first look has an answer, nothing was heard of the router.
    fn before_first_look() -> Self {
        Self(Mutex::new(Some("the router did not answer".into())))
    }

    fn note(&self, probed: &std::result::Result<Option<Probed>, RouterFailure>) {
        let why = match probed {
            Err(RouterFailure::Unreachable(detail) | RouterFailure::Unsure(detail)) => {
                Some(detail.clone())
            }
            _ => None,
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = why;
    }

    fn why(&self) -> Option<String> {
        let why = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        why.clone()
    }
}

/// What became of the attempt to wake a host.
enum Roused {
    /// Its port answers, or nobody can tell.
    Up,
    /// The session is no longer pending.
    Given,
    /// It did not work.
    Not(EndReason, String),
}

impl Roused {
    /// The time is over. It was the router's fault where that said nothing at the last look.
    fn too_late(silence: &Silence, lan_port: u16) -> Self {
        if let Some(detail) = silence.why() {
            return Self::Not(EndReason::RouterUnreachable, detail);
        }
        let detail = format!("port {lan_port} did not answer");
        Self::Not(EndReason::NotAwake, detail)
    }
}

impl Access {
    /// The sessions that wait for their host since the last time; called a few times a second.
    pub fn due_wakes(&self) -> Vec<WakeJob> {
        let mut jobs = self.wakes.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut jobs)
    }

    /// Wakes a host, waits for its port, and opens the session; at the end it is `open`,
    /// `failed`, or whatever somebody made of it meanwhile.
    pub async fn wake_up(&self, job: WakeJob) {
        let session_id = job.session.id;
        if let Err(error) = self.wake_and_open(job).await {
            tracing::warn!(%session_id, %error, "a session could not be opened after waking its host; the keeper ends it");
        }
    }

    async fn wake_and_open(&self, job: WakeJob) -> Result<()> {
        let WakeJob {
            actor,
            mut session,
            service,
            lasts_ms,
        } = job;
        let router = self.find_router(service.router_id).await?;
        let silence = Silence::before_first_look();
        // A router that does not answer must not hold it up beyond its time.
        let roused = tokio::select! {
            roused = self.rouse(&mut session, &service, &router, &silence) => roused?,
            () = self.patience_ends() => Roused::too_late(&silence, service.lan_port),
        };
        match roused {
            Roused::Up => {}
            Roused::Given => return Ok(()),
            Roused::Not(reason, detail) => {
                return self.give_up(&actor, session, reason, &detail).await;
            }
        }
        // The time that was asked for begins now.
        session.expires_at_ms = self.ports.now_ms() + lasts_ms;
        if !self.step_to(&mut session, WakeStep::Opening).await? {
            return Ok(());
        }
        self.let_in(&actor, session).await?;
        match self.still_allowed(&actor, service.id).await {
            Err(Error::NotFound(_) | Error::Conflict { .. }) | Ok(()) => Ok(()),
            Err(other) => Err(other),
        }
    }

    /// Tries until it is refused: a host whose port answers already is left alone, another is told
    /// to wake.
    async fn rouse(
        &self,
        session: &mut AccessSessionRecord,
        service: &ServiceRecord,
        router: &RouterRecord,
        silence: &Silence,
    ) -> Result<Roused> {
        let target = match self.target(router) {
            Ok(target) => target,
            Err(failure) => {
                let detail = failure.detail().to_owned();
                return Ok(Roused::Not(EndReason::RouterUnreachable, detail));
            }
        };
        match self.look(&target, service, silence).await {
            Look::Up => return Ok(Roused::Up),
            Look::Refused(detail) => return Ok(Roused::Not(EndReason::RouterRefused, detail)),
            Look::Down | Look::Untold => {}
        }
        if let Err((reason, detail)) = self.call_host(session, service, &target).await? {
            return Ok(Roused::Not(reason, detail));
        }
        if !self.step_to(session, WakeStep::Waiting).await? {
            return Ok(Roused::Given);
        }
        loop {
            match self.look(&target, service, silence).await {
                Look::Up | Look::Untold => return Ok(Roused::Up),
                Look::Refused(detail) => return Ok(Roused::Not(EndReason::RouterRefused, detail)),
                Look::Down => {}
            }
            sleep(LOOK_AGAIN).await;
            let stored = self.ports.store.session(session.id).await?;
            if stored.is_none_or(|stored| stored.state != SessionState::Pending) {
                return Ok(Roused::Given);
            }
        }
    }

    async fn patience_ends(&self) {
        let deadline_ms = self.ports.now_ms() + WAKE_LASTS_MS;
        while self.ports.now_ms() < deadline_ms {
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Tells the host to wake, by the way that its service names.
    async fn call_host(
        &self,
        session: &AccessSessionRecord,
        service: &ServiceRecord,
        target: &RouterTarget,
    ) -> Result<std::result::Result<(), (EndReason, String)>> {
        match &service.wake {
            None => Ok(Ok(())),
            Some(Wake::Wol { mac }) => {
                let mac = super::checks::mac(mac)?;
                let sent = self.ports.router_link.wake(target, mac).await;
                Ok(sent.map_err(|failure| {
                    let reason = match failure {
                        RouterFailure::Unreachable(_) => EndReason::RouterUnreachable,
                        RouterFailure::Refused(_)
                        | RouterFailure::NotNow(_)
                        | RouterFailure::Failed(_)
                        | RouterFailure::Unsure(_) => EndReason::WakeFailed,
                    };
                    (reason, failure.detail().to_owned())
                }))
            }
            Some(Wake::Webhook { url }) => {
                let called = match self.ports.webhooks.origin(url) {
                    Ok(origin) => {
                        let token = self.wake_token(session, &origin)?;
                        self.ports.webhooks.call(url, &token).await
                    }
                    Err(no_longer_allowed) => Err(no_longer_allowed),
                };
                Ok(called.map_err(|detail| (EndReason::WakeFailed, detail)))
            }
        }
    }

    fn wake_token(&self, session: &AccessSessionRecord, origin: &str) -> Result<String> {
        let secret = self.settings.webhook_secret.as_deref();
        let secret = secret.ok_or_else(|| Error::internal("wake.webhook_secret is not set"))?;
        let key = TokenKey::new(webhook_key(secret, origin)?.as_bytes(), "JWT");
        let now_s = self.ports.now_ms() / 1000;
        key.sign(&WakeClaims {
            sub: session.user_id,
            aud: session.service_id,
            iat: now_s,
            exp: now_s + TOKEN_LASTS_S,
            jti: self.ports.new_id(),
        })
    }

    /// Lets the router look whether the service's port answers, and notes whether it told.
    async fn look(
        &self,
        target: &RouterTarget,
        service: &ServiceRecord,
        silence: &Silence,
    ) -> Look {
        let probed = if service.transport == Transport::Tcp {
            let port = (service.lan_ip, service.lan_port).into();
            self.ports.router_link.probe(target, port).await
        } else {
            Ok(None)
        };
        silence.note(&probed);
        match probed {
            Ok(Some(Probed::Up { .. })) => Look::Up,
            Ok(None) => Look::Untold,
            Err(RouterFailure::Refused(detail)) => Look::Refused(detail),
            Ok(Some(Probed::Down)) | Err(_) => Look::Down,
        }
    }

    /// Says whether the session is pending still.
    async fn step_to(&self, session: &mut AccessSessionRecord, step: WakeStep) -> Result<bool> {
        session.step = Some(step);
        let stepped = self
            .ports
            .store
            .advance_session(session, SessionState::Pending);
        Ok(stepped.await?)
    }

    pub(super) async fn give_up(
        &self,
        actor: &Actor,
        mut session: AccessSessionRecord,
        reason: EndReason,
        detail: &str,
    ) -> Result<()> {
        session.state = SessionState::Failed;
        session.end_reason = Some(reason);
        session.finished_at_ms = Some(self.ports.now_ms());
        let given_up = self
            .ports
            .store
            .advance_session(&session, SessionState::Pending);
        if given_up.await? {
            let note = Note::ok("session.open", "service", session.service_id);
            let note = note.result("failed").detail(detail);
            self.audit.note(actor, note).await?;
        }
        Ok(())
    }
}
