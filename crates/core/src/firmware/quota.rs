//! How much room the images of a project may take.

use std::collections::HashMap;

use gatehouse_types::Version;

use super::{CatalogProject, Firmware};
use crate::{Error, Result};

/// How many bytes an upload may bring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// The project has no quota, or the room was set aside before.
    Any,
    /// Its quota, and what of it is free.
    Left { left_bytes: u64, quota_bytes: u64 },
}

impl Room {
    /// Refuses more than there is room for.
    pub(super) const fn check(self, wanted_bytes: u64) -> Result<()> {
        match self {
            Self::Left {
                left_bytes,
                quota_bytes,
            } if wanted_bytes > left_bytes => Err(Error::QuotaExceeded { quota_bytes }),
            _ => Ok(()),
        }
    }

    /// What is left, for the store; `None` is any.
    pub(super) fn left_bytes(self) -> Option<i64> {
        match self {
            Self::Any => None,
            Self::Left { left_bytes, .. } => Some(i64::try_from(left_bytes).unwrap_or(i64::MAX)),
        }
    }

    fn without(self, taken_bytes: u64) -> Self {
        match self {
            Self::Any => Self::Any,
            Self::Left {
                left_bytes,
                quota_bytes,
            } => Self::Left {
                left_bytes: left_bytes.saturating_sub(taken_bytes),
                quota_bytes,
            },
        }
    }
}

impl Firmware {
    /// The room for an upload beside the project's images and its resumable uploads.
    pub(super) async fn room_for(
        &self,
        project: &CatalogProject,
        version: &Version,
    ) -> Result<Room> {
        let room = room_beside_images(project, version);
        if room == Room::Any {
            return Ok(room);
        }
        let store = &self.ports.store;
        let running_bytes = store.running_upload_bytes(project.record.id).await?;
        Ok(room.without(running_bytes.unsigned_abs()))
    }
}

/// The room beside the project's images. A version that is there already may come again: it
/// brings the same bytes or is refused.
pub(super) fn room_beside_images(project: &CatalogProject, version: &Version) -> Room {
    let Some(quota_bytes) = project.record.quota_bytes.map(i64::unsigned_abs) else {
        return Room::Any;
    };
    if (project.releases.iter()).any(|release| release.version == *version) {
        return Room::Any;
    }
    let images: HashMap<&str, i64> = (project.releases.iter())
        .map(|release| &release.record.artifact)
        .map(|artifact| (artifact.sha256.as_str(), artifact.size_bytes))
        .collect();
    let left_bytes = quota_bytes.saturating_sub(images.values().sum::<i64>().unsigned_abs());
    Room::Left {
        left_bytes,
        quota_bytes,
    }
}
