//! Access sessions: finished ones stay, with their reason.

#[cfg(test)]
mod plans;

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    access::{
        AccessSessionRecord, AccessSessions, Full, LiveCounts, PendingSince, SessionEntry,
        SessionFilter,
    },
};
use gatehouse_types::access::{EndReason, SessionGuest, SessionState, Transport, WakeStep};
use sqlx::{Database, QueryBuilder, Row as _};
use uuid::Uuid;

use crate::{
    column::{ip, optional_word, port, word},
    failure::store_error,
};

const INSERT: &str = "
    INSERT INTO access_sessions (id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
const GET: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step
    FROM access_sessions WHERE id = $1";
const LIVE: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step
    FROM access_sessions
    WHERE service_id = $1 AND user_id = $2 AND client_ip = $3 AND finished_at_ms IS NULL
    AND invitation_id IS NULL";
const LIVE_OF_GUEST: &str = "
    SELECT * FROM access_sessions
    WHERE invitation_id = $1 AND client_ip = $2 AND finished_at_ms IS NULL";
// Three counts, each by its own index of living rows (`plans`).
const COUNT_LIVE: &str = "
    SELECT (SELECT COUNT(*) FROM access_sessions WHERE user_id = $1 AND finished_at_ms IS NULL) AS of_user,
        (SELECT COUNT(*) FROM access_sessions WHERE service_id = $2 AND finished_at_ms IS NULL) AS of_service,
        (SELECT COUNT(*) FROM access_sessions WHERE client_ip = $3 AND finished_at_ms IS NULL) AS of_address";
// An admin may open everything, granted or not. A session keeps the way it opened, so it shows
// when its service leads elsewhere by now.
const WITHOUT_RIGHT: &str = "
    SELECT * FROM (
        SELECT access_sessions.*,
            EXISTS (
                SELECT 1 FROM users
                WHERE users.id = access_sessions.user_id AND disabled_at_ms IS NULL AND removed_at_ms IS NULL
            ) AS has_account,
            EXISTS (
                SELECT 1 FROM services JOIN routers ON routers.id = services.router_id
                WHERE services.id = access_sessions.service_id
                    AND services.removed_at_ms IS NULL AND routers.removed_at_ms IS NULL
                    AND services.router_id = access_sessions.router_id
                    AND services.lan_ip = access_sessions.lan_ip AND services.lan_port = access_sessions.lan_port
                    AND services.public_port = access_sessions.public_port
                    AND services.transport = access_sessions.transport
            ) AS has_service,
            EXISTS (
                SELECT 1 FROM service_grants
                WHERE service_grants.service_id = access_sessions.service_id
                    AND service_grants.user_id = access_sessions.user_id
            ) OR EXISTS (
                SELECT 1 FROM users WHERE users.id = access_sessions.user_id AND users.role = 'admin'
            ) AS has_grant,
            NOT EXISTS (
                SELECT 1 FROM invitations
                WHERE invitations.id = access_sessions.invitation_id AND revoked_at_ms IS NOT NULL
            ) AS is_welcome
        FROM access_sessions
        WHERE finished_at_ms IS NULL AND state <> 'closing'
    ) AS living
    WHERE NOT (has_account AND has_service AND has_grant AND is_welcome) ORDER BY router_id, id LIMIT $1";
const NOTE_TRAFFIC: &str = "
    UPDATE access_sessions SET traffic_bytes = $2
    WHERE id = $1 AND (traffic_bytes IS NULL OR traffic_bytes < $2)";
// What only waits for its router comes last: it must not keep out what the clock alone can end.
const DUE: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step
    FROM (
        SELECT *, ROW_NUMBER() OVER (
            PARTITION BY router_id
            ORDER BY CASE WHEN state = 'closing' AND expires_at_ms > $1 THEN 1 ELSE 0 END, expires_at_ms, id
        ) AS place
        FROM access_sessions
        WHERE finished_at_ms IS NULL
        AND (expires_at_ms <= $1 OR state = 'closing' OR (state = 'pending' AND (
            (step IS NULL AND requested_at_ms < $2)
            OR (step IN ('waking', 'waiting') AND requested_at_ms < $3)
            OR (step = 'opening' AND requested_at_ms < $4))))
    ) AS due
    WHERE place <= $5 ORDER BY expires_at_ms, id";
const ADVANCE: &str = "
    UPDATE access_sessions
    SET state = $3, opened_at_ms = $4, expires_at_ms = $5, finished_at_ms = $6, end_reason = $7, step = $8
    WHERE id = $1 AND state = $2";
const BEGIN_CLOSING: &str = "UPDATE access_sessions SET state = 'closing', end_reason = ";
const CLOSING_BEGAN: &str = "
    RETURNING id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step";
// Filters are appended only when asked for, so that each combination finds its index.
const LIST_OLDER_THAN: &str = "
    SELECT id, service_id, router_id, user_id, service_name, state, client_ip, host,
        public_port, lan_ip, lan_port, transport, url, requested_at_ms, opened_at_ms, expires_at_ms,
        finished_at_ms, end_reason, traffic_bytes, invitation_id, guest_label, step
    FROM access_sessions WHERE id < ";
const CHANGE_SEQ: &str = "SELECT seq FROM access_session_changes WHERE id = 1";
const CHANGED_AFTER: &str =
    "SELECT * FROM access_sessions WHERE changed_seq > $1 ORDER BY changed_seq, id LIMIT $2";

for_both! {
    #[async_trait]
    impl AccessSessions for Backend {
        async fn insert_session(&self, session: &AccessSessionRecord, most: LiveCounts) -> StoreResult<SessionEntry> {
            let mut tx = self.begin().await?;
            if let Some(full) = Self::insert_session_within(&mut tx, session, most).await? {
                return Ok(SessionEntry::Full(full));
            }
            tx.commit().await.map_err(store_error)?;
            Ok(SessionEntry::Entered)
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
            narrow(&mut query, filter);
            query.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| session(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn sessions_without_right(&self, limit: i64) -> StoreResult<Vec<(AccessSessionRecord, EndReason)>> {
            sqlx::query(WITHOUT_RIGHT)
                .bind(limit)
                .try_map(|row: Row| {
                    Ok((session(&row)?, why_ended(&row)?))
                })
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn note_traffic(&self, counts: &[(Uuid, i64)]) -> StoreResult<()> {
            // Row by row: a transaction around them would hold rows that others want to close.
            for (id, bytes) in counts {
                sqlx::query(NOTE_TRAFFIC).bind(id).bind(bytes).execute(self.writes()).await.map_err(store_error)?;
            }
            Ok(())
        }

        async fn due_sessions(&self, now_ms: i64, pending_since: PendingSince, per_router: i64) -> StoreResult<Vec<AccessSessionRecord>> {
            sqlx::query(DUE)
                .bind(now_ms)
                .bind(pending_since.plain_ms)
                .bind(pending_since.waking_ms)
                .bind(pending_since.opening_ms)
                .bind(per_router)
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
                .bind(session.step.map(WakeStep::as_str))
                .execute(self.writes())
                .await
                .map_err(store_error)?;
            Ok(advanced.rows_affected() == 1)
        }

        async fn session_change_seq(&self) -> StoreResult<i64> {
            sqlx::query_scalar(CHANGE_SEQ).fetch_one(self.reads()).await.map_err(store_error)
        }

        async fn sessions_changed_after(&self, seq: i64, limit: i64) -> StoreResult<Vec<(i64, AccessSessionRecord)>> {
            sqlx::query(CHANGED_AFTER)
                .bind(seq)
                .bind(limit)
                .try_map(|row: Row| Ok((row.try_get("changed_seq")?, session(&row)?)))
                .fetch_all(self.reads())
                .await
                .map_err(store_error)
        }

        async fn begin_closing(&self, filter: SessionFilter, reason: EndReason) -> StoreResult<Vec<AccessSessionRecord>> {
            let mut query = QueryBuilder::new(BEGIN_CLOSING);
            query.push_bind(reason.as_str());
            query.push(" WHERE finished_at_ms IS NULL AND state <> 'closing' AND id < ");
            query.push_bind(filter.before.unwrap_or(Uuid::max()));
            narrow(&mut query, filter);
            query.push(CLOSING_BEGAN);
            query.build().try_map(|row| session(&row)).fetch_all(self.writes()).await.map_err(store_error)
        }
    }

    impl Backend {
        /// Inserts and then counts: one insertion waits for the other at the number of changes,
        /// until the transaction is over, so no two count at once. Whoever finds it full rolls back.
        pub(crate) async fn insert_session_within(
            connection: &mut <<Row as sqlx::Row>::Database as Database>::Connection,
            session: &AccessSessionRecord,
            most: LiveCounts,
        ) -> StoreResult<Option<Full>> {
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
                .bind(session.traffic_bytes)
                .bind(session.guest.as_ref().map(|guest| guest.invitation_id))
                .bind(session.guest.as_ref().map(|guest| &*guest.label))
                .bind(session.step.map(WakeStep::as_str))
                .execute(&mut *connection)
                .await
                .map_err(store_error)?;
            let live = sqlx::query(COUNT_LIVE)
                .bind(session.user_id)
                .bind(session.service_id)
                .bind(session.client_ip.to_string())
                .try_map(|row| live_counts(&row))
                .fetch_one(connection)
                .await
                .map_err(store_error)?;
            Ok(live.beyond(&most))
        }

        pub(crate) async fn live_session_of_guest(&self, invitation_id: Uuid, client_ip: IpAddr) -> StoreResult<Option<AccessSessionRecord>> {
            sqlx::query(LIVE_OF_GUEST)
                .bind(invitation_id)
                .bind(client_ip.to_string())
                .try_map(|row| session(&row))
                .fetch_optional(self.reads())
                .await
                .map_err(store_error)
        }
    }

    fn narrow(query: &mut QueryBuilder<<Row as sqlx::Row>::Database>, filter: SessionFilter) {
        if let Some(user_id) = filter.user_id {
            query.push(" AND user_id = ").push_bind(user_id);
        }
        if let Some(service_id) = filter.service_id {
            query.push(" AND service_id = ").push_bind(service_id);
        }
        if let Some(router_id) = filter.router_id {
            query.push(" AND router_id = ").push_bind(router_id);
        }
        if let Some(invitation_id) = filter.invitation_id {
            query.push(" AND invitation_id = ").push_bind(invitation_id);
        }
        if let Some(client_ip) = filter.client_ip {
            query.push(" AND client_ip = ").push_bind(client_ip.to_string());
        }
        if let Some(state) = filter.state {
            query.push(" AND state = ").push_bind(state.as_str());
        }
        if filter.unfinished_only {
            query.push(" AND finished_at_ms IS NULL");
        }
    }

    fn live_counts(row: &Row) -> sqlx::Result<LiveCounts> {
        Ok(LiveCounts {
            of_user: row.try_get("of_user")?,
            of_service: row.try_get("of_service")?,
            of_address: row.try_get("of_address")?,
        })
    }

    fn session(row: &Row) -> sqlx::Result<AccessSessionRecord> {
        Ok(AccessSessionRecord {
            id: row.try_get("id")?,
            service_id: row.try_get("service_id")?,
            router_id: row.try_get("router_id")?,
            user_id: row.try_get("user_id")?,
            service_name: row.try_get("service_name")?,
            state: word(row.try_get("state")?, SessionState::parse)?,
            step: optional_word(row.try_get("step")?, WakeStep::parse)?,
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
            traffic_bytes: row.try_get("traffic_bytes")?,
            guest: guest(row)?,
        })
    }

    fn why_ended(row: &Row) -> sqlx::Result<EndReason> {
        let has_account: bool = row.try_get("has_account")?;
        let has_service: bool = row.try_get("has_service")?;
        let has_grant: bool = row.try_get("has_grant")?;
        Ok(match (has_account, has_service && has_grant) {
            (false, _) => EndReason::UserDisabled,
            (true, false) => EndReason::ServiceRemoved,
            (true, true) => EndReason::Revoked,
        })
    }

    fn guest(row: &Row) -> sqlx::Result<Option<SessionGuest>> {
        let Some(invitation_id) = row.try_get("invitation_id")? else {
            return Ok(None);
        };
        let label = row.try_get("guest_label")?;
        Ok(Some(SessionGuest { invitation_id, label }))
    }
}
