//! Invitations: an account lets somebody without one open a service of its own.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_types::{
    Page, PageQuery, Timestamp,
    access::{EndReason, Invitation, InvitationState, NewInvitation},
    codes,
    limits::{self, INVITATION_MAX_MINUTES, INVITATION_MAX_USES},
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Access, sessions::MINUTE_MS};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::{
        access::{ServiceRecord, SessionFilter},
        invitations::{FoundInvitation, InvitationRecord},
        random_bytes,
    },
};

/// How many invitations of one account may last at a time.
const LASTING_PER_USER: i64 = 100;

impl Access {
    /// Makes an invitation for a service that the actor may open; answers it with the secret of
    /// its link, which is not kept.
    ///
    /// # Errors
    /// When nobody is signed in, the service is not granted, a field cannot be taken, or the
    /// account has too many invitations.
    pub async fn invite(&self, actor: &Actor, new: &NewInvitation) -> Result<(Invitation, String)> {
        let account = actor.account()?;
        let service = self.find_service(actor, new.service_id).await?;
        check(new, &service)?;
        let (store, now_ms) = (&self.ports.store, self.ports.now_ms());
        if store.count_lasting_invitations(account.id, now_ms).await? >= LASTING_PER_USER {
            return Err(Error::conflict(
                codes::INVITATION_LIMIT_REACHED,
                format!("You have {LASTING_PER_USER} invitations. Revoke one first."),
            ));
        }
        let token = URL_SAFE_NO_PAD.encode(random_bytes::<32>(self.ports.rng.as_ref()));
        let record = InvitationRecord {
            id: self.ports.new_id(),
            service_id: service.id,
            user_id: account.id,
            label: new.label.trim().to_owned(),
            max_minutes: new.max_minutes,
            max_uses: new.max_uses,
            created_at_ms: now_ms,
            expires_at_ms: now_ms + new.expires_minutes * MINUTE_MS,
            revoked_at_ms: None,
        };
        store.insert_invitation(&record, token_hash(&token)).await?;
        let detail = format!(
            "{}, uses: {}, until {}",
            record.label,
            record.max_uses,
            Timestamp(record.expires_at_ms).rfc3339()
        );
        let note = Note::ok("invitation.create", "invitation", record.id).detail(&detail);
        self.audit.note(actor, note).await?;
        let made = self.find_invitation(actor, record.id).await?;
        Ok((to_invitation(made, now_ms), token))
    }

    /// Lists invitations, newest first: one's own, or everybody's for an admin.
    ///
    /// # Errors
    /// When nobody is signed in or the page cannot be read.
    pub async fn list_invitations(
        &self,
        actor: &Actor,
        query: &PageQuery,
    ) -> Result<Page<Invitation>> {
        let account = actor.account()?;
        let user_id = (!actor.is_admin()).then_some(account.id);
        let limit = query.limit()?;
        let before = cursor(query.after.as_deref())?;
        let store = &self.ports.store;
        let rows = store.list_invitations(user_id, before, limit + 1).await?;
        let now_ms = self.ports.now_ms();
        let page = Page::cut(rows, limit, |row| row.invitation.id.to_string());
        Ok(page.map(|row| to_invitation(row, now_ms)))
    }

    /// Shows an invitation; somebody else's does not exist for an owner.
    ///
    /// # Errors
    /// When nobody is signed in or there is no such invitation.
    pub async fn invitation(&self, actor: &Actor, id: Uuid) -> Result<Invitation> {
        let found = self.find_invitation(actor, id).await?;
        Ok(to_invitation(found, self.ports.now_ms()))
    }

    /// Ends an invitation and closes what is open with it; one that was revoked stays as it is.
    ///
    /// # Errors
    /// When nobody is signed in or there is no such invitation.
    pub async fn revoke_invitation(&self, actor: &Actor, id: Uuid) -> Result<()> {
        let found = self.find_invitation(actor, id).await?;
        let own = actor.account()?.id == found.invitation.user_id;
        let reason = if own {
            EndReason::Revoked
        } else {
            EndReason::RevokedByAdmin
        };
        let now_ms = self.ports.now_ms();
        let noted = if self.ports.store.revoke_invitation(id, now_ms).await? {
            let note = Note::ok("invitation.revoke", "invitation", id);
            self.audit.note(actor, note).await
        } else {
            Ok(())
        };
        self.end_sessions(actor, of_invitation(id), reason)
            .await
            .and(noted)
    }

    async fn find_invitation(&self, actor: &Actor, id: Uuid) -> Result<FoundInvitation> {
        let account = actor.account()?;
        let found = self.ports.store.invitation(id).await?;
        found
            .filter(|found| found.invitation.user_id == account.id || actor.is_admin())
            .ok_or_else(no_such_invitation)
    }
}

pub(super) fn no_such_invitation() -> Error {
    Error::NotFound("invitation")
}

pub(super) fn of_invitation(id: Uuid) -> SessionFilter {
    SessionFilter {
        invitation_id: Some(id),
        ..SessionFilter::default()
    }
}

pub(super) fn token_hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

pub(super) fn state_at(found: &FoundInvitation, now_ms: i64) -> InvitationState {
    let invitation = &found.invitation;
    if invitation.revoked_at_ms.is_some() {
        InvitationState::Revoked
    } else if invitation.expires_at_ms <= now_ms {
        InvitationState::Expired
    } else if !found.has_right {
        InvitationState::Suspended
    } else if found.uses >= invitation.max_uses {
        InvitationState::UsedUp
    } else {
        InvitationState::Active
    }
}

/// What a use may last: the service's maximum may have become less since.
pub(super) fn max_minutes(found: &FoundInvitation) -> i64 {
    found.invitation.max_minutes.min(found.service_max_minutes)
}

fn check(new: &NewInvitation, service: &ServiceRecord) -> Result<()> {
    limits::name("label", &new.label)?;
    within(
        "expires_minutes",
        new.expires_minutes,
        INVITATION_MAX_MINUTES,
    )?;
    within("max_uses", new.max_uses, INVITATION_MAX_USES)?;
    within("max_minutes", new.max_minutes, service.max_minutes)
}

fn within(field: &'static str, number: i64, most: i64) -> Result<()> {
    if (1..=most).contains(&number) {
        return Ok(());
    }
    Err(Error::invalid(
        field,
        format!("A number from 1 to {most} can be taken here."),
    ))
}

fn to_invitation(found: FoundInvitation, now_ms: i64) -> Invitation {
    let (state, max_minutes) = (state_at(&found, now_ms), max_minutes(&found));
    let invitation = found.invitation;
    Invitation {
        id: invitation.id,
        service_id: invitation.service_id,
        service_name: found.service_name,
        user_id: invitation.user_id,
        invited_by: found.inviter,
        label: invitation.label,
        state,
        max_minutes,
        max_uses: invitation.max_uses,
        uses: found.uses,
        created_at: Timestamp(invitation.created_at_ms),
        expires_at: Timestamp(invitation.expires_at_ms),
        last_opened_at: found.last_opened_at_ms.map(Timestamp),
        revoked_at: invitation.revoked_at_ms.map(Timestamp),
    }
}
