//! What happens to sessions without anybody asking: they expire, and what could not be
//! closed or opened is brought to an end. The kernel of the router keeps the time whatever
//! happens here; the keeper makes the portal's rows say so.

use std::{
    collections::HashMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use futures_util::{StreamExt, future::join_all, stream};
use gatehouse_types::access::{EndReason, SessionState, WakeStep};
use uuid::Uuid;

use super::{Access, WAKE_LASTS_MS, health::Answer, sessions::rule};
use crate::{
    Actor, Result,
    audit::Note,
    ports::{
        access::{AccessSessionRecord, PendingSince},
        router_link::{RouterCommand, RouterFailure},
    },
};

/// A router is asked to let in, and once more to take it back: longer, and the portal that did it
/// has died.
const PENDING_LASTS_MS: i64 = 30 * 1000;
/// From the click until its host is being woken, and from one row to the next.
const WAKE_MARGIN_MS: i64 = 5 * 1000;
/// Of one router.
const AT_A_TIME: usize = 8;
const PER_ROUND: i64 = 200;

impl Access {
    /// Brings every session that is due one step further; called about once a second.
    ///
    /// # Errors
    /// When the database does not answer; the next round tries again.
    pub async fn keep(&self) -> Result<()> {
        let marked = self.end_what_lost_its_right(PER_ROUND).await;
        let now_ms = self.ports.now_ms();
        let due = self
            .ports
            .store
            .due_sessions(now_ms, pending_since(now_ms), PER_ROUND)
            .await?;
        self.step_all(due).await.and(marked)
    }

    /// Each router has a queue of its own, so that a silent one holds up nobody else's sessions.
    pub(super) async fn step_all(&self, due: Vec<AccessSessionRecord>) -> Result<()> {
        let mut queues = HashMap::<Uuid, Vec<AccessSessionRecord>>::new();
        for session in due {
            queues.entry(session.router_id).or_default().push(session);
        }
        let queues = queues
            .into_iter()
            .map(|(id, queue)| self.step_on(id, queue));
        join_all(queues).await.into_iter().collect()
    }

    /// Once a router is found silent, the rest of its queue does not wait for it again.
    async fn step_on(&self, router_id: Uuid, queue: Vec<AccessSessionRecord>) -> Result<()> {
        let began = Instant::now();
        let is_left_alone = self.silences.has(router_id);
        let answers = AtomicBool::new(!is_left_alone);
        let steps = stream::iter(queue)
            .map(|session| self.step(session, &answers))
            .buffer_unordered(AT_A_TIME);
        let outcome = steps.fold(Ok(()), |all, one| async { all.and(one) }).await;
        if !is_left_alone && !answers.into_inner() {
            self.silences.note(router_id, began);
        }
        outcome
    }

    async fn step(&self, session: AccessSessionRecord, answers: &AtomicBool) -> Result<()> {
        match session.state {
            SessionState::Open if self.is_expired(&session) => self.expire(session, answers).await,
            SessionState::Pending => self.end_left_behind(session, answers).await,
            SessionState::Closing => {
                let gone = self.try_to_take_away(&session, answers).await?;
                self.finish_closing(session, gone).await
            }
            SessionState::Open | SessionState::Closed | SessionState::Failed => Ok(()),
        }
    }

    /// Ends what a portal that died left pending. While a host was being woken nothing was let in
    /// yet; later the router may have been asked to.
    async fn end_left_behind(
        &self,
        mut session: AccessSessionRecord,
        answers: &AtomicBool,
    ) -> Result<()> {
        let state = match session.step {
            Some(WakeStep::Waking | WakeStep::Waiting) => SessionState::Failed,
            Some(WakeStep::Opening) | None => SessionState::Closing,
        };
        session.state = state;
        session.end_reason = Some(EndReason::PortalStopped);
        session.finished_at_ms = (state == SessionState::Failed).then(|| self.ports.now_ms());
        let ended = self
            .ports
            .store
            .advance_session(&session, SessionState::Pending);
        if !ended.await? {
            return Ok(());
        }
        let note = Note::ok("session.open", "service", session.service_id).result("failed");
        let note = note.detail("the portal that was opening it did not finish");
        self.audit.note(&Actor::system(), note).await?;
        if state == SessionState::Failed {
            return Ok(());
        }
        let gone = self.try_to_take_away(&session, answers).await?;
        self.finish_closing(session, gone).await
    }

    pub(super) fn is_expired(&self, session: &AccessSessionRecord) -> bool {
        session.state == SessionState::Open && session.expires_at_ms <= self.ports.now_ms()
    }

    /// Writes down that a session's time was over; the router ends the rule by itself.
    async fn expire(&self, mut session: AccessSessionRecord, answers: &AtomicBool) -> Result<()> {
        session.state = SessionState::Closed;
        session.end_reason = Some(EndReason::Expired);
        session.finished_at_ms = Some(session.expires_at_ms);
        let ended = self
            .ports
            .store
            .advance_session(&session, SessionState::Open)
            .await?;
        if ended {
            // Two prolongations that overtook each other may have left it a later end.
            self.try_to_take_away(&session, answers).await?;
        }
        Ok(())
    }

    /// Writes the end down once the rule is `gone`. A router that does not answer keeps the
    /// session `closing` until its time is over, when the rule has ended by itself.
    pub(super) async fn finish_closing(
        &self,
        mut session: AccessSessionRecord,
        gone: bool,
    ) -> Result<()> {
        let now_ms = self.ports.now_ms();
        if !gone && session.expires_at_ms > now_ms {
            return Ok(());
        }
        let never_opened = session.opened_at_ms.is_none()
            && matches!(
                session.end_reason,
                Some(
                    EndReason::RouterUnreachable
                        | EndReason::RouterRefused
                        | EndReason::PortalStopped
                )
            );
        session.state = if never_opened {
            SessionState::Failed
        } else {
            SessionState::Closed
        };
        session.finished_at_ms = Some(now_ms);
        self.ports
            .store
            .advance_session(&session, SessionState::Closing)
            .await?;
        Ok(())
    }

    /// Takes the rule away unless its router is known to be silent; says whether it is gone.
    async fn try_to_take_away(
        &self,
        session: &AccessSessionRecord,
        answers: &AtomicBool,
    ) -> Result<bool> {
        if !answers.load(Ordering::Relaxed) {
            return Ok(false);
        }
        let answer = self.send_del(session).await?;
        if let Err(RouterFailure::Unreachable(_) | RouterFailure::Unsure(_)) = &answer {
            answers.store(false, Ordering::Relaxed);
        }
        Ok(answer.is_ok())
    }

    /// Takes the rule away; says whether it is gone.
    pub(super) async fn take_rule_away(&self, session: &AccessSessionRecord) -> Result<bool> {
        Ok(self.send_del(session).await?.is_ok())
    }

    async fn send_del(&self, session: &AccessSessionRecord) -> Result<Answer> {
        let Some(router) = self.ports.store.router(session.router_id).await? else {
            return Ok(Err(RouterFailure::Refused(
                "There is no such router.".into(),
            )));
        };
        let _door = self.hold_door(&router, session).await;
        let command = RouterCommand::Del(rule(session));
        let answer = self.send_at_door(&router, session, command).await?;
        match &answer {
            Ok(reply) => {
                // At once, since the owner's pages look again when the row is closed.
                if let Some(bytes) = reply.traffic_bytes {
                    self.ports
                        .store
                        .note_traffic(&[(session.id, bytes)])
                        .await?;
                }
            }
            Err(failure) => {
                tracing::warn!(session_id = %session.id, ?failure, "a session could not be closed on its router; trying again");
            }
        }
        Ok(answer)
    }
}

/// What has been pending since before these was left behind.
fn pending_since(now_ms: i64) -> PendingSince {
    let waking_ms = now_ms - WAKE_LASTS_MS - WAKE_MARGIN_MS;
    PendingSince {
        plain_ms: now_ms - PENDING_LASTS_MS,
        waking_ms,
        opening_ms: waking_ms - PENDING_LASTS_MS,
    }
}
