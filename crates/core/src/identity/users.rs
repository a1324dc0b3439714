use gatehouse_types::{
    Page, PageQuery, Timestamp,
    account::{Acknowledged, LoginSession, NewUser, User, UserChange},
    codes, limits,
};
use uuid::Uuid;

use super::{Identity, email::email_key, no_such_user, passwords::check_choice};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::{
        StoreError,
        identity::{SignInRecord, UserEdit, UserRecord},
    },
};

impl Identity {
    /// Makes an account.
    ///
    /// # Errors
    /// When the actor is no admin, the address is taken, or a field cannot be taken.
    pub async fn create_user(&self, actor: &Actor, new: &NewUser) -> Result<User> {
        actor.require_admin()?;
        let record = self.new_user_record(new).await?;
        self.ports
            .store
            .insert_user(&record)
            .await
            .map_err(address_taken)?;
        self.audit
            .note(
                actor,
                Note::ok("user.create", "user", record.id).detail(record.role.as_str()),
            )
            .await?;
        Ok(to_user(record))
    }

    /// Lists accounts for an admin.
    ///
    /// # Errors
    /// When the actor is no admin or the page cannot be read.
    pub async fn list_users(&self, actor: &Actor, query: &PageQuery) -> Result<Page<User>> {
        actor.require_admin()?;
        let limit = query.limit()?;
        let rows = self
            .ports
            .store
            .list_users(cursor(query.after.as_deref())?, limit + 1)
            .await?;
        Ok(Page::cut(rows, limit, |row| row.id.to_string()).map(to_user))
    }

    /// Shows an account to an admin.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such account.
    pub async fn user(&self, actor: &Actor, id: Uuid) -> Result<User> {
        actor.require_admin()?;
        Ok(to_user(self.find_user(id).await?))
    }

    /// Changes an account. A new password or role, or disabling, ends all its sign-in sessions.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such account, a field cannot be taken, or no
    /// enabled admin would be left.
    pub(crate) async fn change_user(
        &self,
        actor: &Actor,
        id: Uuid,
        change: &UserChange,
    ) -> Result<User> {
        actor.require_admin()?;
        let before = self.find_user(id).await?;
        let edit = self.read_change(&before, change).await?;
        let Some(after) = self
            .ports
            .store
            .change_user(id, &edit)
            .await
            .map_err(address_taken)?
        else {
            // Who was removed meanwhile is not the last admin.
            self.find_user(id).await?;
            return Err(last_admin());
        };
        self.audit
            .note(
                actor,
                Note::ok("user.change", "user", id).detail(edit.ends_sign_ins.unwrap_or_default()),
            )
            .await?;
        Ok(to_user(after))
    }

    async fn read_change(&self, before: &UserRecord, change: &UserChange) -> Result<UserEdit> {
        let mut edit = UserEdit {
            role: change.role,
            disabled: change.disabled,
            at_ms: self.ports.now_ms(),
            ..UserEdit::default()
        };
        if let Some(email) = &change.email {
            limits::email(email.trim())?;
            edit.email = Some(email.trim().to_owned());
            edit.email_key = Some(email_key(email));
        }
        if let Some(password) = &change.password {
            check_choice(password, edit.email.as_ref().unwrap_or(&before.email))?;
            edit.password_hash = Some(self.passwords.hash(password).await?);
            edit.ends_sign_ins = Some("password_changed");
        }
        if change.role.is_some_and(|role| role != before.role) {
            edit.ends_sign_ins = Some("role_changed");
        }
        if change.disabled == Some(true) {
            edit.ends_sign_ins = Some("user_disabled");
        }
        Ok(edit)
    }

    /// Removes an account and ends its sign-in sessions.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such account, or it is the last enabled admin.
    pub(crate) async fn remove_user(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require_admin()?;
        let record = self.find_user(id).await?;
        if !self
            .ports
            .store
            .remove_user(id, self.ports.now_ms())
            .await?
        {
            return Err(last_admin());
        }
        self.ports
            .store
            .finish_sign_ins(id, None, self.ports.now_ms(), "user_removed")
            .await?;
        self.audit
            .note(
                actor,
                Note::ok("user.remove", "user", id).detail(&record.email),
            )
            .await
    }

    /// Changes one's own password and ends all other sign-in sessions.
    ///
    /// # Errors
    /// When nobody is signed in, the current password is wrong, or the new one cannot be taken.
    pub async fn change_own_password(&self, actor: &Actor, current: &str, new: &str) -> Result<()> {
        let account = actor.account()?;
        let record = self.find_user(account.id).await?;
        let attempt =
            self.throttle
                .attempt(&record.email_key, actor.ip, true, self.ports.now_ms())?;
        if !self
            .passwords
            .verify(current, Some(&record.password_hash))
            .await?
        {
            return Err(Error::invalid(
                "current",
                "That is not your current password.",
            ));
        }
        self.throttle.succeeded(&attempt);
        check_choice(new, &record.email)?;
        let new_hash = self.passwords.hash(new).await?;
        // Hashing takes its time: what an admin changed meanwhile stands.
        if !self
            .ports
            .store
            .replace_password(account.id, &record.password_hash, &new_hash)
            .await?
        {
            return Err(Error::conflict(
                codes::CONFLICT,
                "Your account was changed meanwhile. Sign in again.",
            ));
        }
        self.ports
            .store
            .finish_sign_ins(
                account.id,
                Some(account.sign_in_id),
                self.ports.now_ms(),
                "password_changed",
            )
            .await?;
        self.audit
            .note(actor, Note::ok("user.password", "user", account.id))
            .await
    }

    /// Lists sign-in sessions: one's own, or anybody's for an admin.
    ///
    /// # Errors
    /// When somebody else's are asked for by an owner, or there is no such account.
    pub async fn list_sign_ins(&self, actor: &Actor, user_id: Uuid) -> Result<Vec<LoginSession>> {
        let current = self.may_see_sign_ins(actor, user_id).await?;
        let rows = self
            .ports
            .store
            .list_sign_ins(user_id, self.ports.now_ms())
            .await?;
        Ok(rows
            .into_iter()
            .map(|row| to_login_session(row, current))
            .collect())
    }

    /// Ends one sign-in session; it holds for the next request already.
    ///
    /// # Errors
    /// When it is somebody else's (for owners) or there is no such session.
    pub async fn end_sign_in(&self, actor: &Actor, user_id: Uuid, id: Uuid) -> Result<()> {
        self.may_see_sign_ins(actor, user_id).await?;
        let own = actor.account().is_ok_and(|account| account.id == user_id);
        let reason = if own { "closed" } else { "closed_by_admin" };
        if !self
            .ports
            .store
            .finish_sign_in(user_id, id, self.ports.now_ms(), reason)
            .await?
        {
            return Err(Error::NotFound("sign-in session"));
        }
        self.audit
            .note(actor, Note::ok("sign_in.end", "sign_in", id).detail(reason))
            .await
    }

    /// Ends all of one's own sign-in sessions but this one; answers how many.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn end_other_sign_ins(&self, actor: &Actor) -> Result<u64> {
        let account = actor.account()?;
        let ended = self
            .ports
            .store
            .finish_sign_ins(
                account.id,
                Some(account.sign_in_id),
                self.ports.now_ms(),
                "closed",
            )
            .await?;
        self.audit
            .note(actor, Note::ok("sign_in.end_others", "user", account.id))
            .await?;
        Ok(ended)
    }

    /// Keeps that the owner's app has seen so many notices.
    ///
    /// # Errors
    /// When nobody is signed in or the count lies outside 0..=1,000,000.
    pub async fn acknowledge(&self, actor: &Actor, count: i64) -> Result<Acknowledged> {
        let account = actor.account()?;
        if !(0..=1_000_000).contains(&count) {
            return Err(Error::invalid(
                "count",
                "A count lies between 0 and 1,000,000.",
            ));
        }
        self.ports
            .store
            .insert_ack(self.ports.new_id(), account.id, count, self.ports.now_ms())
            .await?;
        Ok(Acknowledged {
            ok: true,
            user: account.email.clone(),
        })
    }

    /// One's newest acknowledgement: how many notices, and when.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn last_ack(&self, actor: &Actor) -> Result<Option<(i64, Timestamp)>> {
        let last = self.ports.store.last_ack(actor.account()?.id).await?;
        Ok(last.map(|(count, at_ms)| (count, Timestamp(at_ms))))
    }

    async fn find_user(&self, id: Uuid) -> Result<UserRecord> {
        self.ports.store.user(id).await?.ok_or_else(no_such_user)
    }

    /// Answers the sign-in session that asks. Somebody else's sessions do not exist for an owner.
    async fn may_see_sign_ins(&self, actor: &Actor, user_id: Uuid) -> Result<Uuid> {
        let account = actor.account()?;
        if account.id != user_id {
            actor.require_admin().map_err(|_| no_such_user())?;
            self.find_user(user_id).await?;
        }
        Ok(account.sign_in_id)
    }
}

fn address_taken(error: StoreError) -> Error {
    match error {
        StoreError::Taken => Error::conflict(
            codes::TAKEN,
            "There is an account with that e-mail address already.",
        ),
        other => other.into(),
    }
}

fn last_admin() -> Error {
    Error::conflict(
        codes::LAST_ADMIN,
        "This is the last admin who can sign in. Make another admin first.",
    )
}

fn to_user(record: UserRecord) -> User {
    User {
        id: record.id,
        email: record.email,
        role: record.role,
        disabled: record.disabled_at_ms.is_some(),
        created_at: Timestamp(record.created_at_ms),
    }
}

fn to_login_session(record: SignInRecord, current: Uuid) -> LoginSession {
    LoginSession {
        id: record.id,
        kind: record.kind,
        created_at: Timestamp(record.created_at_ms),
        last_seen_at: Timestamp(record.last_seen_at_ms),
        expires_at: Timestamp(
            record
                .expires_at_ms
                .min(record.last_seen_at_ms + record.idle_ms),
        ),
        ip: record.ip.map(|ip| ip.to_string()),
        user_agent: record.user_agent,
        current: record.id == current,
    }
}
