use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_types::{
    Timestamp,
    account::{LoginKind, LoginToken},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Identity, email::email_key, throttle::is_familiar};
use crate::{
    Actor, Error, Result,
    actor::{Account, Who},
    audit::Note,
    jwt::Times,
    ports::{
        identity::{SignInRecord, UserRecord},
        random_bytes,
    },
};

const MINUTE_MS: i64 = 60 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// How long "remember me" lasts.
pub const REMEMBERED_MS: i64 = 30 * DAY_MS;
const API_TOKEN_MS: i64 = HOUR_MS;
const API_AUDIENCE: &str = "gatehouse-api";
/// 254 characters of four bytes each.
const EMAIL_MAX_BYTES: usize = 4 * gatehouse_types::limits::EMAIL_MAX_CHARS;
const USER_AGENT_MAX_CHARS: usize = 300;

/// What somebody sends to sign in.
#[derive(Debug, Clone, Copy)]
pub struct SignIn<'a> {
    /// The e-mail address, in any spelling.
    pub email: &'a str,
    /// The password.
    pub password: &'a str,
    /// What the browser or program calls itself.
    pub user_agent: &'a str,
}

/// A sign-in session that has just begun.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The secret of the cookie: 256 random bits. Only its hash is stored.
    pub secret: String,
    /// How long the cookie may live in the browser; `None` until it is closed.
    pub cookie_lives_ms: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ApiClaims {
    sub: Uuid,
    aud: String,
    iat: i64,
    exp: i64,
    jti: String,
}

impl Times for ApiClaims {
    fn expires_at_s(&self) -> i64 {
        self.exp
    }
    fn issued_at_s(&self) -> i64 {
        self.iat
    }
}

impl Identity {
    /// Begins a sign-in session of a browser: one hour idle and 24 hours at the most, or 30
    /// days when remembered.
    ///
    /// # Errors
    /// The same one for an unknown, a disabled and a wrong half; [`Error::TooMany`] when tries
    /// come too fast.
    pub async fn sign_in(
        &self,
        actor: &Actor,
        request: SignIn<'_>,
        remember: bool,
    ) -> Result<SignedIn> {
        let user = self.check_password(actor, request).await?;
        let secret = URL_SAFE_NO_PAD.encode(random_bytes::<32>(self.ports.rng.as_ref()));
        let (lasts_ms, idle_ms) = if remember {
            (REMEMBERED_MS, REMEMBERED_MS)
        } else {
            (DAY_MS, HOUR_MS)
        };
        let record = self.new_sign_in(
            actor,
            &user,
            LoginKind::Browser,
            &secret,
            lasts_ms,
            idle_ms,
            request.user_agent,
        );
        self.begin(actor, &user, &record).await?;
        Ok(SignedIn {
            secret,
            cookie_lives_ms: remember.then_some(REMEMBERED_MS),
        })
    }

    /// Trades a password for a token of one hour, for programs.
    ///
    /// # Errors
    /// As [`Identity::sign_in`].
    pub async fn api_login(&self, actor: &Actor, request: SignIn<'_>) -> Result<LoginToken> {
        let user = self.check_password(actor, request).await?;
        let jti = URL_SAFE_NO_PAD.encode(random_bytes::<32>(self.ports.rng.as_ref()));
        let record = self.new_sign_in(
            actor,
            &user,
            LoginKind::Api,
            &jti,
            API_TOKEN_MS,
            API_TOKEN_MS,
            request.user_agent,
        );
        let claims = ApiClaims {
            sub: user.id,
            aud: API_AUDIENCE.into(),
            iat: record.created_at_ms / 1000,
            exp: record.expires_at_ms / 1000,
            jti,
        };
        let token = self.api_tokens.sign(&claims)?;
        self.begin(actor, &user, &record).await?;
        Ok(LoginToken {
            token,
            expires_at: Timestamp(record.expires_at_ms),
        })
    }

    /// Tells whose cookie this is; `None` when it is nobody's (any more).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn authenticate_cookie(&self, origin: &Actor, secret: &str) -> Result<Option<Actor>> {
        self.authenticate(origin, secret, LoginKind::Browser).await
    }

    /// Tells whose token this is.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] when it is no good.
    pub async fn authenticate_api_token(&self, origin: &Actor, token: &str) -> Result<Actor> {
        let claims: ApiClaims = self.api_tokens.verify(token, self.ports.now_ms())?;
        let actor = self
            .authenticate(origin, &claims.jti, LoginKind::Api)
            .await?;
        let own = |actor: &Actor| {
            actor
                .account()
                .is_ok_and(|account| account.id == claims.sub)
                && claims.aud == API_AUDIENCE
        };
        actor
            .filter(own)
            .ok_or(Error::Unauthenticated("Invalid token"))
    }

    /// Whether the sign-in of an actor still holds, in its role; looking does not prolong it.
    ///
    /// # Errors
    /// When nobody is signed in or the database does not answer.
    pub async fn is_still_signed_in(&self, actor: &Actor) -> Result<bool> {
        let account = actor.account()?;
        let user = self.ports.store.user(account.id).await?;
        let is_same =
            user.is_some_and(|user| user.disabled_at_ms.is_none() && user.role == account.role);
        let now_ms = self.ports.now_ms();
        let sign_ins = self.ports.store.list_sign_ins(account.id, now_ms).await?;
        Ok(is_same && sign_ins.iter().any(|own| own.id == account.sign_in_id))
    }

    /// Ends the sign-in session that asks.
    ///
    /// # Errors
    /// When nobody is signed in.
    pub async fn sign_out(&self, actor: &Actor) -> Result<()> {
        let account = actor.account()?;
        self.ports
            .store
            .finish_sign_in(
                account.id,
                account.sign_in_id,
                self.ports.now_ms(),
                "signed_out",
            )
            .await?;
        self.audit
            .note(
                actor,
                Note::ok("sign_in.end", "sign_in", account.sign_in_id).detail("signed_out"),
            )
            .await
    }

    async fn authenticate(
        &self,
        origin: &Actor,
        secret: &str,
        kind: LoginKind,
    ) -> Result<Option<Actor>> {
        let Some((record, user, change_seq)) = self.ports.store.sign_in(token_hash(secret)).await?
        else {
            return Ok(None);
        };
        let now_ms = self.ports.now_ms();
        let over =
            now_ms >= record.expires_at_ms || now_ms - record.last_seen_at_ms >= record.idle_ms;
        if over || record.kind != kind {
            return Ok(None);
        }
        if now_ms - record.last_seen_at_ms >= MINUTE_MS {
            self.ports.store.touch_sign_in(record.id, now_ms).await?;
        }
        let account = Account {
            id: user.id,
            email: user.email,
            role: user.role,
            sign_in_id: record.id,
            change_seq: Some(change_seq),
        };
        Ok(Some(origin.as_who(Who::Account(account))))
    }

    async fn check_password(&self, actor: &Actor, request: SignIn<'_>) -> Result<UserRecord> {
        // No account has a longer address, and the throttle must not keep long texts.
        let is_address = request.email.len() <= EMAIL_MAX_BYTES;
        let key = email_key(if is_address { request.email } else { "" });
        // PostgreSQL takes no NUL in a text, and no address has one.
        let user = if key.contains('\0') {
            None
        } else {
            self.ports.store.user_by_email_key(&key).await?
        };
        let familiar = match (&user, actor.ip) {
            (Some(user), Some(ip)) => {
                is_familiar(ip, &self.ports.store.sign_in_addresses(user.id).await?)
            }
            _ => false,
        };
        let attempt = self
            .throttle
            .attempt(&key, actor.ip, familiar, self.ports.now_ms())?;
        let usable = user.filter(|user| user.disabled_at_ms.is_none());
        let right = self
            .passwords
            .verify(
                request.password,
                usable.as_ref().map(|user| user.password_hash.as_str()),
            )
            .await?;
        if let Some(user) = usable.filter(|_| right) {
            self.throttle.succeeded(&attempt);
            return Ok(user);
        }
        Err(self.refuse(actor).await?)
    }

    /// Notes that somebody was not let in, and answers what they are told.
    async fn refuse(&self, actor: &Actor) -> Result<Error> {
        let note = Note::ok("sign_in.begin", "user", "").result("refused");
        self.audit.note(actor, note).await?;
        Ok(Error::Unauthenticated(
            "E-mail address or password is wrong.",
        ))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parts of one record, each named at its place"
    )]
    fn new_sign_in(
        &self,
        actor: &Actor,
        user: &UserRecord,
        kind: LoginKind,
        secret: &str,
        lasts_ms: i64,
        idle_ms: i64,
        user_agent: &str,
    ) -> SignInRecord {
        let now_ms = self.ports.now_ms();
        SignInRecord {
            id: self.ports.new_id(),
            token_hash: token_hash(secret),
            user_id: user.id,
            kind,
            created_at_ms: now_ms,
            last_seen_at_ms: now_ms,
            expires_at_ms: now_ms + lasts_ms,
            idle_ms,
            ip: actor.ip,
            user_agent: user_agent
                .chars()
                .filter(|mark| !mark.is_control())
                .take(USER_AGENT_MAX_CHARS)
                .collect(),
        }
    }

    /// Begins the session of `user`, whose password was right.
    async fn begin(&self, actor: &Actor, user: &UserRecord, record: &SignInRecord) -> Result<()> {
        let store = &self.ports.store;
        // Checking takes its time: what was right then may have been changed meanwhile.
        if !store.insert_sign_in(record, &user.password_hash).await? {
            return Err(self.refuse(actor).await?);
        }
        let account = Account {
            id: user.id,
            email: user.email.clone(),
            role: user.role,
            sign_in_id: record.id,
            change_seq: None,
        };
        let actor = actor.as_who(Who::Account(account));
        self.audit
            .note(
                &actor,
                Note::ok("sign_in.begin", "sign_in", record.id).detail(record.kind.as_str()),
            )
            .await
    }
}

/// What is stored instead of a secret with 256 random bits.
pub(super) fn token_hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
