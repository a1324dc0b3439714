//! Trusting portals, revoking them, and reading the record: what the owner of a co-signer does.

use uuid::Uuid;

use crate::audit::{Event, RECORD, REQUESTS, last_lines, record};
use crate::folder::remove;
use crate::portal::{Portal, identity_key, server_id};
use crate::{CoSigner, Refused};

/// A portal with the id that follows from its key.
#[derive(Debug, Clone)]
pub struct TrustedPortal {
    /// The portal's id.
    pub server_id: Uuid,
    /// What it may do.
    pub portal: Portal,
}

impl CoSigner {
    /// Trusts a portal from now on, also one that was revoked; answers its id.
    ///
    /// # Errors
    /// A sentence when its key is no P-256 public key in PEM form, when plain messages would go past the
    /// second person who has to approve, or when the folder cannot be written.
    pub fn trust(&self, portal: &Portal) -> Result<Uuid, String> {
        if portal.needs_approval && portal.plain_messages {
            return Err(
                "Plain messages are signed without approval: a portal gets the one or the other."
                    .to_owned(),
            );
        }
        let id = server_id(&identity_key(&portal.key_pem)?)?;
        let said = format!("{}, {}", portal.name, portal.projects);
        let event = Event::new("trusted").by(Some(id)).saying(said);
        self.write_portal(id, portal, &event, portal.trusted_at_ms)
            .map_err(|refused| refused.to_string())?;
        Ok(id)
    }

    /// Trusts a portal no more; revoking it again leaves the first moment. Answers its name.
    ///
    /// # Errors
    /// [`Refused::UnknownPortal`], [`Refused::Storage`].
    pub fn revoke(&self, server_id: Uuid, now_ms: i64) -> Result<String, Refused> {
        let known = self.portals.read(&self.folder.portal(server_id))?;
        let mut portal = known.ok_or(Refused::UnknownPortal)?.portal.clone();
        portal.revoked_at_ms.get_or_insert(now_ms);
        let event = Event::new("revoked")
            .by(Some(server_id))
            .saying(&portal.name);
        self.write_portal(server_id, &portal, &event, now_ms)?;
        Ok(portal.name)
    }

    fn write_portal(
        &self,
        id: Uuid,
        portal: &Portal,
        event: &Event,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let lock = self.folder.lock()?;
        record(&self.folder, &lock, event, now_ms)?;
        let path = self.folder.portal(id);
        self.folder.replace(&path, &crate::json(portal), &lock)
    }

    /// Lists the portals that were ever trusted, by their ids.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn portals(&self) -> Result<Vec<TrustedPortal>, Refused> {
        let found = self.folder.ids_in("portals")?.into_iter().map(|id| {
            let known = self.portals.read(&self.folder.portal(id))?;
            Ok(known.map(|known| TrustedPortal {
                server_id: id,
                portal: known.portal.clone(),
            }))
        });
        found.filter_map(Result::transpose).collect()
    }

    /// Forgets what was signed, approved and asked for in a project, so that any counter may be its
    /// first again; answers the highest that there was. Its keys stay.
    ///
    /// # Errors
    /// [`Refused::NothingKnown`] when there is nothing to forget, [`Refused::Storage`].
    pub fn forget(&self, project_id: Uuid, now_ms: i64) -> Result<u64, Refused> {
        let path = self.folder.project(project_id);
        let lock = self.folder.lock()?;
        let project = self.projects.read_anew(&path)?;
        let highest = project.ok_or(Refused::NothingKnown)?.highest();
        let event = Event::new("forgot").of_project(project_id);
        let event = event.counting(Some(highest));
        record(&self.folder, &lock, &event, now_ms)?;
        remove(&path, &lock)?;
        Ok(highest)
    }

    /// Gives the last lines of the record of changes and new releases, the newest at the end.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn audit_lines(&self, count: usize) -> Result<Vec<String>, Refused> {
        last_lines(&self.folder, RECORD, count)
    }

    /// Gives the last lines about what was signed and refused, the newest at the end.
    ///
    /// # Errors
    /// [`Refused::Storage`].
    pub fn request_lines(&self, count: usize) -> Result<Vec<String>, Refused> {
        last_lines(&self.folder, REQUESTS, count)
    }
}
