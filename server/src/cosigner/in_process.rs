//! The co-signer inside the portal: weaker than one on another host, and nothing to set up.

use std::{path::Path, sync::Arc};

use async_trait::async_trait;
use gatehouse_core::ports::{
    Clock, Rng,
    cosigner::{CoSignFailure, CoSigner, CoSignerIdentity, CoSignerKeys},
};
use gatehouse_cosigner::Refused;
use gatehouse_manifest::{Manifest, SigningKey};
use gatehouse_types::manifest::CoSignerKind;
use uuid::Uuid;

use super::identity_of;
use crate::{refusal::Refusal, system::SystemRng};

/// Signs here and now, with the keys in a folder of this machine.
pub struct InProcess {
    cosigner: gatehouse_cosigner::CoSigner,
    identity: CoSignerIdentity,
    clock: Arc<dyn Clock>,
}

impl InProcess {
    /// Opens the folder, or makes it at the first start.
    ///
    /// # Errors
    /// A sentence when the folder cannot be made or used.
    pub fn open(dir: &Path, identity: &SigningKey, clock: Arc<dyn Clock>) -> Result<Self, Refusal> {
        let cosigner = gatehouse_cosigner::CoSigner::open(dir, |bytes| SystemRng.fill(bytes));
        Ok(Self {
            cosigner: cosigner.map_err(|error| Refusal::new(error.to_string()))?,
            identity: identity_of(CoSignerKind::InProcess, None, identity),
            clock,
        })
    }
}

impl InProcess {
    /// Writes down what was counted in memory since the last time.
    pub(crate) fn settle(&self) {
        if let Err(error) = self.cosigner.settle(self.clock.now_ms()) {
            tracing::warn!(%error, "the co-signer's record could not be written; trying again");
        }
    }
}

impl Drop for InProcess {
    fn drop(&mut self) {
        if let Err(error) = self.cosigner.close(self.clock.now_ms()) {
            tracing::warn!(%error, "the last of the co-signer's record could not be written");
        }
    }
}

#[async_trait]
impl CoSigner for InProcess {
    fn identity(&self) -> CoSignerIdentity {
        self.identity.clone()
    }

    /// A signature takes less time than handing it to another thread and back.
    async fn cosign(
        &self,
        project_id: Uuid,
        manifest: Manifest,
    ) -> Result<Manifest, CoSignFailure> {
        let now_ms = self.clock.now_ms();
        let signed = self.cosigner.cosign_own(project_id, manifest, now_ms);
        signed.map_err(|refused| failure(&refused))
    }

    async fn keys(&self, project_id: Uuid) -> Result<CoSignerKeys, CoSignFailure> {
        let keys = self.cosigner.keys(project_id);
        let keys = keys.map_err(|refused| failure(&refused))?;
        Ok(CoSignerKeys {
            current: keys.current,
            next: keys.next,
        })
    }

    async fn status(&self) -> Result<(), CoSignFailure> {
        Ok(())
    }
}

fn failure(refused: &Refused) -> CoSignFailure {
    let detail = refused.to_string();
    match refused {
        Refused::Storage(_) => CoSignFailure::Unreachable { detail },
        _ => CoSignFailure::Refused {
            code: refused.code().to_owned(),
            detail,
            retry_after_s: match refused {
                Refused::TooMany { retry_after_s } => Some(*retry_after_s),
                _ => None,
            },
        },
    }
}
