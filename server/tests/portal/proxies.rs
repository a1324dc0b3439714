//! Several portals behind nginx, Apache and HAProxy, with the very files of `deploy/proxies`.
//!
//! `cluster` starts two portals on one PostgreSQL database and one blob folder, `front` the proxy.

mod client;
mod cluster;
mod front;
mod handed_on;

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use self::{
    client::{Client, Heard},
    cluster::{Cluster, on_postgres},
    front::{Front, Kind},
};
use crate::{
    furnish::{ADMIN, DEVICE, PASSWORD, PROJECT, image, text_of},
    harness::ADMIN_SECRET,
};

const IMAGE: &str = "/firmware/lamp/lamp-1.1.0.bin";
/// Larger than what a portal keeps in memory.
const SIZE_BYTES: u32 = 5_000_000;
const PATIENCE: Duration = Duration::from_secs(30);
/// Where the visitor comes from: the proxy itself is at 127.0.0.1, which the portals trust.
const VISITOR: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_portals_behind_nginx_are_one_and_nginx_sends_the_files() {
    tell(Kind::Nginx, Some("x-accel-redirect")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_portals_behind_apache_are_one_and_apache_sends_the_files() {
    tell(Kind::Apache, Some("x-sendfile")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_portals_behind_haproxy_are_one() {
    tell(Kind::Haproxy, None).await;
}

async fn tell(kind: Kind, sendfile: Option<&'static str>) {
    let Some(program) = kind.program() else {
        println!("skipped: {} is not installed", kind.name());
        return;
    };
    on_postgres(move |database_url| async move {
        let cluster = Cluster::start(&database_url, sendfile);
        let front = Front::start(kind, &program, &cluster).await;
        let mut story = Story::begin(cluster, front).await;
        story.images_come_whole_and_in_windows().await;
        story.the_client_is_who_the_proxy_says().await;
        if let Some(header) = sendfile {
            story.only_the_proxy_learns_where_files_lie(header).await;
        }
        story.a_revoked_token_is_dead_on_both().await;
        story.one_portal_is_enough().await;
        story.no_token_is_in_the_proxys_log().await;
    })
    .await;
}

struct Story {
    cluster: Cluster,
    front: Front,
    proxy: Client,
    admin: String,
    token: String,
    jti: String,
}

impl Story {
    async fn begin(cluster: Cluster, front: Front) -> Self {
        let proxy = front.client(VISITOR);
        let login = json!({ "user": ADMIN, "pass": PASSWORD });
        let login = proxy.post("/api/login", &[], &login).await.json();
        let admin = format!("Authorization: Bearer {}", text_of(&login, "token"));
        let project = json!({ "name": PROJECT });
        let made = proxy.post("/api/v1/projects", &[&admin], &project).await;
        assert_eq!(made.status, 201, "{made:?}{}", front.log());
        let mut story = Self {
            cluster,
            front,
            proxy,
            admin,
            token: String::new(),
            jti: String::new(),
        };
        story.upload().await;
        story.take_token().await;
        story
    }

    async fn upload(&self) {
        self.know_of("/api/v1/projects/lamp").await;
        let release = "/api/v1/projects/lamp/releases/1.1.0";
        let bytes = image(SIZE_BYTES);
        let uploaded = self
            .proxy
            .send("PUT", release, &[&self.admin], &bytes)
            .await;
        assert_eq!(uploaded.status, 201, "{uploaded:?}");
        self.know_of(release).await;
        let publish = format!("{release}/publish");
        let published = self.proxy.send("POST", &publish, &[&self.admin], b"").await;
        assert_eq!(published.status, 200, "{published:?}");
        self.front.may_read(&self.cluster);
    }

    /// What one portal has made the other learns within a moment.
    async fn know_of(&self, path: &str) {
        self.wait_until_both(path, &self.admin, |heard| heard.status == 200)
            .await;
    }

    async fn take_token(&mut self) {
        let wish = json!({ "device_id": DEVICE, "project": PROJECT });
        let secret = format!("X-Admin-Secret: {ADMIN_SECRET}");
        let made = self
            .proxy
            .post("/admin/generate_token", &[&secret], &wish)
            .await
            .json();
        text_of(&made, "token").clone_into(&mut self.token);
        text_of(&made["payload"], "jti").clone_into(&mut self.jti);
        self.wait_until_both(IMAGE, &self.bearer(), |heard| heard.status == 200)
            .await;
    }

    fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// Asks both portals, past the proxy, until their answers please; answers how long that took.
    async fn wait_until_both(
        &self,
        path: &str,
        credential: &str,
        pleases: fn(&Heard) -> bool,
    ) -> Duration {
        let started = Instant::now();
        for portal in self.cluster.clients(VISITOR) {
            while !pleases(&portal.send("HEAD", path, &[credential], b"").await) {
                assert!(started.elapsed() < PATIENCE, "a portal never learns of it");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        started.elapsed()
    }

    async fn images_come_whole_and_in_windows(&self) {
        let (bytes, bearer) = (image(SIZE_BYTES), self.bearer());
        let mut etags = Vec::new();
        for path in [IMAGE, "/ota/esp-idf/lamp", "/ota/arduino/lamp", IMAGE] {
            let whole = self.proxy.get(path, &[&bearer]).await;
            assert_eq!(whole.status, 200, "{whole:?}");
            assert!(whole.body == bytes, "{path}: {} bytes", whole.body.len());
            for (name, value) in [
                ("content-length", "5000000"),
                ("content-type", "application/octet-stream"),
                (
                    "content-disposition",
                    "attachment; filename=\"lamp-1.1.0.bin\"",
                ),
                ("accept-ranges", "bytes"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "private"),
                ("content-encoding", ""),
                ("transfer-encoding", ""),
                ("x-accel-redirect", ""),
                ("x-sendfile", ""),
            ] {
                assert_eq!(whole.header(name), value, "{path}: {name} in {whole:?}");
                assert!(whole.times(name) <= 1, "{path}: {name} in {whole:?}");
            }
            assert_eq!(whole.header("x-md5").len(), 32, "{whole:?}");
            assert!(whole.header("last-modified").ends_with(" GMT"));
            etags.push(whole.header("etag").to_owned());
        }
        etags.dedup();
        assert_eq!(etags.len(), 1, "whoever sends it");
        assert_eq!(etags[0].len(), 66);
        let with_query = format!("{IMAGE}?token={}", self.token);
        assert!(self.proxy.get(&with_query, &[]).await.body == bytes);

        for (range, status, place) in [
            ("bytes=0-3", 206, "bytes 0-3/5000000"),
            (
                "bytes=4999000-5003095",
                206,
                "bytes 4999000-4999999/5000000",
            ),
            ("bytes=-5", 206, "bytes 4999995-4999999/5000000"),
            ("bytes=5000000-", 416, "bytes */5000000"),
            ("bytes=10-5", 416, "bytes */5000000"),
            ("bytes=0-1,5-9", 200, ""),
        ] {
            let line = format!("Range: {range}");
            let part = self.proxy.get(IMAGE, &[&bearer, &line]).await;
            assert_eq!(
                (part.status, part.header("content-range")),
                (status, place),
                "{range}"
            );
        }
        for (line, status) in [
            (format!("If-None-Match: {}", etags[0]), 304),
            ("If-None-Match: \"x\"".into(), 200),
            (format!("If-Match: {}", etags[0]), 200),
            ("If-Match: \"x\"".into(), 412),
        ] {
            let answer = self.proxy.get(IMAGE, &[&bearer, &line]).await;
            assert_eq!(answer.status, status, "{line}");
        }
        let head = self.proxy.send("HEAD", IMAGE, &[&bearer], b"").await;
        assert_eq!(
            (head.header("content-length"), head.body.len()),
            ("5000000", 0)
        );
        assert_eq!(self.proxy.get(IMAGE, &[]).await.status, 401);
    }

    async fn the_client_is_who_the_proxy_says(&self) {
        for forged in [
            "X-Forwarded-For: 203.0.113.66",
            "Forwarded: for=203.0.113.66",
        ] {
            let me = self.proxy.get("/api/v1/me", &[&self.admin, forged]).await;
            assert_eq!(me.json()["client_ip"], VISITOR.to_string(), "{forged}");
        }
    }

    async fn only_the_proxy_learns_where_files_lie(&self, header: &str) {
        let bearer = self.bearer();
        let proxys = self.cluster.clients(Ipv4Addr::LOCALHOST);
        for portal in proxys {
            let handed_over = portal
                .get(IMAGE, &[&bearer, "X-Forwarded-For: 203.0.113.7"])
                .await;
            assert_eq!((handed_over.status, handed_over.body.len()), (200, 0));
            assert!(
                handed_over.header(header).starts_with('/'),
                "{handed_over:?}"
            );
        }
        for portal in self.cluster.clients(VISITOR) {
            let sent = portal
                .get(IMAGE, &[&bearer, "X-Forwarded-For: 203.0.113.7"])
                .await;
            assert_eq!(sent.header(header), "");
            assert!(
                sent.body == image(SIZE_BYTES),
                "everybody else gets the bytes"
            );
        }
        // The place of the files is no place for visitors.
        let path = format!("/gatehouse-images/{}", self.cluster.blob_place());
        assert_ne!(self.proxy.get(&path, &[&bearer]).await.status, 200);
    }

    async fn a_revoked_token_is_dead_on_both(&mut self) {
        let path = format!("/api/v1/tokens/{}", self.jti);
        let [one, _] = self.cluster.clients(VISITOR);
        let revoked = one.send("DELETE", &path, &[&self.admin], b"").await;
        assert_eq!(revoked.status, 204, "{revoked:?}");
        let is_dead = |heard: &Heard| heard.status == 401;
        let took = self.wait_until_both(IMAGE, &self.bearer(), is_dead).await;
        println!("revoked on both after {} ms", took.as_millis());
        for _ in 0..4 {
            assert_eq!(self.proxy.get(IMAGE, &[&self.bearer()]).await.status, 401);
        }
        self.take_token().await;
    }

    async fn one_portal_is_enough(&mut self) {
        self.cluster.stop_one();
        let bearer = self.bearer();
        for _ in 0..6 {
            let answer = self
                .proxy
                .get("/ota/rauc/lamp", &[&bearer, "Range: bytes=0-3"])
                .await;
            assert_eq!(answer.status, 206, "{answer:?}");
        }
    }

    async fn no_token_is_in_the_proxys_log(&self) {
        let line = self.proxy.get("/livez?seen=yes", &[]).await;
        assert_eq!(line.status, 200);
        let deadline = Instant::now() + PATIENCE;
        while !self.front.log().contains("/livez") {
            assert!(
                Instant::now() < deadline,
                "the proxy keeps a log: {}",
                self.front.log()
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(
            !self.front.log().contains(&self.token),
            "a token is in the log"
        );
        assert!(
            !self.front.log().contains("?token="),
            "a token is in the log"
        );
    }
}

fn body_of(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
