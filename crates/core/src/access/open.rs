//! Opening: the row first, the rule second, the row again third.

use std::net::IpAddr;

use gatehouse_types::{
    Timestamp,
    access::{AccessSession, EndReason, OpenSession, ServiceKind, SessionState, WakeStep},
    codes,
};
use uuid::Uuid;

use super::{
    Access, WakeJob, checks,
    limits::{most_live, no_room},
    no_such_service, no_such_session,
    sessions::{MINUTE_MS, check_minutes, rule, seconds_until, to_session},
};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{
        StoreError,
        access::{AccessSessionRecord, RouterRecord, ServiceRecord, SessionEntry, SessionFilter},
        router_link::{RouterCommand, RouterFailure},
    },
};

impl Access {
    /// Opens a service to the actor's own address, or answers the session that has it open.
    ///
    /// A session that is open already is extended to the wished end if that is later. The
    /// flag says whether a new session was made. A router that does not answer yields a
    /// session in state `failed`; a service that is woken first, one that is `pending`.
    ///
    /// # Errors
    /// When nobody is signed in, the address cannot be told or does not fit, the service is
    /// not granted, the minutes cannot be taken, or a limit is reached.
    pub async fn open(&self, actor: &Actor, wish: &OpenSession) -> Result<(AccessSession, bool)> {
        let service = self.find_service(actor, wish.service_id).await?;
        let minutes = check_minutes(&service, wish.minutes.unwrap_or(service.default_minutes))?;
        let until_ms = self.ports.now_ms() + minutes * MINUTE_MS;
        self.open_until(actor, &service, until_ms, 0).await
    }

    /// As [`Access::open`], of a service that the actor may open, where `ending` of the actor's
    /// sessions for it make room.
    pub(super) async fn open_until(
        &self,
        actor: &Actor,
        service: &ServiceRecord,
        until_ms: i64,
        ending: i64,
    ) -> Result<(AccessSession, bool)> {
        let account = actor.account()?;
        let client_ip = actor.ip.ok_or(Error::NoClientAddress)?;
        self.check_family(client_ip, service)?;
        let live = self
            .ports
            .store
            .live_session(service.id, account.id, client_ip)
            .await?;
        match live {
            // Its rule is gone from the router, though the keeper has not noticed yet.
            Some(live) if self.is_expired(&live) => self.step_all(vec![live]).await?,
            Some(live) => return Ok((self.reuse(actor, live, until_ms).await?, false)),
            None => {}
        }
        let router = self.find_router(service.router_id).await?;
        let mut session = self.new_session(account.id, client_ip, service, &router, until_ms);
        // What moves to another address is awake.
        let is_woken = service.wake.is_some() && ending == 0;
        session.step = is_woken.then_some(WakeStep::Waking);
        let store = &self.ports.store;
        match store.insert_session(&session, most_live(ending)).await {
            Ok(SessionEntry::Full(full)) => Err(no_room(full)),
            Ok(SessionEntry::Entered) if is_woken => {
                self.wakes.add(WakeJob {
                    actor: actor.clone(),
                    session: session.clone(),
                    service: service.clone(),
                    lasts_ms: until_ms - session.requested_at_ms,
                });
                Ok((to_session(session), true))
            }
            Ok(SessionEntry::Entered) => {
                let opened = self.let_in(actor, session).await?;
                self.still_allowed(actor, service.id).await?;
                Ok((opened, true))
            }
            // Another click was quicker: its session is ours too.
            Err(StoreError::Taken) => Ok((self.of_quicker_click(&session).await?, false)),
            Err(other) => Err(other.into()),
        }
    }

    /// The session that stood in the way of ours, whatever became of it since.
    async fn of_quicker_click(&self, ours: &AccessSessionRecord) -> Result<AccessSession> {
        let store = &self.ports.store;
        let live = store.live_session(ours.service_id, ours.user_id, ours.client_ip);
        if let Some(live) = live.await? {
            return Ok(to_session(live));
        }
        let ours_too = SessionFilter {
            user_id: Some(ours.user_id),
            service_id: Some(ours.service_id),
            ..SessionFilter::default()
        };
        let newest = store.list_sessions(ours_too, 1).await?.pop();
        newest
            .filter(|newest| newest.client_ip == ours.client_ip && newest.guest.is_none())
            .map(to_session)
            .ok_or_else(|| {
                Error::conflict(
                    codes::CONFLICT,
                    "Another click opened this service and it has ended since. Try again.",
                )
            })
    }

    pub(super) fn new_session(
        &self,
        user_id: Uuid,
        client_ip: IpAddr,
        service: &ServiceRecord,
        router: &RouterRecord,
        until_ms: i64,
    ) -> AccessSessionRecord {
        let host = host_of(router);
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
            step: None,
            client_ip,
            host: host.to_owned(),
            public_port: service.public_port,
            lan_ip: service.lan_ip,
            lan_port: service.lan_port,
            transport: service.transport,
            url,
            requested_at_ms: now_ms,
            opened_at_ms: None,
            expires_at_ms: until_ms,
            finished_at_ms: None,
            end_reason: None,
            guest: None,
            traffic_bytes: None,
        }
    }

    /// The row is there; now the rule, then the row again.
    pub(super) async fn let_in(
        &self,
        actor: &Actor,
        mut session: AccessSessionRecord,
    ) -> Result<AccessSession> {
        // Until its row was there the router could be led elsewhere; now it stays where it is.
        let router = self.find_router(session.router_id).await?;
        if host_of(&router) != session.host {
            let (id, detail) = (session.id, "its router moved in that moment");
            self.give_up(actor, session, EndReason::RouterUnreachable, detail)
                .await?;
            return Ok(to_session(self.stored(id).await?));
        }
        // Who shares the rule must see the row open as soon as it is let through.
        let door = self.hold_door(&router, &session).await;
        let while_it_waited = self.stored(session.id).await?;
        if while_it_waited.state != SessionState::Pending {
            return Ok(to_session(while_it_waited));
        }
        let now_ms = self.ports.now_ms();
        let command =
            RouterCommand::Add(rule(&session), seconds_until(session.expires_at_ms, now_ms));
        let outcome = self.send_at_door(&router, &session, command).await?;
        let door = door.filter(|_| outcome.is_ok());
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
        let advanced = self
            .ports
            .store
            .advance_session(&session, SessionState::Pending);
        let advanced = advanced.await?;
        drop(door);
        if advanced {
            return Ok(to_session(session));
        }
        // Somebody closed it while the router worked: what was let in goes out again.
        let now_stored = self.stored(session.id).await?;
        if session.state == SessionState::Open || now_stored.finished_at_ms.is_none() {
            self.close_again(now_stored).await?;
        }
        Ok(to_session(self.stored(session.id).await?))
    }

    async fn stored(&self, id: Uuid) -> Result<AccessSessionRecord> {
        let found = self.ports.store.session(id).await?;
        found.ok_or_else(no_such_session)
    }

    /// Nothing was let in, unless the answer was lost or the daemon failed over it: then the row
    /// stays `closing` until the keeper knows that no rule is left.
    async fn mark_failed(
        &self,
        session: &mut AccessSessionRecord,
        failure: &RouterFailure,
    ) -> Result<()> {
        let (reason, nothing_left) = match failure {
            RouterFailure::Refused(_) | RouterFailure::NotNow(_) => {
                (EndReason::RouterRefused, true)
            }
            RouterFailure::Failed(_) => (
                EndReason::RouterRefused,
                self.take_rule_away(session).await?,
            ),
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
    pub(super) async fn close_again(&self, ended: AccessSessionRecord) -> Result<()> {
        let closing = AccessSessionRecord {
            state: SessionState::Closing,
            finished_at_ms: None,
            ..ended.clone()
        };
        let reopened = self.ports.store.advance_session(&closing, ended.state);
        match reopened.await {
            // Taken: the same click was made again meanwhile, and its row is the living one now.
            Ok(_) | Err(StoreError::Taken) => {}
            Err(other) => return Err(other.into()),
        }
        let gone = self.take_rule_away(&closing).await?;
        self.finish_closing(closing, gone).await
    }

    /// A right that was taken away while the router worked takes the session along.
    pub(super) async fn still_allowed(&self, actor: &Actor, service_id: Uuid) -> Result<()> {
        let user_id = actor.account()?.id;
        let user = self.ports.store.user(user_id).await?;
        let is_enabled = user.is_some_and(|user| user.disabled_at_ms.is_none());
        let reason = if !is_enabled {
            EndReason::UserDisabled
        } else if self.find_service(actor, service_id).await.is_err() {
            EndReason::ServiceRemoved
        } else {
            return Ok(());
        };
        let theirs = SessionFilter {
            user_id: Some(user_id),
            service_id: Some(service_id),
            ..SessionFilter::default()
        };
        self.end_sessions(actor, theirs, reason).await?;
        Err(no_such_service())
    }

    async fn reuse(
        &self,
        actor: &Actor,
        live: AccessSessionRecord,
        until_ms: i64,
    ) -> Result<AccessSession> {
        match live.state {
            SessionState::Open if until_ms > live.expires_at_ms => {
                Ok(to_session(self.move_end(actor, live, until_ms).await?))
            }
            SessionState::Closing => Err(Error::conflict(
                codes::CONFLICT,
                "The session before is being closed. Try again in a moment.",
            )),
            _ => Ok(to_session(live)),
        }
    }
}

fn host_of(router: &RouterRecord) -> &str {
    let address = router.address.as_str();
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}
