//! What every operation owes: refusals of other bodies and methods, safe headers, text that stays text.

use serde_json::{Value, json};

use crate::{
    furnish::{ADMIN, PASSWORD, text_of},
    harness::{Portal, ask, get, post},
    operations,
};

#[tokio::test]
async fn bodies_of_another_kind_are_refused_by_every_operation_that_takes_json() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let document = serde_json::to_value(gatehouse_server::api::document()).expect("a document");
    let mut tried = 0;
    for operation in operations::all() {
        let described = &document["paths"][&operation.template][operation.method.to_lowercase()];
        let takes_json = described["requestBody"]["content"]["application/json"].is_object();
        if !takes_json
            || operation.template.starts_with("/api/v1/device/")
            || operation.template == "/admin/generate_token"
        {
            continue;
        }
        let needs_body = described["requestBody"]["required"] == true;
        tried += 1;
        let path = operation
            .template
            .replace("{project}", "lamp")
            .replace("{version}", "1.0.0");
        let path = ["{id}", "{device_id}"].iter().fold(path, |path, name| {
            path.replace(name, "018f2b5c-0000-7000-8000-000000000001")
        });
        let send = |kind: &str, body: &str| {
            let request = ask(&operation.method, &path)
                .cookie(&admin.cookie)
                .header("content-type", kind);
            portal.send(request.body(body.to_owned()))
        };
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/jsonp",
            "",
        ] {
            let answer = send(kind, "{}").await;
            assert_eq!(answer.status, 415, "{} as {kind}", operation.name());
            answer.refused(415, "unsupported_media_type");
        }
        let deep = "[".repeat(10_000);
        for body in [
            "",
            "{",
            "{\"a\":1e400}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{\"\\ud800\":1}",
            &deep,
        ] {
            if body.is_empty() && !needs_body {
                continue;
            }
            let answer = send("application/json", body).await;
            assert!(
                matches!(answer.status.as_u16(), 400 | 422),
                "{} with {body:.20}: {}",
                operation.name(),
                answer.status
            );
            assert_eq!(answer.header("content-type"), "application/problem+json");
        }
        send("application/json", "{\"no_such_member\":1}")
            .await
            .refused(422, "invalid");
        send("application/json", "[]").await.refused(422, "invalid");
        let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(70_000));
        send("application/json", &huge)
            .await
            .refused(413, "too_large");
    }
    assert!(tried > 12, "{tried} operations take JSON");
}

#[tokio::test]
async fn every_operation_refuses_methods_it_does_not_know() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for path in [
        "/api/v1/me",
        "/api/v1/users",
        "/api/login",
        "/livez",
        "/status",
        "/service/",
        "/admin/generate_token",
        "/preferences",
    ] {
        for method in ["PROPFIND", "OPTIONS", "TRACE"] {
            let answer = portal.send(ask(method, path).cookie(&admin.cookie)).await;
            assert_eq!(answer.status, 405, "{method} {path}");
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    portal
        .send(get("/pkg/nothing.js"))
        .await
        .refused(404, "not_found");
    for path in ["/api/v1/nothing", "/api/nothing", "/firmware/x"] {
        for method in ["GET", "POST", "DELETE"] {
            portal
                .send(ask(method, path).cookie(&admin.cookie))
                .await
                .refused(404, "not_found");
        }
    }
    let page = portal
        .send(get("/no/such/page").cookie(&admin.cookie))
        .await;
    assert_eq!(page.status, 404);
    assert!(page.header("content-type").starts_with("text/html"));
}

#[tokio::test]
async fn every_answer_tells_the_browser_what_to_refuse() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let router = portal
        .add_router(&admin, &crate::daemon::dead_router("r").await)
        .await;
    portal.add_service(&admin, &router, 8001, &[]).await;
    for path in [
        "/",
        "/login",
        "/account",
        "/admin/services",
        "/api/v1/me",
        "/api/docs",
        "/no/such/page",
        "/livez",
        "/firmware/x/y",
        "/favicon.ico",
    ] {
        let answer = portal.send(get(path).cookie(&admin.cookie)).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
        let policy = answer.header("content-security-policy");
        assert!(
            policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe-inline"),
            "{path}: {policy}"
        );
        assert!(!answer.header("x-request-id").is_empty(), "{path}");
        if answer.header("content-type").starts_with("text/html") {
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
    let nonce = |answer: &crate::harness::Answer| {
        let policy = answer.header("content-security-policy").to_owned();
        policy
            .split("'nonce-")
            .nth(1)
            .and_then(|rest| rest.split('\'').next())
            .map(str::to_owned)
    };
    let (one, other) = (
        portal.send(get("/").cookie(&admin.cookie)).await,
        portal.send(get("/").cookie(&admin.cookie)).await,
    );
    assert!(
        nonce(&one).is_some_and(|nonce| nonce.len() > 15),
        "a page has a nonce"
    );
    assert_ne!(
        nonce(&one),
        nonce(&other),
        "a nonce of its own for each page"
    );
}

#[tokio::test]
async fn what_people_write_comes_back_as_text_and_never_as_markup() {
    const EVIL: &str = "\"></title></textarea><svg onload=1></script>{{7*7}}";
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let new = json!({ "name": "lamp", "title": EVIL, "description": EVIL });
    portal
        .send(post("/api/v1/projects").json(&new).cookie(&admin.cookie))
        .await
        .expect(201);
    let device = post("/api/v1/projects/lamp/devices")
        .json(&json!({ "name": EVIL, "attributes": { "ssid": EVIL } }));
    let device = portal.send(device.cookie(&admin.cookie)).await.expect(201);
    let router = json!({ "name": EVIL });
    let entry = crate::daemon::dead_router("r").await;
    let router_id = portal.add_router(&admin, &entry).await;
    portal
        .send(
            ask("PATCH", &format!("/api/v1/routers/{router_id}"))
                .json(&router)
                .cookie(&admin.cookie),
        )
        .await
        .expect(200);
    let service = json!({ "name": EVIL, "description": EVIL, "router_id": router_id, "lan_ip": "192.168.1.9", "lan_port": 80, "public_port": 9000 });
    portal
        .send(
            post("/api/v1/services")
                .json(&service)
                .cookie(&admin.cookie),
        )
        .await
        .expect(201);
    let login = post("/api/login")
        .header("user-agent", EVIL)
        .json(&json!({ "user": ADMIN, "pass": PASSWORD }));
    portal.send(login).await.expect(200);
    let device_page = format!(
        "/admin/projects/lamp/devices/{}",
        text_of(&device, "device_id")
    );
    let router_page = format!("/admin/routers/{router_id}");
    let echoes = [
        "/login?email=%22%3E%3Csvg%20onload%3D1%3E&error=credentials&next=%2F%22%3E%3Csvg%20onload%3D1%3E",
        "/admin/users/new?email=%22%3E%3Csvg%20onload%3D1%3E&error=invalid&field=%22%3E%3Csvg%20onload%3D1%3E",
        "/%22%3E%3Csvg%20onload%3D1%3E",
        "/admin/audit?actor=%22%3E%3Csvg%20onload%3D1%3E",
    ];
    let pages = [
        "/",
        "/account",
        "/admin/projects",
        "/admin/projects/lamp",
        "/admin/routers",
        "/admin/services",
        "/admin/audit",
        &device_page,
        &router_page,
    ];
    for path in pages.iter().chain(&echoes) {
        let answer = portal.send(get(path).cookie(&admin.cookie)).await;
        assert!(
            matches!(answer.status.as_u16(), 200 | 303 | 404),
            "{path}: {}",
            answer.status
        );
        let html = answer.text();
        assert!(!html.contains("<svg onload"), "{path}");
    }
    for (path, text) in [
        ("/", EVIL),
        ("/account", EVIL),
        (device_page.as_str(), EVIL),
    ] {
        let html = portal.send(get(path).cookie(&admin.cookie)).await.text();
        assert!(
            html.contains("&lt;svg onload=1&gt;"),
            "{path} shows {text} as text"
        );
    }
    let csv = portal
        .send(get("/admin/audit.csv").cookie(&admin.cookie))
        .await;
    assert!(csv.header("content-type").starts_with("text/csv"));
    assert!(csv.text().contains("\"\"></title>"), "quotes are doubled");
}

#[tokio::test]
async fn no_answer_of_the_api_forgets_its_request_id() {
    let portal = Portal::open().await;
    let answer = portal.send(get("/api/v1/me")).await;
    let body: Value = answer.json();
    assert_eq!(text_of(&body, "request_id"), answer.header("x-request-id"));
    let chosen = portal
        .send(get("/api/v1/me").header("x-request-id", "chosen"))
        .await;
    assert_ne!(chosen.header("x-request-id"), "chosen");
}
