//! Publications are shown to the co-signer in their order, before devices ask for them.
//!
//! A co-signer signs nothing new below the highest counter that it knows. Were it first asked by
//! devices, a release for a few of them that asks late would have come too late.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use super::{
    CatalogProject, CatalogRelease, Firmware,
    cosigning::{NextStep, not_cosigned},
    manifests::counter_of,
};
use crate::{Error, Result, ports::cosigner::CoSignFailure};

/// So long a device waits while what was published before is shown to the co-signer.
const DEVICE_WAITS: Duration = Duration::from_secs(5);

impl Firmware {
    /// Shows the co-signer what was published and not judged yet; called every few seconds.
    pub async fn present_publications(&self) {
        for project in self.catalog().projects() {
            // What does not work out is told on the release's page.
            let _ = self.present_before(project, i64::MAX).await;
        }
    }

    /// Shows the co-signer what was published in the project before this release; says whether that
    /// took time.
    ///
    /// # Errors
    /// When the co-signer does not judge it now; it would not judge this release either.
    pub(super) async fn present_what_came_before(
        &self,
        project: &CatalogProject,
        release: &CatalogRelease,
    ) -> Result<bool> {
        if self.co_signing.has_signed(&release.record) {
            return Ok(false);
        }
        let presented = self.present_before(project, counter_of(release));
        match timeout(DEVICE_WAITS, presented).await {
            Ok(presented) => presented.map(|()| true),
            Err(_elapsed) => Err(not_cosigned(&CoSignFailure::Unreachable {
                detail: "It is still being shown what was published before.".to_owned(),
            })),
        }
    }

    async fn present_before(&self, project: &CatalogProject, end: i64) -> Result<()> {
        let earlier = |release: &&Arc<CatalogRelease>| (1..end).contains(&counter_of(release));
        let mut due: Vec<_> = project.published().filter(earlier).collect();
        if due.is_empty() {
            return Ok(());
        }
        let presenting = self.co_signing.presenting(project.record.id);
        let _alone = presenting.lock().await;
        due.sort_by_key(|release| counter_of(release));
        for release in due {
            match self
                .co_signing
                .next_step(&release.record, self.ports.now_ms())
            {
                NextStep::Pass => {}
                NextStep::Wait(failure) => return Err(failure),
                NextStep::Present => self.present(project, release).await?,
            }
        }
        Ok(())
    }

    /// The signed manifest goes to nobody, so the address in it may be any.
    async fn present(&self, project: &CatalogProject, release: &Arc<CatalogRelease>) -> Result<()> {
        let project = self.project_with_keys(&project.record.name).await?;
        let address = self.ports.cosigner.identity().server_id;
        let manifest = match self.own_half(&project, release, &address, None).await {
            Ok(manifest) => manifest,
            Err(error) => {
                tracing::warn!(%error, project = project.record.name, version = release.record.version, "a release could not be shown to the co-signer");
                let now_ms = self.ports.now_ms();
                self.co_signing.note_unsignable(&release.record, now_ms);
                return Ok(());
            }
        };
        let signed = self.cosign(&release.record, manifest).await;
        let next = self
            .co_signing
            .next_step(&release.record, self.ports.now_ms());
        match (signed, next) {
            // Only what holds for the others, too, keeps them waiting.
            (Err(error), NextStep::Wait(_)) => Err(error),
            (Ok(_) | Err(Error::NotCoSigned { .. }), _) => Ok(()),
            (Err(other), _) => Err(other),
        }
    }
}
