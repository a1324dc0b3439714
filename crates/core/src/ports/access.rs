//! Storage of routers, services and access sessions.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_types::access::{
    EndReason, ServiceKind, SessionGuest, SessionState, Transport, Wake, WakeStep,
};
use uuid::Uuid;

use super::StoreResult;

/// A router as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterRecord {
    /// The router.
    pub id: Uuid,
    /// What people call it.
    pub name: String,
    /// `host:port` of its daemon.
    pub address: String,
    /// Sealed with the portal's own key.
    pub api_key_sealed: Vec<u8>,
    /// Sealed with the portal's own key.
    pub aes_key_sealed: Vec<u8>,
    /// SHA-256 of the daemon's certificate.
    pub cert_sha256: [u8; 32],
    /// Protocol version.
    pub protocol: i64,
    /// When it was added.
    pub created_at_ms: i64,
}

/// A service as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRecord {
    /// The service.
    pub id: Uuid,
    /// The router in front of it.
    pub router_id: Uuid,
    /// What people call it.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// The name of its icon.
    pub icon: String,
    /// Where it listens in the LAN.
    pub lan_ip: IpAddr,
    /// The port it listens on.
    pub lan_port: u16,
    /// The port on the router.
    pub public_port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// For a browser or for a program.
    pub kind: ServiceKind,
    /// Scheme and path of the link.
    pub url_path: String,
    /// What a click opens.
    pub default_minutes: i64,
    /// The most an owner may ask for.
    pub max_minutes: i64,
    /// How it is woken before it is opened.
    pub wake: Option<Wake>,
    /// When it was added.
    pub created_at_ms: i64,
}

/// An access session as it is stored. It keeps what it opened, so that a change of the
/// service cannot make the portal forget which rule to close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessSessionRecord {
    /// The session (UUIDv7).
    pub id: Uuid,
    /// The service it opens.
    pub service_id: Uuid,
    /// The router that holds the rule.
    pub router_id: Uuid,
    /// Who asked for it.
    pub user_id: Uuid,
    /// The service's name when it was asked for.
    pub service_name: String,
    /// Where it stands.
    pub state: SessionState,
    /// What it waits for while it is pending, when its service is woken first.
    pub step: Option<WakeStep>,
    /// The address that is let in.
    pub client_ip: IpAddr,
    /// The router's host when it was asked for.
    pub host: String,
    /// The port on the router.
    pub public_port: u16,
    /// The LAN side.
    pub lan_ip: IpAddr,
    /// The LAN side.
    pub lan_port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// The link of a web service.
    pub url: Option<String>,
    /// When it was asked for.
    pub requested_at_ms: i64,
    /// When the router let it in.
    pub opened_at_ms: Option<i64>,
    /// When it ends by itself.
    pub expires_at_ms: i64,
    /// When it ended.
    pub finished_at_ms: Option<i64>,
    /// Why it ends or ended; set as soon as it is to be closed.
    pub end_reason: Option<EndReason>,
    /// What went through it in both directions, as far as its router counted.
    pub traffic_bytes: Option<i64>,
    /// Whose invitation opened it, when it was not the user.
    pub guest: Option<SessionGuest>,
}

/// Numbers of unfinished sessions: as many as there are, or as many as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LiveCounts {
    /// Of the user.
    pub of_user: i64,
    /// Of the service.
    pub of_service: i64,
    /// From the address.
    pub of_address: i64,
}

/// What has as many unfinished sessions as it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// The user.
    User,
    /// The service.
    Service,
    /// The address.
    Address,
}

impl LiveCounts {
    /// The first of these numbers that is higher than it may be.
    pub fn beyond(&self, most: &Self) -> Option<Full> {
        let places = [
            (Full::User, self.of_user, most.of_user),
            (Full::Service, self.of_service, most.of_service),
            (Full::Address, self.of_address, most.of_address),
        ];
        let beyond = places.into_iter().find(|(_, there, most)| there > most);
        beyond.map(|(full, ..)| full)
    }
}

/// What became of a session's row that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionEntry {
    /// It is there.
    Entered,
    /// It is not: there were enough.
    Full(Full),
}

/// What became of the wish to change a router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterUpdate {
    /// It is written down.
    Written,
    /// The router is gone.
    Gone,
    /// Sessions are unfinished on it, and it would lead elsewhere or speak otherwise.
    InUse,
}

/// Which access sessions are wanted; what is `None` filters nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionFilter {
    /// Of this user.
    pub user_id: Option<Uuid>,
    /// Of this service.
    pub service_id: Option<Uuid>,
    /// On this router.
    pub router_id: Option<Uuid>,
    /// Opened with this invitation.
    pub invitation_id: Option<Uuid>,
    /// That let this address in.
    pub client_ip: Option<IpAddr>,
    /// In this state.
    pub state: Option<SessionState>,
    /// Only those that are not over.
    pub unfinished_only: bool,
    /// Older than this one.
    pub before: Option<Uuid>,
}

/// Since when sessions may have been pending at the longest, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub struct PendingSince {
    /// Those that were opened at once.
    pub plain_ms: i64,
    /// Those whose host is being woken.
    pub waking_ms: i64,
    /// Those whose host is awake and whose router is asked to let them in.
    pub opening_ms: i64,
}

/// Routers.
#[async_trait]
pub trait Routers: Send + Sync {
    /// Adds a router; `Taken` when the name is in use.
    async fn insert_router(&self, router: &RouterRecord) -> StoreResult<()>;
    /// Finds a router, also a removed one: sessions may still have to be closed on it.
    async fn router(&self, id: Uuid) -> StoreResult<Option<RouterRecord>>;
    /// Lists routers that were not removed, by name.
    async fn list_routers(&self) -> StoreResult<Vec<RouterRecord>>;
    /// Writes a router back whole; `Taken` when the name is in use. Address, certificate, keys and
    /// protocol only change while no session is unfinished on it: of a session that is added and
    /// such a change in the same moment, the later one sees the other.
    async fn update_router(&self, router: &RouterRecord) -> StoreResult<RouterUpdate>;
    /// Marks a router and its services as removed; `false` when it is gone.
    async fn remove_router(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
}

/// What may be opened and by whom, as of one count of changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryRows {
    /// The count of changes that others must notice; it never falls.
    pub change_seq: i64,
    /// The services that were not removed, by name.
    pub services: Vec<ServiceRecord>,
    /// Every grant, as pairs of service and user in the order of both.
    pub grants: Vec<(Uuid, Uuid)>,
}

/// Services and who may open them. Every change of either raises the count of changes.
#[async_trait]
pub trait Services: Send + Sync {
    /// Adds a service; `Taken` when the router's public port is in use for that transport.
    async fn insert_service(&self, service: &ServiceRecord) -> StoreResult<()>;
    /// Finds a service that was not removed.
    async fn service(&self, id: Uuid) -> StoreResult<Option<ServiceRecord>>;
    /// All services and grants, as of one moment.
    async fn load_directory(&self) -> StoreResult<DirectoryRows>;
    /// Whether the user may open the service.
    async fn is_granted(&self, service_id: Uuid, user_id: Uuid) -> StoreResult<bool>;
    /// Writes a service back whole; `false` when it is gone.
    async fn update_service(&self, service: &ServiceRecord) -> StoreResult<bool>;
    /// Marks a service as removed and takes its grants away; `false` when it is gone.
    async fn remove_service(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// Who may open the service, in the order of their ids.
    async fn grants(&self, service_id: Uuid) -> StoreResult<Vec<Uuid>>;
    /// Replaces who may open the service.
    async fn set_grants(&self, service_id: Uuid, users: &[Uuid]) -> StoreResult<()>;
}

/// Access sessions. Finished ones stay, with their reason.
#[async_trait]
pub trait AccessSessions: Send + Sync {
    /// Adds a session if no more than `most` are unfinished with it, however many are added at
    /// once; `Taken` when that user, guests aside, has an unfinished one for that service and
    /// address.
    async fn insert_session(
        &self,
        session: &AccessSessionRecord,
        most: LiveCounts,
    ) -> StoreResult<SessionEntry>;
    /// Finds a session.
    async fn session(&self, id: Uuid) -> StoreResult<Option<AccessSessionRecord>>;
    /// Finds the unfinished session of a user, guests aside, for a service and an address.
    async fn live_session(
        &self,
        service_id: Uuid,
        user_id: Uuid,
        client_ip: IpAddr,
    ) -> StoreResult<Option<AccessSessionRecord>>;
    /// Lists sessions, newest first.
    async fn list_sessions(
        &self,
        filter: SessionFilter,
        limit: i64,
    ) -> StoreResult<Vec<AccessSessionRecord>>;
    /// Sessions that are pending or open although their right is gone, at most `limit`, each
    /// with the reason to end it: the account is disabled or removed, the grant was taken away,
    /// the service or its router is gone or leads elsewhere, or the invitation was revoked.
    async fn sessions_without_right(
        &self,
        limit: i64,
    ) -> StoreResult<Vec<(AccessSessionRecord, EndReason)>>;
    /// Notes what went through sessions; a count only grows.
    async fn note_traffic(&self, counts: &[(Uuid, i64)]) -> StoreResult<()>;
    /// Unfinished sessions that the keeper must look at: over, or closing, or pending since before
    /// what `pending_since` says of their step.
    ///
    /// They are at most `per_router` of each router, so that no router takes the place of
    /// another; those that are closing before their time give way first.
    async fn due_sessions(
        &self,
        now_ms: i64,
        pending_since: PendingSince,
        per_router: i64,
    ) -> StoreResult<Vec<AccessSessionRecord>>;
    /// Writes state, times and reason back if the stored state is still `from`; `false` otherwise.
    async fn advance_session(
        &self,
        session: &AccessSessionRecord,
        from: SessionState,
    ) -> StoreResult<bool>;
    /// The number of the newest change of any session that people can see.
    async fn session_change_seq(&self) -> StoreResult<i64>;
    /// Sessions that changed after a number, as they are now, each with the number of its newest
    /// change; oldest change first. Several that changed together bear the same number.
    async fn sessions_changed_after(
        &self,
        seq: i64,
        limit: i64,
    ) -> StoreResult<Vec<(i64, AccessSessionRecord)>>;
    /// Moves the unfinished sessions that match to `closing`, all at once, and answers them as
    /// they are then. Those that were closing already keep their reason and are not answered.
    async fn begin_closing(
        &self,
        filter: SessionFilter,
        reason: EndReason,
    ) -> StoreResult<Vec<AccessSessionRecord>>;
}
