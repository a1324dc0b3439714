//! Accounts, the set-up link and acknowledgements.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    identity::{UserEdit, UserRecord, Users},
};
use gatehouse_types::account::Role;
use sqlx::{Database, Row as _, query::Query};
use uuid::Uuid;

use crate::{column::word, failure::store_error, sign_ins::FINISH_ALL_BUT};

const INSERT: &str = "
    INSERT INTO users (id, email, email_key, role, password_hash, created_at_ms, disabled_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const GET: &str = "
    SELECT id, email, email_key, role, password_hash, created_at_ms, disabled_at_ms
    FROM users WHERE id = $1 AND removed_at_ms IS NULL";
const GET_BY_EMAIL_KEY: &str = "
    SELECT id, email, email_key, role, password_hash, created_at_ms, disabled_at_ms
    FROM users WHERE email_key = $1 AND removed_at_ms IS NULL";
const LIST: &str = "
    SELECT id, email, email_key, role, password_hash, created_at_ms, disabled_at_ms
    FROM users WHERE id > $1 AND removed_at_ms IS NULL ORDER BY id LIMIT $2";
const COUNT: &str = "SELECT COUNT(*) FROM users WHERE removed_at_ms IS NULL";

// Both keep an enabled admin: this one stays one, or it was none, or another one stays.
const CHANGE: &str = "
    UPDATE users SET
        email = COALESCE($2, email), email_key = COALESCE($3, email_key),
        role = COALESCE($4, role), password_hash = COALESCE($5, password_hash),
        disabled_at_ms = CASE
            WHEN $6 THEN COALESCE(disabled_at_ms, $7)
            WHEN NOT $6 THEN NULL
            ELSE disabled_at_ms END
    WHERE id = $1 AND removed_at_ms IS NULL
    AND (role <> 'admin' OR disabled_at_ms IS NOT NULL
        OR (COALESCE($4, role) = 'admin' AND NOT COALESCE($6, FALSE))
        OR EXISTS (SELECT 1 FROM users AS other WHERE other.id <> $1 AND other.role = 'admin'
        AND other.disabled_at_ms IS NULL AND other.removed_at_ms IS NULL))
    RETURNING id, email, email_key, role, password_hash, created_at_ms, disabled_at_ms";
const REPLACE_PASSWORD: &str = "
    UPDATE users SET password_hash = $3
    WHERE id = $1 AND password_hash = $2 AND disabled_at_ms IS NULL AND removed_at_ms IS NULL";
const REMOVE: &str = "
    UPDATE users SET removed_at_ms = $2
    WHERE id = $1 AND removed_at_ms IS NULL
    AND (role <> 'admin' OR disabled_at_ms IS NOT NULL OR EXISTS (
        SELECT 1 FROM users AS other WHERE other.id <> $1 AND other.role = 'admin'
        AND other.disabled_at_ms IS NULL AND other.removed_at_ms IS NULL))";
const REMOVE_GRANTS: &str = "DELETE FROM service_grants WHERE user_id = $1";

const FORGET_SETUP_LINKS: &str = "DELETE FROM setup_links";
const INSERT_SETUP_LINK: &str =
    "INSERT INTO setup_links (token_hash, expires_at_ms) VALUES ($1, $2)";
const SETUP_LINK_WORKS: &str = "
    SELECT EXISTS (SELECT 1 FROM setup_links WHERE token_hash = $1 AND expires_at_ms > $2)
    AND NOT EXISTS (SELECT 1 FROM users WHERE removed_at_ms IS NULL)";

const INSERT_ACK: &str =
    "INSERT INTO acks (id, user_id, seen_count, at_ms) VALUES ($1, $2, $3, $4)";
const LAST_ACK: &str =
    "SELECT seen_count, at_ms FROM acks WHERE user_id = $1 ORDER BY id DESC LIMIT 1";

for_both! {
    #[async_trait]
    impl Users for Backend {
        async fn insert_user(&self, user: &UserRecord) -> StoreResult<()> {
            insert(user).execute(self.writes()).await.map(drop).map_err(store_error)
        }

        async fn user(&self, id: Uuid) -> StoreResult<Option<UserRecord>> {
            let found = sqlx::query(GET).bind(id).try_map(|row| user(&row)).fetch_optional(self.reads()).await;
            found.map_err(store_error)
        }

        async fn user_by_email_key(&self, email_key: &str) -> StoreResult<Option<UserRecord>> {
            sqlx::query(GET_BY_EMAIL_KEY)
                .bind(email_key)
                .try_map(|row| user(&row))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn list_users(&self, after: Option<Uuid>, limit: i64) -> StoreResult<Vec<UserRecord>> {
            sqlx::query(LIST)
                .bind(after.unwrap_or(Uuid::nil()))
                .bind(limit)
                .try_map(|row| user(&row))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn count_users(&self) -> StoreResult<i64> {
            sqlx::query_scalar(COUNT).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn change_user(&self, id: Uuid, edit: &UserEdit) -> StoreResult<Option<UserRecord>> {
            let mut change = self.begin_change().await?;
            let changed = sqlx::query(CHANGE)
                .bind(id)
                .bind(&edit.email)
                .bind(&edit.email_key)
                .bind(edit.role.map(Role::as_str))
                .bind(&edit.password_hash)
                .bind(edit.disabled)
                .bind(edit.at_ms)
                .try_map(|row| user(&row))
                .fetch_optional(&mut *change)
                .await
                .map_err(store_error)?;
            if let (Some(_), Some(reason)) = (&changed, edit.ends_sign_ins) {
                sqlx::query(FINISH_ALL_BUT)
                    .bind(id)
                    .bind(Uuid::nil())
                    .bind(edit.at_ms)
                    .bind(reason)
                    .execute(&mut *change)
                    .await
                    .map_err(store_error)?;
            }
            change.commit().await.map_err(store_error)?;
            Ok(changed)
        }

        async fn replace_password(
            &self,
            id: Uuid,
            old_hash: &str,
            new_hash: &str,
        ) -> StoreResult<bool> {
            let replaced = sqlx::query(REPLACE_PASSWORD)
                .bind(id)
                .bind(old_hash)
                .bind(new_hash)
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(replaced.rows_affected() == 1)
        }

        async fn remove_user(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let removed = sqlx::query(REMOVE).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            if removed.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(REMOVE_GRANTS).bind(id).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn replace_setup_link(&self, token_hash: [u8; 32], expires_at_ms: i64) -> StoreResult<()> {
            let mut change = self.begin_change().await?;
            sqlx::query(FORGET_SETUP_LINKS).execute(&mut *change).await.map_err(store_error)?;
            sqlx::query(INSERT_SETUP_LINK)
                .bind(&token_hash[..])
                .bind(expires_at_ms)
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)
        }

        async fn setup_link_works(&self, token_hash: [u8; 32], now_ms: i64) -> StoreResult<bool> {
            sqlx::query_scalar(SETUP_LINK_WORKS)
                .bind(&token_hash[..])
                .bind(now_ms)
                .fetch_one(self.reads())
                .await
                .map_err(store_error)
        }

        async fn use_setup_link(&self, token_hash: [u8; 32], now_ms: i64, user: &UserRecord) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let works: bool = sqlx::query_scalar(SETUP_LINK_WORKS)
                .bind(&token_hash[..])
                .bind(now_ms)
                .fetch_one(&mut *change)
                .await
                .map_err(store_error)?;
            if !works {
                return Ok(false);
            }
            sqlx::query(FORGET_SETUP_LINKS).execute(&mut *change).await.map_err(store_error)?;
            insert(user).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }

        async fn insert_ack(&self, id: Uuid, user_id: Uuid, count: i64, at_ms: i64) -> StoreResult<()> {
            sqlx::query(INSERT_ACK)
                .bind(id)
                .bind(user_id)
                .bind(count)
                .bind(at_ms)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn last_ack(&self, user_id: Uuid) -> StoreResult<Option<(i64, i64)>> {
            sqlx::query_as(LAST_ACK).bind(user_id).fetch_optional(self.reads()).await.map_err(store_error)
        }
    }

    type Db = <Row as sqlx::Row>::Database;

    fn insert(user: &UserRecord) -> Query<'static, Db, <Db as Database>::Arguments> {
        sqlx::query(INSERT)
            .bind(user.id)
            .bind(&user.email)
            .bind(&user.email_key)
            .bind(user.role.as_str())
            .bind(&user.password_hash)
            .bind(user.created_at_ms)
            .bind(user.disabled_at_ms)
    }

    fn user(row: &Row) -> sqlx::Result<UserRecord> {
        Ok(UserRecord {
            id: row.try_get("id")?,
            email: row.try_get("email")?,
            email_key: row.try_get("email_key")?,
            role: word(row.try_get("role")?, Role::parse)?,
            password_hash: row.try_get("password_hash")?,
            created_at_ms: row.try_get("created_at_ms")?,
            disabled_at_ms: row.try_get("disabled_at_ms")?,
        })
    }
}
