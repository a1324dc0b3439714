use std::{collections::HashSet, time::Duration};

use gatehouse_types::{
    Page, PageQuery, Timestamp, Version, codes,
    firmware::{Release, ReleaseChange, ReleaseState},
    limits,
    rollout::Approval,
};

use super::{CatalogProject, CatalogRelease, Firmware};
use crate::{
    Actor, Error, Result,
    audit::{Note, changes},
    ports::firmware::ReleaseRecord,
};

impl Firmware {
    /// Lists a project's releases, newest version first.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or the page cannot be read.
    pub fn list_releases(
        &self,
        actor: &Actor,
        project: &str,
        query: &PageQuery,
    ) -> Result<Page<Release>> {
        actor.require_admin()?;
        let limit = query.limit()?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        let after = query
            .after
            .as_deref()
            .map(|version| project.release(version))
            .transpose()?;
        let older = |release: &&std::sync::Arc<CatalogRelease>| {
            after.is_none_or(|after| release.version < after.version)
        };
        let rows = project
            .releases
            .iter()
            .rev()
            .filter(older)
            .take(usize::try_from(limit).unwrap_or(0) + 1);
        let rows = rows
            .map(|release| to_release(project, &release.record))
            .collect();
        Ok(Page::cut(rows, limit, |row: &Release| row.version.clone()))
    }

    /// Shows a release.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such release.
    pub fn release(&self, actor: &Actor, project: &str, version: &str) -> Result<Release> {
        actor.require_admin()?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        Ok(to_release(project, &project.release(version)?.record))
    }

    /// Changes a release's notes, channel, least version or whether it may be lower.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or a value cannot be taken.
    pub async fn change_release(
        &self,
        actor: &Actor,
        project: &str,
        version: &str,
        change: &ReleaseChange,
    ) -> Result<Release> {
        actor.require_admin()?;
        let mut record = self.find_release(project, version)?;
        let before = changeable(&record);
        if let Some(notes) = &change.notes {
            limits::text("notes", notes)?;
            notes.trim().clone_into(&mut record.notes);
        }
        if let Some(channel) = change.channel {
            record.channel = channel;
        }
        if let Some(least) = &change.min_version {
            record.min_version = least
                .as_deref()
                .map(|least| least.parse().map(|version: Version| version.key()))
                .transpose()
                .map_err(|invalid| Error::invalid("min_version", invalid.detail))?;
        }
        if let Some(allow_downgrade) = change.allow_downgrade {
            record.allow_downgrade = allow_downgrade;
        }
        take_wish_back(&mut record);
        let from = record.state;
        let detail = changes(&before, &changeable(&record), &["notes"]);
        self.save_release(actor, project, record, from, "release.change", &detail)
            .await
    }

    /// Stops offering a release; devices that have it keep it.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or it is a draft.
    pub async fn withdraw(&self, actor: &Actor, project: &str, version: &str) -> Result<Release> {
        actor.require_admin()?;
        let mut record = self.find_release(project, version)?;
        match record.state {
            ReleaseState::Withdrawn => return self.release(actor, project, version),
            ReleaseState::Draft => {
                return Err(Error::conflict(
                    codes::CONFLICT,
                    "A draft was never offered. Delete it if nobody needs it.",
                ));
            }
            ReleaseState::Published => {}
        }
        record.approval = Approval::default();
        record.state = ReleaseState::Withdrawn;
        record.withdrawn_at_ms = Some(self.ports.now_ms());
        self.save_release(
            actor,
            project,
            record,
            ReleaseState::Published,
            "release.withdraw",
            "",
        )
        .await
    }

    /// Deletes a draft.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such release, or it was published once.
    pub async fn delete_release(&self, actor: &Actor, project: &str, version: &str) -> Result<()> {
        actor.require_admin()?;
        let record = self.find_release(project, version)?;
        if !self.ports.store.delete_draft(record.id).await? {
            return Err(Error::conflict(
                codes::CONFLICT,
                "A release that was published stays on record. Withdraw it instead.",
            ));
        }
        self.audit
            .note(
                actor,
                Note::ok(
                    "release.delete",
                    "release",
                    format!("{project}/{}", record.version),
                ),
            )
            .await?;
        self.reload_catalog().await?;
        self.remove_unnamed(&[record.artifact.sha256]).await;
        Ok(())
    }

    /// Removes what nobody can go on with and nobody touched for so long: unfinished uploads,
    /// except resumable ones, and images that no release names; answers how many.
    ///
    /// # Errors
    /// When database or blob store do not answer.
    pub async fn sweep_blobs(&self, idle_for: Duration) -> Result<u64> {
        let (store, blobs) = (&self.ports.store, &self.ports.blobs);
        let _nobody_adds = blobs.lock_to_remove().await?;
        let mut keep = store.artifact_addresses().await?;
        if keep.is_empty() {
            // More likely another database than a portal that lost every release.
            return Ok(0);
        }
        let running = store.running_uploads().await?;
        keep.extend(running.iter().map(ToString::to_string));
        let idle_for_ms = i64::try_from(idle_for.as_millis()).unwrap_or(i64::MAX);
        let touched_until_ms = self.ports.now_ms() - idle_for_ms;
        Ok(blobs.sweep(&keep, touched_until_ms).await?)
    }

    /// Removes those of the images that no release names any more, so that a full disk has room
    /// again at once. What cannot be removed now is left to the next sweep.
    pub(super) async fn remove_unnamed(&self, addresses: &[String]) {
        if let Err(error) = self.try_to_remove_unnamed(addresses).await {
            tracing::warn!(%error, "could not remove an image that no release names; trying again within two hours");
        }
    }

    async fn try_to_remove_unnamed(&self, addresses: &[String]) -> Result<()> {
        let (store, blobs) = (&self.ports.store, &self.ports.blobs);
        let _nobody_adds = blobs.lock_to_remove().await?;
        let named: HashSet<String> = store.artifact_addresses().await?.into_iter().collect();
        for unnamed in addresses.iter().filter(|sha256| !named.contains(*sha256)) {
            blobs.remove(unnamed).await?;
        }
        Ok(())
    }

    pub(super) fn find_release(&self, project: &str, version: &str) -> Result<ReleaseRecord> {
        Ok(self
            .catalog()
            .project(project)?
            .release(version)?
            .record
            .clone())
    }

    pub(super) async fn save_release(
        &self,
        actor: &Actor,
        project: &str,
        record: ReleaseRecord,
        from: ReleaseState,
        action: &'static str,
        detail: &str,
    ) -> Result<Release> {
        if !self.ports.store.update_release(&record, from).await? {
            self.reload_catalog().await?;
            return Err(Error::conflict(
                codes::CONFLICT,
                "Somebody else changed this release meanwhile. Look at it again.",
            ));
        }
        let target = format!("{project}/{}", record.version);
        let note = Note::ok(action, "release", target).detail(detail);
        self.audit.note(actor, note).await?;
        self.reload_catalog().await?;
        Ok(to_release(self.catalog().project(project)?, &record))
    }
}

/// What an admin may change of a release, as it stands.
fn changeable(record: &ReleaseRecord) -> ReleaseChange {
    ReleaseChange {
        notes: Some(record.notes.clone()),
        channel: Some(record.channel),
        min_version: Some(record.min_version.clone()),
        allow_downgrade: Some(record.allow_downgrade),
    }
}

/// A change takes back the wish to publish what was there before it.
pub(super) fn take_wish_back(record: &mut ReleaseRecord) {
    if record.state != ReleaseState::Published {
        record.approval = Approval::default();
    }
}

pub(super) fn to_release(project: &CatalogProject, record: &ReleaseRecord) -> Release {
    Release {
        project: project.record.name.clone(),
        version: record.version.clone(),
        file_name: record.file_name.clone(),
        size_bytes: record.artifact.size_bytes,
        sha256: record.artifact.sha256.clone(),
        sha1: record.artifact.sha1.clone(),
        md5: record.artifact.md5.clone(),
        state: record.state,
        notes: record.notes.clone(),
        channel: record.channel,
        min_version: record.min_version.clone(),
        allow_downgrade: record.allow_downgrade,
        rollout: record.rollout.clone(),
        approval: record.approval.clone(),
        image: record.image.clone(),
        objections: if record.state == ReleaseState::Published {
            Vec::new()
        } else {
            project.objections_to(record)
        },
        created_at: Timestamp(record.created_at_ms),
        published_at: record.published_at_ms.map(Timestamp),
        withdrawn_at: record.withdrawn_at_ms.map(Timestamp),
    }
}
