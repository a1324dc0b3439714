//! Where the portal is put together: the only place that names adapters.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use axum::Router;
use gatehouse_core::{
    Portal, Settings,
    access::AccessSettings,
    client_address::Resolver,
    firmware::{FirmwareSettings, Scrubbed},
    ports::{Ports, blobs::Blobs, random_bytes},
    upkeep::Pruned,
};
use gatehouse_storage::{FileBlobs, StoreHandle};
use tokio::task::JoinHandle;

use crate::{
    api,
    config::Config,
    cosigner::{self, InProcess},
    ddi, dialects,
    firmware::{self, ImageCache},
    http::{assets, csrf, front::Front, request_id::RequestIds},
    keys, lock,
    refusal::Refusal,
    rounds::{every, every_after},
    router_link::DaemonLink,
    state::{AppState, Inner},
    system::{SystemClock, SystemRng},
    web,
    webhooks::HttpWebhooks,
};

const HOUR: Duration = Duration::from_hours(1);

/// A portal with its data open, not yet listening.
pub struct Installation {
    /// The rooms.
    pub portal: Arc<Portal>,
    /// The database.
    pub store: StoreHandle,
    /// The images.
    pub blobs: Arc<dyn Blobs>,
    /// What the operator decided.
    pub config: Config,
    /// Who signs manifests beside the portal, where that is this process.
    own_cosigner: Option<Arc<InProcess>>,
    /// Keeps a second process out of a SQLite data folder.
    _lock: Option<lock::DataLock>,
}

impl Installation {
    /// Opens data folder, keys, database and blobs; brings the schema up to date.
    ///
    /// # Errors
    /// A sentence: the folder is not writable or in use, the database is newer or does not answer.
    pub async fn open(config: Config) -> Result<Self, Refusal> {
        let lock = open_data_dir(&config)?;
        let store = StoreHandle::connect(config.database_url.expose())
            .await
            .map_err(refuse)?;
        store.migrate().await.map_err(refuse)?;
        let secret = keys::load_or_create(&config.data_dir, || random_bytes(&SystemRng))?;
        let blobs: Arc<dyn Blobs> = Arc::new(FileBlobs::open(&config.blob_dir).map_err(refuse)?);
        let cosigner = cosigner::open(&config)?;
        let ports = Ports {
            store: store.store(),
            blobs: blobs.clone(),
            router_link: Arc::new(DaemonLink {
                clock: Arc::new(SystemClock),
                rng: Arc::new(SystemRng),
            }),
            webhooks: Arc::new(HttpWebhooks::new(&config)?),
            cosigner: cosigner.port,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        };
        let settings = Settings {
            secret,
            project_key_secret: config
                .project_key_secret
                .as_ref()
                .map(|secret| secret.expose().to_owned()),
            access: AccessSettings {
                webhook_secret: config
                    .webhook_secret
                    .as_ref()
                    .map(|secret| secret.expose().to_owned()),
                family_urls: config.family_urls.clone(),
            },
            firmware: FirmwareSettings {
                default_expiry_minutes: i64::from(config.jwt_default_expiry_minutes),
                max_upload_bytes: config.max_upload_bytes,
                no_jwt: config.no_jwt,
            },
        };
        let portal = Portal::new(ports, &settings).map_err(refuse)?;
        portal.firmware.reload_catalog().await.map_err(refuse)?;
        Ok(Self {
            portal,
            store,
            blobs,
            config,
            own_cosigner: cosigner.in_process,
            _lock: lock,
        })
    }

    /// Removes what an interrupted upload left behind, however young, where nobody else can be
    /// uploading. Elsewhere it has to lie for an hour first.
    ///
    /// # Errors
    /// A sentence when database or blob folder do not answer.
    pub async fn sweep(&self) -> Result<(), Refusal> {
        if self.store.is_sqlite() {
            sweep_blobs(&self.portal, Duration::ZERO)
                .await
                .map_err(refuse)?;
        }
        Ok(())
    }

    /// Puts the router together for the address that people type.
    ///
    /// # Errors
    /// A sentence when `public_url`, or a second address, is no origin.
    pub fn front(&self, public_url: &str) -> Result<Front, Refusal> {
        let config = self.config.clone();
        let resolver = Resolver::new(config.trusted_proxies.clone(), config.forwarded_header);
        let state = AppState::new(Inner {
            portal: self.portal.clone(),
            store: self.store.clone(),
            public_url: public_url.into(),
            sign_in_cookie: web::cookie::SignInCookie::for_url(public_url),
            images: ImageCache::of(self.portal.clone(), self.blobs.clone()),
            clock: Arc::new(SystemClock),
            pkg_path: assets::pkg_path(),
            config,
        });
        Ok(Front::new(
            router(state, public_url)?,
            resolver,
            RequestIds::new(random_bytes(&SystemRng)),
        ))
    }

    /// Starts what goes on without anybody asking; it ends with the handles.
    pub fn start_background(&self) -> Vec<JoinHandle<()>> {
        let (keeper, reconciler, follower, teller, flusher, roller, presenter, fleet_follower) = (
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
            self.portal.clone(),
        );
        vec![
            every(Duration::from_secs(1), "keep access sessions", move || {
                let portal = keeper.clone();
                async move { portal.access.keep().await }
            }),
            every(
                Duration::from_secs(10),
                "compare access sessions with their routers",
                move || {
                    let portal = reconciler.clone();
                    async move { portal.access.reconcile().await }
                },
            ),
            every(Duration::from_millis(500), "follow changes", move || {
                let portal = follower.clone();
                async move { portal.firmware.follow_changes().await }
            }),
            every(Duration::from_millis(500), "follow the fleet", move || {
                let portal = fleet_follower.clone();
                async move { portal.firmware.follow_fleet().await }
            }),
            every(Duration::from_millis(250), "tell what changed", move || {
                let portal = teller.clone();
                async move { portal.access.follow_sessions().await }
            }),
            every(
                Duration::from_secs(5),
                "write down what devices did",
                move || {
                    let portal = flusher.clone();
                    async move { portal.firmware.flush_progress().await }
                },
            ),
            every(Duration::from_secs(2), "keep rollouts", move || {
                let portal = roller.clone();
                async move { portal.firmware.keep_rollouts().await }
            }),
            every(
                Duration::from_secs(2),
                "show what was published to the co-signer",
                move || {
                    let portal = presenter.clone();
                    async move {
                        portal.firmware.present_publications().await;
                        Ok(())
                    }
                },
            ),
            self.start_loading_fleet(),
            self.start_probes(),
            self.start_wakes(),
            self.start_upkeep(),
            self.start_upload_sweep(),
            self.start_scrub(),
            self.start_settling(),
        ]
    }

    /// Once: until it is done, a device is read when it first speaks.
    fn start_loading_fleet(&self) -> JoinHandle<()> {
        const AGAIN: Duration = Duration::from_secs(5);
        let portal = self.portal.clone();
        tokio::spawn(async move {
            while let Err(error) = portal.firmware.load_fleet().await {
                tracing::warn!(%error, "could not read the fleet; trying again");
                tokio::time::sleep(AGAIN).await;
            }
        })
    }

    /// Each router answers in a task of its own: a slow one holds up no other.
    fn start_probes(&self) -> JoinHandle<()> {
        let watcher = self.portal.clone();
        every(Duration::from_millis(500), "look at services", move || {
            let portal = watcher.clone();
            async move {
                for round in portal.access.due_probes().await? {
                    let portal = portal.clone();
                    tokio::spawn(async move { portal.access.probe(round).await });
                }
                Ok(())
            }
        })
    }

    /// Each host that is woken has a task of its own.
    fn start_wakes(&self) -> JoinHandle<()> {
        let waker = self.portal.clone();
        every(Duration::from_millis(100), "wake hosts", move || {
            let portal = waker.clone();
            async move {
                for job in portal.access.due_wakes() {
                    let portal = portal.clone();
                    tokio::spawn(async move { portal.access.wake_up(job).await });
                }
                Ok(())
            }
        })
    }

    /// At the start too: what a crash left of uploads should not wait.
    fn start_upload_sweep(&self) -> JoinHandle<()> {
        let sweeper = self.portal.clone();
        every(HOUR, "sweep uploads that nobody goes on with", move || {
            let portal = sweeper.clone();
            async move {
                let swept = portal.firmware.sweep_uploads().await?;
                if swept > 0 {
                    tracing::info!(swept, "removed uploads that nobody went on with");
                }
                sweep_blobs(&portal, HOUR).await
            }
        })
    }

    /// Reads all images once a day, so slowly that nobody notices.
    fn start_scrub(&self) -> JoinHandle<()> {
        const FIRST: Duration = Duration::from_mins(10);
        const DAY: Duration = Duration::from_hours(24);
        const BYTES_PER_S: NonZeroU32 = NonZeroU32::new(20_000_000).expect("it is above 0");
        let reader = self.portal.clone();
        every_after(FIRST, DAY, "read all images anew", move || {
            let portal = reader.clone();
            async move {
                let Scrubbed { images, damaged } = portal.firmware.scrub(BYTES_PER_S).await?;
                tracing::info!(images, damaged, "read all images anew");
                Ok(())
            }
        })
    }

    /// A co-signer elsewhere does that by itself.
    fn start_settling(&self) -> JoinHandle<()> {
        const MINUTE: Duration = Duration::from_mins(1);
        let cosigner = self.own_cosigner.clone();
        every(MINUTE, "settle the co-signer's record", move || {
            if let Some(cosigner) = &cosigner {
                cosigner.settle();
            }
            async { Ok(()) }
        })
    }

    /// Once a day, and not while the portal starts.
    fn start_upkeep(&self) -> JoinHandle<()> {
        const FIRST: Duration = Duration::from_mins(5);
        const DAY: Duration = Duration::from_hours(24);
        let housekeeper = self.portal.clone();
        every_after(FIRST, DAY, "forget what is over", move || {
            let portal = housekeeper.clone();
            async move {
                let Pruned {
                    reports,
                    tokens,
                    acks,
                    events,
                    minutes,
                    tombstones,
                } = portal.upkeep.prune().await?;
                tracing::info!(
                    reports,
                    tokens,
                    acks,
                    events,
                    minutes,
                    tombstones,
                    "forgot what is over"
                );
                Ok(())
            }
        })
    }
}

async fn sweep_blobs(portal: &Portal, idle_for: Duration) -> gatehouse_core::Result<()> {
    let swept = portal.firmware.sweep_blobs(idle_for).await?;
    if swept > 0 {
        tracing::info!(
            swept,
            "removed images that nobody names and interrupted uploads"
        );
    }
    Ok(())
}

/// Takes the data folder; the lock is for SQLite, which bears one process only.
///
/// # Errors
/// A sentence when the folder cannot be made or is in use.
pub fn open_data_dir(config: &Config) -> Result<Option<lock::DataLock>, Refusal> {
    lock::make_data_dir(&config.data_dir)?;
    config
        .uses_sqlite()
        .then(|| lock::DataLock::take(&config.data_dir))
        .transpose()
}

fn router(state: AppState, public_url: &str) -> Result<Router, Refusal> {
    // Pages spawn their loading on this runtime; a second portal in one process finds it set.
    let _already_set = any_spawner::Executor::init_tokio();
    let csrf = csrf::layer(public_url, &state.config)?;
    let icon = axum::middleware::from_fn_with_state(state.clone(), firmware::own_favicon);
    let site_root = std::env::var_os("LEPTOS_SITE_ROOT").map(PathBuf::from);
    Ok(api::router()
        .merge(api::docs::router())
        .merge(ddi::router())
        .merge(dialects::router())
        .merge(firmware::router())
        .merge(assets::router(site_root).layer(icon))
        .merge(web::router())
        .method_not_allowed_fallback(|| async { crate::http::problem::method_not_allowed() })
        .layer(csrf)
        .with_state(state))
}

fn refuse(error: impl std::error::Error) -> Refusal {
    let causes: Vec<String> = std::iter::successors(error.source(), |cause| cause.source())
        .map(ToString::to_string)
        .collect();
    if causes.is_empty() {
        Refusal::new(error.to_string())
    } else {
        Refusal::new(format!("{error} ({})", causes.join(": ")))
    }
}
