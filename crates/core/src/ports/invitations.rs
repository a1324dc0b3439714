//! Storage of invitations: what a guest may open, how often and until when.

use std::net::IpAddr;

use async_trait::async_trait;
use uuid::Uuid;

use super::{
    StoreResult,
    access::{AccessSessionRecord, Full, LiveCounts},
};

/// An invitation as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvitationRecord {
    /// The invitation (UUIDv7).
    pub id: Uuid,
    /// The service it opens.
    pub service_id: Uuid,
    /// Who invites.
    pub user_id: Uuid,
    /// Whom or what for.
    pub label: String,
    /// The most minutes of one use.
    pub max_minutes: i64,
    /// How often it can be used.
    pub max_uses: i64,
    /// When it was made.
    pub created_at_ms: i64,
    /// When it ends by itself.
    pub expires_at_ms: i64,
    /// When it was ended before that.
    pub revoked_at_ms: Option<i64>,
}

/// An invitation with what the rows around it say now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInvitation {
    /// As it was written.
    pub invitation: InvitationRecord,
    /// What the service is called.
    pub service_name: String,
    /// The most minutes of the service.
    pub service_max_minutes: i64,
    /// The e-mail address of who invites.
    pub inviter: String,
    /// Sessions that were opened with it and did not fail.
    pub uses: i64,
    /// When somebody last began to open it.
    pub last_opened_at_ms: Option<i64>,
    /// Whether who invites may open the service, and the service is there.
    pub has_right: bool,
}

/// What became of a guest's wish to open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GuestEntry {
    /// The session's row is there, and it counts as a use.
    Entered,
    /// The invitation is over, used up or no longer backed by a right.
    Over,
    /// There are as many sessions as there may be.
    Full(Full),
}

/// Invitations and the sessions that guests open with them.
#[async_trait]
pub trait Invitations: Send + Sync {
    /// Adds an invitation, known by the SHA-256 of its secret.
    async fn insert_invitation(
        &self,
        invitation: &InvitationRecord,
        token_hash: [u8; 32],
    ) -> StoreResult<()>;
    /// Finds an invitation.
    async fn invitation(&self, id: Uuid) -> StoreResult<Option<FoundInvitation>>;
    /// Finds an invitation by the SHA-256 of its secret.
    async fn invitation_by_token(
        &self,
        token_hash: [u8; 32],
    ) -> StoreResult<Option<FoundInvitation>>;
    /// Lists invitations older than `before`, newest first: of one user, or everybody's.
    async fn list_invitations(
        &self,
        user_id: Option<Uuid>,
        before: Option<Uuid>,
        limit: i64,
    ) -> StoreResult<Vec<FoundInvitation>>;
    /// Counts a user's invitations that were neither revoked nor are over.
    async fn count_lasting_invitations(&self, user_id: Uuid, now_ms: i64) -> StoreResult<i64>;
    /// Ends an invitation; `false` when it was revoked before or does not exist.
    async fn revoke_invitation(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// Finds the unfinished session that was opened with an invitation from an address.
    async fn live_guest_session(
        &self,
        invitation_id: Uuid,
        client_ip: IpAddr,
    ) -> StoreResult<Option<AccessSessionRecord>>;
    /// Adds a guest's session and so counts a use, if the invitation still allows it and no more
    /// than `most` sessions are unfinished with it; `Taken` when that address has an unfinished
    /// one with that invitation. Of many at the last use, one enters.
    async fn insert_guest_session(
        &self,
        session: &AccessSessionRecord,
        invitation_id: Uuid,
        now_ms: i64,
        most: LiveCounts,
    ) -> StoreResult<GuestEntry>;
}
