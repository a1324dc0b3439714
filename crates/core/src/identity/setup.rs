use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_types::{
    account::{NewUser, Role},
    limits,
};

use super::{Identity, email::email_key, passwords::check_choice, sign_in::token_hash};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{identity::UserRecord, random_bytes},
};

const LINK_LASTS_MS: i64 = 30 * 60 * 1000;

impl Identity {
    /// Makes the one-time token of the set-up page when there is no account yet.
    ///
    /// An earlier token stops working; this one works for 30 minutes.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setup_token(&self) -> Result<Option<String>> {
        if self.ports.store.count_users().await? > 0 {
            return Ok(None);
        }
        let token = URL_SAFE_NO_PAD.encode(random_bytes::<32>(self.ports.rng.as_ref()));
        let expires_at_ms = self.ports.now_ms() + LINK_LASTS_MS;
        self.ports
            .store
            .replace_setup_link(token_hash(&token), expires_at_ms)
            .await?;
        Ok(Some(token))
    }

    /// Whether the set-up page may be shown for this token.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setup_token_works(&self, token: &str) -> Result<bool> {
        Ok(self
            .ports
            .store
            .setup_link_works(token_hash(token), self.ports.now_ms())
            .await?)
    }

    /// Makes the first admin; only success burns the token.
    ///
    /// # Errors
    /// When the token does not work (any more), or address or password cannot be taken.
    pub async fn set_up(
        &self,
        actor: &Actor,
        token: &str,
        email: &str,
        password: &str,
    ) -> Result<()> {
        const OVER: Error = Error::Forbidden(
            "This set-up link does not work any more. Restart the portal to get a new one, or sign in.",
        );
        if !self.setup_token_works(token).await? {
            return Err(OVER);
        }
        let user = self
            .new_user_record(&NewUser {
                email: email.into(),
                password: password.into(),
                role: Role::Admin,
            })
            .await?;
        if !self
            .ports
            .store
            .use_setup_link(token_hash(token), self.ports.now_ms(), &user)
            .await?
        {
            return Err(OVER);
        }
        self.audit
            .note(
                actor,
                Note::ok("user.create", "user", user.id).detail("first admin, by set-up link"),
            )
            .await
    }

    pub(super) async fn new_user_record(&self, new: &NewUser) -> Result<UserRecord> {
        limits::email(new.email.trim())?;
        check_choice(&new.password, &new.email)?;
        Ok(UserRecord {
            id: self.ports.new_id(),
            email: new.email.trim().to_owned(),
            email_key: email_key(&new.email),
            role: new.role,
            password_hash: self.passwords.hash(&new.password).await?,
            created_at_ms: self.ports.now_ms(),
            disabled_at_ms: None,
        })
    }
}
