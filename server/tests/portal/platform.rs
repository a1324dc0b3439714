//! What any HTTP client may send, over real sockets where the socket matters.

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Duration,
};

use crate::{
    furnish::{ADMIN, PASSWORD, PROJECT, text_of},
    harness::{Portal, ask, get, post},
    operations,
    socket::{halves, header_in, read_answer},
};

const IMAGE: &str = "/firmware/lamp/lamp-1.0.0.bin";

#[tokio::test]
async fn an_old_client_over_http_1_0_gets_length_and_bytes_and_the_end() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let bytes = portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let answer = served
        .talk(format!("GET {IMAGE} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes())
        .await;
    let (head, body) = halves(&answer);
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    assert_eq!(
        (header_in(&head, "content-length"), body),
        ("10000", &bytes[..])
    );
    assert_eq!(header_in(&head, "transfer-encoding"), "");

    let head_only = served
        .talk(
            format!("HEAD {IMAGE}?token={token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
    let (head, body) = halves(&head_only);
    assert_eq!(
        (header_in(&head, "content-length"), body.len()),
        ("10000", 0),
        "{head}"
    );
    assert!(served.stop().await);
}

#[tokio::test]
async fn one_connection_fetches_every_window_of_an_image() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let bytes = portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let mut fetched = Vec::new();
    for start in (0..bytes.len()).step_by(100) {
        let request = format!(
            "GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nRange: bytes={start}-{}\r\n\r\n",
            start + 99
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let (head, window) = read_answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        fetched.extend(window);
    }
    assert_eq!(fetched, bytes);
}

#[tokio::test]
async fn a_slow_reader_neither_holds_up_others_nor_loses_a_byte() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let bytes = crate::furnish::image(6_000_000);
    portal
        .upload(&admin, "1.0.0", bytes.clone())
        .await
        .expect(201);
    portal.publish(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = served.connect().await;
        let request = format!(
            "GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        slow.push(stream);
    }
    let quick = tokio::time::timeout(
        Duration::from_secs(2),
        served.talk(b"GET /livez HTTP/1.0\r\n\r\n"),
    )
    .await;
    assert!(
        quick
            .expect("answers beside a hundred stalled readers")
            .ends_with(b"ok\n")
    );
    let mut one = slow.pop().expect("a hundred");
    drop(slow);
    let mut whole = Vec::new();
    one.read_to_end(&mut whole).await.expect("reads on");
    assert!(halves(&whole).1 == bytes, "all of it");
}

#[tokio::test]
async fn a_file_that_is_cut_under_a_download_cuts_the_connection() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let bytes = crate::furnish::image(30_000_000);
    let release = portal
        .upload(&admin, "1.0.0", bytes.clone())
        .await
        .expect(201);
    portal.publish(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let request =
        format!("GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut received = vec![0; 100_000];
    stream.read_exact(&mut received).await.expect("it begins");
    let sha256 = text_of(&release, "sha256");
    let file = portal
        .folder
        .path()
        .join("data/blobs")
        .join(&sha256[..2])
        .join(sha256);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("opens it up");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .expect("opens")
        .set_len(1000)
        .expect("cuts it");
    // A reset is an end too; what must not come is the promised length.
    let _ = stream.read_to_end(&mut received).await;
    assert!(
        received.len() < bytes.len(),
        "{} bytes of a cut file",
        received.len()
    );
}

#[tokio::test]
async fn heads_and_methods_out_of_bounds_are_refused_on_the_wire() {
    let portal = Portal::open().await;
    let served = portal.listen().await;
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    assert!(
        served
            .talk(huge.as_bytes())
            .await
            .starts_with(b"HTTP/1.1 431")
    );
    let long_path = format!(
        "GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "a".repeat(70_000)
    );
    let answer = served.talk(long_path.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 414") || answer.starts_with(b"HTTP/1.1 431"));
    for method in ["TRACE", "CONNECT"] {
        let answer = served
            .talk(
                format!("{method} /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{method}");
    }
    let odd = served
        .talk(b"BREW /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        odd.starts_with(b"HTTP/1.1 405"),
        "{}",
        String::from_utf8_lossy(&odd)
    );
    let smuggled = served.talk(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        !String::from_utf8_lossy(&smuggled).contains("\"status\":\"ok\""),
        "no second answer to one request"
    );
    assert!(
        served
            .talk(b"GET /livez HTTP/1.0\r\n\r\n")
            .await
            .ends_with(b"ok\n")
    );
    assert!(served.stop().await);
}

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
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    const EVIL: &str = "\"></title></textarea><svg onload=1></script>{{7*7}}";
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
    assert!(csv.text().contains("\"\"><svg"), "quotes are doubled");
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
