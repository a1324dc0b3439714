//! Routers, services and access sessions: one click lets one address in for a while.

mod cascade;
mod checks;
mod directory;
mod doors;
mod families;
mod guests;
mod health;
mod invitations;
mod keeper;
mod lan;
mod limits;
mod live;
mod moving;
mod open;
mod reconcile;
mod routers;
mod services;
mod sessions;
mod silences;
mod tiles;
mod tries;
mod wake;
mod webhook_keys;
mod wrong_links;

pub use families::{FamilyUrls, OtherFamily};
pub use guests::{GuestSession, Welcome};
pub use lan::DirectWay;
pub use live::{LiveEvent, Subscription};
pub use tiles::ProbeRound;
pub use wake::{WAKE_LASTS_MS, WakeJob};
pub use webhook_keys::webhook_key;

use arc_swap::ArcSwapOption;
use uuid::Uuid;

use crate::{
    Error,
    audit::Audit,
    ports::{
        Ports,
        access::RouterRecord,
        router_link::{LinkProtocol, RouterFailure, RouterTarget},
    },
    seal::Sealer,
};

/// What an operator decides about access.
#[derive(Clone, Default)]
pub struct AccessSettings {
    /// The keys of home backends that wake hosts come from it, where there are any.
    pub webhook_secret: Option<String>,
    /// Where the portal is reached over one family only.
    pub family_urls: FamilyUrls,
}

/// The room of routers, services and access sessions.
pub struct Access {
    ports: Ports,
    audit: Audit,
    sealer: Sealer,
    silences: silences::Silences,
    wrong_links: wrong_links::WrongLinks,
    /// Openings that came to nothing, by invitation.
    vain_openings: tries::Tries<Uuid>,
    doors: doors::Doors,
    healths: health::Healths,
    directory: ArcSwapOption<directory::Directory>,
    live: live::Live,
    tiles: tiles::Tiles,
    wakes: wake::Wakes,
    settings: AccessSettings,
}

impl Access {
    pub(crate) fn new(
        ports: Ports,
        audit: Audit,
        sealing_key: &[u8; 32],
        settings: AccessSettings,
    ) -> Self {
        Self {
            ports,
            audit,
            sealer: Sealer::new(sealing_key),
            silences: silences::Silences::default(),
            wrong_links: wrong_links::WrongLinks::default(),
            vain_openings: guests::vain_openings(),
            doors: doors::Doors::default(),
            healths: health::Healths::default(),
            directory: ArcSwapOption::empty(),
            live: live::Live::default(),
            tiles: tiles::Tiles::default(),
            wakes: wake::Wakes::default(),
            settings,
        }
    }

    /// Tells how to reach a router. One whose keys do not open here is like one that does not
    /// answer: what is open on it must end in its time all the same.
    fn target(&self, router: &RouterRecord) -> std::result::Result<RouterTarget, RouterFailure> {
        let key = |column: &str, sealed: &[u8]| {
            let opened = self.sealer.open(&bound_to(router, column), sealed);
            opened.map_err(|_| keys_do_not_open())
        };
        Ok(RouterTarget {
            protocol: LinkProtocol::of_version(router.protocol),
            address: router.address.clone(),
            cert_sha256: router.cert_sha256,
            api_key: key("api_key", &router.api_key_sealed)?,
            aes_key: key("aes_key", &router.aes_key_sealed)?,
        })
    }
}

fn bound_to(router: &RouterRecord, column: &str) -> String {
    format!("router/{}/{column}", router.id)
}

fn keys_do_not_open() -> RouterFailure {
    RouterFailure::Unreachable("Its keys do not open here; enter them again.".into())
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
