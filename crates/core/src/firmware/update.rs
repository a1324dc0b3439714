//! The two hot paths: what should a device install, and which bytes are these.

use std::sync::Arc;

use gatehouse_types::{Version, firmware::ReleaseState};

use super::{CatalogProject, CatalogRelease, Firmware};
use crate::{
    Actor, Error, Result,
    actor::Who,
    ports::{firmware::Sighting, random_bytes},
};

/// Devices ask about this often.
const POLL_S: u64 = 3600;
/// And differ by up to so much either way, so that a fleet never comes in step.
const POLL_JITTER_S: u64 = 360;

/// What a device asks.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// The version it runs now, as it says; that of its token when missing.
    pub current_fw: Option<&'a str>,
}

/// What a device should do now.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What to install; `None` when it has the newest.
    pub release: Option<Arc<CatalogRelease>>,
    /// When to ask again, in seconds.
    pub next_poll_s: u64,
}

impl Firmware {
    /// Tells a device what to install. Touches no database row.
    ///
    /// # Errors
    /// When no device asks, or the version it names is none.
    pub fn check_update(&self, actor: &Actor, check: Check<'_>) -> Result<Answer> {
        let device = actor.device()?;
        let spelled = check.current_fw.unwrap_or(&device.fw_version);
        let current: Version = spelled.parse().map_err(|_| {
            Error::invalid(
                "current_fw",
                "A version looks like 1.2.3, 01.02.03 or 1.2.3-beta.1.",
            )
        })?;
        let catalog = self.catalog.load();
        let project = catalog.project(&device.project)?;
        self.note_sighting(Sighting {
            project_id: device.project_id,
            device_id: device.device_id,
            current_version: check.current_fw.map(|_| current.key()),
            at_ms: self.ports.now_ms(),
        });
        let newest = newest(project)
            .filter(|release| release.version > current)
            .cloned();
        Ok(Answer {
            release: newest,
            next_poll_s: self.next_poll_s(),
        })
    }

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
        Ok(release.clone())
    }

    /// The newest release that devices of this project may have.
    ///
    /// # Errors
    /// As [`Firmware::image`].
    pub fn latest(&self, actor: &Actor, project: &str) -> Result<Arc<CatalogRelease>> {
        let catalog = self.catalog.load();
        newest(self.readable_project(actor, &catalog, project)?)
            .cloned()
            .ok_or(Error::NotFound("firmware"))
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

    fn next_poll_s(&self) -> u64 {
        let drawn = u64::from(u32::from_be_bytes(random_bytes(self.ports.rng.as_ref())));
        POLL_S - POLL_JITTER_S + drawn % (2 * POLL_JITTER_S + 1)
    }
}

fn newest(project: &CatalogProject) -> Option<&Arc<CatalogRelease>> {
    project.published().next_back()
}
