//! Opening a service: one address, one service, until then, through a real daemon.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    daemon::{Router, dead_router, open},
    furnish::{Person, text_of},
    harness::{Portal, ask, get, post},
};

struct House {
    portal: Portal,
    admin: Person,
    owner: Person,
    router: Router,
    router_id: String,
    service: String,
}

impl House {
    async fn new() -> Self {
        let (portal, router) = (Portal::open().await, Router::start().await);
        let (admin, owner) = (portal.admin().await, portal.owner().await);
        let router_id = portal.add_router(&admin, &router.entry("home")).await;
        let service = portal
            .add_service(&admin, &router_id, 8001, &[&owner])
            .await;
        Self {
            portal,
            admin,
            owner,
            router,
            router_id,
            service,
        }
    }

    async fn open(&self) -> Value {
        self.portal
            .send(open(&self.owner, &self.service, &json!(30)))
            .await
            .expect(201)
    }

    async fn held(&self) -> Value {
        self.router
            .holds(&self.portal, &self.admin, &self.router_id)
            .await
    }

    async fn session(&self, id: &str) -> Value {
        let path = format!("/api/v1/sessions/{id}");
        self.portal
            .send(get(&path).cookie(&self.owner.cookie))
            .await
            .expect(200)
    }
}

#[tokio::test]
async fn one_click_lets_the_address_that_asked_in_and_another_closes() {
    let house = House::new().await;
    let session = house.open().await;
    assert_eq!(session["state"], "open");
    assert_eq!(session["client_ip"], "203.0.113.7");
    assert_eq!(session["url"], "http://127.0.0.1:8001/web");
    assert_eq!(house.held().await, 1);
    let path = format!("/api/v1/sessions/{}", text_of(&session, "id"));
    let closed = house
        .portal
        .send(ask("DELETE", &path).cookie(&house.owner.cookie))
        .await
        .expect(200);
    assert_eq!(
        (&closed["state"], &closed["end_reason"]),
        (&json!("closed"), &json!("revoked"))
    );
    assert_eq!(closed["url"], Value::Null, "no link to what is closed");
    assert_eq!(house.held().await, 0);
    let again = house
        .portal
        .send(ask("DELETE", &path).cookie(&house.owner.cookie))
        .await
        .expect(200);
    assert_eq!(again, closed, "a second click changes no history");
    let extend = post(&format!("{path}/extend")).json(&json!({ "minutes": 5 }));
    house
        .portal
        .send(extend.cookie(&house.owner.cookie))
        .await
        .refused(409, "finished");
}

#[tokio::test]
async fn the_original_paths_do_the_same() {
    let house = House::new().await;
    let opened = post(&format!("/conn/req/{}", house.service)).cookie(&house.owner.cookie);
    let session = house.portal.send(opened).await.expect(201);
    let services = house
        .portal
        .send(get("/service/").cookie(&house.owner.cookie))
        .await
        .expect(200);
    assert_eq!(services["items"][0]["id"], house.service.as_str());
    let remove =
        post(&format!("/session/remove/{}", text_of(&session, "id"))).cookie(&house.owner.cookie);
    assert_eq!(
        house.portal.send(remove).await.expect(200)["state"],
        "closed"
    );
}

#[tokio::test]
async fn fifty_impatient_clicks_make_one_session() {
    let house = House::new().await;
    let clicks = join_all((0..50).map(|_| {
        house
            .portal
            .send(open(&house.owner, &house.service, &json!(30)))
    }))
    .await;
    let mut ids: Vec<String> = clicks
        .iter()
        .map(|answer| {
            assert!(
                matches!(answer.status.as_u16(), 200 | 201),
                "{}",
                answer.text()
            );
            text_of(&answer.json(), "id").to_owned()
        })
        .collect();
    ids.dedup();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        clicks.iter().filter(|answer| answer.status == 201).count(),
        1
    );
    assert_eq!(house.held().await, 1);
}

#[tokio::test]
async fn fifty_clicks_on_a_dead_router_are_fifty_clear_answers() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = portal.add_router(&admin, &dead_router("dead").await).await;
    let service = portal.add_service(&admin, &router, 8001, &[&owner]).await;
    for answer in join_all((0..50).map(|_| portal.send(open(&owner, &service, &json!(5))))).await {
        assert!(
            matches!(answer.status.as_u16(), 200 | 201),
            "{}",
            answer.text()
        );
        assert_ne!(answer.json()["state"], "open");
    }
}

#[tokio::test]
async fn minutes_that_make_no_sense_open_nothing() {
    let house = House::new().await;
    for minutes in [
        json!(0),
        json!(-1),
        json!(61),
        json!(1_000_000_000),
        json!(i64::MAX),
        json!(i64::MIN),
    ] {
        let answer = house
            .portal
            .send(open(&house.owner, &house.service, &minutes))
            .await;
        assert_eq!(
            answer.refused(422, "invalid")["field"],
            "minutes",
            "{minutes}"
        );
    }
    for minutes in [
        json!(1.5),
        json!("30"),
        json!(null),
        json!([30]),
        json!(1e30),
        json!(true),
    ] {
        house
            .portal
            .send(open(&house.owner, &house.service, &minutes))
            .await
            .refused(422, "invalid");
    }
    assert_eq!(house.held().await, 0);
    let session = house.open().await;
    let extend = |minutes: Value| {
        let path = format!("/api/v1/sessions/{}/extend", text_of(&session, "id"));
        house.portal.send(
            post(&path)
                .json(&json!({ "minutes": minutes }))
                .cookie(&house.owner.cookie),
        )
    };
    for minutes in [json!(0), json!(-5), json!(61), json!("5"), json!(1.5)] {
        extend(minutes).await.refused(422, "invalid");
    }
    let longer = extend(json!(60)).await.expect(200);
    assert!(text_of(&longer, "expires_at") > text_of(&session, "expires_at"));
}

#[tokio::test]
async fn a_click_on_an_open_service_prolongs_it_and_never_shortens_it() {
    let house = House::new().await;
    let first = house.open().await;
    let shorter = house
        .portal
        .send(open(&house.owner, &house.service, &json!(1)))
        .await
        .expect(200);
    assert_eq!(shorter, first);
    let longer = house
        .portal
        .send(open(&house.owner, &house.service, &json!(60)))
        .await
        .expect(200);
    assert_eq!(longer["id"], first["id"]);
    assert!(text_of(&longer, "expires_at") > text_of(&first, "expires_at"));
    assert_eq!(house.held().await, 1);
}

#[tokio::test]
async fn a_second_place_is_a_second_session() {
    let house = House::new().await;
    let home = house.open().await;
    let elsewhere = open(&house.owner, &house.service, &json!(30)).peer("198.51.100.20");
    let elsewhere = house.portal.send(elsewhere).await.expect(201);
    assert_ne!(home["id"], elsewhere["id"]);
    assert_eq!(elsewhere["client_ip"], "198.51.100.20");
    assert_eq!(house.held().await, 2);
}

#[tokio::test]
async fn whatever_takes_the_right_away_closes_the_door() {
    let reasons: [(&str, &str, fn(&House) -> (String, Value)); 6] = [
        ("PATCH", "user_disabled", |house| {
            (
                format!("/api/v1/users/{}", house.owner.id),
                json!({ "disabled": true }),
            )
        }),
        ("DELETE", "user_disabled", |house| {
            (format!("/api/v1/users/{}", house.owner.id), Value::Null)
        }),
        ("PUT", "service_removed", |house| {
            (
                format!("/api/v1/services/{}/grants", house.service),
                json!({ "users": [] }),
            )
        }),
        ("PATCH", "service_removed", |house| {
            (
                format!("/api/v1/services/{}", house.service),
                json!({ "lan_port": 81 }),
            )
        }),
        ("DELETE", "service_removed", |house| {
            (format!("/api/v1/services/{}", house.service), Value::Null)
        }),
        ("DELETE", "service_removed", |house| {
            (format!("/api/v1/routers/{}", house.router_id), Value::Null)
        }),
    ];
    for (method, reason, target) in reasons {
        let house = House::new().await;
        let session = house.open().await;
        let (path, body) = target(&house);
        let request = ask(method, &path).cookie(&house.admin.cookie);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = house.portal.send(request).await;
        assert!(
            answer.status.is_success(),
            "{method} {path}: {}",
            answer.text()
        );
        let path = format!("/api/v1/sessions/{}", text_of(&session, "id"));
        let ended = house
            .portal
            .send(get(&path).cookie(&house.admin.cookie))
            .await
            .expect(200);
        assert_eq!(
            (&ended["state"], &ended["end_reason"]),
            (&json!("closed"), &json!(reason)),
            "{method} {path}"
        );
        let other = house
            .portal
            .add_router(&house.admin, &house.router.entry("again"))
            .await;
        assert_eq!(
            house
                .router
                .holds(&house.portal, &house.admin, &other)
                .await,
            0,
            "{reason}"
        );
    }
}

#[tokio::test]
async fn an_admin_who_closes_for_somebody_is_named_as_such() {
    let house = House::new().await;
    let session = house.open().await;
    let path = format!("/api/v1/sessions/{}", text_of(&session, "id"));
    house
        .portal
        .send(ask("DELETE", &path).cookie(&house.admin.cookie))
        .await
        .expect(200);
    assert_eq!(
        house.session(text_of(&session, "id")).await["end_reason"],
        "revoked_by_admin"
    );
    let trail = get("/api/v1/audit?action=session").cookie(&house.admin.cookie);
    let trail = house.portal.send(trail).await.expect(200);
    let actions: Vec<&str> = trail["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|entry| text_of(entry, "action"))
        .collect();
    assert_eq!(actions, ["session.close", "session.open"]);
}

#[tokio::test]
async fn a_router_that_is_down_gives_a_failed_session_and_never_an_open_one() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let router = portal.add_router(&admin, &dead_router("dead").await).await;
    let service = portal.add_service(&admin, &router, 8001, &[&owner]).await;
    let session = portal
        .send(open(&owner, &service, &json!(5)))
        .await
        .expect(201);
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_unreachable"))
    );
    assert_eq!(session["url"], Value::Null);
    let form = post("/api/ui/open_session").form(&[("service_id", service.as_str())]);
    let answer = portal.send(form.cookie(&owner.cookie)).await;
    let page = answer.header("location").to_owned();
    assert!(page.starts_with("/sessions/"), "{page}");
    let page = portal.send(get(&page).cookie(&owner.cookie)).await;
    assert_eq!(page.status, 200);
    let test = post(&format!("/api/v1/routers/{router}/test")).cookie(&admin.cookie);
    let test = portal.send(test).await.expect(200);
    assert_eq!(test["reachable"], false, "{test}");
}

#[tokio::test]
async fn a_daemon_with_another_certificate_or_key_is_not_trusted() {
    let house = House::new().await;
    for (member, value) in [
        ("cert_sha256", "ab".repeat(32)),
        ("aes_key", "k".repeat(20)),
        ("api_key", "k".repeat(20)),
    ] {
        let mut entry = house.router.entry(member);
        entry[member] = value.into();
        let router = house.portal.add_router(&house.admin, &entry).await;
        let service = house
            .portal
            .add_service(&house.admin, &router, 8001, &[&house.owner])
            .await;
        let session = house
            .portal
            .send(open(&house.owner, &service, &json!(5)))
            .await
            .expect(201);
        assert_eq!(session["state"], "failed", "{member}");
        assert_eq!(session["end_reason"], "router_unreachable", "{member}");
    }
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn closing_waits_for_a_router_that_is_away() {
    let mut house = House::new().await;
    let session = house.open().await;
    let id = text_of(&session, "id").to_owned();
    house.router.stop().await;
    let path = format!("/api/v1/sessions/{id}");
    let closing = house
        .portal
        .send(ask("DELETE", &path).cookie(&house.owner.cookie))
        .await
        .expect(200);
    assert_eq!(
        (&closing["state"], &closing["end_reason"]),
        (&json!("closing"), &json!("revoked"))
    );
    let busy = house
        .portal
        .send(open(&house.owner, &house.service, &json!(5)))
        .await;
    busy.refused(409, "conflict");
    let extend = post(&format!("{path}/extend")).json(&json!({ "minutes": 5 }));
    house
        .portal
        .send(extend.cookie(&house.owner.cookie))
        .await
        .refused(409, "finished");
    let keep = || house.portal.installation.portal.access.keep();
    keep().await.expect("keeps");
    assert_eq!(house.session(&id).await["state"], "closing");
    house.router.resume().await;
    house
        .portal
        .installation
        .portal
        .access
        .keep()
        .await
        .expect("keeps");
    let closed = house.session(&id).await;
    assert_eq!(
        (&closed["state"], &closed["end_reason"]),
        (&json!("closed"), &json!("revoked"))
    );
}

#[tokio::test]
async fn extending_over_a_router_that_is_away_keeps_the_old_end() {
    let mut house = House::new().await;
    let session = house.open().await;
    house.router.stop().await;
    let path = format!("/api/v1/sessions/{}/extend", text_of(&session, "id"));
    let answer = house
        .portal
        .send(
            post(&path)
                .json(&json!({ "minutes": 60 }))
                .cookie(&house.owner.cookie),
        )
        .await;
    answer.refused(503, "unavailable");
    assert!(!answer.header("retry-after").is_empty());
    assert_eq!(house.session(text_of(&session, "id")).await, session);
}

#[tokio::test]
async fn shell_option_and_mask_tricks_reach_no_daemon() {
    let house = House::new().await;
    let service = json!({
        "name": "s", "router_id": house.router_id, "lan_ip": "192.168.1.9", "lan_port": 80, "public_port": 9000,
    });
    for (member, value) in [
        ("lan_ip", json!("1.1.1.1; reboot")),
        ("lan_ip", json!("192.168.1.4/00")),
        ("lan_ip", json!("-j ACCEPT")),
        ("lan_ip", json!("$(reboot)")),
        ("lan_ip", json!("127.0.0.1")),
        ("lan_ip", json!("0x7f.1")),
        ("lan_ip", json!("")),
        ("lan_port", json!(0)),
        ("lan_port", json!(65536)),
        ("lan_port", json!(-1)),
        ("lan_port", json!("80")),
        ("public_port", json!(22)),
        ("public_port", json!(65535)),
        ("url_path", json!("javascript:alert(1)")),
        ("url_path", json!("//evil")),
        ("icon", json!("<svg onload=1>")),
        ("protocol", json!("icmp")),
        ("kind", json!("shell")),
        ("name", json!("a\u{202e}b")),
        ("name", json!("")),
        ("max_minutes", json!(481)),
        ("default_minutes", json!(0)),
        ("wake", json!({})),
        ("router_id", json!("018f2b5c-0000-7000-8000-000000000001")),
    ] {
        let mut new = service.clone();
        new[member] = value.clone();
        let answer = house
            .portal
            .send(
                post("/api/v1/services")
                    .json(&new)
                    .cookie(&house.admin.cookie),
            )
            .await;
        assert_eq!(answer.status, 422, "{member} {value}: {}", answer.text());
    }
    for (member, value) in [
        ("address", "169.254.169.254:80"),
        ("address", "[fe80::1]:1"),
        ("address", "127.1:9999"),
        ("address", "http://x:1"),
        ("address", "x:1/../"),
        ("address", "user@x:1"),
        ("api_key", "short"),
        ("cert_sha256", "zz"),
        ("name", ""),
    ] {
        let mut entry = house.router.entry("odd");
        entry[member] = value.into();
        let answer = house
            .portal
            .send(
                post("/api/v1/routers")
                    .json(&entry)
                    .cookie(&house.admin.cookie),
            )
            .await;
        assert_eq!(answer.refused(422, "invalid")["field"], member, "{value}");
    }
    let outside = house.portal.send(
        ask("PATCH", &format!("/api/v1/services/{}", house.service))
            .json(&json!({ "lan_ip": "10.9.9.9" }))
            .cookie(&house.admin.cookie),
    );
    outside.await.expect(200);
    let session = house
        .portal
        .send(open(&house.owner, &house.service, &json!(5)))
        .await
        .expect(201);
    assert_eq!(
        (&session["state"], &session["end_reason"]),
        (&json!("failed"), &json!("router_refused")),
        "the daemon knows its LAN"
    );
    let private = open(&house.owner, &house.service, &json!(5)).peer("192.168.1.77");
    assert_eq!(
        house.portal.send(private).await.expect(201)["state"],
        "failed"
    );
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn a_routers_keys_never_come_back() {
    let house = House::new().await;
    let entry = house.router.entry("home");
    for request in [
        get("/api/v1/routers"),
        get(&format!("/api/v1/routers/{}", house.router_id)),
        get(&format!("/admin/routers/{}", house.router_id)),
        get("/api/v1/audit"),
    ] {
        let answer = house.portal.send(request.cookie(&house.admin.cookie)).await;
        assert_eq!(answer.status, 200);
        for key in ["api_key", "aes_key"] {
            assert!(!answer.text().contains(text_of(&entry, key)), "{key}");
        }
    }
    let database =
        std::fs::read(house.portal.folder.path().join("data/gatehouse.db")).expect("reads");
    let journal =
        std::fs::read(house.portal.folder.path().join("data/gatehouse.db-wal")).unwrap_or_default();
    let key = text_of(&entry, "aes_key").as_bytes();
    for file in [database, journal] {
        assert!(
            !file.windows(key.len()).any(|window| window == key),
            "keys are sealed in the database"
        );
    }
}
