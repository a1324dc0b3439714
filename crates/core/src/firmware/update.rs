//! Which bytes are these, and who may have them.

use std::sync::Arc;

use gatehouse_types::{codes, firmware::ReleaseState};

use super::{CatalogProject, CatalogRelease, Firmware, rollout::newest_for_nobody};
use crate::{Actor, Error, Result, actor::Who};

impl Firmware {
    /// Finds the image behind `/firmware/<project>/<file>`. Touches no database row.
    ///
    /// # Errors
    /// When nobody may have it, it belongs to another project, or there is no such published release.
    pub fn image(
        &self,
        actor: &Actor,
        project: &str,
        file_name: &str,
    ) -> Result<Arc<CatalogRelease>> {
        let catalog = self.catalog.load();
        let project = self.readable_project(actor, &catalog, project)?;
        let is_wanted = |release: &&Arc<CatalogRelease>| release.record.file_name == file_name;
        let release = project
            .releases
            .iter()
            .find(is_wanted)
            .ok_or(Error::NotFound("firmware"))?;
        // An admin may look at what is not offered yet, or no more.
        if release.record.state != ReleaseState::Published && !actor.is_admin() {
            return Err(Error::NotFound("firmware"));
        }
        if self.is_stopped(actor, release) {
            return Err(Error::conflict(
                codes::FINISHED,
                "The update was cancelled for this device.",
            ));
        }
        Ok(release.clone())
    }

    /// The newest release that everybody may have by now; for an admin, the newest of all.
    ///
    /// # Errors
    /// As [`Firmware::image`].
    pub fn latest(&self, actor: &Actor, project: &str) -> Result<Arc<CatalogRelease>> {
        let catalog = self.catalog.load();
        let project = self.readable_project(actor, &catalog, project)?;
        let newest = if actor.is_admin() {
            project.published().next_back()
        } else {
            newest_for_nobody(project, self.ports.now_ms())
        };
        newest.cloned().ok_or(Error::NotFound("firmware"))
    }

    /// The published versions of a project, ascending, in their canonical spelling.
    ///
    /// # Errors
    /// As [`Firmware::image`].
    pub fn published_versions(&self, actor: &Actor, project: &str) -> Result<Vec<String>> {
        let catalog = self.catalog.load();
        Ok(self
            .readable_project(actor, &catalog, project)?
            .published()
            .map(|release| release.version.key())
            .collect())
    }

    /// Lets everybody pass who may have the images of a project.
    ///
    /// # Errors
    /// As [`Firmware::image`].
    pub fn require_reader(&self, actor: &Actor, project: &str) -> Result<()> {
        self.readable_project(actor, &self.catalog.load(), project)?;
        Ok(())
    }

    fn readable_project<'a>(
        &self,
        actor: &Actor,
        catalog: &'a super::Catalog,
        name: &str,
    ) -> Result<&'a Arc<CatalogProject>> {
        match &actor.who {
            Who::Device(device) if device.project != name => {
                return Err(Error::Forbidden("Token not valid for this project"));
            }
            Who::Device(_) => {}
            _ if self.settings.no_jwt => {}
            _ if actor.is_admin() => {}
            _ => {
                return Err(Error::Unauthenticated(
                    "Missing token: send `Authorization: Bearer` or `?token=`.",
                ));
            }
        }
        catalog
            .project(name)
            .map_err(|_| Error::NotFound("firmware"))
    }
}
