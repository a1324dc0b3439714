//! What somebody with the link of an invitation may do: look, open, close what they opened.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_types::{
    access::{AccessSession, EndReason, InvitationState, SessionGuest, SessionState},
    codes,
};
use uuid::Uuid;

use super::{
    Access, OtherFamily,
    invitations::{max_minutes, no_such_invitation, of_invitation, state_at, token_hash},
    limits::{most_live, no_room},
    no_such_service, no_such_session,
    sessions::{MINUTE_MS, to_session},
    tries::Tries,
};
use crate::{
    Actor, Error, Result,
    actor::{GuestActor, Who},
    ports::{
        StoreError,
        access::{AccessSessionRecord, Full},
        invitations::{FoundInvitation, GuestEntry},
    },
};

/// Nothing longer can be the secret of a link or the pass of a session.
const SECRET_MAX_BYTES: usize = 256;
/// What passes are sealed for, so that no other sealed text passes for one.
const PASS: &str = "guest pass";

/// Openings with one invitation that come to nothing and cost nothing: a router may be restarting.
const FREE_VAIN_OPENINGS: u32 = 5;
const LONGEST_WAIT_S: i64 = 60;

/// What a guest reads before opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// What would be opened.
    pub service_name: String,
    /// The e-mail address of who invites.
    pub invited_by: String,
    /// Whether it can be opened, else why not.
    pub state: InvitationState,
    /// The most minutes of one use.
    pub max_minutes: i64,
    /// How often it can be opened from now on.
    pub uses_left: i64,
    /// When the session ends that is open with it for the address that asks, if one is.
    pub open_until_ms: Option<i64>,
    /// When the invitation ends; sessions end with it at the latest.
    pub expires_at_ms: i64,
    /// What keeps the address that asks from it, if anything does.
    pub other_family: Option<OtherFamily>,
}

/// A session that a guest opened, and what proves to the portal that it is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestSession {
    /// The session.
    pub session: AccessSession,
    /// Names the session and cannot be guessed or made by others.
    pub pass: String,
}

impl Access {
    /// Tells the holder of a link what it opens, also when it is over.
    ///
    /// # Errors
    /// When there is no such link, or too many wrong ones were tried from this address.
    pub async fn welcome(&self, actor: &Actor, token: &str) -> Result<Welcome> {
        let found = self.invitation_behind(actor, token).await?;
        let live = match actor.ip {
            Some(ip) => {
                let store = &self.ports.store;
                store.live_guest_session(found.invitation.id, ip).await?
            }
            None => None,
        };
        let service = self.ports.store.service(found.invitation.service_id);
        let service = service.await?;
        Ok(Welcome {
            other_family: service
                .zip(actor.ip)
                .and_then(|(service, ip)| self.other_family(ip, service.lan_ip)),
            open_until_ms: live
                .filter(|live| live.state == SessionState::Open && !self.is_expired(live))
                .map(|live| live.expires_at_ms),
            state: state_at(&found, self.ports.now_ms()),
            max_minutes: max_minutes(&found),
            uses_left: (found.invitation.max_uses - found.uses).max(0),
            expires_at_ms: found.invitation.expires_at_ms,
            service_name: found.service_name,
            invited_by: found.inviter,
        })
    }

    /// Opens the service of an invitation to the address that asks, or answers the session that
    /// was opened with it from there. What a router does not let in is no use, and a host that
    /// sleeps is not woken.
    ///
    /// # Errors
    /// When there is no such link, it is over or used up, the address cannot be told or does
    /// not fit, the minutes cannot be taken, a limit is reached, or openings with it came to
    /// nothing again and again.
    pub async fn open_as_guest(
        &self,
        actor: &Actor,
        token: &str,
        minutes: i64,
    ) -> Result<GuestSession> {
        let found = self.invitation_behind(actor, token).await?;
        let guest = as_guest(actor, &found);
        let client_ip = guest.ip.ok_or(Error::NoClientAddress)?;
        let (store, id) = (&self.ports.store, found.invitation.id);
        match store.live_guest_session(id, client_ip).await? {
            // Its rule is gone from the router, though the keeper has not noticed yet.
            Some(live) if self.is_expired(&live) => self.step_all(vec![live]).await?,
            Some(live) => return self.hand_over(live),
            None => {}
        }
        if state_at(&found, self.ports.now_ms()) != InvitationState::Active {
            return Err(over());
        }
        self.vain_openings.check(&id, self.ports.now_ms())?;
        let session = self.prepare(&guest, &found, minutes).await?;
        let now_ms = self.ports.now_ms();
        let entered = store.insert_guest_session(&session, id, now_ms, most_live(0));
        match entered.await {
            Ok(GuestEntry::Entered) => {}
            Ok(GuestEntry::Over) => return Err(over()),
            Ok(GuestEntry::Full(Full::User)) => return Err(inviter_is_full()),
            Ok(GuestEntry::Full(full)) => return Err(no_room(full)),
            // Another click was quicker: its session is ours too.
            Err(StoreError::Taken) => {
                let live = store.live_guest_session(id, client_ip).await?;
                return self.hand_over(live.ok_or_else(ended_since)?);
            }
            Err(other) => return Err(other.into()),
        }
        let opened = self.let_in(&guest, session).await?;
        if opened.state == SessionState::Open {
            self.vain_openings.forget(&id);
        } else {
            self.vain_openings.note(id, self.ports.now_ms());
        }
        self.still_welcome(&guest, id).await?;
        Ok(GuestSession {
            pass: self.pass_of(opened.id)?,
            session: opened,
        })
    }

    /// Shows the session that a pass was given out for.
    ///
    /// # Errors
    /// When nobody was given such a pass, or too many wrong ones were tried from this address.
    pub async fn guest_session(&self, actor: &Actor, pass: &str) -> Result<AccessSession> {
        Ok(to_session(self.session_behind(actor, pass).await?))
    }

    /// Closes the session that a pass was given out for; one that is over stays as it ended.
    ///
    /// # Errors
    /// When nobody was given such a pass, or too many wrong ones were tried from this address.
    pub async fn close_as_guest(&self, actor: &Actor, pass: &str) -> Result<AccessSession> {
        let session = self.session_behind(actor, pass).await?;
        if session.finished_at_ms.is_none() {
            let guest = match &session.guest {
                Some(guest) => guest_of(actor, guest.invitation_id, &guest.label),
                None => return Err(no_such_session()),
            };
            self.end_session(&guest, session, EndReason::Revoked)
                .await?;
        }
        self.guest_session(actor, pass).await
    }

    async fn invitation_behind(&self, actor: &Actor, token: &str) -> Result<FoundInvitation> {
        let now_ms = self.ports.now_ms();
        self.wrong_links.check(actor.ip, now_ms)?;
        let found = if token.len() > SECRET_MAX_BYTES {
            None
        } else {
            let found = self.ports.store.invitation_by_token(token_hash(token));
            found.await?
        };
        if found.is_none() {
            self.wrong_links.note(actor.ip, now_ms);
        }
        found.ok_or_else(no_such_invitation)
    }

    async fn prepare(
        &self,
        guest: &Actor,
        found: &FoundInvitation,
        minutes: i64,
    ) -> Result<AccessSessionRecord> {
        let invitation = &found.invitation;
        let until_ms = self.end_of_use(found, minutes)?;
        let service = self.ports.store.service(invitation.service_id).await?;
        let service = service.ok_or_else(no_such_service)?;
        let client_ip = guest.ip.ok_or(Error::NoClientAddress)?;
        self.check_family(client_ip, &service)?;
        let owner = invitation.user_id;
        let router = self.find_router(service.router_id).await?;
        let mut session = self.new_session(owner, client_ip, &service, &router, until_ms);
        session.guest = Some(SessionGuest {
            invitation_id: invitation.id,
            label: invitation.label.clone(),
        });
        Ok(session)
    }

    /// When a use of so many minutes from now ends: with the invitation at the latest.
    pub(super) fn end_of_use(&self, found: &FoundInvitation, minutes: i64) -> Result<i64> {
        let most = max_minutes(found);
        if !(1..=most).contains(&minutes) {
            return Err(Error::invalid(
                "minutes",
                format!("This invitation opens for 1 to {most} minutes."),
            ));
        }
        let until_ms = self.ports.now_ms() + minutes * MINUTE_MS;
        Ok(until_ms.min(found.invitation.expires_at_ms))
    }

    /// A right or an invitation that ended while the router worked takes the session along.
    async fn still_welcome(&self, guest: &Actor, id: Uuid) -> Result<()> {
        let found = self.ports.store.invitation(id).await?;
        let now_ms = self.ports.now_ms();
        let reason = match found.map(|found| state_at(&found, now_ms)) {
            Some(InvitationState::Active | InvitationState::UsedUp | InvitationState::Expired) => {
                return Ok(());
            }
            Some(InvitationState::Suspended) => EndReason::ServiceRemoved,
            Some(InvitationState::Revoked) | None => EndReason::Revoked,
        };
        self.end_sessions(guest, of_invitation(id), reason).await?;
        Err(over())
    }

    fn hand_over(&self, live: AccessSessionRecord) -> Result<GuestSession> {
        if live.state == SessionState::Closing {
            return Err(ended_since());
        }
        Ok(GuestSession {
            pass: self.pass_of(live.id)?,
            session: to_session(live),
        })
    }

    fn pass_of(&self, session_id: Uuid) -> Result<String> {
        let (rng, id) = (self.ports.rng.as_ref(), session_id.to_string());
        Ok(URL_SAFE_NO_PAD.encode(self.sealer.seal(rng, PASS, &id)?))
    }

    async fn session_behind(&self, actor: &Actor, pass: &str) -> Result<AccessSessionRecord> {
        let now_ms = self.ports.now_ms();
        self.wrong_links.check(actor.ip, now_ms)?;
        let Some(id) = self.session_named(pass) else {
            self.wrong_links.note(actor.ip, now_ms);
            return Err(no_such_session());
        };
        let found = self.ports.store.session(id).await?;
        found
            .filter(|session| session.guest.is_some())
            .ok_or_else(no_such_session)
    }

    fn session_named(&self, pass: &str) -> Option<Uuid> {
        let fits = pass.len() <= SECRET_MAX_BYTES;
        let sealed = fits.then(|| URL_SAFE_NO_PAD.decode(pass).ok())??;
        self.sealer.open(PASS, &sealed).ok()?.parse().ok()
    }
}

/// Counts the openings that come to nothing: each asks a router and leaves a row, and takes no use.
pub(super) fn vain_openings() -> Tries<Uuid> {
    Tries::new(FREE_VAIN_OPENINGS, LONGEST_WAIT_S)
}

fn as_guest(actor: &Actor, found: &FoundInvitation) -> Actor {
    guest_of(actor, found.invitation.id, &found.invitation.label)
}

fn guest_of(actor: &Actor, invitation_id: Uuid, label: &str) -> Actor {
    actor.as_who(Who::Guest(GuestActor {
        invitation_id,
        label: label.to_owned(),
    }))
}

fn inviter_is_full() -> Error {
    Error::conflict(
        codes::INVITER_LIMIT_REACHED,
        "Whoever invited you has too many sessions open now.",
    )
}

fn ended_since() -> Error {
    Error::conflict(
        codes::CONFLICT,
        "The session before is being closed. Try again in a moment.",
    )
}

fn over() -> Error {
    Error::conflict(
        codes::FINISHED,
        "This invitation is over. Ask whoever sent it for another.",
    )
}
