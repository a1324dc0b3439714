//! A portal without HTTP, its clock and its router.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use gatehouse_core::{
    Actor, Portal, Settings,
    actor::{Account, Who},
    firmware::{FirmwareSettings, UploadTarget},
    identity::SignIn,
    ports::{
        Clock, Ports,
        router_link::{RouterCommand, RouterFailure, RouterLink, RouterReply, RouterTarget, Rule},
    },
};
use gatehouse_server::system::SystemRng;
use gatehouse_storage::{FileBlobs, StoreHandle};
use gatehouse_types::{
    access::{AccessSession, Grants, NewRouter, NewService, OpenSession, SessionState},
    account::{NewUser, Role},
    firmware::NewProject,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::time::sleep;
use uuid::Uuid;

const START_MS: i64 = 1_763_719_200_000;
pub(crate) const MINUTE_MS: i64 = 60_000;
pub(crate) const HOUR_MS: i64 = 60 * MINUTE_MS;
pub(crate) const PASSWORD: &str = "seven quiet herons wade";
/// How often a wait looks again.
pub(crate) const GLANCE: Duration = Duration::from_millis(2);
pub(crate) const PROJECT: &str = "lamp";

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

/// A router that keeps its rules in a map and can be away, lose its answer, or die between.
#[derive(Default)]
pub(crate) struct HandRouter {
    rules: Mutex<BTreeMap<Uuid, u32>>,
    away: AtomicBool,
    answers_get_lost: AtomicBool,
    holds_adds: AtomicBool,
    holds_answers: AtomicBool,
}

impl HandRouter {
    pub(crate) fn rules(&self) -> Vec<(Uuid, u32)> {
        let rules = self.rules.lock().expect("no panic while held");
        rules.iter().map(|(id, seconds)| (*id, *seconds)).collect()
    }

    pub(crate) fn set_away(&self, away: bool) {
        self.away.store(away, Ordering::SeqCst);
    }

    /// From now on it obeys, but nobody hears so.
    pub(crate) fn lose_answers(&self) {
        self.answers_get_lost.store(true, Ordering::SeqCst);
    }

    /// Answers again.
    pub(crate) fn find_its_voice(&self) {
        self.answers_get_lost.store(false, Ordering::SeqCst);
        self.set_away(false);
    }

    /// Keeps what shall be let in waiting before it is done.
    pub(crate) fn hold_adds(&self, hold: bool) {
        self.holds_adds.store(hold, Ordering::SeqCst);
    }

    /// Keeps the answer to what was let in waiting after it is done.
    pub(crate) fn hold_answers(&self, hold: bool) {
        self.holds_answers.store(hold, Ordering::SeqCst);
    }

    fn obey(&self, command: RouterCommand) -> Result<(), RouterFailure> {
        let mut rules = self.rules.lock().expect("no panic while held");
        match command {
            RouterCommand::Add(Rule { session_id, .. }, seconds) => {
                rules.insert(session_id, seconds);
            }
            RouterCommand::Extend(Rule { session_id, .. }, seconds) => {
                let known = rules.get_mut(&session_id);
                *known
                    .ok_or_else(|| RouterFailure::Refused("There is no such session.".into()))? =
                    seconds;
            }
            RouterCommand::Del(Rule { session_id, .. }) => {
                rules.remove(&session_id);
            }
            RouterCommand::Ping => {}
        }
        Ok(())
    }
}

#[async_trait]
impl RouterLink for HandRouter {
    async fn send(
        &self,
        _: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure> {
        let unreachable = || RouterFailure::Unreachable("The router does not answer.".into());
        if self.away.load(Ordering::SeqCst) {
            return Err(unreachable());
        }
        let is_add = matches!(command, RouterCommand::Add(..));
        while is_add && self.holds_adds.load(Ordering::SeqCst) {
            sleep(GLANCE).await;
        }
        self.obey(command)?;
        while is_add && self.holds_answers.load(Ordering::SeqCst) {
            sleep(GLANCE).await;
        }
        if self.answers_get_lost.load(Ordering::SeqCst) {
            self.set_away(true);
            return Err(RouterFailure::Unsure("No answer came.".into()));
        }
        Ok(RouterReply::default())
    }
}

pub(crate) struct House {
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) router: Arc<HandRouter>,
    pub(crate) owner: Actor,
    admin: Actor,
    router_id: Uuid,
    pub(crate) service_id: Uuid,
    _folder: TempDir,
}

/// Rooms without anybody in them.
pub(crate) struct Empty {
    pub(crate) portal: Arc<Portal>,
    pub(crate) clock: Arc<HandClock>,
    router: Arc<HandRouter>,
    folder: TempDir,
}

impl Empty {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = format!("sqlite://{}", folder.path().join("gatehouse.db").display());
        let store = StoreHandle::connect(&database).await.expect("opens");
        store.migrate().await.expect("migrates");
        let clock = Arc::new(HandClock(AtomicI64::new(START_MS)));
        let router = Arc::new(HandRouter::default());
        let ports = Ports {
            store: store.store(),
            blobs: Arc::new(FileBlobs::open(folder.path().join("blobs")).expect("opens")),
            router_link: router.clone(),
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
            firmware,
        };
        Self {
            portal: Portal::new(ports, &settings).expect("furnishes the rooms"),
            clock,
            router,
            folder,
        }
    }
}

impl House {
    pub(crate) async fn new() -> Self {
        let Empty {
            portal,
            clock,
            router,
            folder,
        } = Empty::new().await;
        let owner = account(&portal, "bo@example.com", Role::Owner).await;
        let admin = account(&portal, "ada@example.com", Role::Admin).await;
        let new: NewRouter = serde_json::from_value(json!({
            "name": "home", "address": "192.0.2.1:9999", "api_key": "k".repeat(16),
            "aes_key": "k".repeat(16), "cert_sha256": "ab".repeat(32), "protocol": 2,
        }))
        .expect("fits");
        let router_id = portal
            .access
            .create_router(&admin, &new)
            .await
            .expect("adds it")
            .id;
        let mut house = Self {
            portal,
            clock,
            router,
            owner,
            admin,
            router_id,
            service_id: Uuid::nil(),
            _folder: folder,
        };
        house.service_id = house.add_service(8001).await;
        house
    }

    /// Adds a service and grants it to the owner.
    pub(crate) async fn add_service(&self, public_port: u16) -> Uuid {
        let new: NewService = serde_json::from_value(json!({
            "name": "printer", "router_id": self.router_id, "lan_ip": "192.168.1.50", "lan_port": 80,
            "public_port": public_port, "max_minutes": 60,
        }))
        .expect("fits");
        let access = &self.portal.access;
        let service = access
            .create_service(&self.admin, &new)
            .await
            .expect("adds it");
        let grants = Grants {
            users: vec![self.owner.account().expect("an account").id],
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

    pub(crate) async fn open(&self, minutes: i64) -> gatehouse_core::Result<AccessSession> {
        let wish = OpenSession {
            service_id: self.service_id,
            minutes: Some(minutes),
        };
        Ok(self.portal.access.open(&self.owner, &wish).await?.0)
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

    /// Makes the project with a published release of this version.
    pub(crate) async fn release(&self, version: &str) {
        let (firmware, system) = (&self.portal.firmware, Actor::system());
        let target = UploadTarget {
            project: PROJECT,
            version,
            file_name: None,
            content_length: None,
        };
        let new: NewProject = serde_json::from_value(json!({ "name": PROJECT })).expect("fits");
        // It is there from the second release on.
        let _ = firmware.create_project(&system, &new).await;
        let mut upload = firmware
            .begin_upload(&system, target)
            .await
            .expect("begins");
        upload
            .write(Bytes::from(version.to_owned()))
            .await
            .expect("writes");
        upload.finish(None).await.expect("finishes");
        firmware
            .publish(&system, PROJECT, version)
            .await
            .expect("publishes");
    }
}

/// Makes an account and answers it as an actor from a public address.
async fn account(portal: &Portal, email: &str, role: Role) -> Actor {
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
