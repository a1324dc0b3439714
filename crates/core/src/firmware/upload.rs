//! An image on its way in: nothing is visible before all of it is on the disk.

use std::sync::Arc;

use bytes::Bytes;
use gatehouse_types::{
    Version, codes,
    firmware::{Release, ReleaseState},
    limits,
    rollout::{Approval, Channel, Rollout},
};
use uuid::Uuid;

use super::{
    CatalogProject, Firmware, image::ImageReader, objections::refuse_unfit, quota::Reservation,
    releases::to_release,
};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{
        StoreError,
        blobs::BlobUpload,
        firmware::{Artifact, ReleaseRecord},
    },
};

/// Where an upload shall go.
#[derive(Debug, Clone, Copy)]
pub struct UploadTarget<'a> {
    /// The project's name.
    pub project: &'a str,
    /// The version, in any spelling.
    pub version: &'a str,
    /// The file's name; `<project>-<version>.bin` when missing.
    pub file_name: Option<&'a str>,
    /// What the client says the length is.
    pub content_length: Option<u64>,
}

/// An upload under way; dropping it leaves nothing behind.
pub struct Upload<'a> {
    firmware: &'a Firmware,
    actor: &'a Actor,
    project: String,
    project_id: Uuid,
    version: Version,
    spelled: String,
    file_name: String,
    /// What of the project's room is held for it; `None` when it needs none.
    room: Option<Reservation<'a>>,
    written_bytes: u64,
    reader: ImageReader,
    blob: Box<dyn BlobUpload>,
}

/// An upload that may begin.
pub(super) struct UploadPlan {
    pub(super) project: Arc<CatalogProject>,
    pub(super) version: Version,
    pub(super) spelled: String,
    pub(super) file_name: String,
}

impl Firmware {
    /// Begins an upload after everything that can be checked beforehand.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or version, file name or length cannot be taken.
    pub async fn begin_upload<'a>(
        &'a self,
        actor: &'a Actor,
        target: UploadTarget<'_>,
    ) -> Result<Upload<'a>> {
        let plan = self.plan_upload(actor, target)?;
        let mut room = self.reserve(&plan.project, &plan.version);
        if let Some(room) = &mut room {
            let wanted_bytes = target.content_length.unwrap_or(0);
            self.hold_room(room, wanted_bytes).await?;
        }
        let blob = self.ports.blobs.start().await?;
        Ok(self.upload_into(actor, plan, room, blob))
    }

    /// Looks at everything that can be checked before the first byte.
    pub(super) fn plan_upload(
        &self,
        actor: &Actor,
        target: UploadTarget<'_>,
    ) -> Result<UploadPlan> {
        actor.require_admin()?;
        let catalog = self.catalog();
        let project = catalog.project(target.project)?;
        let version: Version = target.version.parse()?;
        let own_name = format!(
            "{}-{}.bin",
            target.project,
            target.version.replace('+', "_")
        );
        let file_name = target.file_name.unwrap_or(&own_name);
        limits::file_name(file_name)?;
        if target
            .content_length
            .is_some_and(|length| length > self.settings.max_upload_bytes)
        {
            return Err(self.too_large());
        }
        Ok(UploadPlan {
            project: Arc::clone(project),
            version,
            spelled: target.version.to_owned(),
            file_name: file_name.to_owned(),
        })
    }

    pub(super) fn upload_into<'a>(
        &'a self,
        actor: &'a Actor,
        plan: UploadPlan,
        room: Option<Reservation<'a>>,
        blob: Box<dyn BlobUpload>,
    ) -> Upload<'a> {
        Upload {
            firmware: self,
            actor,
            project: plan.project.record.name.clone(),
            project_id: plan.project.record.id,
            version: plan.version,
            spelled: plan.spelled,
            file_name: plan.file_name,
            room,
            written_bytes: 0,
            reader: ImageReader::new(),
            blob,
        }
    }

    const fn too_large(&self) -> Error {
        Error::TooLarge {
            limit_bytes: self.settings.max_upload_bytes,
        }
    }
}

impl Upload<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the limit is passed or the disk is full.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.written_bytes += chunk.len() as u64;
        if self.written_bytes > self.firmware.settings.max_upload_bytes {
            return Err(self.firmware.too_large());
        }
        if let Some(room) = &mut self.room {
            let firmware = self.firmware;
            firmware.hold_room_so_far(room, self.written_bytes).await?;
        }
        self.reader.feed(&chunk);
        Ok(self.blob.write(chunk).await?)
    }

    /// Makes the image a draft; the flag says whether it is new.
    ///
    /// The same bytes under the same version answer the release that is there.
    ///
    /// # Errors
    /// When it is empty, its digest is not the promised one, version or file name are taken by
    /// other bytes or under another spelling, or no device of the project could start it.
    pub async fn finish(self, promised_sha256: Option<[u8; 32]>) -> Result<(Release, bool)> {
        let artifact = self.blob.artifact();
        if artifact.size_bytes == 0 {
            return Err(Error::invalid("body", "The image is empty."));
        }
        if promised_sha256.is_some_and(|promised| hex::encode(promised) != artifact.sha256) {
            return Err(Error::invalid(
                "Content-Digest",
                format!(
                    "The bytes that arrived have the SHA-256 {}. Upload again.",
                    artifact.sha256
                ),
            ));
        }
        let same = self.same_release(&artifact)?;
        let image = self.reader.finish();
        if same.is_none() {
            let catalog = self.firmware.catalog();
            let project = catalog.project(&self.project)?;
            refuse_unfit(&project.objections(&image, &self.version))?;
        }
        let record = ReleaseRecord {
            id: self.firmware.ports.new_id(),
            project_id: self.project_id,
            version: self.spelled,
            version_key: self.version.key(),
            file_name: self.file_name,
            artifact,
            state: ReleaseState::Draft,
            notes: String::new(),
            number: 0, // the store gives it
            release_counter: None,
            image: Some(image),
            channel: Channel::default(),
            min_version: None,
            allow_downgrade: false,
            rollout: Rollout::default(),
            approval: Approval::default(),
            revision: 0,
            created_at_ms: self.firmware.ports.now_ms(),
            published_at_ms: None,
            withdrawn_at_ms: None,
        };
        let firmware = self.firmware;
        let lock = firmware.ports.blobs.lock_to_add().await?;
        let kept = firmware
            .put_in_place(self.blob, &record.artifact.sha256)
            .await;
        let kept = match (kept, same) {
            (Ok(()), Some(same)) => return Ok((same, false)),
            (Ok(()), None) => {
                firmware
                    .keep_draft(self.actor, &self.project, &record)
                    .await
            }
            (Err(failed), _) => Err(failed),
        };
        drop(lock);
        if kept.is_err() {
            firmware.remove_unnamed(&[record.artifact.sha256]).await;
        }
        kept
    }

    fn same_release(&self, artifact: &Artifact) -> Result<Option<Release>> {
        let catalog = self.firmware.catalog();
        compare(
            catalog.project(&self.project)?,
            (&self.version, &self.spelled),
            &self.file_name,
            artifact,
        )
    }
}

impl Firmware {
    /// Also for bytes that are known: an image that was damaged on disk is whole again.
    async fn put_in_place(&self, blob: Box<dyn BlobUpload>, sha256: &str) -> Result<()> {
        blob.finish().await?;
        self.note_whole(sha256);
        Ok(())
    }

    async fn keep_draft(
        &self,
        actor: &Actor,
        project: &str,
        record: &ReleaseRecord,
    ) -> Result<(Release, bool)> {
        match self.ports.store.insert_release(record).await {
            Ok(()) => {
                self.audit
                    .note(
                        actor,
                        Note::ok(
                            "release.upload",
                            "release",
                            format!("{project}/{}", record.version),
                        )
                        .detail(&record.artifact.sha256),
                    )
                    .await?;
                self.reload_catalog().await?;
                Ok((to_release(self.catalog().project(project)?, record), true))
            }
            // Another upload of this version was quicker: what it brought decides.
            Err(StoreError::Taken) => {
                self.reload_catalog().await?;
                let version: Version = record.version_key.parse()?;
                let catalog = self.catalog();
                compare(
                    catalog.project(project)?,
                    (&version, &record.version),
                    &record.file_name,
                    &record.artifact,
                )?
                .map(|same| (same, false))
                .ok_or_else(|| {
                    Error::conflict(
                        codes::TAKEN,
                        "This version or file name is taken. Upload again under another one.",
                    )
                })
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// The release with the same version and bytes; an error when something is taken by others.
pub(super) fn compare(
    project: &CatalogProject,
    (version, spelled): (&Version, &str),
    file_name: &str,
    artifact: &Artifact,
) -> Result<Option<Release>> {
    if let Some(release) = project
        .releases
        .iter()
        .find(|release| release.version == *version)
    {
        if release.record.version != spelled {
            return Err(Error::conflict(
                codes::TAKEN,
                format!(
                    "Version {} is there already; {spelled} is another spelling of it.",
                    release.record.version
                ),
            ));
        }
        if release.record.artifact.sha256 == artifact.sha256 {
            return Ok(Some(to_release(project, &release.record)));
        }
        return Err(Error::conflict(
            codes::OTHER_BYTES,
            format!(
                "Version {} is there already with other bytes. A version never changes: give the new image a new one.",
                release.record.version
            ),
        ));
    }
    if project
        .releases
        .iter()
        .any(|release| release.record.file_name == file_name)
    {
        return Err(Error::conflict(
            codes::TAKEN,
            format!(
                "Another release has the file name {file_name} already. Choose another file name."
            ),
        ));
    }
    Ok(None)
}
