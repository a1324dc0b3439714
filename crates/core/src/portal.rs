use std::sync::Arc;

use gatehouse_types::{
    access::EndReason,
    account::{User, UserChange},
};
use hkdf::Hkdf;
use sha2::Sha256;
use uuid::Uuid;

use crate::{
    Actor, Error, Result,
    access::{Access, AccessSettings},
    audit::Audit,
    firmware::{Firmware, FirmwareSettings},
    identity::Identity,
    ports::{Ports, access::SessionFilter},
    upkeep::Upkeep,
};

/// What the operator sets for the rooms.
#[derive(Clone)]
pub struct Settings {
    /// The portal's own secret, 32 random bytes; every key of its own comes from it.
    pub secret: [u8; 32],
    /// The keys that seal the projects' private keys come from it, where there is one.
    pub project_key_secret: Option<String>,
    /// Second addresses, and keys of home backends.
    pub access: AccessSettings,
    /// Limits and defaults of firmware.
    pub firmware: FirmwareSettings,
}

/// The whole portal behind its doors.
pub struct Portal {
    /// Accounts and sign-in.
    pub identity: Identity,
    /// Routers, services and access sessions.
    pub access: Arc<Access>,
    /// Projects, releases and devices.
    pub firmware: Firmware,
    /// The audit trail.
    pub audit: Audit,
    /// What is forgotten.
    pub upkeep: Upkeep,
}

impl Portal {
    /// Furnishes the rooms.
    ///
    /// # Errors
    /// When a key cannot be made.
    pub fn new(ports: Ports, settings: &Settings) -> Result<Arc<Self>> {
        let key = |purpose: &str| derive_key(&settings.secret, purpose);
        let project_key_secrets =
            project_key_secrets(&settings.secret, settings.project_key_secret.as_deref())?;
        let audit = Audit::new(ports.clone());
        Ok(Arc::new(Self {
            identity: Identity::new(ports.clone(), audit.clone(), &key("api token")?)?,
            access: Arc::new(Access::new(
                ports.clone(),
                audit.clone(),
                &key("sealed columns")?,
                settings.access.clone(),
            )),
            firmware: Firmware::new(
                ports.clone(),
                audit.clone(),
                settings.firmware,
                &key("device token")?,
                &project_key_secrets,
            ),
            audit,
            upkeep: Upkeep::new(ports),
        }))
    }

    /// Changes an account; disabling it also closes what it has open.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such account, a field cannot be taken, or no
    /// enabled admin would be left.
    pub async fn change_user(&self, actor: &Actor, id: Uuid, change: &UserChange) -> Result<User> {
        let user = self.identity.change_user(actor, id, change).await?;
        if user.disabled {
            self.end_sessions_of(actor, id).await?;
        }
        Ok(user)
    }

    /// Removes an account and closes what it has open.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such account, or it is the last enabled admin.
    pub async fn remove_user(&self, actor: &Actor, id: Uuid) -> Result<()> {
        self.identity.remove_user(actor, id).await?;
        self.end_sessions_of(actor, id).await
    }

    async fn end_sessions_of(&self, actor: &Actor, user_id: Uuid) -> Result<()> {
        let theirs = SessionFilter {
            user_id: Some(user_id),
            ..SessionFilter::default()
        };
        self.access
            .end_sessions(actor, theirs, EndReason::UserDisabled)
            .await
    }
}

/// Derives what the private keys of projects are sealed with: the first seals, any of them opens.
///
/// `secret` is the portal's own, `apart` the one that is set for these keys alone.
///
/// # Errors
/// When a key cannot be made.
pub fn project_key_secrets(secret: &[u8; 32], apart: Option<&str>) -> Result<Vec<[u8; 32]>> {
    // Keys from before there was a secret of their own still open.
    let secrets = apart.map(|apart| apart.trim().as_bytes());
    let secrets = secrets.into_iter().chain([secret.as_slice()]);
    secrets
        .map(|secret| derive_key(secret, "project keys"))
        .collect()
}

/// One secret, many keys that tell nothing of each other (RFC 5869).
fn derive_key(secret: &[u8], purpose: &str) -> Result<[u8; 32]> {
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(b"gatehouse"), secret)
        .expand(purpose.as_bytes(), &mut key)
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(key)
}
