//! Whether services answer inside their LANs: their routers connect to them now and then, and
//! only while somebody looks. A page never waits for that: it shows what was found last.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::{StreamExt, stream};
use gatehouse_types::{
    Timestamp,
    access::{Reach, Service, ServiceReach, Transport},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Access, live::LiveEvent};
use crate::{
    Result,
    ports::{
        access::ServiceRecord,
        random_bytes,
        router_link::{Probed, RouterFailure, RouterTarget},
    },
};

/// What was found holds for so long, and up to [`JITTER_MS`] less, so that the portal's
/// questions do not come all at once.
const FRESH_MS: i64 = 30_000;
const JITTER_MS: u16 = 8_000;
/// A look counts for so long; whoever listens looks again every 15 s.
const LOOK_LASTS_MS: i64 = 40_000;
/// What was found longer ago tells nothing any more.
const STALE_MS: i64 = 5 * 60_000;
const ROUTERS_AT_A_TIME: usize = 8;
/// Of one router.
const PORTS_AT_A_TIME: usize = 4;

/// What is known of the services that somebody looked at.
pub(super) struct Tiles {
    tiles: Mutex<HashMap<Uuid, Tile>>,
    turns: Semaphore,
}

impl Default for Tiles {
    fn default() -> Self {
        Self {
            tiles: Mutex::default(),
            turns: Semaphore::new(ROUTERS_AT_A_TIME),
        }
    }
}

struct Tile {
    router_id: Uuid,
    looked_at_ms: i64,
    due_ms: i64,
    is_asked: bool,
    found: Option<ServiceReach>,
}

impl Tile {
    fn is_known(&self) -> bool {
        let found = self.found.as_ref();
        found.is_some_and(|found| found.state != Reach::Unknown)
    }
}

impl Tiles {
    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Tile>> {
        self.tiles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the services that are due; each is given away once until it was found out about.
    /// What is known ends with the silence of its router.
    fn take_due(&self, now_ms: i64, is_silent: impl Fn(Uuid) -> bool) -> Vec<Uuid> {
        let mut tiles = self.lock();
        tiles.retain(|_, tile| tile.is_asked || now_ms - tile.looked_at_ms < STALE_MS);
        let is_due = |tile: &Tile| {
            let is_looked_at = now_ms - tile.looked_at_ms < LOOK_LASTS_MS;
            let is_over = tile.due_ms <= now_ms || (tile.is_known() && is_silent(tile.router_id));
            !tile.is_asked && is_looked_at && is_over
        };
        let due = tiles.iter_mut().filter(|(_, tile)| is_due(tile));
        due.map(|(id, tile)| {
            tile.is_asked = true;
            *id
        })
        .collect()
    }

    /// Keeps what was found, and answers what of it is news.
    fn keep(&self, found: Vec<ServiceReach>, due_ms: impl Fn() -> i64) -> Vec<ServiceReach> {
        let mut tiles = self.lock();
        let mut news = Vec::new();
        for reach in found {
            let Some(tile) = tiles.get_mut(&reach.id) else {
                continue;
            };
            tile.is_asked = false;
            tile.due_ms = due_ms();
            if is_news(tile.found.as_ref(), &reach) {
                news.push(reach.clone());
            }
            tile.found = Some(reach);
        }
        news
    }

    fn drop_gone(&self, ids: &HashSet<Uuid>) {
        self.lock().retain(|id, _| !ids.contains(id));
    }

    fn give_back(&self, ids: &[Uuid]) {
        let mut tiles = self.lock();
        for id in ids {
            if let Some(tile) = tiles.get_mut(id) {
                tile.is_asked = false;
            }
        }
    }
}

/// Another state, or a latency that is another by half: small waves interest nobody.
fn is_news(before: Option<&ServiceReach>, now: &ServiceReach) -> bool {
    let Some(before) = before else {
        return now.state != Reach::Unknown;
    };
    let (was_ms, is_ms) = (before.latency_ms.unwrap_or(0), now.latency_ms.unwrap_or(0));
    let step_ms = was_ms.abs_diff(is_ms);
    before.state != now.state || (step_ms > 20 && step_ms * 2 > was_ms.unsigned_abs())
}

/// Services of one router that are to be looked at.
pub struct ProbeRound {
    router_id: Uuid,
    services: Vec<ServiceRecord>,
}

impl Access {
    /// What is known of services that somebody is shown; from now on they count as looked at.
    ///
    /// A service that is missing in the answer is unknown.
    pub fn look_at(&self, shown: &[Service]) -> BTreeMap<Uuid, ServiceReach> {
        let now_ms = self.ports.now_ms();
        let mut tiles = self.tiles.lock();
        let asked = shown
            .iter()
            .filter(|service| service.protocol == Transport::Tcp);
        let known = asked.filter_map(|service| {
            let tile = tiles.entry(service.id).or_insert(Tile {
                router_id: service.router_id,
                looked_at_ms: now_ms,
                due_ms: now_ms,
                is_asked: false,
                found: None,
            });
            tile.looked_at_ms = now_ms;
            tile.router_id = service.router_id;
            let found = tile.found.clone()?;
            let holds =
                now_ms - found.checked_at.0 < STALE_MS && !self.is_silent(service.router_id);
            holds.then_some((service.id, found))
        });
        known.collect()
    }

    /// The services that somebody looks at and nobody knows enough of, by router; each round is
    /// for [`Access::probe`].
    ///
    /// # Errors
    /// When the database does not answer; the services stay due.
    pub async fn due_probes(&self) -> Result<Vec<ProbeRound>> {
        let due = self
            .tiles
            .take_due(self.ports.now_ms(), |id| self.is_silent(id));
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let loaded = self.ports.store.load_directory().await;
        let directory = loaded.inspect_err(|_| self.tiles.give_back(&due))?;
        let mut gone: HashSet<_> = due.into_iter().collect();
        let mut rounds = HashMap::<Uuid, Vec<ServiceRecord>>::new();
        for service in directory.services {
            if gone.remove(&service.id) {
                rounds.entry(service.router_id).or_default().push(service);
            }
        }
        self.tiles.drop_gone(&gone);
        let rounds = rounds.into_iter();
        Ok(rounds
            .map(|(router_id, services)| ProbeRound {
                router_id,
                services,
            })
            .collect())
    }

    /// Lets a router connect to its services, and tells whoever listens what is new. A router
    /// that does not answer is asked once.
    pub async fn probe(&self, round: ProbeRound) {
        let ids: Vec<_> = round.services.iter().map(|service| service.id).collect();
        match self.ask_router(round).await {
            Ok(found) => {
                let due_ms = || {
                    let jitter = u16::from_be_bytes(random_bytes(self.ports.rng.as_ref()));
                    self.ports.now_ms() + FRESH_MS - i64::from(jitter % JITTER_MS)
                };
                let news = self.tiles.keep(found, due_ms);
                if !news.is_empty() {
                    self.live.tell(LiveEvent::Services(news.into()));
                }
            }
            Err(error) => {
                tracing::warn!(%error, "services could not be looked at; trying again");
                self.tiles.give_back(&ids);
            }
        }
    }

    /// Whether the router was found not to answer by whoever spoke to it last.
    fn is_silent(&self, router_id: Uuid) -> bool {
        let health = self.healths.of(router_id);
        health.is_some_and(|health| !health.reachable)
    }

    async fn ask_router(&self, round: ProbeRound) -> Result<Vec<ServiceReach>> {
        let _turn = self.tiles.turns.acquire().await.ok();
        let router = self.find_router(round.router_id).await?;
        let target = self.target(&router).ok();
        let answers = AtomicBool::new(!self.is_silent(router.id));
        let asked = stream::iter(round.services)
            .map(|service| self.ask_port(target.as_ref(), service, &answers))
            .buffer_unordered(PORTS_AT_A_TIME);
        Ok(asked.collect().await)
    }

    /// Lets a router connect to a port; without a `target` nobody can tell.
    async fn ask_port(
        &self,
        target: Option<&RouterTarget>,
        service: ServiceRecord,
        answers: &AtomicBool,
    ) -> ServiceReach {
        let is_asked = service.transport == Transport::Tcp && answers.load(Ordering::Relaxed);
        let probed = if let Some(target) = target.filter(|_| is_asked) {
            let port = (service.lan_ip, service.lan_port).into();
            self.ports.router_link.probe(target, port).await
        } else {
            Ok(None)
        };
        if let Err(RouterFailure::Unreachable(_) | RouterFailure::Unsure(_)) = &probed {
            answers.store(false, Ordering::Relaxed);
        }
        let (state, latency_ms) = match probed {
            Ok(Some(Probed::Up { latency_ms })) => (Reach::Up, Some(latency_ms)),
            Ok(Some(Probed::Down)) => (Reach::Down, None),
            Ok(None) | Err(_) => (Reach::Unknown, None),
        };
        ServiceReach {
            id: service.id,
            state,
            latency_ms,
            checked_at: Timestamp(self.ports.now_ms()),
        }
    }
}
