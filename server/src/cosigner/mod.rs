//! The core's way to whoever signs manifests beside the portal: in this process, or on another
//! host that a thief of the portal does not have.

mod answer;
mod in_process;
mod service;

use std::sync::Arc;

use gatehouse_core::ports::{
    Clock, Rng,
    cosigner::{CoSigner, CoSignerIdentity},
    random_bytes,
};
use gatehouse_manifest::SigningKey;
use gatehouse_types::manifest::CoSignerKind;

use crate::{
    config::{CoSignerAt, Config},
    keys,
    refusal::Refusal,
    system::{SystemClock, SystemRng},
};
pub use in_process::InProcess;
use service::Service;

/// The co-signer of this portal, opened.
pub(crate) struct Opened {
    /// Whom the core asks.
    pub(crate) port: Arc<dyn CoSigner>,
    /// The same, where it has a record of its own to write.
    pub(crate) in_process: Option<Arc<InProcess>>,
}

/// Opens the co-signer that the configuration names.
///
/// # Errors
/// A sentence when its folder or this portal's identity key cannot be used, or `cosigner.ca_file`
/// holds no certificates.
pub(crate) fn open(config: &Config) -> Result<Opened, Refusal> {
    let (clock, rng): (Arc<dyn Clock>, Arc<dyn Rng>) = (Arc::new(SystemClock), Arc::new(SystemRng));
    // Made in any case: it is what a co-signer is told to trust before the portal is moved to it.
    let identity = keys::identity(&config.data_dir, || random_bytes(rng.as_ref()))?;
    Ok(match &config.cosigner {
        CoSignerAt::InProcess { dir } => {
            let opened = Arc::new(InProcess::open(dir, &identity, clock)?);
            Opened {
                port: opened.clone(),
                in_process: Some(opened),
            }
        }
        CoSignerAt::Service(place) => Opened {
            port: Arc::new(Service::new(place, identity, clock, rng)?),
            in_process: None,
        },
    })
}

fn identity_of(kind: CoSignerKind, url: Option<String>, key: &SigningKey) -> CoSignerIdentity {
    let public = key.public_key();
    CoSignerIdentity {
        kind,
        url,
        server_id: public.server_id(),
        identity_pem: public.to_pem(),
    }
}
