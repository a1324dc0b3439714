//! Sign-in sessions: finished ones stay, with their reason.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    identity::{SignInRecord, SignIns, UserRecord},
};
use gatehouse_types::account::{LoginKind, Role};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    column::{hash, ip, word},
    failure::store_error,
};

// Writes nothing new, but whoever changes the account waits until the session stands: under
// PostgreSQL a plain read would let both pass each other, and `FOR SHARE` is not in SQLite.
const HOLD_PASSWORD: &str = "
    UPDATE users SET password_hash = password_hash
    WHERE id = $1 AND password_hash = $2 AND disabled_at_ms IS NULL AND removed_at_ms IS NULL";
const INSERT: &str = "
    INSERT INTO sign_in_sessions
    (id, token_hash, user_id, kind, created_at_ms, last_seen_at_ms, expires_at_ms, idle_ms, ip, user_agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
// The account's columns that both tables have bear a prefix.
const GET_WITH_USER: &str = "
    SELECT s.id, s.token_hash, s.user_id, s.kind, s.created_at_ms, s.last_seen_at_ms, s.expires_at_ms,
        s.idle_ms, s.ip, s.user_agent,
        u.email, u.email_key, u.role, u.password_hash, u.created_at_ms AS user_created_at_ms,
        (SELECT change_seq FROM portal_state WHERE id = 1) AS change_seq
    FROM sign_in_sessions AS s JOIN users AS u ON u.id = s.user_id
    WHERE s.token_hash = $1 AND s.finished_at_ms IS NULL
    AND u.disabled_at_ms IS NULL AND u.removed_at_ms IS NULL";
const LIST: &str = "
    SELECT id, token_hash, user_id, kind, created_at_ms, last_seen_at_ms, expires_at_ms, idle_ms, ip, user_agent
    FROM sign_in_sessions
    WHERE user_id = $1 AND finished_at_ms IS NULL
    AND expires_at_ms > $2 AND last_seen_at_ms + idle_ms > $2
    ORDER BY id DESC";
const TOUCH: &str = "
    UPDATE sign_in_sessions SET last_seen_at_ms = $2
    WHERE id = $1 AND finished_at_ms IS NULL AND last_seen_at_ms < $2";
const FINISH: &str = "
    UPDATE sign_in_sessions SET finished_at_ms = $3, end_reason = $4
    WHERE user_id = $1 AND id = $2 AND finished_at_ms IS NULL";
pub(crate) const FINISH_ALL_BUT: &str = "
    UPDATE sign_in_sessions SET finished_at_ms = $3, end_reason = $4
    WHERE user_id = $1 AND id <> $2 AND finished_at_ms IS NULL";
const ADDRESSES: &str = "
    SELECT DISTINCT ip FROM sign_in_sessions WHERE user_id = $1 AND ip IS NOT NULL";

for_both! {
    #[async_trait]
    impl SignIns for Backend {
        async fn insert_sign_in(&self, sign_in: &SignInRecord, password_hash: &str) -> StoreResult<bool> {
            let mut change = self.begin().await?;
            let held = sqlx::query(HOLD_PASSWORD)
                .bind(sign_in.user_id)
                .bind(password_hash)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            if held.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(INSERT)
                .bind(sign_in.id)
                .bind(&sign_in.token_hash[..])
                .bind(sign_in.user_id)
                .bind(sign_in.kind.as_str())
                .bind(sign_in.created_at_ms)
                .bind(sign_in.last_seen_at_ms)
                .bind(sign_in.expires_at_ms)
                .bind(sign_in.idle_ms)
                .bind(sign_in.ip.map(|ip| ip.to_string()))
                .bind(&sign_in.user_agent)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn sign_in(&self, token_hash: [u8; 32]) -> StoreResult<Option<(SignInRecord, UserRecord, i64)>> {
            sqlx::query(GET_WITH_USER)
                .bind(&token_hash[..])
                .try_map(|row| Ok((sign_in(&row)?, user(&row)?, row.try_get("change_seq")?)))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn list_sign_ins(&self, user_id: Uuid, now_ms: i64) -> StoreResult<Vec<SignInRecord>> {
            sqlx::query(LIST)
                .bind(user_id)
                .bind(now_ms)
                .try_map(|row| sign_in(&row))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn touch_sign_in(&self, id: Uuid, now_ms: i64) -> StoreResult<()> {
            let touched = sqlx::query(TOUCH).bind(id).bind(now_ms).execute(self.writes()).await;
            touched.map(drop).map_err(store_error)
        }

        async fn finish_sign_in(&self, user_id: Uuid, id: Uuid, now_ms: i64, reason: &str) -> StoreResult<bool> {
            let finished = sqlx::query(FINISH)
                .bind(user_id)
                .bind(id)
                .bind(now_ms)
                .bind(reason)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(finished.rows_affected() == 1)
        }

        async fn finish_sign_ins(&self, user_id: Uuid, except: Option<Uuid>, now_ms: i64, reason: &str) -> StoreResult<u64> {
            let finished = sqlx::query(FINISH_ALL_BUT)
                .bind(user_id)
                .bind(except.unwrap_or(Uuid::nil()))
                .bind(now_ms)
                .bind(reason)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(finished.rows_affected())
        }

        async fn sign_in_addresses(&self, user_id: Uuid) -> StoreResult<Vec<IpAddr>> {
            sqlx::query(ADDRESSES)
                .bind(user_id)
                .try_map(|row: Row| ip(row.try_get("ip")?))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }
    }

    fn sign_in(row: &Row) -> sqlx::Result<SignInRecord> {
        Ok(SignInRecord {
            id: row.try_get("id")?,
            token_hash: hash(row.try_get("token_hash")?)?,
            user_id: row.try_get("user_id")?,
            kind: word(row.try_get("kind")?, kind)?,
            created_at_ms: row.try_get("created_at_ms")?,
            last_seen_at_ms: row.try_get("last_seen_at_ms")?,
            expires_at_ms: row.try_get("expires_at_ms")?,
            idle_ms: row.try_get("idle_ms")?,
            ip: row.try_get::<Option<&str>, _>("ip")?.map(ip).transpose()?,
            user_agent: row.try_get("user_agent")?,
        })
    }

    /// The account beside a session; the query lets enabled ones through only.
    fn user(row: &Row) -> sqlx::Result<UserRecord> {
        Ok(UserRecord {
            id: row.try_get("user_id")?,
            email: row.try_get("email")?,
            email_key: row.try_get("email_key")?,
            role: word(row.try_get("role")?, Role::parse)?,
            password_hash: row.try_get("password_hash")?,
            created_at_ms: row.try_get("user_created_at_ms")?,
            disabled_at_ms: None,
        })
    }
}

fn kind(word: &str) -> Option<LoginKind> {
    [LoginKind::Browser, LoginKind::Api]
        .into_iter()
        .find(|kind| kind.as_str() == word)
}
