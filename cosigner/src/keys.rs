//! The co-signer's own keys: one for each project, two while one takes over from the other.

use std::sync::Arc;

use gatehouse_manifest::{Algorithm, PublicKey, SigningKey};
use uuid::Uuid;

use crate::audit::{Event, record};
use crate::folder::{Lock, move_over};
use crate::{CoSigner, Refused};

/// The public halves of a project's keys at the co-signer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectKeys {
    /// The key that signs.
    pub current: PublicKey,
    /// The key that will, once the current one is retired; devices are told of both.
    pub next: Option<PublicKey>,
}

pub(crate) fn parse(text: &str) -> Result<SigningKey, String> {
    SigningKey::from_pem(text).map_err(|refusal| refusal.to_string())
}

impl CoSigner {
    /// Gives a project's keys, and makes the first one if there is none.
    ///
    /// Several processes and threads may ask at once: all get the same key.
    ///
    /// # Errors
    /// [`Refused::TooManyProjects`], [`Refused::Storage`].
    pub fn keys(&self, project_id: Uuid) -> Result<ProjectKeys, Refused> {
        let next = self.keys.read(&self.folder.next_key(project_id))?;
        Ok(ProjectKeys {
            current: self.signing_key(project_id)?.public_key(),
            next: next.map(|key| key.public_key()),
        })
    }

    /// Makes the key that is to take over; until [`CoSigner::retire`] the current one goes on signing.
    ///
    /// # Errors
    /// [`Refused::RotationUnderWay`] while an earlier rotation has not ended, [`Refused::Storage`].
    pub fn rotate(&self, project_id: Uuid, now_ms: i64) -> Result<ProjectKeys, Refused> {
        self.signing_key(project_id)?;
        let (path, lock) = (self.folder.next_key(project_id), self.folder.lock()?);
        if path.exists() {
            return Err(Refused::RotationUnderWay);
        }
        let event = Event::new("rotated").of_project(project_id);
        record(&self.folder, &lock, &event, now_ms)?;
        let pem = self.fresh_key().to_pem();
        self.folder.create(&path, pem.as_bytes(), &lock)?;
        self.keys(project_id)
    }

    /// Ends the current key, for good: from now on the next one signs.
    ///
    /// # Errors
    /// [`Refused::NoRotation`] when no next key stands, [`Refused::Storage`].
    pub fn retire(&self, project_id: Uuid, now_ms: i64) -> Result<ProjectKeys, Refused> {
        let (next, lock) = (self.folder.next_key(project_id), self.folder.lock()?);
        if !next.exists() {
            return Err(Refused::NoRotation);
        }
        let event = Event::new("retired").of_project(project_id);
        record(&self.folder, &lock, &event, now_ms)?;
        move_over(&next, &self.folder.key(project_id), &lock)?;
        self.keys(project_id)
    }

    pub(crate) fn signing_key(&self, project_id: Uuid) -> Result<Arc<SigningKey>, Refused> {
        let path = self.folder.key(project_id);
        if let Some(key) = self.keys.read(&path)? {
            return Ok(key);
        }
        self.make_key(project_id, &self.folder.lock()?)?;
        self.keys
            .read(&path)?
            .ok_or_else(|| Refused::Storage(format!("{} vanished", path.display())))
    }

    fn make_key(&self, project_id: Uuid, lock: &Lock) -> Result<(), Refused> {
        self.folder.check_room_in("keys")?;
        let pem = self.fresh_key().to_pem();
        self.folder
            .create(&self.folder.key(project_id), pem.as_bytes(), lock)
    }

    fn fresh_key(&self) -> SigningKey {
        loop {
            let mut bytes = [0; 32];
            (self.entropy)(&mut bytes);
            // One in 2^32 is no scalar of the curve.
            if let Ok(key) = SigningKey::from_bytes(Algorithm::Es256, &bytes) {
                return key;
            }
        }
    }
}
