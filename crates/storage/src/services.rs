//! Services and who may open them.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    access::{DirectoryRows, ServiceRecord, Services},
};
use gatehouse_types::access::{ServiceKind, Transport};
use sqlx::Row as _;
use uuid::Uuid;

use crate::{
    column::{ip, json, port, to_json, word},
    failure::store_error,
    projects::CHANGE_SEQ,
};

const INSERT: &str = "
    INSERT INTO services (id, router_id, name, description, icon, lan_ip, lan_port, public_port,
        transport, kind, url_path, default_minutes, max_minutes, created_at_ms, wake_json)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
const GET: &str = "
    SELECT id, router_id, name, description, icon, lan_ip, lan_port, public_port,
        transport, kind, url_path, default_minutes, max_minutes, created_at_ms, wake_json
    FROM services WHERE id = $1 AND removed_at_ms IS NULL";
const LIST: &str = "
    SELECT id, router_id, name, description, icon, lan_ip, lan_port, public_port,
        transport, kind, url_path, default_minutes, max_minutes, created_at_ms, wake_json
    FROM services WHERE removed_at_ms IS NULL ORDER BY lower(name), id";
const UPDATE: &str = "
    UPDATE services
    SET router_id = $2, name = $3, description = $4, icon = $5, lan_ip = $6, lan_port = $7, public_port = $8,
        transport = $9, kind = $10, url_path = $11, default_minutes = $12, max_minutes = $13, wake_json = $14
    WHERE id = $1 AND removed_at_ms IS NULL";
const REMOVE: &str =
    "UPDATE services SET removed_at_ms = $2 WHERE id = $1 AND removed_at_ms IS NULL";

const IS_GRANTED: &str = "
    SELECT EXISTS (SELECT 1 FROM service_grants JOIN services ON id = service_id
        WHERE service_id = $1 AND user_id = $2 AND removed_at_ms IS NULL)";
const GRANTS: &str = "SELECT user_id FROM service_grants WHERE service_id = $1 ORDER BY user_id";
const ALL_GRANTS: &str =
    "SELECT service_id, user_id FROM service_grants ORDER BY service_id, user_id";
const REMOVE_GRANTS: &str = "DELETE FROM service_grants WHERE service_id = $1";
// Somebody removed a moment ago, or named twice, is passed over.
const INSERT_GRANT: &str = "
    INSERT INTO service_grants (service_id, user_id)
    SELECT services.id, users.id FROM services, users
    WHERE services.id = $1 AND services.removed_at_ms IS NULL AND users.id = $2 AND users.removed_at_ms IS NULL
    ON CONFLICT DO NOTHING";

for_both! {
    #[async_trait]
    impl Services for Backend {
        async fn insert_service(&self, service: &ServiceRecord) -> StoreResult<()> {
            let mut change = self.begin_change().await?;
            sqlx::query(INSERT)
                .bind(service.id)
                .bind(service.router_id)
                .bind(&service.name)
                .bind(&service.description)
                .bind(&service.icon)
                .bind(service.lan_ip.to_string())
                .bind(i64::from(service.lan_port))
                .bind(i64::from(service.public_port))
                .bind(service.transport.as_str())
                .bind(service.kind.as_str())
                .bind(&service.url_path)
                .bind(service.default_minutes)
                .bind(service.max_minutes)
                .bind(service.created_at_ms)
                .bind(service.wake.as_ref().map(to_json))
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)
        }

        async fn service(&self, id: Uuid) -> StoreResult<Option<ServiceRecord>> {
            let found = sqlx::query(GET).bind(id).try_map(|row| service(&row)).fetch_optional(self.reads()).await;
            found.map_err(store_error)
        }

        async fn load_directory(&self) -> StoreResult<DirectoryRows> {
            let mut snapshot = self.begin_snapshot().await?;
            let change_seq = sqlx::query_scalar(CHANGE_SEQ).fetch_one(&mut *snapshot).await.map_err(store_error)?;
            let services =
                sqlx::query(LIST).try_map(|row| service(&row)).fetch_all(&mut *snapshot).await.map_err(store_error)?;
            let grants = sqlx::query_as(ALL_GRANTS).fetch_all(&mut *snapshot).await.map_err(store_error)?;
            Ok(DirectoryRows { change_seq, services, grants })
        }

        async fn is_granted(&self, service_id: Uuid, user_id: Uuid) -> StoreResult<bool> {
            let granted = sqlx::query_scalar(IS_GRANTED).bind(service_id).bind(user_id).fetch_one(self.reads()).await;
            granted.map_err(store_error)
        }

        async fn update_service(&self, service: &ServiceRecord) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let updated = sqlx::query(UPDATE)
                .bind(service.id)
                .bind(service.router_id)
                .bind(&service.name)
                .bind(&service.description)
                .bind(&service.icon)
                .bind(service.lan_ip.to_string())
                .bind(i64::from(service.lan_port))
                .bind(i64::from(service.public_port))
                .bind(service.transport.as_str())
                .bind(service.kind.as_str())
                .bind(&service.url_path)
                .bind(service.default_minutes)
                .bind(service.max_minutes)
                .bind(service.wake.as_ref().map(to_json))
                .execute(&mut *change)
                .await
                .map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(updated.rows_affected() == 1)
        }

        async fn remove_service(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let mut change = self.begin_change().await?;
            let removed = sqlx::query(REMOVE).bind(id).bind(now_ms).execute(&mut *change).await.map_err(store_error)?;
            sqlx::query(REMOVE_GRANTS).bind(id).execute(&mut *change).await.map_err(store_error)?;
            change.commit().await.map_err(store_error)?;
            Ok(removed.rows_affected() == 1)
        }

        async fn grants(&self, service_id: Uuid) -> StoreResult<Vec<Uuid>> {
            sqlx::query_scalar(GRANTS).bind(service_id).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn set_grants(&self, service_id: Uuid, users: &[Uuid]) -> StoreResult<()> {
            // Alone, so that of two lists sent at once one wins whole.
            let mut change = self.begin_change().await?;
            sqlx::query(REMOVE_GRANTS).bind(service_id).execute(&mut *change).await.map_err(store_error)?;
            for user_id in users {
                sqlx::query(INSERT_GRANT)
                    .bind(service_id)
                    .bind(user_id)
                    .execute(&mut *change)
                    .await
                    .map_err(store_error)?;
            }
            change.commit().await.map_err(store_error)
        }
    }

    fn service(row: &Row) -> sqlx::Result<ServiceRecord> {
        Ok(ServiceRecord {
            id: row.try_get("id")?,
            router_id: row.try_get("router_id")?,
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            icon: row.try_get("icon")?,
            lan_ip: ip(row.try_get("lan_ip")?)?,
            lan_port: port(row.try_get("lan_port")?)?,
            public_port: port(row.try_get("public_port")?)?,
            transport: word(row.try_get("transport")?, Transport::parse)?,
            kind: word(row.try_get("kind")?, ServiceKind::parse)?,
            url_path: row.try_get("url_path")?,
            default_minutes: row.try_get("default_minutes")?,
            max_minutes: row.try_get("max_minutes")?,
            wake: row.try_get::<Option<&str>, _>("wake_json")?.map(json).transpose()?,
            created_at_ms: row.try_get("created_at_ms")?,
        })
    }
}
