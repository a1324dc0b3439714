//! One request that adds bytes to a resumable upload.

use bytes::Bytes;
use gatehouse_types::codes;

use super::{
    Checksum, Firmware, UploadState,
    resumable::{signed, state, too_long},
};
use crate::{
    Actor, Error, Result,
    ports::{blobs::BlobPart, uploads::UploadRecord},
};

/// A request that adds to an upload. Nobody else can meanwhile.
pub struct Append<'a> {
    pub(super) firmware: &'a Firmware,
    pub(super) actor: &'a Actor,
    pub(super) project: String,
    pub(super) record: UploadRecord,
    pub(super) part: Box<dyn BlobPart>,
    pub(super) checksum: Option<Checksum>,
    /// Where its first byte belongs.
    pub(super) start_bytes: u64,
    /// Where its next byte belongs.
    pub(super) end_bytes: u64,
}

impl Append<'_> {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// When they are more than the upload has room for, or the disk is full; then the upload is
    /// gone.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.end_bytes += chunk.len() as u64;
        if self.end_bytes > self.record.size_bytes.unsigned_abs() {
            return Err(too_long(&self.record));
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(&chunk);
        }
        let added = self.part.append(chunk).await;
        self.firmware.forget_if_full(self.record.id, added).await
    }

    /// Acknowledges the bytes once they are on the disk, and makes the release when they are all.
    ///
    /// # Errors
    /// When they do not fit their checksum, the disk is full, the upload was cancelled meanwhile,
    /// or what came cannot become a release.
    pub async fn finish(mut self) -> Result<UploadState> {
        if self
            .checksum
            .take()
            .is_some_and(|checksum| !checksum.holds())
        {
            self.part.cut(self.start_bytes).await?;
            return Err(Error::conflict(
                codes::CHECKSUM_MISMATCH,
                "The bytes of this request are not those that Upload-Checksum names. Send them again.",
            ));
        }
        self.acknowledge().await?;
        if self.record.offset_bytes < self.record.size_bytes {
            return Ok(state(&self.project, &self.record));
        }
        let firmware = self.firmware;
        firmware
            .complete(self.actor, &self.project, self.record, self.part)
            .await
    }

    /// Keeps what came of a request that broke off, unless its checksum can no longer be told.
    ///
    /// # Errors
    /// When the disk is full or the upload was cancelled meanwhile.
    pub async fn break_off(mut self) -> Result<()> {
        if self.checksum.is_none() {
            self.acknowledge().await?;
        }
        Ok(())
    }

    async fn acknowledge(&mut self) -> Result<()> {
        let (firmware, id) = (self.firmware, self.record.id);
        let saved = self.part.save().await;
        firmware.forget_if_full(id, saved).await?;
        self.record.offset_bytes = signed(self.end_bytes);
        self.record.last_byte_at_ms = firmware.ports.now_ms();
        let (offset_bytes, now_ms) = (self.record.offset_bytes, self.record.last_byte_at_ms);
        let store = &firmware.ports.store;
        let noted = store.advance_upload(id, offset_bytes, now_ms).await;
        if !firmware.forget_if_full(id, noted).await? {
            return Err(Error::NotFound("upload"));
        }
        Ok(())
    }
}
