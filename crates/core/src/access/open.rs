//! Opening: the row first, the rule second, the row again third.

use std::net::IpAddr;

use gatehouse_types::{
    Timestamp,
    access::{AccessSession, EndReason, OpenSession, ServiceKind, SessionState},
    codes,
};
use uuid::Uuid;

use super::{
    Access, checks, no_such_service, no_such_session,
    sessions::{LIVE_PER_USER, MINUTE_MS, check_minutes, rule, seconds_until, to_session},
};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{
        StoreError,
        access::{AccessSessionRecord, RouterRecord, ServiceRecord, SessionFilter},
        router_link::{RouterCommand, RouterFailure},
    },
};

impl Access {
    /// Opens a service to the actor's own address, or answers the session that has it open.
    ///
    /// A session that is open already is extended to the wished end if that is later. The
    /// flag says whether a new session was made. A router that does not answer yields a
    /// session in state `failed`.
    ///
    /// # Errors
    /// When nobody is signed in, the address cannot be told or does not fit, the service is
    /// not granted, the minutes cannot be taken, or a limit is reached.
    pub async fn open(&self, actor: &Actor, wish: &OpenSession) -> Result<(AccessSession, bool)> {
        let account = actor.account()?;
        let service = self.find_service(actor, wish.service_id).await?;
        let minutes = check_minutes(&service, wish.minutes.unwrap_or(service.default_minutes))?;
        let client_ip = actor.ip.ok_or(Error::NoClientAddress)?;
        check_family(client_ip, &service)?;
        let live = self
            .ports
            .store
            .live_session(service.id, account.id, client_ip)
            .await?;
        match live {
            // Its rule is gone from the router, though the keeper has not noticed yet.
            Some(live) if self.is_expired(&live) => self.expire(live).await?,
            Some(live) => return Ok((self.reuse(actor, live, minutes).await?, false)),
            None => {}
        }
        if self.ports.store.count_live_sessions(account.id).await? >= LIVE_PER_USER {
            return Err(Error::conflict(
                codes::LIMIT_REACHED,
                format!("You have {LIVE_PER_USER} sessions open. Close one first."),
            ));
        }
        let router = self.find_router(service.router_id).await?;
        let session = self.new_session(account.id, client_ip, &service, &router, minutes);
        match self.ports.store.insert_session(&session).await {
            Ok(()) => {
                let opened = self.let_in(actor, session, &router).await?;
                self.still_allowed(actor, service.id).await?;
                Ok((opened, true))
            }
            // Another click was quicker: its session is ours too.
            Err(StoreError::Taken) => {
                let live = self
                    .ports
                    .store
                    .live_session(service.id, account.id, client_ip)
                    .await?
                    .ok_or_else(|| {
                        Error::conflict(
                            codes::CONFLICT,
                            "Another click opened this service and it has ended since. Try again.",
                        )
                    })?;
                Ok((to_session(live), false))
            }
            Err(other) => Err(other.into()),
        }
    }

    fn new_session(
        &self,
        user_id: Uuid,
        client_ip: IpAddr,
        service: &ServiceRecord,
        router: &RouterRecord,
        minutes: i64,
    ) -> AccessSessionRecord {
        let host = router
            .address
            .rsplit_once(':')
            .map_or(router.address.as_str(), |(host, _)| host);
        let url = (service.kind == ServiceKind::Web).then(|| {
            let (scheme, path) = checks::scheme_and_path(&service.url_path);
            format!("{scheme}://{host}:{}{path}", service.public_port)
        });
        let now_ms = self.ports.now_ms();
        AccessSessionRecord {
            id: self.ports.new_id(),
            service_id: service.id,
            router_id: router.id,
            user_id,
            service_name: service.name.clone(),
            state: SessionState::Pending,
            client_ip,
            host: host.to_owned(),
            public_port: service.public_port,
            lan_ip: service.lan_ip,
            lan_port: service.lan_port,
            transport: service.transport,
            url,
            requested_at_ms: now_ms,
            opened_at_ms: None,
            expires_at_ms: now_ms + minutes * MINUTE_MS,
            finished_at_ms: None,
            end_reason: None,
        }
    }

    /// The row is there; now the rule, then the row again.
    async fn let_in(
        &self,
        actor: &Actor,
        mut session: AccessSessionRecord,
        router: &RouterRecord,
    ) -> Result<AccessSession> {
        let target = self.target(router)?;
        let now_ms = self.ports.now_ms();
        let command =
            RouterCommand::Add(rule(&session), seconds_until(session.expires_at_ms, now_ms));
        let outcome = self.ports.router_link.send(&target, command).await;
        let note = Note::ok("session.open", "service", session.service_id);
        match outcome {
            Ok(_) => {
                session.state = SessionState::Open;
                session.opened_at_ms = Some(self.ports.now_ms());
                self.audit
                    .note(
                        actor,
                        note.detail(&format!(
                            "{} until {}",
                            session.client_ip,
                            Timestamp(session.expires_at_ms).rfc3339()
                        )),
                    )
                    .await?;
            }
            Err(failure) => {
                self.mark_failed(&mut session, &failure).await?;
                self.audit
                    .note(actor, note.result("failed").detail(failure.detail()))
                    .await?;
            }
        }
        if self
            .ports
            .store
            .advance_session(&session, SessionState::Pending)
            .await?
        {
            return Ok(to_session(session));
        }
        // Somebody closed it while the router worked: what was let in goes out again.
        let now_stored = self
            .ports
            .store
            .session(session.id)
            .await?
            .ok_or_else(no_such_session)?;
        if session.state == SessionState::Open || now_stored.finished_at_ms.is_none() {
            self.close_again(now_stored).await?;
        }
        self.session(actor, session.id).await
    }

    /// Nothing was let in, unless the answer was lost: then the row stays `closing` until the
    /// keeper knows that no rule is left.
    async fn mark_failed(
        &self,
        session: &mut AccessSessionRecord,
        failure: &RouterFailure,
    ) -> Result<()> {
        let (reason, nothing_left) = match failure {
            RouterFailure::Refused(_) => (EndReason::RouterRefused, true),
            RouterFailure::Unreachable(_) => (EndReason::RouterUnreachable, true),
            RouterFailure::Unsure(_) => (
                EndReason::RouterUnreachable,
                self.take_rule_away(session).await?,
            ),
        };
        session.end_reason = Some(reason);
        if nothing_left {
            session.state = SessionState::Failed;
            session.finished_at_ms = Some(self.ports.now_ms());
        } else {
            session.state = SessionState::Closing;
        }
        Ok(())
    }

    /// Closes what was let in after its row had ended: the row goes back to `closing`, so that
    /// the keeper takes over should the router not answer.
    async fn close_again(&self, ended: AccessSessionRecord) -> Result<()> {
        let closing = AccessSessionRecord {
            state: SessionState::Closing,
            finished_at_ms: None,
            ..ended.clone()
        };
        self.ports
            .store
            .advance_session(&closing, ended.state)
            .await?;
        self.finish_closing(closing).await
    }

    /// A right that was taken away while the router worked takes the session along.
    async fn still_allowed(&self, actor: &Actor, service_id: Uuid) -> Result<()> {
        let user_id = actor.account()?.id;
        let user = self.ports.store.user(user_id).await?;
        let is_enabled = user.is_some_and(|user| user.disabled_at_ms.is_none());
        if is_enabled && self.find_service(actor, service_id).await.is_ok() {
            return Ok(());
        }
        let theirs = SessionFilter {
            user_id: Some(user_id),
            service_id: Some(service_id),
            ..SessionFilter::default()
        };
        self.end_sessions(actor, theirs, EndReason::ServiceRemoved)
            .await?;
        Err(no_such_service())
    }

    async fn reuse(
        &self,
        actor: &Actor,
        live: AccessSessionRecord,
        minutes: i64,
    ) -> Result<AccessSession> {
        let wished_end_ms = self.ports.now_ms() + minutes * MINUTE_MS;
        match live.state {
            SessionState::Open if wished_end_ms > live.expires_at_ms => {
                Ok(to_session(self.move_end(actor, live, wished_end_ms).await?))
            }
            SessionState::Closing => Err(Error::conflict(
                codes::CONFLICT,
                "The session before is being closed. Try again in a moment.",
            )),
            _ => Ok(to_session(live)),
        }
    }
}

fn check_family(client_ip: IpAddr, service: &ServiceRecord) -> Result<()> {
    if client_ip.is_ipv4() == service.lan_ip.is_ipv4() {
        return Ok(());
    }
    let (yours, its) = if client_ip.is_ipv4() {
        ("IPv4", "IPv6")
    } else {
        ("IPv6", "IPv4")
    };
    Err(Error::conflict(
        codes::ADDRESS_FAMILY,
        format!(
            "You reach the portal over {yours} ({client_ip}), but this service has an {its} address. Reach the portal over {its} and open it there."
        ),
    ))
}
