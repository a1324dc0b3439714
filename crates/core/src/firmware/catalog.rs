//! The snapshot that devices are answered from.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use gatehouse_types::{Version, firmware::ReleaseState};
use uuid::Uuid;

use super::{Firmware, no_such_project, no_such_release};
use crate::{
    Result,
    ports::{
        firmware::{CatalogRows, ProjectRecord, ReleaseRecord},
        project_keys::ProjectKeyRecord,
    },
};

/// Projects, releases and revocations at one moment.
#[derive(Debug, Default)]
pub struct Catalog {
    change_seq: i64,
    projects: BTreeMap<String, Arc<CatalogProject>>,
    revoked: HashSet<Uuid>,
}

/// A project with its releases.
#[derive(Debug)]
pub struct CatalogProject {
    /// The project's row.
    pub record: ProjectRecord,
    /// In ascending order of version, in every state.
    pub releases: Vec<Arc<CatalogRelease>>,
    /// Its keys in force, the oldest first: that one signs.
    pub keys: Vec<ProjectKeyRecord>,
}

/// A release with its version in comparable form.
#[derive(Debug)]
pub struct CatalogRelease {
    /// The release's row.
    pub record: ReleaseRecord,
    /// For comparing.
    pub version: Version,
    /// Devices below have to install another one first.
    pub min_version: Option<Version>,
}

impl Catalog {
    fn new(rows: CatalogRows) -> Self {
        let mut releases: BTreeMap<Uuid, Vec<Arc<CatalogRelease>>> = BTreeMap::new();
        for record in rows.releases {
            match record.version_key.parse() {
                Ok(version) => {
                    let min_version = record
                        .min_version
                        .as_deref()
                        .and_then(|least| least.parse().ok());
                    releases
                        .entry(record.project_id)
                        .or_default()
                        .push(Arc::new(CatalogRelease {
                            record,
                            version,
                            min_version,
                        }));
                }
                Err(_) => {
                    tracing::error!(release_id = %record.id, "a stored version cannot be read; the release is left out");
                }
            }
        }
        let mut keys: BTreeMap<Uuid, Vec<ProjectKeyRecord>> = BTreeMap::new();
        for key in rows.project_keys {
            keys.entry(key.project_id).or_default().push(key);
        }
        let with_releases = |record: ProjectRecord| {
            let mut own = releases.remove(&record.id).unwrap_or_default();
            own.sort_by(|one, other| one.version.cmp(&other.version));
            (
                record.name.clone(),
                Arc::new(CatalogProject {
                    keys: keys.remove(&record.id).unwrap_or_default(),
                    record,
                    releases: own,
                }),
            )
        };
        Self {
            change_seq: rows.change_seq,
            projects: rows.projects.into_iter().map(with_releases).collect(),
            revoked: rows.revoked.into_iter().collect(),
        }
    }

    /// Finds a project by the exact spelling of its name.
    ///
    /// # Errors
    /// When there is none.
    pub fn project(&self, name: &str) -> Result<&Arc<CatalogProject>> {
        self.projects.get(name).ok_or_else(no_such_project)
    }

    /// Rises with every change of what is in here.
    pub(super) const fn change_seq(&self) -> i64 {
        self.change_seq
    }

    /// All projects, by name.
    pub fn projects(&self) -> impl Iterator<Item = &Arc<CatalogProject>> {
        self.projects.values()
    }

    pub(super) fn project_by_id(&self, id: Uuid) -> Option<&Arc<CatalogProject>> {
        self.projects
            .values()
            .find(|project| project.record.id == id)
    }

    pub(super) fn is_revoked(&self, jti: Uuid) -> bool {
        self.revoked.contains(&jti)
    }
}

impl CatalogProject {
    /// Finds a release by any spelling of its version.
    ///
    /// # Errors
    /// When there is none.
    pub fn release(&self, version: &str) -> Result<&Arc<CatalogRelease>> {
        let version: Version = version.parse().map_err(|_| no_such_release())?;
        self.releases
            .iter()
            .find(|release| release.version == version)
            .ok_or_else(no_such_release)
    }

    /// Finds a release by its id.
    pub(super) fn release_by_id(&self, id: Uuid) -> Option<&Arc<CatalogRelease>> {
        self.releases.iter().find(|release| release.record.id == id)
    }

    /// The releases that devices may have, in ascending order.
    pub fn published(&self) -> impl DoubleEndedIterator<Item = &Arc<CatalogRelease>> {
        self.releases
            .iter()
            .filter(|release| release.record.state == ReleaseState::Published)
    }
}

impl Firmware {
    /// The snapshot as it is now.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.load_full()
    }

    /// Takes the snapshot anew.
    ///
    /// # Errors
    /// When the database does not answer; the old snapshot stays.
    pub async fn reload_catalog(&self) -> Result<()> {
        let fresh = Arc::new(Catalog::new(
            self.ports.store.load_catalog(self.ports.now_ms()).await?,
        ));
        // Two reloads may overtake each other: the older one must not win.
        self.catalog.rcu(|current| {
            if current.change_seq > fresh.change_seq {
                current
            } else {
                &fresh
            }
            .clone()
        });
        self.key_ring.keep_only(&self.catalog.load());
        Ok(())
    }

    /// Takes the snapshot anew if another instance changed something; called twice a second.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn follow_changes(&self) -> Result<()> {
        if self.ports.store.change_seq().await? != self.catalog.load().change_seq {
            self.reload_catalog().await?;
        }
        Ok(())
    }
}
