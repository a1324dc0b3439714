//! A real `gatehouse-cosigner` beside the portal, over HTTP.

use std::{
    fs::{self, Permissions},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};

use axum::Router;
use gatehouse_core::ports::{Clock, Rng};
use gatehouse_cosigner::{Clock as HostClock, CoSigner, Portal as Trusted, Projects, Star, router};
use gatehouse_server::system::{SystemClock, SystemRng};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use uuid::Uuid;

/// Runs until it is stopped.
pub(crate) struct CoSignerHost {
    cosigner: Arc<CoSigner>,
    clock: HostClock,
    address: SocketAddr,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Ours.
pub(crate) fn right_time() -> i64 {
    SystemClock.now_ms()
}

impl CoSignerHost {
    /// Starts on a free port with the keys in `folder`, and trusts nobody else than it did.
    pub(crate) async fn start(folder: &Path) -> Self {
        // Others may look into a temporary folder, and a co-signer takes none such.
        fs::set_permissions(folder, Permissions::from_mode(0o700)).expect("closes it");
        let opened = CoSigner::open(folder, |bytes| SystemRng.fill(bytes));
        let mut host = Self {
            cosigner: Arc::new(opened.expect("opens")),
            clock: right_time,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
        };
        host.resume().await;
        host
    }

    /// Listens again where it did.
    pub(crate) async fn resume(&mut self) {
        let listener = TcpListener::bind(self.address).await.expect("binds");
        self.address = listener.local_addr().expect("an address");
        let routes = self.routes();
        let (stop, stopped) = oneshot::channel::<()>();
        let serving =
            axum::serve(listener, routes).with_graceful_shutdown(async { drop(stopped.await) });
        let task = tokio::spawn(async { serving.await.expect("serves") });
        self.running = Some((stop, task));
    }

    /// What it answers, without a way to it.
    pub(crate) fn routes(&self) -> Router {
        router(self.cosigner.clone(), self.clock)
    }

    pub(crate) async fn stop(&mut self) {
        let (stop, task) = self.running.take().expect("it runs");
        stop.send(()).expect("it listens to us");
        task.await.expect("it ends");
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Gives it another clock.
    pub(crate) async fn go_by(&mut self, clock: HostClock) {
        self.stop().await;
        self.clock = clock;
        self.resume().await;
    }

    /// Trusts a portal with everything, older releases too.
    pub(crate) fn trust(&self, identity_pem: &str) {
        self.trust_with(identity_pem, |_| {});
    }

    /// Trusts a portal with what is left after `change`.
    pub(crate) fn trust_with(&self, identity_pem: &str, change: impl FnOnce(&mut Trusted)) {
        let mut portal = Trusted {
            name: "the portal".to_owned(),
            key_pem: identity_pem.to_owned(),
            projects: Projects::Any(Star::Star),
            hours: None,
            per_hour: None,
            needs_approval: false,
            older_releases: true,
            plain_messages: false,
            trusted_at_ms: SystemClock.now_ms(),
            revoked_at_ms: None,
        };
        change(&mut portal);
        self.cosigner.trust(&portal).expect("trusts");
    }

    /// Lets whatever waits be signed, as somebody at its own terminal.
    pub(crate) fn approve_all(&self) {
        const NAME: &str = "Grace";
        const PASSWORD: &str = "nine slow otters swim";
        let (cosigner, now_ms) = (&self.cosigner, right_time());
        let added = cosigner.add_approver(NAME, PASSWORD, now_ms);
        added.expect("may approve");
        for (project_id, counter, _) in cosigner.pending().expect("lists") {
            let approved = cosigner.approve(project_id, counter, NAME, PASSWORD, now_ms);
            approved.expect("approves");
        }
    }

    pub(crate) fn revoke(&self, server_id: &str) {
        let server_id: Uuid = server_id.parse().expect("an id");
        let revoked = self.cosigner.revoke(server_id, SystemClock.now_ms());
        revoked.expect("was trusted");
    }
}
