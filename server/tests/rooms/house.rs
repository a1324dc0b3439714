//! A portal without HTTP and its clock.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use gatehouse_core::{
    Actor, Portal, Settings,
    access::{AccessSettings, FamilyUrls},
    actor::{Account, Who},
    firmware::FirmwareSettings,
    identity::SignIn,
    ports::{
        Clock, Ports, Store,
        access::{RouterRecord, RouterUpdate},
    },
};
use gatehouse_server::system::SystemRng;
use gatehouse_storage::{FileBlobs, StoreHandle};
use gatehouse_types::{
    access::{AccessSession, Grants, NewRouter, NewService, OpenSession, SessionState},
    account::{NewUser, Role},
    audit::AuditQuery,
};
use serde_json::json;
use sqlx::{Connection, SqliteConnection, sqlite::SqliteConnectOptions};
use tempfile::TempDir;
use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::{hand_cosigner::HandCoSigner, hand_router::HandRouter};

pub(crate) const START_MS: i64 = 1_763_719_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const PASSWORD: &str = "seven quiet herons wade";
/// How often a wait looks again.
pub(crate) const GLANCE: Duration = Duration::from_millis(2);
pub(crate) const PROJECT: &str = "lamp";
/// Shared with the home backend.
pub(crate) const WEBHOOK_SECRET: &str = "a secret of two programs";
/// Where the router of the house is.
pub(crate) const HOME: &str = "192.0.2.1:9999";

/// A clock that moves when a test says so.
pub(crate) struct HandClock(AtomicI64);

impl HandClock {
    pub(crate) fn pass_ms(&self, by_ms: i64) {
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }
}

pub(crate) struct House {
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) router: Arc<HandRouter>,
    pub(crate) cosigner: Arc<HandCoSigner>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) owner: Actor,
    pub(crate) admin: Actor,
    pub(crate) router_id: Uuid,
    pub(crate) service_id: Uuid,
    folder: TempDir,
}

/// Rooms without anybody in them.
pub(crate) struct Empty {
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<HandClock>,
    router: Arc<HandRouter>,
    cosigner: Arc<HandCoSigner>,
    store: Arc<dyn Store>,
    folder: TempDir,
}

impl Empty {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = format!("sqlite://{}", folder.path().join("gatehouse.db").display());
        let handle = StoreHandle::connect(&database).await.expect("opens");
        handle.migrate().await.expect("migrates");
        let store = handle.store();
        let clock = Arc::new(HandClock(AtomicI64::new(START_MS)));
        let router = Arc::new(HandRouter::default());
        let cosigner = Arc::new(HandCoSigner::default());
        let blobs = folder.path().join("blobs");
        Self {
            portal: portal_over(&blobs, &store, &router, &cosigner, &clock),
            clock,
            router,
            cosigner,
            store,
            folder,
        }
    }
}

fn portal_over(
    blobs: &Path,
    store: &Arc<dyn Store>,
    router: &Arc<HandRouter>,
    cosigner: &Arc<HandCoSigner>,
    clock: &Arc<HandClock>,
) -> Arc<Portal> {
    let ports = Ports {
        store: store.clone(),
        blobs: Arc::new(FileBlobs::open(blobs).expect("opens")),
        router_link: router.clone(),
        webhooks: router.clone(),
        cosigner: cosigner.clone(),
        clock: clock.clone(),
        rng: Arc::new(SystemRng),
    };
    let firmware = FirmwareSettings {
        default_expiry_minutes: 30,
        max_upload_bytes: 1 << 20,
        no_jwt: false,
    };
    let settings = Settings {
        secret: [7; 32],
        access: AccessSettings {
            webhook_secret: Some(WEBHOOK_SECRET.into()),
            family_urls: FamilyUrls {
                ipv4: Some("https://v4.gate.example".into()),
                ipv6: None,
            },
        },
        project_key_secret: None,
        firmware,
    };
    Portal::new(ports, &settings).expect("furnishes the rooms")
}

impl House {
    pub(crate) async fn new() -> Self {
        let Empty {
            portal,
            clock,
            router,
            cosigner,
            store,
            folder,
        } = Empty::new().await;
        let owner = account(&portal, "bo@example.com", Role::Owner).await;
        let admin = account(&portal, "ada@example.com", Role::Admin).await;
        let mut house = Self {
            portal,
            clock,
            router,
            cosigner,
            store,
            owner,
            admin,
            router_id: Uuid::nil(),
            service_id: Uuid::nil(),
            folder,
        };
        house.router_id = house.add_router("home", HOME).await;
        house.service_id = house.add_service(8001).await;
        house
    }

    pub(crate) async fn add_router(&self, name: &str, address: &str) -> Uuid {
        let new: NewRouter = serde_json::from_value(json!({
            "name": name, "address": address, "api_key": "k".repeat(16),
            "aes_key": "k".repeat(16), "cert_sha256": "ab".repeat(32), "protocol": 2,
        }))
        .expect("fits");
        let access = &self.portal.access;
        let router = access.create_router(&self.admin, &new).await;
        router.expect("adds it").id
    }

    /// Adds a service and grants it to the owner.
    pub(crate) async fn add_service(&self, public_port: u16) -> Uuid {
        self.add_service_behind(self.router_id, public_port).await
    }

    pub(crate) async fn add_service_behind(&self, router_id: Uuid, public_port: u16) -> Uuid {
        let new: NewService = serde_json::from_value(json!({
            "name": "printer", "router_id": router_id, "lan_ip": "192.168.1.50", "lan_port": 80,
            "public_port": public_port, "max_minutes": 60,
        }))
        .expect("fits");
        let access = &self.portal.access;
        let service = access
            .create_service(&self.admin, &new)
            .await
            .expect("adds it");
        let grants = Grants {
            users: vec![self.owner_id()],
        };
        access
            .set_grants(&self.admin, service.id, &grants)
            .await
            .expect("grants it");
        service.id
    }

    pub(crate) fn pass_ms(&self, by_ms: i64) {
        self.clock.pass_ms(by_ms);
    }

    /// Another portal over the same database and router.
    pub(crate) fn other_instance(&self) -> Arc<Portal> {
        portal_over(
            &self.blobs(),
            &self.store,
            &self.router,
            &self.cosigner,
            &self.clock,
        )
    }

    /// The database, to make it look as an older portal left it.
    pub(crate) async fn database(&self) -> SqliteConnection {
        let file = self.folder.path().join("gatehouse.db");
        SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file))
            .await
            .expect("connects")
    }

    /// Makes the keys of the router unreadable, as they are after `keys/secret.bin` was lost.
    pub(crate) async fn lose_router_keys(&self) {
        let router = self.store.router(self.router_id).await.expect("answers");
        let unreadable = RouterRecord {
            api_key_sealed: vec![0; 44],
            ..router.expect("is there")
        };
        let updated = self.store.update_router(&unreadable).await;
        assert_eq!(updated.expect("answers"), RouterUpdate::Written);
    }

    /// The folder of images.
    pub(crate) fn blobs(&self) -> PathBuf {
        self.folder.path().join("blobs")
    }

    /// Where the bytes of an image lie.
    pub(crate) fn image_file(&self, sha256: &str) -> PathBuf {
        let mut folders = vec![self.blobs()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("reads") {
                let path = entry.expect("is there").path();
                if path.ends_with(sha256) {
                    return path;
                }
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        panic!("no image {sha256}");
    }

    pub(crate) async fn open(&self, minutes: i64) -> gatehouse_core::Result<AccessSession> {
        let wish = OpenSession {
            service_id: self.service_id,
            minutes: Some(minutes),
        };
        Ok(self.portal.access.open(&self.owner, &wish).await?.0)
    }

    /// Clicks and lets the answer come when it comes.
    pub(crate) fn spawn_open(
        self: &Arc<Self>,
    ) -> JoinHandle<gatehouse_core::Result<AccessSession>> {
        let house = Arc::clone(self);
        tokio::spawn(async move { house.open(30).await })
    }

    pub(crate) async fn wait_for_pending(&self) -> AccessSession {
        loop {
            let live = self.portal.access.live_sessions(&self.owner).await;
            if let Some(session) = live.expect("lists").into_iter().next() {
                assert_eq!(session.state, SessionState::Pending);
                return session;
            }
            sleep(GLANCE).await;
        }
    }

    pub(crate) fn owner_id(&self) -> Uuid {
        self.owner.account().expect("an account").id
    }

    pub(crate) async fn keep(&self) {
        self.portal.access.keep().await.expect("keeps");
    }

    pub(crate) async fn state(&self, session: &AccessSession) -> (SessionState, Option<String>) {
        let now = self
            .portal
            .access
            .session(&self.owner, session.id)
            .await
            .expect("is there");
        (
            now.state,
            now.end_reason.map(|reason| reason.as_str().to_owned()),
        )
    }

    /// The details of the audit trail's lines of this action, newest first.
    pub(crate) async fn details(&self, action: &str) -> Vec<String> {
        let query = AuditQuery {
            action: Some(action.to_owned()),
            ..AuditQuery::default()
        };
        let lines = self.portal.audit.list(&self.admin, &query).await;
        let lines = lines.expect("lists").items;
        lines.into_iter().map(|line| line.detail).collect()
    }
}

/// Makes an account and answers it as an actor from a public address.
pub(crate) async fn account(portal: &Portal, email: &str, role: Role) -> Actor {
    let new = NewUser {
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        role,
    };
    let user = portal
        .identity
        .create_user(&Actor::system(), &new)
        .await
        .expect("makes it");
    nobody().as_who(Who::Account(Account {
        id: user.id,
        email: user.email,
        role,
        sign_in_id: Uuid::nil(),
        change_seq: None,
    }))
}

/// A visitor from a public address.
pub(crate) fn nobody() -> Actor {
    Actor::nobody(Some(IpAddr::from([203, 0, 113, 7])), None)
}

pub(crate) const fn sign_in_of(email: &str) -> SignIn<'_> {
    SignIn {
        email,
        password: PASSWORD,
        user_agent: "test",
    }
}
