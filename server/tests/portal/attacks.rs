//! What strangers, owners and false daemons try; `docs/ATTACKS.md` names the test of every case.

mod address;
mod false_daemons;
mod link;
mod opening;
mod paths;
mod rights;
mod tokens;

use tracing::subscriber::DefaultGuard;

use crate::{
    access::House,
    furnish::{PASSWORD, Person},
    harness::{ADMIN_SECRET, Portal, get},
    log::Log,
};

/// The portal's log while it is attacked.
struct Watch {
    log: Log,
    guard: DefaultGuard,
}

impl Watch {
    fn begin() -> Self {
        let (log, guard) = Log::listen();
        Self { log, guard }
    }

    /// Insists that the portal lives, answered nothing with 5xx and told its log no secret, and
    /// answers the log.
    async fn end(self, portal: &Portal, secrets: &[&str]) -> String {
        let alive = portal.send(get("/livez")).await;
        assert_eq!((alive.status.as_u16(), alive.text().trim()), (200, "ok"));
        drop(self.guard);
        let log = self.log.text();
        assert!(log.contains("path=\"/livez\" status=200"), "{log}");
        for fault in [" status=5", "panicked", "ERROR"] {
            let line = log.lines().find(|line| line.contains(fault));
            assert_eq!(line, None, "{fault}");
        }
        for secret in secrets.iter().chain(&[PASSWORD, ADMIN_SECRET]) {
            let line = log.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "{secret} is in the log");
        }
        log
    }
}

impl Person {
    fn cookie_secret(&self) -> &str {
        self.cookie.split_once('=').expect("a pair").1
    }
}

impl House {
    async fn stands(&self, watch: Watch) -> String {
        let entry = self.router.entry("home");
        let secrets = [
            self.admin.cookie_secret(),
            self.owner.cookie_secret(),
            entry["api_key"].as_str().expect("a text"),
            entry["aes_key"].as_str().expect("a text"),
        ];
        watch.end(&self.portal, &secrets).await
    }
}
