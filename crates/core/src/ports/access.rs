//! Storage of routers, services and access sessions.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_types::access::{EndReason, ServiceKind, SessionState, Transport};
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
    /// In this state.
    pub state: Option<SessionState>,
    /// Only those that are not over.
    pub unfinished_only: bool,
    /// Older than this one.
    pub before: Option<Uuid>,
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
    /// Writes a router back whole; `false` when it is gone.
    async fn update_router(&self, router: &RouterRecord) -> StoreResult<bool>;
    /// Marks a router and its services as removed; `false` when it is gone.
    async fn remove_router(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
}

/// Services and who may open them.
#[async_trait]
pub trait Services: Send + Sync {
    /// Adds a service; `Taken` when the router's public port is in use for that transport.
    async fn insert_service(&self, service: &ServiceRecord) -> StoreResult<()>;
    /// Finds a service that was not removed.
    async fn service(&self, id: Uuid) -> StoreResult<Option<ServiceRecord>>;
    /// Lists services that were not removed, by name.
    async fn list_services(&self) -> StoreResult<Vec<ServiceRecord>>;
    /// Lists the services granted to a user, by name.
    async fn list_services_of(&self, user_id: Uuid) -> StoreResult<Vec<ServiceRecord>>;
    /// Whether the user may open the service.
    async fn is_granted(&self, service_id: Uuid, user_id: Uuid) -> StoreResult<bool>;
    /// Writes a service back whole; `false` when it is gone.
    async fn update_service(&self, service: &ServiceRecord) -> StoreResult<bool>;
    /// Marks a service as removed and takes its grants away; `false` when it is gone.
    async fn remove_service(&self, id: Uuid, now_ms: i64) -> StoreResult<bool>;
    /// Who may open the service, in the order of their ids.
    async fn grants(&self, service_id: Uuid) -> StoreResult<Vec<Uuid>>;
    /// Every grant there is, as pairs of service and user.
    async fn all_grants(&self) -> StoreResult<Vec<(Uuid, Uuid)>>;
    /// Replaces who may open the service.
    async fn set_grants(&self, service_id: Uuid, users: &[Uuid]) -> StoreResult<()>;
}

/// Access sessions. Finished ones stay, with their reason.
#[async_trait]
pub trait AccessSessions: Send + Sync {
    /// Adds a session; `Taken` when that user has an unfinished one for that service and address.
    async fn insert_session(&self, session: &AccessSessionRecord) -> StoreResult<()>;
    /// Finds a session.
    async fn session(&self, id: Uuid) -> StoreResult<Option<AccessSessionRecord>>;
    /// Finds the unfinished session of a user for a service and an address.
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
    /// Counts a user's unfinished sessions.
    async fn count_live_sessions(&self, user_id: Uuid) -> StoreResult<i64>;
    /// Unfinished sessions that the keeper must look at: over, or closing, or pending since before `pending_since_ms`.
    async fn due_sessions(
        &self,
        now_ms: i64,
        pending_since_ms: i64,
        limit: i64,
    ) -> StoreResult<Vec<AccessSessionRecord>>;
    /// Writes state, times and reason back if the stored state is still `from`; `false` otherwise.
    async fn advance_session(
        &self,
        session: &AccessSessionRecord,
        from: SessionState,
    ) -> StoreResult<bool>;
}
