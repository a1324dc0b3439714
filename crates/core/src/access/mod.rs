//! Routers, services and access sessions: one click lets one address in for a while.

mod checks;
mod keeper;
mod open;
mod routers;
mod services;
mod sessions;

use crate::{
    Error, Result,
    audit::Audit,
    ports::{Ports, access::RouterRecord, router_link::RouterTarget},
    seal::Sealer,
};

/// The room of routers, services and access sessions.
pub struct Access {
    ports: Ports,
    audit: Audit,
    sealer: Sealer,
}

impl Access {
    pub(crate) fn new(ports: Ports, audit: Audit, sealing_key: &[u8; 32]) -> Self {
        Self {
            ports,
            audit,
            sealer: Sealer::new(sealing_key),
        }
    }

    fn target(&self, router: &RouterRecord) -> Result<RouterTarget> {
        Ok(RouterTarget {
            address: router.address.clone(),
            cert_sha256: router.cert_sha256,
            api_key: self
                .sealer
                .open(&bound_to(router, "api_key"), &router.api_key_sealed)?,
            aes_key: self
                .sealer
                .open(&bound_to(router, "aes_key"), &router.aes_key_sealed)?,
        })
    }
}

fn bound_to(router: &RouterRecord, column: &str) -> String {
    format!("router/{}/{column}", router.id)
}

fn no_such_router() -> Error {
    Error::NotFound("router")
}

fn no_such_service() -> Error {
    Error::NotFound("service")
}

fn no_such_session() -> Error {
    Error::NotFound("session")
}
