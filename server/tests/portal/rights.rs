//! Who may do what: every operation of the API, from every kind of visitor.

use gatehouse_types::account::Role;
use serde_json::json;
use uuid::Uuid;

use crate::{
    daemon::{self, open},
    furnish::{PROJECT, text_of},
    harness::{Portal, ask, get, post},
    operations::{self, For},
};

#[tokio::test]
async fn a_stranger_gets_401_from_every_operation_that_wants_somebody() {
    let portal = Portal::open().await;
    for operation in operations::all() {
        if operation.is_for() == For::Anyone {
            continue;
        }
        let answer = portal.send(operation.ask()).await;
        assert_eq!(answer.status, 401, "{}", operation.name());
        answer.refused(401, "unauthenticated");
        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer",
            "{}",
            operation.name()
        );
    }
}

#[tokio::test]
async fn an_owner_gets_403_from_everything_that_is_the_admins() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let owner = portal.owner().await;
    let token = portal.api_token(&owner.email).await;
    for operation in operations::all() {
        let answer = portal.send(operation.ask_as(&owner)).await;
        match operation.is_for() {
            For::Admins => {
                assert_eq!(
                    answer.status,
                    403,
                    "{}: {}",
                    operation.name(),
                    answer.text()
                );
                answer.refused(403, "forbidden");
                let by_token = portal.send(operation.ask().bearer(&token)).await;
                assert_eq!(by_token.status, 403, "{} by token", operation.name());
            }
            For::Devices => assert_eq!(answer.status, 401, "{}", operation.name()),
            For::Owners => assert_ne!(answer.status, 403, "{}", operation.name()),
            For::Anyone => {}
        }
    }
    let users = portal
        .send(get("/api/v1/users").cookie(&admin.cookie))
        .await
        .expect(200);
    assert_eq!(users["items"].as_array().map(Vec::len), Some(2), "{users}");
}

#[tokio::test]
async fn the_admin_pages_are_closed_to_owners_and_strangers() {
    let portal = Portal::open().await;
    let owner = portal.owner().await;
    for page in [
        "/admin/users",
        "/admin/routers",
        "/admin/tokens",
        "/admin/audit",
        "/admin/projects/x/upload",
    ] {
        let owners = portal.send(get(page).cookie(&owner.cookie)).await;
        assert_eq!(owners.status, 403, "{page}");
        let strangers = portal.send(get(page)).await;
        assert_eq!(strangers.status, 303, "{page}");
        assert!(
            strangers.header("location").starts_with("/login?next="),
            "{page}"
        );
    }
    portal
        .send(get("/admin/audit.csv").cookie(&owner.cookie))
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn what_belongs_to_somebody_else_does_not_exist() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let owner = portal.owner().await;
    let other = portal.person("cy@example.com", Role::Owner).await;
    let router = portal
        .add_router(&admin, &daemon::dead_router("r").await)
        .await;
    let service = portal.add_service(&admin, &router, 8001, &[&other]).await;
    let session = portal
        .send(open(&other, &service, &json!(5)))
        .await
        .expect(201);
    let session = text_of(&session, "id");
    let logins = portal
        .send(get("/api/v1/me/logins").cookie(&other.cookie))
        .await
        .expect(200);
    let login = text_of(&logins["items"][0], "id");
    for (method, path) in [
        ("GET", format!("/api/v1/sessions/{session}")),
        ("DELETE", format!("/api/v1/sessions/{session}")),
        ("POST", format!("/session/remove/{session}")),
        ("POST", format!("/api/v1/sessions/{session}/move")),
        ("DELETE", format!("/api/v1/me/logins/{login}")),
        ("GET", format!("/api/v1/users/{}/logins", other.id)),
        (
            "DELETE",
            format!("/api/v1/users/{}/logins/{login}", other.id),
        ),
        ("GET", format!("/api/v1/services/{service}")),
        ("GET", format!("/service/{service}")),
        ("POST", format!("/conn/req/{service}")),
    ] {
        let answer = portal.send(ask(method, &path).cookie(&owner.cookie)).await;
        answer.refused(404, "not_found");
    }
    let extend = post(&format!("/api/v1/sessions/{session}/extend")).json(&json!({ "minutes": 5 }));
    portal
        .send(extend.cookie(&owner.cookie))
        .await
        .refused(404, "not_found");
    portal
        .send(open(&owner, &service, &json!(5)))
        .await
        .refused(404, "not_found");
    for list in ["/api/v1/sessions", "/api/v1/services", "/service/"] {
        let seen = portal
            .send(get(list).cookie(&owner.cookie))
            .await
            .expect(200);
        assert_eq!(seen["items"], json!([]), "{list}");
    }
    let still = portal.send(get("/api/v1/me").cookie(&other.cookie)).await;
    assert_eq!(still.status, 200, "nobody ended the other's sign-in");
}

#[tokio::test]
async fn nobody_can_shut_all_admins_out() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let path = format!("/api/v1/users/{}", admin.id);
    for change in [json!({ "role": "owner" }), json!({ "disabled": true })] {
        let answer = portal
            .send(ask("PATCH", &path).json(&change).cookie(&admin.cookie))
            .await;
        answer.refused(409, "last_admin");
    }
    let removal = portal
        .send(ask("DELETE", &path).cookie(&admin.cookie))
        .await;
    removal.refused(409, "last_admin");
    assert_eq!(
        portal
            .send(get(&path).cookie(&admin.cookie))
            .await
            .expect(200)["role"],
        "admin"
    );
}

#[tokio::test]
async fn two_admins_who_demote_each_other_at_once_leave_one() {
    let portal = Portal::open().await;
    let (ada, bea) = (
        portal.admin().await,
        portal.person("bea@example.com", Role::Admin).await,
    );
    let demote = |whom: Uuid, by: &str| {
        let path = format!("/api/v1/users/{whom}");
        portal.send(
            ask("PATCH", &path)
                .json(&json!({ "role": "owner" }))
                .cookie(by),
        )
    };
    let (first, second) = tokio::join!(demote(bea.id, &ada.cookie), demote(ada.id, &bea.cookie));
    let went = [first.status.as_u16(), second.status.as_u16()];
    assert_eq!(
        went.iter().filter(|status| **status == 200).count(),
        1,
        "{went:?}"
    );
}

#[tokio::test]
async fn a_demoted_admin_is_an_owner_at_the_next_request() {
    let portal = Portal::open().await;
    let (ada, bea) = (
        portal.admin().await,
        portal.person("bea@example.com", Role::Admin).await,
    );
    let path = format!("/api/v1/users/{}", bea.id);
    portal
        .send(
            ask("PATCH", &path)
                .json(&json!({ "role": "owner" }))
                .cookie(&ada.cookie),
        )
        .await
        .expect(200);
    let answer = portal.send(get("/api/v1/users").cookie(&bea.cookie)).await;
    answer.refused(401, "unauthenticated");
}

#[tokio::test]
async fn members_that_would_raise_rights_are_refused_by_name() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let cases = [
        (
            "POST",
            "/api/login",
            json!({ "user": "a", "pass": "b", "role": "admin" }),
            "role",
        ),
        (
            "POST",
            "/api/v1/sessions",
            json!({ "service_id": Uuid::nil(), "ip_src": "198.51.100.1" }),
            "ip_src",
        ),
        (
            "POST",
            "/api/v1/sessions",
            json!({ "service_id": Uuid::nil(), "user_id": Uuid::nil() }),
            "user_id",
        ),
        (
            "POST",
            "/api/v1/projects",
            json!({ "name": "x", "id": Uuid::nil() }),
            "id",
        ),
        (
            "PATCH",
            "/api/v1/projects/lamp",
            json!({ "name": "fan" }),
            "name",
        ),
        (
            "POST",
            "/api/ack",
            json!({ "count": 1, "user": "eve" }),
            "user",
        ),
    ];
    for (method, path, body, field) in cases {
        let answer = portal
            .send(ask(method, path).json(&body).cookie(&admin.cookie))
            .await;
        assert_eq!(answer.refused(422, "invalid")["field"], field, "{path}");
    }
}
