use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_types::{
    account::{NewUser, Role},
    codes, limits,
};

use super::{Identity, email::email_key, passwords::check_choice, sign_in::token_hash};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{identity::UserRecord, random_bytes},
};

const LINK_LASTS_MS: i64 = 30 * 60 * 1000;

/// How a set-up link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetupLink {
    /// It makes the first admin.
    Works,
    /// It was never printed, a newer one took its place, or its 30 minutes are over.
    Invalid,
    /// There is an account, so no link works any more.
    Done,
}

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

    /// Tells how the set-up link with this token stands.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn setup_link(&self, token: &str) -> Result<SetupLink> {
        let store = &self.ports.store;
        if store
            .setup_link_works(token_hash(token), self.ports.now_ms())
            .await?
        {
            return Ok(SetupLink::Works);
        }
        Ok(if store.count_users().await? > 0 {
            SetupLink::Done
        } else {
            SetupLink::Invalid
        })
    }

    /// Makes the first admin; only success burns the token.
    ///
    /// # Errors
    /// [`Error::Forbidden`] when the token does not work (any more), [`Error::Conflict`] when
    /// there is an account already, or address or password cannot be taken.
    pub async fn set_up(
        &self,
        actor: &Actor,
        token: &str,
        email: &str,
        password: &str,
    ) -> Result<()> {
        let link = self.setup_link(token).await?;
        if link != SetupLink::Works {
            return Err(refusal(link));
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
            return Err(refusal(self.setup_link(token).await?));
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

fn refusal(link: SetupLink) -> Error {
    match link {
        SetupLink::Done => Error::conflict(
            codes::FINISHED,
            "This portal is set up already. Sign in with an account.",
        ),
        SetupLink::Works | SetupLink::Invalid => {
            Error::Forbidden("This set-up link does not work. Restart the portal to get a new one.")
        }
    }
}
