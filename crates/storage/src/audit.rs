//! The audit trail: appended and read, never changed.

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    audit::{AuditFilter, AuditTrail},
};
use gatehouse_types::{Timestamp, audit::AuditEntry};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use crate::failure::store_error;

const INSERT: &str = "
    INSERT INTO audit (id, at_ms, actor_kind, actor_id, actor_name, ip, action, target_kind, target_id,
        result, detail, request_id)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
// Filters are appended only when asked for, so that each combination finds its index.
const LIST_OLDER_THAN: &str = "
    SELECT id, at_ms, actor_kind, actor_id, actor_name, ip, action, target_kind, target_id,
        result, detail, request_id
    FROM audit WHERE id < ";

for_both! {
    #[async_trait]
    impl AuditTrail for Backend {
        async fn append_audit(&self, entry: &AuditEntry) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(entry.id)
                .bind(entry.at.0)
                .bind(&entry.actor_kind)
                .bind(&entry.actor_id)
                .bind(&entry.actor_name)
                .bind(&entry.ip)
                .bind(&entry.action)
                .bind(&entry.target_kind)
                .bind(&entry.target_id)
                .bind(&entry.result)
                .bind(&entry.detail)
                .bind(&entry.request_id)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn list_audit(&self, filter: &AuditFilter, limit: i64) -> StoreResult<Vec<AuditEntry>> {
            let mut query = QueryBuilder::new(LIST_OLDER_THAN);
            query.push_bind(filter.before.unwrap_or(Uuid::max()));
            if let Some(actor) = &filter.actor {
                // What changes when the part is taken out contains it. LIKE would treat case
                // differently on the two databases, and some letters as wildcards.
                query.push(" AND (replace(actor_name, ").push_bind(actor);
                query.push(", '') <> actor_name OR actor_id = ").push_bind(actor).push(")");
            }
            if let Some(action) = &filter.action {
                query.push(" AND substr(action, 1, length(").push_bind(action).push("))");
                query.push(" = ").push_bind(action);
            }
            if let Some(target) = &filter.target {
                query.push(" AND target_id = ").push_bind(target);
            }
            if let Some(from_ms) = filter.from_ms {
                query.push(" AND at_ms >= ").push_bind(from_ms);
            }
            if let Some(to_ms) = filter.to_ms {
                query.push(" AND at_ms < ").push_bind(to_ms);
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| entry(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }
    }

    fn entry(row: &Row) -> sqlx::Result<AuditEntry> {
        Ok(AuditEntry {
            id: row.try_get("id")?,
            at: Timestamp(row.try_get("at_ms")?),
            actor_kind: row.try_get("actor_kind")?,
            actor_id: row.try_get("actor_id")?,
            actor_name: row.try_get("actor_name")?,
            ip: row.try_get("ip")?,
            action: row.try_get("action")?,
            target_kind: row.try_get("target_kind")?,
            target_id: row.try_get("target_id")?,
            result: row.try_get("result")?,
            detail: row.try_get("detail")?,
            request_id: row.try_get("request_id")?,
        })
    }
}
