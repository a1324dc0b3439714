//! How much room the images of a project may take.
//!
//! Room is taken by images, by resumable uploads (their rows stand in the database) and by plain
//! uploads under way, which [`Reserved`] counts: else two that come at once would both find the
//! last room free. Each instance counts its own.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use gatehouse_types::Version;
use uuid::Uuid;

use super::{CatalogProject, Firmware, resumable::signed};
use crate::{Error, Result, ports::uploads::UploadRecord};

/// What comes without its length is given room in such pieces.
const PIECE_BYTES: u64 = 1024 * 1024;

/// How many bytes uploads under way hold of each project's room.
#[derive(Debug, Default)]
pub(super) struct Reserved(Mutex<HashMap<Uuid, u64>>);

impl Reserved {
    /// Changes how much is held of a project's room, and answers how much that is now.
    fn change(&self, project_id: Uuid, change: impl FnOnce(u64) -> u64) -> u64 {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let held_bytes = change(held.get(&project_id).copied().unwrap_or(0));
        if held_bytes == 0 {
            held.remove(&project_id);
        } else {
            held.insert(project_id, held_bytes);
        }
        held_bytes
    }
}

/// Room of a project that an upload holds until it is dropped.
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    reserved: &'a Reserved,
    project_id: Uuid,
    held_bytes: u64,
}

impl Reservation<'_> {
    /// Holds so many bytes, and answers how many others hold.
    fn hold(&mut self, bytes: u64) -> u64 {
        let before = std::mem::replace(&mut self.held_bytes, bytes);
        let all = self
            .reserved
            .change(self.project_id, |held| held - before + bytes);
        all - bytes
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.hold(0);
    }
}

/// The quota of a project and what is free beside its images, in bytes; `None` without a quota.
fn beside_images(project: &CatalogProject) -> Option<(u64, u64)> {
    let quota_bytes = project.record.quota_bytes?.unsigned_abs();
    let images: HashMap<&str, i64> = (project.releases.iter())
        .map(|release| &release.record.artifact)
        .map(|artifact| (artifact.sha256.as_str(), artifact.size_bytes))
        .collect();
    let taken_bytes = images.values().sum::<i64>().unsigned_abs();
    Some((quota_bytes, quota_bytes.saturating_sub(taken_bytes)))
}

impl Firmware {
    /// Begins to hold room for an upload; `None` when it needs none.
    ///
    /// A version that is there already may come again: it brings the same bytes or is refused.
    pub(super) fn reserve(
        &self,
        project: &CatalogProject,
        version: &Version,
    ) -> Option<Reservation<'_>> {
        let is_known = (project.releases.iter()).any(|release| release.version == *version);
        let needs_room = project.record.quota_bytes.is_some() && !is_known;
        needs_room.then(|| Reservation {
            reserved: &self.reserved,
            project_id: project.record.id,
            held_bytes: 0,
        })
    }

    /// Lets an upload hold so many bytes.
    ///
    /// # Errors
    /// When images and other uploads leave less.
    pub(super) async fn hold_room(
        &self,
        room: &mut Reservation<'_>,
        wanted_bytes: u64,
    ) -> Result<()> {
        // In this order: what another one brings is written down before it is let go here, so
        // whoever looks meanwhile sees it at least once.
        let held_bytes = room.hold(wanted_bytes);
        let store = &self.ports.store;
        let resumable_bytes = store.running_upload_bytes(room.project_id).await?;
        self.refuse_beyond(
            room,
            wanted_bytes + held_bytes + resumable_bytes.unsigned_abs(),
        )
    }

    /// Lets an upload whose length nobody said hold what came of it, in pieces as long as there
    /// is room for one.
    ///
    /// # Errors
    /// As [`Firmware::hold_room`].
    pub(super) async fn hold_room_so_far(
        &self,
        room: &mut Reservation<'_>,
        written_bytes: u64,
    ) -> Result<()> {
        if written_bytes <= room.held_bytes {
            return Ok(());
        }
        let pieces_bytes = written_bytes.div_ceil(PIECE_BYTES) * PIECE_BYTES;
        match self.hold_room(room, pieces_bytes).await {
            Err(Error::QuotaExceeded { .. }) => self.hold_room(room, written_bytes).await,
            held => held,
        }
    }

    /// Keeps the row of a resumable upload, which holds its room from then on.
    ///
    /// # Errors
    /// When images and other uploads leave less.
    pub(super) async fn keep_with_room(
        &self,
        mut room: Option<Reservation<'_>>,
        upload: &UploadRecord,
    ) -> Result<()> {
        let wanted_bytes = upload.size_bytes.unsigned_abs();
        let held_bytes = room.as_mut().map_or(0, |room| room.hold(wanted_bytes));
        let catalog = self.catalog();
        let project = catalog.project_by_id(upload.project_id);
        let limits = project
            .filter(|_| room.is_some())
            .and_then(|project| beside_images(project));
        let left_bytes =
            limits.map(|(_, free_bytes)| signed(free_bytes.saturating_sub(held_bytes)));
        let is_kept = self.ports.store.insert_upload(upload, left_bytes).await?;
        match limits {
            Some((quota_bytes, _)) if !is_kept => Err(Error::QuotaExceeded { quota_bytes }),
            _ => Ok(()),
        }
    }

    fn refuse_beyond(&self, room: &Reservation<'_>, wanted_bytes: u64) -> Result<()> {
        let catalog = self.catalog();
        let project = catalog.project_by_id(room.project_id);
        match project.and_then(|project| beside_images(project)) {
            Some((quota_bytes, free_bytes)) if wanted_bytes > free_bytes => {
                Err(Error::QuotaExceeded { quota_bytes })
            }
            _ => Ok(()),
        }
    }
}
