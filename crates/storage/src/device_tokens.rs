//! Device tokens: that they were made, and which were revoked.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    firmware::{DeviceTokenRecord, DeviceTokens, TokenFilter},
};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use crate::failure::store_error;

const INSERT: &str = "
    INSERT INTO device_tokens (jti, project_id, device_id, fw_version, issued_at_ms, expires_at_ms, revoked_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const IS_GOOD: &str = "
    SELECT revoked_at_ms IS NULL AND expires_at_ms > $2 FROM device_tokens WHERE jti = $1";
const REVOKE: &str =
    "UPDATE device_tokens SET revoked_at_ms = $2 WHERE jti = $1 AND revoked_at_ms IS NULL";
// Filters are appended only when asked for, so that each combination finds its index.
const LIST_OLDER_THAN: &str = "
    SELECT jti, project_id, device_id, fw_version, issued_at_ms, expires_at_ms, revoked_at_ms
    FROM device_tokens WHERE jti < ";

for_both! {
    #[async_trait]
    impl DeviceTokens for Backend {
        async fn insert_device_token(&self, token: &DeviceTokenRecord) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(token.jti)
                .bind(token.project_id)
                .bind(token.device_id)
                .bind(&token.fw_version)
                .bind(token.issued_at_ms)
                .bind(token.expires_at_ms)
                .bind(token.revoked_at_ms)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn list_device_tokens(&self, filter: TokenFilter, limit: i64) -> StoreResult<Vec<DeviceTokenRecord>> {
            let mut query = QueryBuilder::new(LIST_OLDER_THAN);
            query.push_bind(filter.before.unwrap_or(Uuid::max()));
            if let Some(project_id) = filter.project_id {
                query.push(" AND project_id = ").push_bind(project_id);
            }
            if let Some(device_id) = filter.device_id {
                query.push(" AND device_id = ").push_bind(device_id);
            }
            query.push(" ORDER BY jti DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| token(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn revoke_device_token(&self, jti: Uuid, now_ms: i64) -> StoreResult<Option<bool>> {
            let mut change = self.begin_change().await?;
            let was_good = sqlx::query_scalar(IS_GOOD)
                .bind(jti)
                .bind(now_ms)
                .fetch_optional(&mut *change)
                .await
                .map_err(store_error)?;
            sqlx::query(REVOKE).bind(jti).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(was_good)
        }
    }

    fn token(row: &Row) -> sqlx::Result<DeviceTokenRecord> {
        Ok(DeviceTokenRecord {
            jti: row.try_get("jti")?,
            project_id: row.try_get("project_id")?,
            device_id: row.try_get("device_id")?,
            fw_version: row.try_get("fw_version")?,
            issued_at_ms: row.try_get("issued_at_ms")?,
            expires_at_ms: row.try_get("expires_at_ms")?,
            revoked_at_ms: row.try_get("revoked_at_ms")?,
        })
    }
}
