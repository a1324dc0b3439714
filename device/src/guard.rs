//! What stands between a portal's offer and this device's image: two keys and a memory.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use crate::{Failure, Keys, Memory, Offer, Portal, StateFile};

/// The keys of a device, and where it keeps what it remembers.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The two public keys.
    pub keys: Keys,
    /// The release counter and the manifests that were used.
    pub state: StateFile,
}

/// The leave to install one signed release.
pub(crate) struct Permit<'a> {
    pub(crate) offer: Offer,
    state: &'a StateFile,
    memory: Memory,
    /// Released when the update ends, however it ends.
    _lock: File,
}

impl Guard {
    /// Lets an offer pass whose manifest holds; from then on the manifest counts as used.
    pub(crate) async fn permit(
        &self,
        portal: &Portal,
        offer: &Offer,
        current_fw: &str,
        target: &Path,
        waits: &[Duration],
    ) -> Result<Permit<'_>, Failure> {
        let lock = self.state.lock()?;
        let mut memory = self.state.read(self.keys.no_memory())?;
        memory.catch_up(target)?;
        let offer = self
            .keys
            .sign_off(portal, offer, current_fw, &memory, waits)
            .await?;
        if let Some(claims) = &offer.signed {
            memory.begin(claims);
            self.state.write(&memory)?;
        }
        Ok(Permit {
            offer,
            state: &self.state,
            memory,
            _lock: lock,
        })
    }
}

impl Permit<'_> {
    /// Remembers that the release is in its place.
    pub(crate) fn installed(mut self) -> Result<(), Failure> {
        self.memory.finish();
        self.state.write(&self.memory)
    }
}
