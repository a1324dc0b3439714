//! Routers.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    access::{RouterRecord, RouterUpdate, Routers},
};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{column::hash, failure::store_error};

const INSERT: &str = "
    INSERT INTO routers (id, name, address, api_key_sealed, aes_key_sealed, cert_sha256, protocol, created_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
const GET: &str = "
    SELECT id, name, address, api_key_sealed, aes_key_sealed, cert_sha256, protocol, created_at_ms
    FROM routers WHERE id = $1";
const LIST: &str = "
    SELECT id, name, address, api_key_sealed, aes_key_sealed, cert_sha256, protocol, created_at_ms
    FROM routers WHERE removed_at_ms IS NULL ORDER BY lower(name), id";
// Whoever adds a session raises this row until it is there; so we wait for each other.
const WAIT_FOR_SESSIONS: &str = "UPDATE access_session_changes SET seq = seq WHERE id = 1";
const UPDATE: &str = "
    UPDATE routers
    SET name = $2, address = $3, api_key_sealed = $4, aes_key_sealed = $5, cert_sha256 = $6, protocol = $7
    WHERE id = $1 AND removed_at_ms IS NULL AND (
        (address = $3 AND protocol = $7)
        OR NOT EXISTS (SELECT 1 FROM access_sessions WHERE router_id = $1 AND finished_at_ms IS NULL))";
const IS_THERE: &str = "SELECT COUNT(*) FROM routers WHERE id = $1 AND removed_at_ms IS NULL";
const REMOVE: &str =
    "UPDATE routers SET removed_at_ms = $2 WHERE id = $1 AND removed_at_ms IS NULL";
const REMOVE_GRANTS: &str = "
    DELETE FROM service_grants WHERE service_id IN (SELECT id FROM services WHERE router_id = $1)";
const REMOVE_SERVICES: &str = "
    UPDATE services SET removed_at_ms = $2 WHERE router_id = $1 AND removed_at_ms IS NULL";

for_both! {
    #[async_trait]
    impl Routers for Backend {
        async fn insert_router(&self, router: &RouterRecord) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(router.id)
                .bind(&router.name)
                .bind(&router.address)
                .bind(&router.api_key_sealed)
                .bind(&router.aes_key_sealed)
                .bind(&router.cert_sha256[..])
                .bind(router.protocol)
                .bind(router.created_at_ms)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn router(&self, id: Uuid) -> StoreResult<Option<RouterRecord>> {
            let found = sqlx::query(GET).bind(id).try_map(|row| router(&row)).fetch_optional(self.reads()).await;
            found.map_err(store_error)
        }

        async fn list_routers(&self) -> StoreResult<Vec<RouterRecord>> {
            sqlx::query(LIST).try_map(|row| router(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn update_router(&self, router: &RouterRecord) -> StoreResult<RouterUpdate> {
            let mut tx = self.begin().await?;
            sqlx::query(WAIT_FOR_SESSIONS).execute(&mut *tx).await.map_err(store_error)?;
            let updated = sqlx::query(UPDATE)
                .bind(router.id)
                .bind(&router.name)
                .bind(&router.address)
                .bind(&router.api_key_sealed)
                .bind(&router.aes_key_sealed)
                .bind(&router.cert_sha256[..])
                .bind(router.protocol)
                .execute(&mut *tx)
                .await
                .map_err(store_error)?;
            if updated.rows_affected() == 1 {
                tx.commit().await.map_err(store_error)?;
                return Ok(RouterUpdate::Written);
            }
            let there: i64 = sqlx::query_scalar(IS_THERE).bind(router.id).fetch_one(&mut *tx).await.map_err(store_error)?;
            Ok(if there == 0 { RouterUpdate::Gone } else { RouterUpdate::InUse })
        }

        async fn remove_router(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let removed = sqlx::query(REMOVE).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            if removed.rows_affected() == 0 {
                return Ok(false);
            }
            sqlx::query(REMOVE_GRANTS).bind(id).execute(&mut *change).await.map_err(store_error)?;
            sqlx::query(REMOVE_SERVICES).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(true)
        }
    }

    fn router(row: &Row) -> sqlx::Result<RouterRecord> {
        Ok(RouterRecord {
            id: row.try_get("id")?,
            name: row.try_get("name")?,
            address: row.try_get("address")?,
            api_key_sealed: row.try_get("api_key_sealed")?,
            aes_key_sealed: row.try_get("aes_key_sealed")?,
            cert_sha256: hash(row.try_get("cert_sha256")?)?,
            protocol: row.try_get("protocol")?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}
