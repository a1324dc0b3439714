//! Invitations and the sessions that guests open with them.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_core::ports::{
    StoreResult,
    access::{AccessSessionRecord, LiveCounts},
    invitations::{FoundInvitation, GuestEntry, InvitationRecord, Invitations},
};
use sqlx::{QueryBuilder, Row as _};
use uuid::Uuid;

use crate::failure::store_error;

const INSERT: &str = "
    INSERT INTO invitations (id, token_hash, service_id, user_id, label, max_minutes, max_uses,
        created_at_ms, expires_at_ms, revoked_at_ms)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
// The sessions that did not fail are the uses: one that a router refuses gives its use back.
const FIND: &str = "
    SELECT invitations.id, service_id, user_id, label, invitations.max_minutes, max_uses,
        invitations.created_at_ms, expires_at_ms, last_opened_at_ms, revoked_at_ms,
        services.name AS service_name, services.max_minutes AS service_max_minutes, users.email AS inviter,
        (SELECT COUNT(*) FROM access_sessions
            WHERE invitation_id = invitations.id AND access_sessions.state <> 'failed') AS uses,
        (services.removed_at_ms IS NULL AND users.removed_at_ms IS NULL AND users.disabled_at_ms IS NULL
            AND (users.role = 'admin' OR EXISTS (SELECT 1 FROM service_grants
                WHERE service_grants.service_id = services.id AND service_grants.user_id = users.id))) AS has_right
    FROM invitations JOIN services ON services.id = service_id JOIN users ON users.id = user_id
    WHERE ";
const COUNT_LASTING: &str = "
    SELECT COUNT(*) FROM invitations WHERE user_id = $1 AND revoked_at_ms IS NULL AND expires_at_ms > $2";
const REVOKE: &str =
    "UPDATE invitations SET revoked_at_ms = $2 WHERE id = $1 AND revoked_at_ms IS NULL";
// Writing to the row makes others wait who open with the same invitation: they count after us.
const CLAIM: &str = "
    UPDATE invitations SET last_opened_at_ms = $2
    WHERE id = $1 AND revoked_at_ms IS NULL AND expires_at_ms > $2
    AND EXISTS (SELECT 1 FROM services, users
        WHERE services.id = invitations.service_id AND users.id = invitations.user_id
        AND services.removed_at_ms IS NULL AND users.removed_at_ms IS NULL AND users.disabled_at_ms IS NULL
        AND (users.role = 'admin' OR EXISTS (SELECT 1 FROM service_grants
            WHERE service_grants.service_id = services.id AND service_grants.user_id = users.id)))
    RETURNING max_uses";
const COUNT_USES: &str =
    "SELECT COUNT(*) FROM access_sessions WHERE invitation_id = $1 AND state <> 'failed'";

for_both! {
    #[async_trait]
    impl Invitations for Backend {
        async fn insert_invitation(&self, invitation: &InvitationRecord, token_hash: [u8; 32]) -> StoreResult<()> {
            sqlx::query(INSERT)
                .bind(invitation.id)
                .bind(token_hash.as_slice())
                .bind(invitation.service_id)
                .bind(invitation.user_id)
                .bind(&invitation.label)
                .bind(invitation.max_minutes)
                .bind(invitation.max_uses)
                .bind(invitation.created_at_ms)
                .bind(invitation.expires_at_ms)
                .bind(invitation.revoked_at_ms)
                .execute(self.writes())
                .await
                .map(drop)
                .map_err(store_error)
        }

        async fn invitation(&self, id: Uuid) -> StoreResult<Option<FoundInvitation>> {
            let mut query = QueryBuilder::new(FIND);
            query.push("invitations.id = ").push_bind(id);
            query.build().try_map(|row| found(&row)).fetch_optional(self.reads()).await.map_err(store_error)
        }

        async fn invitation_by_token(&self, token_hash: [u8; 32]) -> StoreResult<Option<FoundInvitation>> {
            let mut query = QueryBuilder::new(FIND);
            query.push("token_hash = ").push_bind(token_hash.to_vec());
            query.build().try_map(|row| found(&row)).fetch_optional(self.reads()).await.map_err(store_error)
        }

        async fn list_invitations(&self, user_id: Option<Uuid>, before: Option<Uuid>, limit: i64) -> StoreResult<Vec<FoundInvitation>> {
            let mut query = QueryBuilder::new(FIND);
            query.push("invitations.id < ").push_bind(before.unwrap_or(Uuid::max()));
            if let Some(user_id) = user_id {
                query.push(" AND user_id = ").push_bind(user_id);
            }
            query.push(" ORDER BY invitations.id DESC LIMIT ").push_bind(limit);
            query.build().try_map(|row| found(&row)).fetch_all(self.reads()).await.map_err(store_error)
        }

        async fn count_lasting_invitations(&self, user_id: Uuid, now_ms: i64) -> StoreResult<i64> {
            let count = sqlx::query_scalar(COUNT_LASTING).bind(user_id).bind(now_ms).fetch_one(self.reads()).await;
            count.map_err(store_error)
        }

        async fn revoke_invitation(&self, id: Uuid, now_ms: i64) -> StoreResult<bool> {
            let revoked = sqlx::query(REVOKE).bind(id).bind(now_ms).execute(self.writes()).await.map_err(store_error)?;
            Ok(revoked.rows_affected() == 1)
        }

        async fn live_guest_session(&self, invitation_id: Uuid, client_ip: IpAddr) -> StoreResult<Option<AccessSessionRecord>> {
            self.live_session_of_guest(invitation_id, client_ip).await
        }

        async fn insert_guest_session(
            &self,
            session: &AccessSessionRecord,
            invitation_id: Uuid,
            now_ms: i64,
            most: LiveCounts,
        ) -> StoreResult<GuestEntry> {
            let mut tx = self.begin().await?;
            let claimed = sqlx::query_scalar(CLAIM).bind(invitation_id).bind(now_ms).fetch_optional(&mut *tx).await;
            let Some(max_uses) = claimed.map_err(store_error)? else {
                return Ok(GuestEntry::Over);
            };
            let uses: i64 = sqlx::query_scalar(COUNT_USES).bind(invitation_id).fetch_one(&mut *tx).await.map_err(store_error)?;
            if uses >= max_uses {
                return Ok(GuestEntry::Over);
            }
            if let Some(full) = Self::insert_session_within(&mut tx, session, most).await? {
                return Ok(GuestEntry::Full(full));
            }
            tx.commit().await.map_err(store_error)?;
            Ok(GuestEntry::Entered)
        }
    }

    fn found(row: &Row) -> sqlx::Result<FoundInvitation> {
        Ok(FoundInvitation {
            invitation: InvitationRecord {
                id: row.try_get("id")?,
                service_id: row.try_get("service_id")?,
                user_id: row.try_get("user_id")?,
                label: row.try_get("label")?,
                max_minutes: row.try_get("max_minutes")?,
                max_uses: row.try_get("max_uses")?,
                created_at_ms: row.try_get("created_at_ms")?,
                expires_at_ms: row.try_get("expires_at_ms")?,
                revoked_at_ms: row.try_get("revoked_at_ms")?,
            },
            service_name: row.try_get("service_name")?,
            service_max_minutes: row.try_get("service_max_minutes")?,
            inviter: row.try_get("inviter")?,
            uses: row.try_get("uses")?,
            last_opened_at_ms: row.try_get("last_opened_at_ms")?,
            has_right: row.try_get("has_right")?,
        })
    }
}
