//! What the portal's rooms need from outside: time, randomness, storage, blobs and routers.
//!
//! Every port that reaches a database lives in a file of its noun. A port's method does
//! one thing whole: where several rows must change together, the adapter does it in one
//! transaction. Not-found is `Ok(None)` or `Ok(false)`; a taken name is [`StoreError::Taken`].

pub mod access;
pub mod audit;
pub mod blobs;
pub mod cosigner;
pub mod firmware;
pub mod fleet;
pub mod identity;
pub mod invitations;
pub mod project_keys;
pub mod router_link;
pub mod upkeep;
pub mod uploads;
pub mod webhooks;

use std::{fmt, sync::Arc};

use uuid::Uuid;

use crate::error::{Error, Source};

/// The wall clock.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now_ms(&self) -> i64;
}

/// The source of randomness.
pub trait Rng: Send + Sync {
    /// Fills `bytes` with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]);
}

/// Draws a fixed number of unpredictable bytes.
pub fn random_bytes<const N: usize>(rng: &dyn Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes
}

/// Makes a UUIDv7 (RFC 9562 §5.7): its order is the order of time.
pub fn new_id(clock: &dyn Clock, rng: &dyn Rng) -> Uuid {
    let millis = u64::try_from(clock.now_ms()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(rng)).into_uuid()
}

/// Why the store could not do it.
#[derive(Debug)]
pub enum StoreError {
    /// A unique value is in use already.
    Taken,
    /// The database does not answer now.
    Unavailable(Source),
    /// No room left.
    Full(Source),
    /// Anything else.
    Broken(Source),
}

/// The result of every storage method.
pub type StoreResult<T> = Result<T, StoreError>;

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Taken => "the value is taken",
            Self::Unavailable(_) => "the database does not answer",
            Self::Full(_) => "no room is left on the disk",
            Self::Broken(_) => "the store failed",
        })
    }
}

impl std::error::Error for StoreError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Taken => None,
            Self::Unavailable(source) | Self::Full(source) | Self::Broken(source) => {
                Some(source.as_ref())
            }
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        if let StoreError::Unavailable(cause) | StoreError::Full(cause) = &error {
            // What becomes of it below has no room for a cause, so it is logged here.
            tracing::warn!(%cause, "{error}");
        }
        match error {
            StoreError::Taken => Self::conflict(
                gatehouse_types::codes::TAKEN,
                "That value is in use already.",
            ),
            StoreError::Unavailable(_) => Self::Unavailable {
                detail: "The database of the portal does not answer now.".into(),
                retry_after_s: 5,
            },
            StoreError::Full(_) => Self::StorageFull,
            StoreError::Broken(source) => Self::Internal(source),
        }
    }
}

/// All storage ports of one database.
pub trait Store:
    identity::Users
    + identity::SignIns
    + access::Routers
    + access::Services
    + access::AccessSessions
    + invitations::Invitations
    + firmware::Projects
    + project_keys::ProjectKeys
    + firmware::Releases
    + firmware::Devices
    + firmware::DeviceTokens
    + fleet::Fleet
    + audit::AuditTrail
    + upkeep::Pruning
    + uploads::Uploads
{
}

impl<T> Store for T where
    T: identity::Users
        + identity::SignIns
        + access::Routers
        + access::Services
        + access::AccessSessions
        + invitations::Invitations
        + firmware::Projects
        + project_keys::ProjectKeys
        + firmware::Releases
        + firmware::Devices
        + firmware::DeviceTokens
        + fleet::Fleet
        + audit::AuditTrail
        + upkeep::Pruning
        + uploads::Uploads
{
}

/// Everything that a room may hold on to.
#[derive(Clone)]
pub struct Ports {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The images.
    pub blobs: Arc<dyn blobs::Blobs>,
    /// The way to router daemons.
    pub router_link: Arc<dyn router_link::RouterLink>,
    /// The way to home backends.
    pub webhooks: Arc<dyn webhooks::Webhooks>,
    /// Who signs manifests beside the portal.
    pub cosigner: Arc<dyn cosigner::CoSigner>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The randomness.
    pub rng: Arc<dyn Rng>,
}

impl Ports {
    /// Milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// A fresh id whose order is the order of time.
    pub fn new_id(&self) -> Uuid {
        new_id(self.clock.as_ref(), self.rng.as_ref())
    }
}
