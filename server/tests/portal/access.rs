//! Opening a service: one address, one service, until then, through a real daemon.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    daemon::{Router, dead_router, open},
    furnish::{Person, text_of},
    harness::{Portal, ask, get, post},
};

pub(crate) struct House {
    pub(crate) portal: Portal,
    pub(crate) admin: Person,
    pub(crate) owner: Person,
    pub(crate) router: Router,
    pub(crate) router_id: String,
    pub(crate) service: String,
}

impl House {
    pub(crate) async fn new() -> Self {
        Self::of(Portal::open().await, Router::start().await).await
    }

    /// An admin, an owner, and one service that is granted to the owner.
    pub(crate) async fn of(portal: Portal, router: Router) -> Self {
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

    pub(crate) async fn open(&self) -> Value {
        self.portal
            .send(open(&self.owner, &self.service, &json!(30)))
            .await
            .expect(201)
    }

    pub(crate) async fn held(&self) -> Value {
        self.router
            .holds(&self.portal, &self.admin, &self.router_id)
            .await
    }

    pub(crate) async fn session(&self, id: &str) -> Value {
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

/// The path and body that take a right away.
type Wish = fn(&House) -> (String, Value);

#[tokio::test]
async fn whatever_takes_the_right_away_closes_the_door() {
    let reasons: [(&str, &str, Wish); 6] = [
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
