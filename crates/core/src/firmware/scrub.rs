//! Looking whether the images on the disk are still what they were.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use gatehouse_types::Timestamp;
use sha2::{Digest, Sha256};
use tokio::time::sleep;

use super::{CatalogProject, Firmware};
use crate::{
    Actor, Result,
    audit::Note,
    ports::{StoreResult, blobs::Blobs, firmware::Artifact},
};

/// An image that is no longer what was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedImage {
    /// The project's name.
    pub project: String,
    /// The version, as it was spelled.
    pub version: String,
    /// The file's name.
    pub file_name: String,
    /// What its bytes should hash to.
    pub sha256: String,
    /// When it was found.
    pub found_at: Timestamp,
}

/// What a round of reading found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Images that were read.
    pub images: u64,
    /// Those of them that are damaged.
    pub damaged: u64,
}

impl Firmware {
    /// Reads every image anew, `bytes_per_s` at the most, and raises an alarm for each that is
    /// damaged or missing; called about once a day.
    ///
    /// # Errors
    /// When the blob store does not answer, or the audit trail takes no line.
    pub async fn scrub(&self, bytes_per_s: NonZeroU32) -> Result<Scrubbed> {
        let mut scrubbed = Scrubbed::default();
        for artifact in self.distinct_artifacts() {
            scrubbed.images += 1;
            match examine_image(self.ports.blobs.as_ref(), &artifact, bytes_per_s).await? {
                None => self.note_whole(&artifact.sha256),
                // Its draft was deleted while the others were read.
                Some(_) if !self.distinct_artifacts().contains(&artifact) => {}
                Some(what) => {
                    scrubbed.damaged += 1;
                    self.note_damaged(&artifact.sha256, what).await?;
                }
            }
        }
        Ok(scrubbed)
    }

    /// Lists the images that were found damaged and not seen whole since, by project and version.
    ///
    /// # Errors
    /// When the actor is no admin.
    pub fn damaged_images(&self, actor: &Actor) -> Result<Vec<DamagedImage>> {
        actor.require_admin()?;
        let damaged = self.damaged.load();
        let catalog = self.catalog();
        let of_project = |project: &Arc<CatalogProject>| {
            let name = project.record.name.clone();
            let found = project.releases.iter().filter_map(|release| {
                let artifact = &release.record.artifact;
                let found_at_ms = damaged.get(&artifact.sha256)?;
                Some(DamagedImage {
                    project: name.clone(),
                    version: release.record.version.clone(),
                    file_name: release.record.file_name.clone(),
                    sha256: artifact.sha256.clone(),
                    found_at: Timestamp(*found_at_ms),
                })
            });
            found.collect::<Vec<_>>()
        };
        Ok(catalog.projects().flat_map(of_project).collect())
    }

    /// Whether the image was found damaged and not seen whole since.
    pub fn is_damaged(&self, sha256: &str) -> bool {
        self.damaged.load().contains_key(sha256)
    }

    /// Notes that an image was read and is what was uploaded.
    pub fn note_whole(&self, sha256: &str) {
        if self.is_damaged(sha256) {
            self.damaged.rcu(|damaged| {
                let mut damaged = damaged.as_ref().clone();
                damaged.remove(sha256);
                damaged
            });
            tracing::info!(sha256, "a damaged image is whole again");
        }
    }

    /// Raises an alarm for an image that is no longer what was uploaded, and shows it as damaged
    /// from then on.
    ///
    /// # Errors
    /// When the audit trail takes no line.
    pub async fn note_damaged(&self, sha256: &str, what: &'static str) -> Result<()> {
        tracing::error!(
            alarm = true,
            sha256,
            "an image {what}; upload it again, or put its blob back from a backup"
        );
        if self.is_damaged(sha256) {
            return Ok(());
        }
        let now_ms = self.ports.now_ms();
        self.damaged.rcu(|damaged| {
            let mut damaged = damaged.as_ref().clone();
            damaged.insert(sha256.to_owned(), now_ms);
            damaged
        });
        let note = Note::ok("image.damaged", "image", sha256).result("failed");
        self.audit.note(&Actor::system(), note.detail(what)).await
    }

    fn distinct_artifacts(&self) -> Vec<Artifact> {
        let catalog = self.catalog();
        let mut artifacts: Vec<Artifact> = catalog
            .projects()
            .flat_map(|project| &project.releases)
            .map(|release| release.record.artifact.clone())
            .collect();
        artifacts.sort_by(|one, other| one.sha256.cmp(&other.sha256));
        artifacts.dedup_by(|one, other| one.sha256 == other.sha256);
        artifacts
    }
}

/// Reads an image, `bytes_per_s` at the most; answers what is the matter with it, if anything.
///
/// # Errors
/// When the store cannot be asked at all.
pub async fn examine_image(
    blobs: &dyn Blobs,
    artifact: &Artifact,
    bytes_per_s: NonZeroU32,
) -> StoreResult<Option<&'static str>> {
    let size_bytes = artifact.size_bytes.unsigned_abs();
    match blobs.size_bytes(&artifact.sha256).await? {
        None => return Ok(Some("is missing")),
        Some(there_bytes) if there_bytes != size_bytes => return Ok(Some("has another length")),
        Some(_) => {}
    }
    let Some(mut part) = blobs.read(&artifact.sha256, 0..size_bytes).await? else {
        return Ok(Some("is missing"));
    };
    let mut hasher = Sha256::new();
    loop {
        match part.bytes.try_next().await {
            Err(_) => return Ok(Some("cannot be read")),
            Ok(None) => break,
            Ok(Some(chunk)) => {
                hasher.update(&chunk);
                let read_bytes = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                sleep(Duration::from_secs(1) * read_bytes / bytes_per_s.get()).await;
            }
        }
    }
    let is_whole = hex::encode(hasher.finalize()) == artifact.sha256;
    Ok((!is_whole).then_some("has rotted"))
}
