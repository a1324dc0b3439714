//! Publications are shown to the co-signer in their order, before devices ask for them.
//!
//! A co-signer signs nothing new below the highest counter that it knows. Were it first asked by
//! devices, a release for a few of them that asks late would have come too late.

use std::sync::Arc;

use super::{CatalogProject, CatalogRelease, Firmware, manifests::counter_of};
use crate::{Error, Result};

impl Firmware {
    /// Shows the co-signer what was published and not judged yet; called every few seconds.
    pub async fn present_publications(&self) {
        for project in self.catalog().projects() {
            self.present_up_to(project, i64::MAX).await;
        }
    }

    /// Shows the co-signer what was published in the project before this release.
    pub(super) async fn present_what_came_before(
        &self,
        project: &CatalogProject,
        release: &CatalogRelease,
    ) {
        if !self.co_signing.has_signed(&release.record) {
            self.present_up_to(project, counter_of(release)).await;
        }
    }

    async fn present_up_to(&self, project: &CatalogProject, end: i64) {
        let is_due = |release: &&Arc<CatalogRelease>| {
            (1..end).contains(&counter_of(release)) && self.co_signing.awaits_word(&release.record)
        };
        if project.published().find(is_due).is_none() {
            return;
        }
        let _alone = self.co_signing.presenting.lock().await;
        let mut due: Vec<_> = project.published().filter(is_due).collect();
        due.sort_by_key(|release| counter_of(release));
        for release in due {
            let presented = self.present(project, release).await;
            if let Err(error) = presented.or_else(told_on_its_page) {
                tracing::warn!(%error, project = project.record.name, version = release.record.version, "a release could not be shown to the co-signer");
            }
            // The others come after it, so they wait until it was judged.
            if self.co_signing.awaits_word(&release.record) {
                return;
            }
        }
    }

    /// The signed manifest goes to nobody, so the address in it may be any.
    async fn present(&self, project: &CatalogProject, release: &Arc<CatalogRelease>) -> Result<()> {
        let project = self.project_with_keys(&project.record.name).await?;
        let address = self.ports.cosigner.identity().server_id;
        let manifest = self.own_half(&project, release, &address, None).await?;
        self.cosign(&release.record, manifest).await?;
        Ok(())
    }
}

fn told_on_its_page(error: Error) -> Result<()> {
    match error {
        Error::NotCoSigned { .. } => Ok(()),
        other => Err(other),
    }
}
