//! The keys that a project's manifests are signed with, and how one replaces another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use gatehouse_manifest::{Algorithm, Jwk, PublicKey, SigningKey, cosigner_kid, project_kid};
use gatehouse_types::{
    Timestamp, codes,
    manifest::{self as words, ProjectKey, ProjectKeys, ProjectKeysInForce},
};
use uuid::Uuid;

use super::{Catalog, CatalogProject, Firmware};
use crate::{
    Actor, Error, Result,
    actor::Who,
    audit::Note,
    ports::{Rng, project_keys::ProjectKeyRecord, random_bytes},
    seal::Sealer,
};

/// Private halves, opened once; they are wiped when their keys end.
pub(super) struct KeyRing {
    /// The first one seals; what another one sealed opens, too.
    sealers: Vec<Sealer>,
    opened: Mutex<HashMap<Uuid, Arc<OpenKey>>>,
}

/// A private half that is ready to sign.
pub(super) struct OpenKey {
    pub(super) signing: SigningKey,
    pub(super) thumbprint: String,
}

impl KeyRing {
    /// Seals with the first of `secrets` and opens with any of them.
    pub(super) fn new(secrets: &[[u8; 32]]) -> Self {
        Self {
            sealers: secrets.iter().map(Sealer::new).collect(),
            opened: Mutex::default(),
        }
    }

    /// Draws a key; answers its public half as PEM and its private half sealed.
    fn make(&self, rng: &dyn Rng, id: Uuid) -> Result<(String, Vec<u8>)> {
        let mut drawn =
            std::iter::repeat_with(|| SigningKey::from_bytes(Algorithm::Es256, &random_bytes(rng)));
        // Nearly every number is a key; the next one is, where the first was none.
        let signing = drawn.find_map(std::result::Result::ok).ok_or_else(no_key)?;
        let sealer = self.sealers.first().ok_or_else(no_key)?;
        let sealed = sealer.seal(rng, &bound_to(id), &signing.to_pem())?;
        Ok((signing.public_key().to_pem(), sealed))
    }

    /// The private half of a key in force.
    pub(super) fn open(&self, key: &ProjectKeyRecord) -> Result<Arc<OpenKey>> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = opened.get(&key.id) {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(self.unseal(key)?);
        opened.insert(key.id, Arc::clone(&open));
        Ok(open)
    }

    /// Forgets every key that the catalogue does not name.
    pub(super) fn keep_only(&self, catalog: &Catalog) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|id, _| {
            let mut in_force = catalog.projects().flat_map(|project| &project.keys);
            in_force.any(|key| key.id == *id)
        });
    }

    fn unseal(&self, key: &ProjectKeyRecord) -> Result<OpenKey> {
        let bound_to = bound_to(key.id);
        let mut tries =
            (self.sealers.iter()).map(|sealer| sealer.open(&bound_to, &key.sealed_private));
        let pem = tries.find(Result::is_ok).unwrap_or_else(|| {
            Err(Error::internal("a project's key does not open: was keys/secret.bin or the file of firmware.project_key_secret_file replaced?"))
        })?;
        let signing = SigningKey::from_pem(&pem).map_err(Error::internal)?;
        Ok(OpenKey {
            thumbprint: signing.public_key().thumbprint(),
            signing,
        })
    }
}

impl Firmware {
    /// What a device of the project has to know to check a manifest.
    ///
    /// # Errors
    /// When the actor is neither an admin nor a device of the project, there is no such project,
    /// or the co-signer does not tell its keys.
    pub async fn project_keys(&self, actor: &Actor, project: &str) -> Result<ProjectKeys> {
        let is_device = match &actor.who {
            Who::Device(device) if device.project == project => true,
            Who::Device(_) => return Err(Error::Forbidden("Token not valid for this project")),
            _ => actor.require_admin().map(|()| false)?,
        };
        let project = self.project_with_keys(project).await?;
        let project_id = project.record.id;
        let co_signer = if is_device {
            self.co_signer_keys_of_late(project_id).await?
        } else {
            self.co_signer_keys(project_id).await?
        };
        let own = public_keys(&project)?;
        let project_id_text = project_id.to_string();
        let jwk = |key: &PublicKey| to_jwk(key.to_jwk(&project_kid(&project_id_text)));
        let co_signer_jwk = |key: &PublicKey| to_jwk(key.to_jwk(&cosigner_kid(&project_id_text)));
        let current = own.first().ok_or_else(no_key)?;
        let next = own.get(1);
        let co_next = co_signer.next.as_ref();
        Ok(ProjectKeys {
            project_id,
            project: project.record.name.clone(),
            hardware: project.record.hardware.clone(),
            project_pem: current.to_pem(),
            cosigner_pem: co_signer.current.to_pem(),
            project_jwk: jwk(current),
            cosigner_jwk: co_signer_jwk(&co_signer.current),
            next_project_pem: next.map(PublicKey::to_pem),
            next_project_jwk: next.map(jwk),
            next_cosigner_pem: co_next.map(PublicKey::to_pem),
            next_cosigner_jwk: co_next.map(co_signer_jwk),
        })
    }

    /// The project's own keys, whether or not the co-signer answers.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn keys_in_force(&self, actor: &Actor, project: &str) -> Result<ProjectKeysInForce> {
        actor.require_admin()?;
        in_force(self.project_with_keys(project).await?.as_ref())
    }

    /// Makes the key that takes over once the present one is retired; devices have until then to
    /// learn of it.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or one replaces another already.
    pub async fn rotate_project_key(
        &self,
        actor: &Actor,
        name: &str,
    ) -> Result<ProjectKeysInForce> {
        actor.require_admin()?;
        let project = self.project_with_keys(name).await?;
        let present = project.keys.first().ok_or_else(no_key)?;
        // Whatever the clocks say, the new one is the younger.
        let made_at_ms = self.ports.now_ms().max(present.created_at_ms + 1);
        let next = self.new_project_key(project.record.id, made_at_ms)?;
        if !self.ports.store.add_project_key(&next, 1).await? {
            self.reload_catalog().await?;
            return Err(Error::conflict(
                codes::CONFLICT,
                "A new key stands beside the old one already. Retire the old one when every device knows the new one.",
            ));
        }
        self.note_key(actor, "project.rotate_key", name, &next)
            .await
    }

    /// Ends the project's oldest key; from now on the other one signs, and devices that do not
    /// know it install nothing.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or it has only one key.
    pub async fn retire_project_key(
        &self,
        actor: &Actor,
        name: &str,
    ) -> Result<ProjectKeysInForce> {
        actor.require_admin()?;
        let project = self.project_with_keys(name).await?;
        let oldest = project.keys.first().ok_or_else(no_key)?;
        let now_ms = self.ports.now_ms();
        if !self
            .ports
            .store
            .retire_project_key(oldest.id, now_ms)
            .await?
        {
            self.reload_catalog().await?;
            return Err(Error::conflict(
                codes::CONFLICT,
                "This is the project's only key, and without one no device would install anything. Make a new one first.",
            ));
        }
        self.note_key(actor, "project.retire_key", name, oldest)
            .await
    }

    /// A fresh key; the caller stores it.
    pub(super) fn new_project_key(
        &self,
        project_id: Uuid,
        created_at_ms: i64,
    ) -> Result<ProjectKeyRecord> {
        let rng = self.ports.rng.as_ref();
        let id = self.ports.new_id();
        let (public_pem, sealed_private) = self.key_ring.make(rng, id)?;
        Ok(ProjectKeyRecord {
            id,
            project_id,
            public_pem,
            sealed_private,
            created_at_ms,
        })
    }

    /// The project; one from before there were keys gets its first.
    pub(super) async fn project_with_keys(&self, name: &str) -> Result<Arc<CatalogProject>> {
        let catalog = self.catalog();
        let project = catalog.project(name)?;
        if !project.keys.is_empty() {
            return Ok(Arc::clone(project));
        }
        let _alone = self.first_needs.lock().await;
        if self.catalog().project(name)?.keys.is_empty() {
            let key = self.new_project_key(project.record.id, self.ports.now_ms())?;
            // Another instance may have been quicker: then its key is the one.
            self.ports.store.add_project_key(&key, 0).await?;
            self.reload_catalog().await?;
        }
        Ok(Arc::clone(self.catalog().project(name)?))
    }

    async fn note_key(
        &self,
        actor: &Actor,
        action: &'static str,
        project: &str,
        key: &ProjectKeyRecord,
    ) -> Result<ProjectKeysInForce> {
        let thumbprint = public_key(key)?.thumbprint();
        let note = Note::ok(action, "project", project).detail(&thumbprint);
        self.audit.note(actor, note).await?;
        self.reload_catalog().await?;
        in_force(self.catalog().project(project)?)
    }
}

/// Tells whether a portal with these secrets, as [`crate::project_key_secrets`] derives them, can
/// sign with the key.
pub fn opens_project_key(secrets: &[[u8; 32]], key: &ProjectKeyRecord) -> bool {
    KeyRing::new(secrets)
        .unseal(key)
        .is_ok_and(|open| open.signing.public_key().to_pem() == key.public_pem)
}

/// What the sealed bytes of a key are bound to.
fn bound_to(id: Uuid) -> String {
    format!("project key/{id}")
}

fn in_force(project: &CatalogProject) -> Result<ProjectKeysInForce> {
    let key = |(place, record): (usize, &ProjectKeyRecord)| {
        Ok(ProjectKey {
            thumbprint: public_key(record)?.thumbprint(),
            pem: record.public_pem.clone(),
            is_signing: place == 0,
            created_at: Timestamp(record.created_at_ms),
        })
    };
    let keys: Result<Vec<_>> = project.keys.iter().enumerate().map(key).collect();
    Ok(ProjectKeysInForce { keys: keys? })
}

fn public_keys(project: &CatalogProject) -> Result<Vec<PublicKey>> {
    project.keys.iter().map(public_key).collect()
}

fn public_key(key: &ProjectKeyRecord) -> Result<PublicKey> {
    PublicKey::from_pem(&key.public_pem).map_err(Error::internal)
}

fn to_jwk(jwk: Jwk) -> words::Jwk {
    words::Jwk {
        kty: jwk.kty,
        crv: jwk.crv,
        x: jwk.x,
        y: jwk.y,
        kid: jwk.kid,
        alg: jwk.alg,
        use_: jwk.use_,
    }
}

pub(super) fn no_key() -> Error {
    Error::internal("a project without a key")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::CountingRng;

    const OLD: [u8; 32] = [1; 32];
    const NEW: [u8; 32] = [2; 32];

    fn made_by(ring: &KeyRing) -> ProjectKeyRecord {
        let id = Uuid::from_u128(5);
        let (public_pem, sealed_private) = ring.make(&CountingRng::default(), id).unwrap();
        ProjectKeyRecord {
            id,
            project_id: Uuid::from_u128(6),
            public_pem,
            sealed_private,
            created_at_ms: 0,
        }
    }

    #[test]
    fn a_new_secret_seals_and_the_old_one_still_opens() {
        let old = made_by(&KeyRing::new(&[OLD]));
        assert!(opens_project_key(&[OLD], &old));
        assert!(opens_project_key(&[NEW, OLD], &old));
        assert!(!opens_project_key(&[NEW], &old));
        let new = made_by(&KeyRing::new(&[NEW, OLD]));
        assert!(opens_project_key(&[NEW], &new));
        assert!(
            !opens_project_key(&[OLD], &new),
            "a stolen portal secret opens nothing"
        );
    }

    #[test]
    fn a_private_half_belongs_to_its_row_and_is_not_to_be_seen() {
        let key = made_by(&KeyRing::new(&[OLD]));
        let moved = ProjectKeyRecord {
            id: Uuid::from_u128(7),
            ..key.clone()
        };
        assert!(!opens_project_key(&[OLD], &moved));
        assert!(!String::from_utf8_lossy(&key.sealed_private).contains("PRIVATE"));
    }
}
