//! A real router daemon beside the portal, and the services behind it.

use std::{net::SocketAddr, sync::Arc};

use gatehouse_core::ports::random_bytes;
use gatehouse_router_protocol::{
    client::{Link, Stamp, exchange},
    message::Command,
};
use gatehouse_routerd::{
    clock::SystemClock,
    config::Config,
    keygen::{self, Made},
    listener::Daemon,
};
use gatehouse_server::system::{SystemClock as PortalClock, SystemRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use crate::{
    furnish::{Person, text_of},
    harness::{Portal, ask, post},
};

/// A daemon on a free port of this machine, in dry run.
pub(crate) struct Router {
    folder: TempDir,
    made: Made,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Router {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = keygen::generate(&folder.path().join("routerd")).expect("makes its keys");
        let mut router = Self {
            folder,
            made,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
        };
        router.edit("backend = \"nft\"", "backend = \"dry-run\"");
        router.edit("0.0.0.0:9999", "127.0.0.1:0");
        router.resume().await;
        router.edit("127.0.0.1:0", &router.address.to_string());
        router
    }

    /// Starts it again on the port it had.
    pub(crate) async fn resume(&mut self) {
        let config = Config::load(&self.config_path()).expect("its own configuration");
        let daemon = Daemon::bind(config, Arc::new(SystemClock))
            .await
            .expect("binds");
        self.address = daemon.local_addr();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(daemon.serve(async { drop(stopped.await) }));
        self.running = Some((stop, task));
    }

    pub(crate) async fn stop(&mut self) {
        let (stop, task) = self.running.take().expect("it runs");
        stop.send(()).expect("it listens to us");
        task.await.expect("it ends");
    }

    fn config_path(&self) -> std::path::PathBuf {
        self.folder.path().join("routerd/routerd.toml")
    }

    /// Replaces a text in the configuration that `keygen` wrote.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.config_path()).expect("reads");
        assert!(text.contains(from), "{from} is part of the configuration");
        std::fs::write(self.config_path(), text.replace(from, to)).expect("writes");
    }

    /// The portal's entry for it.
    pub(crate) fn entry(&self, name: &str) -> Value {
        entry(name, self.address, &self.made)
    }

    /// Loses what it wrote down, like a router whose flash was replaced.
    pub(crate) fn forget(&self) {
        let state = self.folder.path().join("routerd/state");
        std::fs::remove_dir_all(state).expect("it wrote something down");
    }

    /// Ends all its sessions behind the portal's back.
    pub(crate) async fn flush(&self) {
        let link = Link {
            address: self.address.to_string(),
            cert_sha256: self.made.cert_sha256,
            api_key: self.made.api_key.clone(),
            aes_key: self.made.aes_key.clone(),
        };
        let stamp = Stamp {
            ts_ms: gatehouse_core::ports::Clock::now_ms(&PortalClock).unsigned_abs(),
            random: random_bytes(&SystemRng),
        };
        let flushed = exchange(&link, Command::Flush, stamp).await;
        flushed.expect("it obeys");
    }

    /// How many sessions the daemon itself says it holds.
    pub(crate) async fn holds(&self, portal: &Portal, admin: &Person, router_id: &str) -> Value {
        let path = format!("/api/v1/routers/{router_id}/test");
        let found = portal
            .send(post(&path).cookie(&admin.cookie))
            .await
            .expect(200);
        assert_eq!(found["reachable"], true, "{found}");
        found["sessions"].clone()
    }
}

/// The entry of a daemon that is down: its port was free a moment ago.
pub(crate) async fn dead_router(name: &str) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let made = keygen::generate(&folder.path().join("routerd")).expect("makes its keys");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    entry(name, address, &made)
}

fn entry(name: &str, address: SocketAddr, made: &Made) -> Value {
    let pin = hex::encode(made.cert_sha256);
    json!({
        "name": name, "address": address.to_string(), "api_key": made.api_key,
        "aes_key": made.aes_key, "cert_sha256": pin, "protocol": 2,
    })
}

impl Portal {
    pub(crate) async fn add_router(&self, admin: &Person, entry: &Value) -> String {
        let request = post("/api/v1/routers").json(entry).cookie(&admin.cookie);
        text_of(&self.send(request).await.expect(201), "id").to_owned()
    }

    /// Adds a service on a public port and grants it to these people; answers its id.
    pub(crate) async fn add_service(
        &self,
        admin: &Person,
        router_id: &str,
        public_port: u16,
        granted_to: &[&Person],
    ) -> String {
        let new = json!({
            "name": format!("Service {public_port}"), "router_id": router_id,
            "lan_ip": "192.168.1.50", "lan_port": 80, "public_port": public_port,
            "default_minutes": 30, "max_minutes": 60, "url_path": "/web",
        });
        let request = post("/api/v1/services").json(&new).cookie(&admin.cookie);
        let service = text_of(&self.send(request).await.expect(201), "id").to_owned();
        let users: Vec<_> = granted_to.iter().map(|person| person.id).collect();
        let grants = ask("PUT", &format!("/api/v1/services/{service}/grants"));
        let grants = grants
            .json(&json!({ "users": users }))
            .cookie(&admin.cookie);
        self.send(grants).await.expect(200);
        service
    }
}

pub(crate) fn open(person: &Person, service_id: &str, minutes: &Value) -> crate::harness::Ask {
    let wish = json!({ "service_id": service_id, "minutes": minutes });
    post("/api/v1/sessions").json(&wish).cookie(&person.cookie)
}
