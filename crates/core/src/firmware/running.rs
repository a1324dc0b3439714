//! What a device says of the image it runs.

use gatehouse_types::Version;

use super::CatalogProject;
use crate::{Error, Result, actor::DeviceActor};

/// What a device says it runs.
#[derive(Debug, Clone, Copy)]
pub enum Running<'a> {
    /// A version.
    Version(&'a str),
    /// An image with this MD5, in lower-case hex digits, or else this version.
    Md5(&'a str, Option<&'a str>),
    /// What its token says, or what it said before.
    AsBefore,
}

impl Running<'_> {
    /// The version that the device runs; `None` when nothing tells.
    pub(super) fn version(
        self,
        project: &CatalogProject,
        device: &DeviceActor,
    ) -> Result<Option<Version>> {
        let parse = |spelled: &str| {
            spelled.parse().map_err(|_| {
                Error::invalid(
                    "current_fw",
                    "A version looks like 1.2.3, 01.02.03 or 1.2.3-beta.1.",
                )
            })
        };
        match self {
            Self::Version(spelled) => parse(spelled).map(Some),
            Self::Md5(md5, spelled) => {
                // Of several releases with these bytes it runs the newest one that is offered.
                let mut releases = project.published().rev().chain(&project.releases);
                let same = releases.find(|release| release.record.artifact.md5 == md5);
                // What such a device calls its version need not be one of ours.
                Ok(same
                    .map(|release| release.version.clone())
                    .or_else(|| spelled.and_then(|spelled| spelled.parse().ok())))
            }
            Self::AsBefore => Ok(device
                .fw_version
                .as_deref()
                .and_then(|said| said.parse().ok())),
        }
    }
}
