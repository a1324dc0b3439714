//! One device's update from the question to the file in its place and the new image's first word.

use std::path::Path;
use std::time::Duration;

use gatehouse_types::firmware::ReportState;

use crate::download::Download;
use crate::guard::Permit;
use crate::intake::Intake;
use crate::part_file::PartFile;
use crate::{Answer, Failure, Guard, Kind, Portal};

/// How an update ended when nothing went wrong.
#[derive(Debug)]
pub enum Outcome {
    /// The new image is in its place.
    Installed {
        /// What was installed.
        version: String,
        /// Why the portal does not know yet, when the last report did not get through.
        unreported: Option<Failure>,
    },
    /// There was nothing to install.
    UpToDate {
        /// Ask again after this many seconds, if the portal said so.
        next_poll_s: Option<u64>,
    },
}

/// Asks for an update and installs it to `target`, which keeps its content unless all is well.
///
/// `waits` are those before each further try, see [`crate::growing_waits`]; `progress` is told the
/// bytes so far and the bytes in all. With a `guard` only what its two keys signed is installed.
///
/// # Errors
/// When the portal refuses, the line is too bad, the manifest is refused, the image is not the
/// promised one, or `target` cannot be written; what was fetched stays in `PATH.part` for the next
/// run where it is of use.
pub async fn update(
    portal: &Portal,
    current_fw: &str,
    target: &Path,
    waits: &[Duration],
    progress: &(dyn Fn(u64, u64) + Sync),
    guard: Option<&Guard>,
) -> Result<Outcome, Failure> {
    let offer = match portal.check(current_fw).await? {
        Answer::Install(offer) => *offer,
        Answer::UpToDate { next_poll_s } => return Ok(Outcome::UpToDate { next_poll_s }),
    };
    let permit = match guard {
        Some(guard) => match guard
            .permit(portal, &offer, current_fw, target, waits)
            .await
        {
            Ok(permit) => Some(permit),
            Err(failure) => {
                tell_refusal(portal, &offer.version, &failure).await;
                return Err(failure);
            }
        },
        None => None,
    };
    let offer = permit.as_ref().map_or(&offer, |permit| &permit.offer);
    let download = Download {
        portal,
        offer,
        waits,
        progress,
    };
    let version = offer.version.clone();
    let fetched = fetch_and_install(&download, target).await;
    let installed = fetched.and_then(|()| permit.map_or(Ok(()), Permit::installed));
    if let Err(failure) = installed {
        tell_failure(portal, &version, &failure).await;
        return Err(failure);
    }
    let unreported = confirm(portal, &version).await.err();
    Ok(Outcome::Installed {
        version,
        unreported,
    })
}

/// The new image speaks up: only that shows the portal that it runs.
async fn confirm(portal: &Portal, version: &str) -> Result<(), Failure> {
    portal.check(version).await?;
    portal.report(version, ReportState::Succeeded, "").await
}

async fn fetch_and_install(download: &Download<'_>, target: &Path) -> Result<(), Failure> {
    let unusable = |cause| Failure::local("write", target, &cause);
    let part = PartFile::beside(target);
    let file = part.open(&download.offer.sha256)?;
    let mut intake = Intake::resuming(download.offer, file.into())
        .await
        .map_err(unusable)?;
    tell(download, ReportState::Downloading).await;
    if let Err(failure) = download.run(&mut intake).await {
        if failure.kind() == Kind::BadImage {
            part.discard();
        }
        return Err(failure);
    }
    tell(download, ReportState::Installing).await;
    intake.sync().await.map_err(unusable)?;
    part.install()
}

/// Reports a step on the way; the update goes on without the report when it is lost.
pub(crate) async fn tell(download: &Download<'_>, state: ReportState) {
    let _ = download
        .portal
        .report(&download.offer.version, state, "")
        .await;
}

/// Reports why nothing was fetched, unless the signing is only late: then the release is not to blame.
pub(crate) async fn tell_refusal(portal: &Portal, version: &str, failure: &Failure) {
    if !failure.kind().is_passing() {
        tell_failure(portal, version, failure).await;
    }
}

/// Reports why an update failed; the failure itself is what the caller has to hear of.
pub(crate) async fn tell_failure(portal: &Portal, version: &str, failure: &Failure) {
    let detail = failure.to_string();
    let _ = portal.report(version, ReportState::Failed, &detail).await;
}
