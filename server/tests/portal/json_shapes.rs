//! The JSON bodies that programs rely on, as snapshots; what differs from run to run is masked.

use serde_json::{Value, json};

use crate::{
    daemon::{Router, open},
    furnish::{DEVICE, PROJECT, text_of},
    harness::{Portal, ask, get, post},
};

/// Replaces ids, times, tokens and ports by what they are.
fn masked(mut value: Value) -> Value {
    mask(&mut value);
    value
}

fn mask(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Object(members) => {
            members
                .iter_mut()
                .for_each(|(name, member)| match (name.as_str(), &*member) {
                    ("device_id" | "sub", Value::String(text)) if text == DEVICE => {}
                    (
                        "iat" | "exp" | "next_poll_s" | "latency_ms" | "clock_difference_ms",
                        Value::Number(_),
                    ) => *member = "(number)".into(),
                    (
                        "address" | "cert_sha256" | "token" | "target_token" | "kid" | "x" | "y"
                        | "thumbprint" | "pem" | "identity_pem" | "project_pem" | "cosigner_pem"
                        | "next_project_pem",
                        Value::String(_),
                    ) => *member = format!("({name})").into(),
                    _ => mask(member),
                });
        }
        Value::String(text) => {
            if uuid::Uuid::try_parse(text).is_ok() && text != DEVICE {
                *text = "(uuid)".into();
            } else if text.len() == 24 && text.ends_with('Z') && text.contains('T') {
                *text = "(time)".into();
            }
        }
        _ => {}
    }
}

#[tokio::test]
async fn accounts() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let token =
        post("/api/login").json(&json!({ "user": admin.email, "pass": crate::furnish::PASSWORD }));
    let shown = json!({
        "POST /api/login": portal.send(token).await.expect(200),
        "GET /api/v1/me": portal.send(get("/api/v1/me").cookie(&admin.cookie)).await.expect(200),
        "GET /api/v1/me/logins": portal.send(get("/api/v1/me/logins").cookie(&admin.cookie).header("user-agent", "test")).await.expect(200),
        "GET /api/v1/users": portal.send(get("/api/v1/users?limit=1").cookie(&admin.cookie)).await.expect(200),
        "401": portal.send(get("/api/v1/me")).await.expect(401),
        "422": portal.send(post("/api/v1/users").cookie(&admin.cookie).json(&json!({ "email": "x", "password": "x", "role": "owner" }))).await.expect(422),
        "404": portal.send(get("/api/v1/users/018f2b5c-0000-7000-8000-000000000001").cookie(&admin.cookie)).await.expect(404),
    });
    insta::assert_json_snapshot!(masked(shown));
}

#[tokio::test]
async fn access() {
    let portal = Portal::open().await;
    let (admin, router) = (portal.admin().await, Router::start().await);
    let id = portal.add_router(&admin, &router.entry("home")).await;
    let service = portal.add_service(&admin, &id, 8001, &[&admin]).await;
    let session = portal
        .send(open(&admin, &service, &json!(5)))
        .await
        .expect(201);
    let remove =
        post(&format!("/session/remove/{}", text_of(&session, "id"))).cookie(&admin.cookie);
    let shown = json!({
        "GET /api/v1/routers": portal.send(get("/api/v1/routers").cookie(&admin.cookie)).await.expect(200),
        "POST /api/v1/routers/{id}/test": portal.send(post(&format!("/api/v1/routers/{id}/test")).cookie(&admin.cookie)).await.expect(200),
        "GET /api/v1/services": portal.send(get("/api/v1/services").cookie(&admin.cookie)).await.expect(200),
        "POST /api/v1/sessions": session,
        "GET /api/v1/sessions?state=open": portal.send(get("/api/v1/sessions?state=open").cookie(&admin.cookie)).await.expect(200),
        "POST /session/remove/{id}": portal.send(remove).await.expect(200),
    });
    insta::assert_json_snapshot!(masked(shown));
}

#[tokio::test]
async fn firmware() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "01.00.02").await;
    let made = portal.device_token(PROJECT).await;
    let token = text_of(&made, "token");
    let new_device = post("/api/v1/projects/lamp/devices")
        .json(&json!({ "name": "Kitchen", "attributes": { "floor": "1" } }));
    let shown = json!({
        "GET /api/v1/projects": portal.send(get("/api/v1/projects").cookie(&admin.cookie)).await.expect(200),
        "GET …/releases": portal.send(get("/api/v1/projects/lamp/releases").cookie(&admin.cookie)).await.expect(200),
        "POST …/devices": portal.send(new_device.cookie(&admin.cookie)).await.expect(201),
        "POST /admin/generate_token": made,
        "GET /api/v1/tokens": portal.send(get("/api/v1/tokens").cookie(&admin.cookie)).await.expect(200),
        "GET /api/v1/device/update": portal.send(get("/api/v1/device/update").bearer(token)).await.expect(200),
        "GET /firmware/lamp/latest": portal.send(get("/firmware/lamp/latest").bearer(token)).await.expect(200),
        "GET /firmware/lamp/versions": portal.send(get("/firmware/lamp/versions").bearer(token)).await.expect(200),
        "GET /api/v1/audit": portal.send(get("/api/v1/audit?action=token").cookie(&admin.cookie)).await.expect(200),
    });
    insta::assert_json_snapshot!(masked(shown));
}

#[tokio::test]
async fn manifests() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "01.00.02").await;
    let keys = "/api/v1/projects/lamp/keys";
    let by_admin = |method, path: &str| portal.send(ask(method, path).cookie(&admin.cookie));
    let shown = json!({
        "POST …/keys/rotate": by_admin("POST", &format!("{keys}/rotate")).await.expect(200),
        "GET …/keys": by_admin("GET", keys).await.expect(200),
        "POST …/keys/retire": by_admin("POST", &format!("{keys}/retire")).await.expect(200),
        "GET /api/v1/cosigner": by_admin("GET", "/api/v1/cosigner").await.expect(200),
    });
    insta::assert_json_snapshot!(masked(shown));
}
