//! Storage of accounts and sign-in sessions.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_types::account::{LoginKind, Role};
use uuid::Uuid;

use super::StoreResult;

/// An account as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserRecord {
    /// The account (UUIDv7).
    pub id: Uuid,
    /// As its owner writes it.
    pub email: String,
    /// The spelling that is unique: NFKC, lower case, trimmed.
    pub email_key: String,
    /// What it may do.
    pub role: Role,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// When it was made.
    pub created_at_ms: i64,
    /// Since when it may not sign in.
    pub disabled_at_ms: Option<i64>,
}

/// What is changed about an account; `None` stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserEdit {
    /// The address as its owner writes it; comes with `email_key`.
    pub email: Option<String>,
    /// The spelling of `email` that is unique.
    pub email_key: Option<String>,
    /// What it may do.
    pub role: Option<Role>,
    /// Argon2id in PHC form.
    pub password_hash: Option<String>,
    /// Whether it may no longer sign in; who is disabled already keeps the moment.
    pub disabled: Option<bool>,
    /// When this happens.
    pub at_ms: i64,
    /// Why all its sign-in sessions end with this, if they do.
    pub ends_sign_ins: Option<&'static str>,
}

/// A sign-in session as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRecord {
    /// Names the session; not the secret.
    pub id: Uuid,
    /// SHA-256 of the secret; for API tokens of the `jti`.
    pub token_hash: [u8; 32],
    /// Whose it is.
    pub user_id: Uuid,
    /// A browser or a program.
    pub kind: LoginKind,
    /// When it began.
    pub created_at_ms: i64,
    /// When it was last used, to the minute.
    pub last_seen_at_ms: i64,
    /// When it ends at the latest.
    pub expires_at_ms: i64,
    /// Unused for this long it ends too.
    pub idle_ms: i64,
    /// From where it began.
    pub ip: Option<IpAddr>,
    /// What the browser or program called itself, cut to 300 characters.
    pub user_agent: String,
}

/// Accounts.
#[async_trait]
pub trait Users: Send + Sync {
    /// Adds an account; `Taken` when the `email_key` is in use.
    async fn insert_user(&self, user: &UserRecord) -> StoreResult<()>;
    /// Finds an account that was not removed.
    async fn user(&self, id: Uuid) -> StoreResult<Option<UserRecord>>;
    /// Finds an account by its unique spelling.
    async fn user_by_email_key(&self, email_key: &str) -> StoreResult<Option<UserRecord>>;
    /// Lists accounts in the order of their ids, after the given one.
    async fn list_users(&self, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<UserRecord>>;
    /// Counts accounts that were not removed.
    async fn count_users(&self) -> StoreResult<i64>;
    /// Changes what is given and ends its sign-in sessions, both or neither; `None` when that
    /// would leave no enabled admin, or the account is gone.
    async fn change_user(&self, id: Uuid, edit: &UserEdit) -> StoreResult<Option<UserRecord>>;
    /// Replaces a password's hash if it is still the given one and the account is enabled.
    async fn replace_password(&self, id: Uuid, old_hash: &str, new_hash: &str)
    -> StoreResult<bool>;
    /// Marks an account as removed and frees its address; `false` for the last enabled admin.
    async fn remove_user(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// Keeps one set-up link and forgets all earlier ones.
    async fn replace_setup_link(&self, token_hash: [u8; 32], expires_at_ms: i64)
    -> StoreResult<()>;
    /// Whether this set-up link still works: known, not over, and no account yet.
    async fn setup_link_works(&self, token_hash: [u8; 32], now_ms: i64) -> StoreResult<bool>;
    /// Burns the set-up link and adds the first account, both or neither.
    async fn use_setup_link(
        &self,
        token_hash: [u8; 32],
        now_ms: i64,
        user: &UserRecord,
    ) -> StoreResult<bool>;
    /// Keeps an acknowledgement of the owner's app.
    async fn insert_ack(&self, id: Uuid, user_id: Uuid, count: i64, at_ms: i64) -> StoreResult<()>;
    /// The newest acknowledgement: how many, and when.
    async fn last_ack(&self, user_id: Uuid) -> StoreResult<Option<(i64, i64)>>;
}

/// Sign-in sessions. Finished ones stay, with their reason.
#[async_trait]
pub trait SignIns: Send + Sync {
    /// Adds a session if the account is enabled and its password's hash is still this one.
    ///
    /// Whoever changes the password or disables the account at the same moment either comes
    /// first, and nothing is added, or finds the session and can end it.
    async fn insert_sign_in(
        &self,
        sign_in: &SignInRecord,
        password_hash: &str,
    ) -> StoreResult<bool>;
    /// Finds an unfinished session of an enabled account by the hash of its secret, and tells
    /// the count of changes of that moment, so that nobody needs to ask for it again.
    async fn sign_in(
        &self,
        token_hash: [u8; 32],
    ) -> StoreResult<Option<(SignInRecord, UserRecord, i64)>>;
    /// Lists a user's unfinished sessions that are not over, newest first.
    async fn list_sign_ins(&self, user_id: Uuid, now_ms: i64) -> StoreResult<Vec<SignInRecord>>;
    /// Notes that a session was used.
    async fn touch_sign_in(&self, id: Uuid, now_ms: i64) -> StoreResult<()>;
    /// Ends one session of a user; `false` when there is no such unfinished one.
    async fn finish_sign_in(
        &self,
        user_id: Uuid,
        id: Uuid,
        now_ms: i64,
        reason: &str,
    ) -> StoreResult<bool>;
    /// Ends all sessions of a user but one; answers how many.
    async fn finish_sign_ins(
        &self,
        user_id: Uuid,
        except: Option<Uuid>,
        now_ms: i64,
        reason: &str,
    ) -> StoreResult<u64>;
    /// Lists every address that this user ever signed in from, each once.
    async fn sign_in_addresses(&self, user_id: Uuid) -> StoreResult<Vec<IpAddr>>;
}
