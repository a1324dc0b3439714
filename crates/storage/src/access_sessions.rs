//! Access sessions: finished ones stay, with their reason.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    access::{AccessSessionRecord, AccessSessions, SessionFilter},
};
use gatehouse_types::access::{EndReason, SessionState, Transport};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use crate::{
    column::{ip, optional_word, port, word},
    failure::store_error,
};

const INSERT: &str = "
    INSERT INTO access_sessions (id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
const GET: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason
    FROM access_sessions WHERE id = $1";
const LIVE: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason
    FROM access_sessions
    WHERE service_id = $1 AND user_id = $2 AND client_ip = $3 AND finished_at_ms IS NULL";
const COUNT_LIVE: &str =
    "SELECT COUNT(*) FROM access_sessions WHERE user_id = $1 AND finished_at_ms IS NULL";
const DUE: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason
    FROM access_sessions
    WHERE finished_at_ms IS NULL
    AND (expires_at_ms <= $1 OR state = 'closing' OR (state = 'pending' AND requested_at_ms < $2))
    ORDER BY expires_at_ms, id LIMIT $3";
const ADVANCE: &str = "
    UPDATE access_sessions
    SET state = $3, opened_at_ms = $4, expires_at_ms = $5, finished_at_ms = $6, end_reason = $7
    WHERE id = $1 AND state = $2";
// Filters are appended only when asked for, so that each combination finds its index.
const LIST_OLDER_THAN: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason
    FROM access_sessions WHERE id < ";

for_both! {
    #[async_trait]
    impl AccessSessions for Backend {
        async fn insert_session(&self, session: &AccessSessionRecord) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(session.id)
                .bind(session.service_id)
                .bind(session.router_id)
                .bind(session.user_id)
                .bind(&session.service_name)
                .bind(session.state.as_str())
                .bind(session.client_ip.to_string())
                .bind(&session.host)
                .bind(i64::from(session.public_port))
                .bind(session.lan_ip.to_string())
                .bind(i64::from(session.lan_port))
                .bind(session.transport.as_str())
                .bind(&session.url)
                .bind(session.requested_at_ms)
                .bind(session.opened_at_ms)
                .bind(session.expires_at_ms)
                .bind(session.finished_at_ms)
                .bind(session.end_reason.map(EndReason::as_str))
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn session(&self, id: Uuid) -> StoreResult<Option<AccessSessionRecord>> {
            let found = sqlx::query(GET).bind(id).try_map(|row| session(&row)).fetch_optional(self.reads()).await;
            found.map_err(store_error)
        }

        async fn live_session(&self, service_id: Uuid, user_id: Uuid, client_ip: IpAddr) -> StoreResult<Option<AccessSessionRecord>> {
            sqlx::query(LIVE)
                .bind(service_id)
                .bind(user_id)
                .bind(client_ip.to_string())
                .try_map(|row| session(&row))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }

        async fn list_sessions(&self, filter: SessionFilter, limit: i64) -> StoreResult<Vec<AccessSessionRecord>> {
            let mut query = QueryBuilder::new(LIST_OLDER_THAN);
            query.push_bind(filter.before.unwrap_or(Uuid::max()));
            if let Some(user_id) = filter.user_id {
                query.push(" AND user_id = ").push_bind(user_id);
            }
            if let Some(service_id) = filter.service_id {
                query.push(" AND service_id = ").push_bind(service_id);
            }
            if let Some(router_id) = filter.router_id {
                query.push(" AND router_id = ").push_bind(router_id);
            }
            if let Some(state) = filter.state {
                query.push(" AND state = ").push_bind(state.as_str());
            }
            if filter.unfinished_only {
                query.push(" AND finished_at_ms IS NULL");
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| session(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn count_live_sessions(&self, user_id: Uuid) -> StoreResult<i64> {
            sqlx::query_scalar(COUNT_LIVE).bind(user_id).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn due_sessions(&self, now_ms: i64, pending_since_ms: i64, limit: i64) -> StoreResult<Vec<AccessSessionRecord>> {
            sqlx::query(DUE)
                .bind(now_ms)
                .bind(pending_since_ms)
                .bind(limit)
                .try_map(|row| session(&row))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn advance_session(&self, session: &AccessSessionRecord, from: SessionState) -> StoreResult<bool> {
            let advanced = sqlx::query(ADVANCE)
                .bind(session.id)
                .bind(from.as_str())
                .bind(session.state.as_str())
                .bind(session.opened_at_ms)
                .bind(session.expires_at_ms)
                .bind(session.finished_at_ms)
                .bind(session.end_reason.map(EndReason::as_str))
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(advanced.rows_affected() == 1)
        }
    }

    fn session(row: &Row) -> sqlx::Result<AccessSessionRecord> {
        Ok(AccessSessionRecord {
            id: row.try_get("id")?,
            service_id: row.try_get("service_id")?,
            router_id: row.try_get("router_id")?,
            user_id: row.try_get("user_id")?,
            service_name: row.try_get("service_name")?,
            state: word(row.try_get("state")?, SessionState::parse)?,
            client_ip: ip(row.try_get("client_ip")?)?,
            host: row.try_get("host")?,
            public_port: port(row.try_get("public_port")?)?,
            lan_ip: ip(row.try_get("lan_ip")?)?,
            lan_port: port(row.try_get("lan_port")?)?,
            transport: word(row.try_get("transport")?, Transport::parse)?,
            url: row.try_get("url")?,
            requested_at_ms: row.try_get("requested_at_ms")?,
            opened_at_ms: row.try_get("opened_at_ms")?,
            expires_at_ms: row.try_get("expires_at_ms")?,
            finished_at_ms: row.try_get("finished_at_ms")?,
            end_reason: optional_word(row.try_get("end_reason")?, EndReason::parse)?,
        })
    }
}
