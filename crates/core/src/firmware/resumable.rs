//! Uploads that outlive their connections, a restart of the portal and a night.
//!
//! The row tells how many bytes were acknowledged, and it is written after they are on the disk.
//! Whatever else the part holds is cut away when somebody goes on with it. Once all of it is
//! there it is read once more and goes the way of every other [`Upload`](super::Upload). A crash
//! on that way leaves the part as it was, and whoever asks next goes the way again.

use std::collections::HashSet;

use futures_util::TryStreamExt;
use gatehouse_types::{codes, firmware::Release};
use uuid::Uuid;

use super::{
    Append, Checksum, Firmware, UploadTarget,
    upload::{UploadPlan, compare},
};
use crate::{
    Actor, Error, Result,
    ports::{StoreError, StoreResult, blobs::BlobPart, firmware::Artifact, uploads::UploadRecord},
};

/// So long an upload waits for its next byte.
const PATIENCE_MS: i64 = 24 * 60 * 60 * 1000;
/// So many go in one round at the most.
const BATCH: i64 = 500;

/// How far a resumable upload is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadState {
    /// The upload.
    pub id: Uuid,
    /// The project's name.
    pub project: String,
    /// The version, as it was spelled.
    pub version: String,
    /// The file's name.
    pub file_name: String,
    /// The SHA-256 that all bytes must have, when one was promised.
    pub promised_sha256: Option<[u8; 32]>,
    /// The length of the whole.
    pub size_bytes: u64,
    /// So many bytes are on the disk.
    pub offset_bytes: u64,
    /// When it is forgotten unless more bytes come.
    pub expires_at_ms: i64,
    /// Whether it is a release already.
    pub is_release: bool,
}

/// What a request wants to add to an upload.
#[derive(Debug)]
pub struct Addition {
    /// Where its first byte belongs.
    pub offset_bytes: u64,
    /// How many bytes it says that it brings.
    pub length_bytes: Option<u64>,
    /// What they must hash to.
    pub checksum: Option<Checksum>,
}

impl Firmware {
    /// Begins a resumable upload of `content_length` bytes.
    ///
    /// # Errors
    /// When the actor has no admin's account, there is no such project, version, file name or
    /// length cannot be taken or is taken, or the project has no room for it.
    pub async fn begin_resumable(
        &self,
        actor: &Actor,
        target: UploadTarget<'_>,
        promised_sha256: Option<[u8; 32]>,
    ) -> Result<UploadState> {
        let plan = self.plan_upload(actor, target)?;
        let size_bytes = i64::try_from(target.content_length.unwrap_or(0)).unwrap_or(i64::MAX);
        if size_bytes == 0 {
            return Err(Error::invalid("Upload-Length", "The image is empty."));
        }
        refuse_taken(&plan, size_bytes, promised_sha256)?;
        let now_ms = self.ports.now_ms();
        let room = self.reserve(&plan.project, &plan.version);
        let record = UploadRecord {
            id: self.ports.new_id(),
            project_id: plan.project.record.id,
            user_id: actor.account()?.id,
            version: plan.spelled,
            file_name: plan.file_name,
            promised_sha256,
            size_bytes,
            offset_bytes: 0,
            created_at_ms: now_ms,
            last_byte_at_ms: now_ms,
            finished_at_ms: None,
        };
        self.keep_with_room(room, &record).await?;
        Ok(state(target.project, &record))
    }

    /// Tells how far an upload is. One whose last byte came just before a crash becomes a
    /// release now.
    ///
    /// # Errors
    /// When the actor is no admin, the upload is gone or somebody else's, another request is
    /// busy with its end, or what came cannot become a release; then the upload is gone.
    pub async fn resumable(&self, actor: &Actor, project: &str, id: Uuid) -> Result<UploadState> {
        let mut record = self.own_upload(actor, project, id).await?;
        if record.finished_at_ms.is_none() {
            let there = self.ports.blobs.part_bytes(id).await?;
            record.offset_bytes = (record.offset_bytes).min(signed(there));
            if record.offset_bytes == record.size_bytes {
                let (record, part) = self.take_up(actor, project, id).await?;
                return self.complete(actor, project, record, part).await;
            }
        }
        Ok(state(project, &record))
    }

    /// Ends an upload and removes what came of it; a release that it became stays.
    ///
    /// # Errors
    /// When the actor is no admin, or the upload is gone or somebody else's.
    pub async fn cancel_resumable(&self, actor: &Actor, project: &str, id: Uuid) -> Result<()> {
        self.own_upload(actor, project, id).await?;
        self.forget_upload(id).await
    }

    /// Begins to add bytes to an upload.
    ///
    /// # Errors
    /// When the actor is no admin, the upload is gone, somebody else's or a release already,
    /// another request is adding to it, it is not as far as `addition` says, or more bytes are
    /// announced than it has room for.
    pub async fn append_resumable<'a>(
        &'a self,
        actor: &'a Actor,
        project: &str,
        id: Uuid,
        addition: Addition,
    ) -> Result<Append<'a>> {
        let (record, mut part) = self.take_up(actor, project, id).await?;
        let there = part.cut(record.offset_bytes.unsigned_abs()).await?;
        if there != addition.offset_bytes {
            return Err(Error::conflict(
                codes::UPLOAD_OFFSET,
                format!(
                    "The upload has {there} bytes so far. Ask for it with HEAD and go on there."
                ),
            ));
        }
        let room_bytes = record.size_bytes.unsigned_abs() - there;
        if addition
            .length_bytes
            .is_some_and(|length| length > room_bytes)
        {
            return Err(too_long(&record));
        }
        Ok(Append {
            firmware: self,
            actor,
            project: project.to_owned(),
            record,
            part,
            checksum: addition.checksum,
            start_bytes: there,
            end_bytes: there,
        })
    }

    /// Forgets uploads to which no byte came for a day, and parts that belong to none; answers
    /// how many.
    ///
    /// # Errors
    /// When database or blob store do not answer.
    pub async fn sweep_uploads(&self) -> Result<u64> {
        let (store, blobs) = (&self.ports.store, &self.ports.blobs);
        let before_ms = self.ports.now_ms() - PATIENCE_MS;
        let mut swept = 0;
        for id in store.idle_uploads(before_ms, BATCH).await? {
            // Whoever has it open may be slow, but is at it.
            if let Some(_mine) = blobs.open_part(id).await? {
                self.forget_upload(id).await?;
                swept += 1;
            }
        }
        // In this order: an upload has its row before its part.
        let parts = blobs.parts().await?;
        let running: HashSet<Uuid> = store.running_uploads().await?.into_iter().collect();
        for id in parts.into_iter().filter(|id| !running.contains(id)) {
            if let Some(_mine) = blobs.open_part(id).await? {
                blobs.remove_part(id).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    async fn own_upload(&self, actor: &Actor, project: &str, id: Uuid) -> Result<UploadRecord> {
        actor.require_admin()?;
        let user_id = actor.account()?.id;
        let project_id = self.catalog().project(project)?.record.id;
        let found = self.ports.store.upload(id).await?;
        found
            .filter(|upload| upload.user_id == user_id && upload.project_id == project_id)
            .ok_or(Error::NotFound("upload"))
    }

    /// Opens an upload so that nobody else can move it on.
    async fn take_up(
        &self,
        actor: &Actor,
        project: &str,
        id: Uuid,
    ) -> Result<(UploadRecord, Box<dyn BlobPart>)> {
        self.unfinished_upload(actor, project, id).await?;
        let blobs = &self.ports.blobs;
        let part = blobs.open_part(id).await?.ok_or_else(busy)?;
        match self.unfinished_upload(actor, project, id).await {
            Ok(record) => Ok((record, part)),
            Err(too_late) => {
                // It was finished or cancelled meanwhile, and opening made the part anew.
                blobs.remove_part(id).await?;
                Err(too_late)
            }
        }
    }

    async fn unfinished_upload(
        &self,
        actor: &Actor,
        project: &str,
        id: Uuid,
    ) -> Result<UploadRecord> {
        let record = self.own_upload(actor, project, id).await?;
        if record.finished_at_ms.is_some() {
            let detail = "All bytes of this upload came before, and it is a release.";
            return Err(Error::conflict(codes::FINISHED, detail));
        }
        Ok(record)
    }

    /// Makes a release of an upload that has all its bytes. Where that is refused for good, or
    /// the disk is full, the upload is gone.
    pub(super) async fn complete(
        &self,
        actor: &Actor,
        project: &str,
        mut record: UploadRecord,
        part: Box<dyn BlobPart>,
    ) -> Result<UploadState> {
        let id = record.id;
        match self.make_release(actor, project, &record, part).await {
            Ok(_) => {
                record.finished_at_ms = Some(self.ports.now_ms());
                Ok(state(project, &record))
            }
            Err(error @ (Error::Internal(_) | Error::Unavailable { .. })) => {
                // It may have been cancelled under our hands; else it can be tried again.
                self.own_upload(actor, project, id).await?;
                Err(error)
            }
            Err(refused) => {
                self.forget_upload(id).await?;
                Err(refused)
            }
        }
    }

    async fn make_release(
        &self,
        actor: &Actor,
        project: &str,
        record: &UploadRecord,
        part: Box<dyn BlobPart>,
    ) -> Result<Release> {
        let target = UploadTarget {
            project,
            version: &record.version,
            file_name: Some(&record.file_name),
            content_length: Some(record.size_bytes.unsigned_abs()),
        };
        let plan = self.plan_upload(actor, target)?;
        // The stream holds the part's lock until the row says that it is done with.
        let (blob, mut bytes) = part.reread().await?;
        let mut upload = self.upload_into(actor, plan, None, blob);
        while let Some(chunk) = bytes.try_next().await.map_err(Error::internal)? {
            upload.write(chunk).await?;
        }
        let (release, _is_new) = upload.finish(record.promised_sha256).await?;
        let now_ms = self.ports.now_ms();
        self.ports.store.finish_upload(record.id, now_ms).await?;
        self.ports.blobs.remove_part(record.id).await?;
        Ok(release)
    }

    /// An upload that fills the disk must not stay there for a day.
    pub(super) async fn forget_if_full<T>(&self, id: Uuid, done: StoreResult<T>) -> Result<T> {
        if matches!(done, Err(StoreError::Full(_))) {
            self.forget_upload(id).await?;
        }
        Ok(done?)
    }

    /// The bytes go first: on a full disk they are what makes room for the row's end.
    async fn forget_upload(&self, id: Uuid) -> Result<()> {
        self.ports.blobs.remove_part(id).await?;
        self.ports.store.remove_upload(id).await?;
        Ok(())
    }
}

/// Refuses what is known to be taken before its bytes come.
fn refuse_taken(plan: &UploadPlan, size_bytes: i64, promised: Option<[u8; 32]>) -> Result<()> {
    let same_length = (plan.project.releases.iter())
        .find(|release| release.version == plan.version)
        .map(|release| &release.record.artifact)
        .filter(|artifact| artifact.size_bytes == size_bytes);
    let sha256 = match (promised, same_length) {
        (Some(promised), _) => hex::encode(promised),
        (None, Some(there)) => there.sha256.clone(),
        (None, None) => String::new(),
    };
    let expected = Artifact {
        sha256,
        sha1: String::new(),
        md5: String::new(),
        crc32: None,
        size_bytes,
    };
    compare(
        &plan.project,
        (&plan.version, &plan.spelled),
        &plan.file_name,
        &expected,
    )
    .map(drop)
}

pub(super) fn state(project: &str, record: &UploadRecord) -> UploadState {
    let is_release = record.finished_at_ms.is_some();
    let offset_bytes = if is_release {
        record.size_bytes
    } else {
        record.offset_bytes
    };
    UploadState {
        id: record.id,
        project: project.to_owned(),
        version: record.version.clone(),
        file_name: record.file_name.clone(),
        promised_sha256: record.promised_sha256,
        size_bytes: record.size_bytes.unsigned_abs(),
        offset_bytes: offset_bytes.unsigned_abs(),
        expires_at_ms: record.last_byte_at_ms + PATIENCE_MS,
        is_release,
    }
}

fn busy() -> Error {
    Error::conflict(
        codes::UPLOAD_BUSY,
        "Another request is sending bytes of this upload. Try again when it is over.",
    )
}

pub(super) fn too_long(record: &UploadRecord) -> Error {
    Error::TooLarge {
        limit_bytes: record.size_bytes.unsigned_abs(),
    }
}

pub(super) fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
