//! How much room the images of a project may take.
//!
//! Room is taken by images, by resumable uploads (their rows stand in the database) and by plain
//! uploads under way, which [`Reserved`] counts: else two that come at once would both find the
//! last room free. Only what fits is held, so that no wish that is refused stands in the way of
//! another. Each instance counts its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use gatehouse_types::Version;
use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

use super::{CatalogProject, Firmware, resumable::signed};
use crate::{Error, Result, ports::uploads::UploadRecord};

/// What comes without its length is given room in such pieces.
const PIECE_BYTES: u64 = 1024 * 1024;

/// How many bytes uploads under way hold of each project's room.
#[derive(Debug, Default)]
pub(super) struct Reserved(Mutex<HashMap<Uuid, Room>>);

/// What of one project's room is held.
#[derive(Debug, Default)]
struct Room {
    held_bytes: u64,
    /// Whose turn it is to look what is free, and to take it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Reserved {
    fn with<R>(&self, project_id: Uuid, touch: impl FnOnce(&mut Room) -> R) -> R {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        touch(rooms.entry(project_id).or_default())
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
    /// Waits until nobody else looks for room in the project; nobody else does while this is kept.
    async fn turn(&self) -> OwnedMutexGuard<()> {
        let turn = |room: &mut Room| Arc::clone(&room.turn);
        self.reserved.with(self.project_id, turn).lock_owned().await
    }

    fn held_by_others_bytes(&self) -> u64 {
        let all_bytes = self.reserved.with(self.project_id, |room| room.held_bytes);
        all_bytes - self.held_bytes
    }

    fn hold(&mut self, bytes: u64) {
        let before_bytes = std::mem::replace(&mut self.held_bytes, bytes);
        self.reserved.with(self.project_id, |room| {
            room.held_bytes = room.held_bytes - before_bytes + bytes;
        });
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
    /// When images and other uploads leave less; then it holds what it did before.
    pub(super) async fn hold_room(
        &self,
        room: &mut Reservation<'_>,
        wanted_bytes: u64,
    ) -> Result<()> {
        let _turn = room.turn().await;
        // In this order: what another one brings is written down before it is let go here, so
        // whoever looks meanwhile sees it at least once.
        let held_bytes = room.held_by_others_bytes();
        let store = &self.ports.store;
        let resumable_bytes = store.running_upload_bytes(room.project_id).await?;
        self.refuse_beyond(
            room,
            wanted_bytes + held_bytes + resumable_bytes.unsigned_abs(),
        )?;
        room.hold(wanted_bytes);
        Ok(())
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
        room: Option<Reservation<'_>>,
        upload: &UploadRecord,
    ) -> Result<()> {
        let Some(room) = room else {
            self.ports.store.insert_upload(upload, None).await?;
            return Ok(());
        };
        let _turn = room.turn().await;
        let held_bytes = room.held_by_others_bytes();
        let catalog = self.catalog();
        let project = catalog.project_by_id(upload.project_id);
        let limits = project.and_then(|project| beside_images(project));
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
