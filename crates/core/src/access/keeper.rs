//! What happens to sessions without anybody asking: they expire, and what could not be
//! closed or opened is brought to an end. The kernel of the router keeps the time whatever
//! happens here; the keeper makes the portal's rows say so.

use futures_util::{StreamExt, stream};
use gatehouse_types::access::{EndReason, SessionState};

use super::{Access, sessions::rule};
use crate::{
    Result,
    ports::{access::AccessSessionRecord, router_link::RouterCommand},
};

/// A pending session this old was left behind by a portal that died.
const PENDING_LASTS_MS: i64 = 30 * 1000;
const AT_A_TIME: usize = 8;
const PER_ROUND: i64 = 200;

impl Access {
    /// Brings every session that is due one step further; called about once a second.
    ///
    /// # Errors
    /// When the database does not answer; the next round tries again.
    pub async fn keep(&self) -> Result<()> {
        let now_ms = self.ports.now_ms();
        let due = self
            .ports
            .store
            .due_sessions(now_ms, now_ms - PENDING_LASTS_MS, PER_ROUND)
            .await?;
        let steps = stream::iter(due)
            .map(|session| self.step(session))
            .buffer_unordered(AT_A_TIME);
        steps.fold(Ok(()), |all, one| async { all.and(one) }).await
    }

    async fn step(&self, mut session: AccessSessionRecord) -> Result<()> {
        match session.state {
            SessionState::Open if self.is_expired(&session) => self.expire(session).await,
            SessionState::Pending => {
                session.state = SessionState::Closing;
                session.end_reason = Some(EndReason::RouterUnreachable);
                if self
                    .ports
                    .store
                    .advance_session(&session, SessionState::Pending)
                    .await?
                {
                    self.finish_closing(session).await?;
                }
                Ok(())
            }
            SessionState::Closing => self.finish_closing(session).await,
            SessionState::Open | SessionState::Closed | SessionState::Failed => Ok(()),
        }
    }

    pub(super) fn is_expired(&self, session: &AccessSessionRecord) -> bool {
        session.state == SessionState::Open && session.expires_at_ms <= self.ports.now_ms()
    }

    /// Writes down that a session's time was over; the router ends the rule by itself.
    pub(super) async fn expire(&self, mut session: AccessSessionRecord) -> Result<()> {
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
            self.take_rule_away(&session).await?;
        }
        Ok(())
    }

    /// Takes the rule away and writes the end down. A router that does not answer keeps the
    /// session `closing` until its time is over, when the rule has ended by itself.
    pub(super) async fn finish_closing(&self, mut session: AccessSessionRecord) -> Result<()> {
        let gone = self.take_rule_away(&session).await?;
        let now_ms = self.ports.now_ms();
        if !gone && session.expires_at_ms > now_ms {
            return Ok(());
        }
        let never_opened = session.opened_at_ms.is_none()
            && session.end_reason == Some(EndReason::RouterUnreachable);
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

    pub(super) async fn take_rule_away(&self, session: &AccessSessionRecord) -> Result<bool> {
        let Some(router) = self.ports.store.router(session.router_id).await? else {
            return Ok(false);
        };
        let answer = self
            .ports
            .router_link
            .send(&self.target(&router)?, RouterCommand::Del(rule(session)))
            .await;
        if let Err(failure) = &answer {
            tracing::warn!(session_id = %session.id, ?failure, "a session could not be closed on its router; trying again");
        }
        Ok(answer.is_ok())
    }
}
