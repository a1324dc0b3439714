use gatehouse_types::{
    Page, PageQuery, Timestamp,
    access::{AccessSession, EndReason, SessionQuery, SessionState},
    codes,
};
use uuid::Uuid;

use super::{Access, invitations::no_such_invitation, limits::LIVE_PER_USER, no_such_session};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::{
        access::{AccessSessionRecord, ServiceRecord, SessionFilter},
        router_link::{RouterCommand, RouterFailure, Rule},
    },
};

pub(super) const MINUTE_MS: i64 = 60 * 1000;
const SHOWN_AT_MOST: i64 = 500;

impl Access {
    /// Lists sessions, newest first: one's own, or everybody's for an admin.
    ///
    /// # Errors
    /// When nobody is signed in or the page cannot be read.
    pub async fn list_sessions(
        &self,
        actor: &Actor,
        query: &SessionQuery,
    ) -> Result<Page<AccessSession>> {
        let user_id = if actor.is_admin() {
            None
        } else {
            Some(actor.account()?.id)
        };
        self.sessions_where(
            query,
            SessionFilter {
                user_id,
                ..SessionFilter::default()
            },
        )
        .await
    }

    /// Lists the actor's own sessions, newest first, also for an admin.
    ///
    /// # Errors
    /// When nobody is signed in or the page cannot be read.
    pub async fn list_own_sessions(
        &self,
        actor: &Actor,
        query: &SessionQuery,
    ) -> Result<Page<AccessSession>> {
        let user_id = Some(actor.account()?.id);
        self.sessions_where(
            query,
            SessionFilter {
                user_id,
                ..SessionFilter::default()
            },
        )
        .await
    }

    /// The actor's own sessions that are not over, newest first.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn live_sessions(&self, actor: &Actor) -> Result<Vec<AccessSession>> {
        let filter = SessionFilter {
            user_id: Some(actor.account()?.id),
            unfinished_only: true,
            ..SessionFilter::default()
        };
        let rows = self
            .ports
            .store
            .list_sessions(filter, LIVE_PER_USER)
            .await?;
        Ok(rows.into_iter().map(to_session).collect())
    }

    /// The sessions of everybody that are not over and run over one router, newest first; at most
    /// 500.
    ///
    /// # Errors
    /// When the actor is no admin.
    pub async fn sessions_on_router(
        &self,
        actor: &Actor,
        router_id: Uuid,
    ) -> Result<Vec<AccessSession>> {
        actor.require_admin()?;
        let filter = SessionFilter {
            router_id: Some(router_id),
            unfinished_only: true,
            ..SessionFilter::default()
        };
        let rows = self.ports.store.list_sessions(filter, SHOWN_AT_MOST);
        Ok(rows.await?.into_iter().map(to_session).collect())
    }

    /// Shows a session; somebody else's does not exist for an owner.
    ///
    /// # Errors
    /// When nobody is signed in or there is no such session.
    pub async fn session(&self, actor: &Actor, id: Uuid) -> Result<AccessSession> {
        Ok(to_session(self.find_session(actor, id).await?))
    }

    /// Closes a session. One that is over already stays as it ended.
    ///
    /// A router that does not answer leaves it `closing`; the keeper goes on trying, and the
    /// rule ends by itself at the session's end.
    ///
    /// # Errors
    /// When nobody is signed in or there is no such session.
    pub async fn close(&self, actor: &Actor, id: Uuid) -> Result<AccessSession> {
        let session = self.find_session(actor, id).await?;
        let own = actor.account()?.id == session.user_id;
        let reason = if own {
            EndReason::Revoked
        } else {
            EndReason::RevokedByAdmin
        };
        if session.finished_at_ms.is_none() {
            self.end_session(actor, session, reason).await?;
        }
        self.session(actor, id).await
    }

    /// Moves the end of an open session to so many minutes from now; a guest's ends with its
    /// invitation at the latest.
    ///
    /// # Errors
    /// When there is no such open session, the minutes cannot be taken, or the router does not do it.
    pub async fn extend(&self, actor: &Actor, id: Uuid, minutes: i64) -> Result<AccessSession> {
        let session = self.find_session(actor, id).await?;
        if session.state != SessionState::Open || self.is_expired(&session) {
            return Err(finished());
        }
        let service = self.find_service(actor, session.service_id).await?;
        let minutes = check_minutes(&service, minutes)?;
        let expires_at_ms = match &session.guest {
            Some(guest) => {
                let found = self.ports.store.invitation(guest.invitation_id).await?;
                self.end_of_use(&found.ok_or_else(no_such_invitation)?, minutes)?
            }
            None => self.ports.now_ms() + minutes * MINUTE_MS,
        };
        Ok(to_session(
            self.move_end(actor, session, expires_at_ms).await?,
        ))
    }

    async fn sessions_where(
        &self,
        query: &SessionQuery,
        filter: SessionFilter,
    ) -> Result<Page<AccessSession>> {
        let limit = PageQuery {
            limit: query.limit,
            after: None,
        }
        .limit()?;
        let filter = SessionFilter {
            state: query.state,
            before: cursor(query.after.as_deref())?,
            ..filter
        };
        let rows = self.ports.store.list_sessions(filter, limit + 1).await?;
        Ok(Page::cut(rows, limit, |row| row.id.to_string()).map(to_session))
    }

    /// The row's end is never before the rule's: it moves later first and earlier last.
    pub(super) async fn move_end(
        &self,
        actor: &Actor,
        mut session: AccessSessionRecord,
        expires_at_ms: i64,
    ) -> Result<AccessSessionRecord> {
        let router = self
            .ports
            .store
            .router(session.router_id)
            .await?
            .ok_or_else(no_such_session)?;
        let _door = self.hold_door(&router, &session).await;
        let end_before_ms = session.expires_at_ms;
        session.expires_at_ms = expires_at_ms.max(end_before_ms);
        self.save_end(&session).await?;
        let duration_s = seconds_until(expires_at_ms, self.ports.now_ms());
        let command = RouterCommand::Extend(rule(&session), duration_s);
        let sent = self.send_at_door(&router, &session, command).await?;
        session.expires_at_ms = match &sent {
            Ok(_) => expires_at_ms,
            Err(RouterFailure::Unsure(_) | RouterFailure::Failed(_)) => session.expires_at_ms,
            Err(
                RouterFailure::Unreachable(_)
                | RouterFailure::Refused(_)
                | RouterFailure::NotNow(_),
            ) => end_before_ms,
        };
        self.save_end(&session).await?;
        sent.map_err(|failure| match failure {
            RouterFailure::Refused(detail) => Error::conflict(codes::CONFLICT, detail),
            RouterFailure::Unreachable(detail)
            | RouterFailure::NotNow(detail)
            | RouterFailure::Failed(detail)
            | RouterFailure::Unsure(detail) => Error::Unavailable {
                detail,
                retry_after_s: 10,
            },
        })?;
        self.audit
            .note(
                actor,
                Note::ok("session.extend", "session", session.id)
                    .detail(&Timestamp(expires_at_ms).rfc3339()),
            )
            .await?;
        Ok(session)
    }

    async fn save_end(&self, session: &AccessSessionRecord) -> Result<()> {
        if self
            .ports
            .store
            .advance_session(session, SessionState::Open)
            .await?
        {
            return Ok(());
        }
        Err(Error::conflict(
            codes::FINISHED,
            "This session was closed meanwhile.",
        ))
    }

    pub(super) async fn end_session(
        &self,
        actor: &Actor,
        session: AccessSessionRecord,
        reason: EndReason,
    ) -> Result<()> {
        let Some(closing) = self.mark_closing(actor, session, reason).await? else {
            return Ok(());
        };
        let gone = self.take_rule_away(&closing).await?;
        self.finish_closing(closing, gone).await
    }

    /// Moves a session to `closing`; `None` when it was that already or moved on between look
    /// and act: then what it became decides.
    pub(super) async fn mark_closing(
        &self,
        actor: &Actor,
        mut session: AccessSessionRecord,
        reason: EndReason,
    ) -> Result<Option<AccessSessionRecord>> {
        let from = session.state;
        session.state = SessionState::Closing;
        session.end_reason = Some(reason);
        let is_ours = from != SessionState::Closing
            && self.ports.store.advance_session(&session, from).await?;
        if !is_ours {
            return Ok(None);
        }
        self.audit
            .note(
                actor,
                Note::ok("session.close", "session", session.id).detail(reason.as_str()),
            )
            .await?;
        Ok(Some(session))
    }

    pub(super) async fn find_session(
        &self,
        actor: &Actor,
        id: Uuid,
    ) -> Result<AccessSessionRecord> {
        let account = actor.account()?;
        let session = self
            .ports
            .store
            .session(id)
            .await?
            .ok_or_else(no_such_session)?;
        if session.user_id == account.id || actor.is_admin() {
            return Ok(session);
        }
        Err(no_such_session())
    }
}

pub(super) fn finished() -> Error {
    Error::conflict(
        codes::FINISHED,
        "This session is over. Open the service again.",
    )
}

pub(super) fn rule(session: &AccessSessionRecord) -> Rule {
    Rule {
        session_id: session.id,
        client_ip: session.client_ip,
        public_port: session.public_port,
        lan_ip: session.lan_ip,
        lan_port: session.lan_port,
        transport: session.transport,
    }
}

/// Rounds down, so that the rule never outlives the row; at least one second.
pub(super) fn seconds_until(end_ms: i64, now_ms: i64) -> u32 {
    u32::try_from((end_ms - now_ms) / 1000).unwrap_or(0).max(1)
}

pub(super) fn check_minutes(service: &ServiceRecord, minutes: i64) -> Result<i64> {
    if !(1..=service.max_minutes).contains(&minutes) {
        return Err(Error::invalid(
            "minutes",
            format!(
                "This service can be open for 1 to {} minutes.",
                service.max_minutes
            ),
        ));
    }
    Ok(minutes)
}

pub(super) fn to_session(record: AccessSessionRecord) -> AccessSession {
    AccessSession {
        id: record.id,
        service_id: record.service_id,
        service_name: record.service_name,
        user_id: record.user_id,
        state: record.state,
        step: record
            .step
            .filter(|_| record.state == SessionState::Pending),
        client_ip: record.client_ip.to_string(),
        host: record.host,
        public_port: record.public_port,
        url: record.url.filter(|_| record.state == SessionState::Open),
        requested_at: Timestamp(record.requested_at_ms),
        opened_at: record.opened_at_ms.map(Timestamp),
        expires_at: Timestamp(record.expires_at_ms),
        finished_at: record.finished_at_ms.map(Timestamp),
        end_reason: record.end_reason,
        traffic_bytes: record.traffic_bytes,
        guest: record.guest,
    }
}
