//! The signals that end the portal.

use tokio::signal::unix::{SignalKind, signal};

use crate::refusal::Refusal;

/// Waits for SIGTERM or SIGINT.
///
/// # Errors
/// A sentence when the signals cannot be watched.
pub fn requested() -> Result<impl Future<Output = ()>, Refusal> {
    let watch = |kind| {
        signal(kind).map_err(|error| Refusal::new(format!("Signals cannot be watched ({error}).")))
    };
    let (mut terminate, mut interrupt) = (
        watch(SignalKind::terminate())?,
        watch(SignalKind::interrupt())?,
    );
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
