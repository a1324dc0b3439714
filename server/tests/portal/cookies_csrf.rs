//! What another site can make a browser send, and cookies that are not as we made them.

use crate::{
    furnish::{OWNER, PASSWORD},
    harness::{Ask, PUBLIC_URL, Portal, ask, get, post},
    operations,
};

/// The paths of the server functions behind the forms, as they register themselves.
fn forms() -> Vec<&'static str> {
    let paths: Vec<&str> = leptos::server_fn::axum::server_fn_paths()
        .map(|(path, _)| path)
        .collect();
    assert!(paths.len() > 25, "{paths:?}");
    paths
}

fn from_elsewhere(ask: impl Fn() -> Ask) -> Vec<(&'static str, Ask)> {
    vec![
        (
            "another site",
            ask()
                .header("sec-fetch-site", "cross-site")
                .header("origin", "https://evil.example"),
        ),
        (
            "a sibling domain",
            ask()
                .header("sec-fetch-site", "same-site")
                .header("origin", "http://other.127.0.0.1:3000"),
        ),
        (
            "an old browser",
            ask().header("origin", "https://evil.example"),
        ),
        (
            "another port",
            ask().header("origin", "http://127.0.0.1:3001"),
        ),
        ("a sandbox", ask().header("origin", "null")),
        (
            "a sandbox that says so",
            ask()
                .header("sec-fetch-site", "cross-site")
                .header("origin", "null"),
        ),
    ]
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_change_anything() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for operation in operations::all()
        .into_iter()
        .filter(operations::Operation::changes)
    {
        for (from, request) in from_elsewhere(|| operation.ask_as(&admin)) {
            let answer = portal.send(request).await;
            assert_eq!(answer.status, 403, "{} from {from}", operation.name());
            answer.refused(403, "csrf");
        }
    }
    let mut posts: Vec<String> = [
        "/login",
        "/logout",
        "/setup",
        "/preferences",
        "/admin/projects/lamp/upload",
    ]
    .map(str::to_owned)
    .to_vec();
    posts.extend(forms().into_iter().map(str::to_owned));
    for path in posts {
        for (from, request) in from_elsewhere(|| post(&path).form(&[]).cookie(&admin.cookie)) {
            let answer = portal.send(request).await;
            assert_eq!(answer.status, 403, "{path} from {from}");
            answer.refused(403, "csrf");
        }
    }
    assert_eq!(
        portal
            .send(get("/api/v1/me").cookie(&admin.cookie))
            .await
            .status,
        200,
        "still signed in"
    );
}

#[tokio::test]
async fn the_portals_own_pages_and_programs_are_not_mistaken_for_another_site() {
    let second = "http://v4.gate.example";
    let portal = Portal::with(&[("GATEHOUSE_PUBLIC_URL_IPV4", second)]).await;
    let admin = portal.admin().await;
    let own = [
        post("/preferences").header("origin", second),
        post("/preferences").header("sec-fetch-site", "same-origin"),
        post("/preferences").header("origin", PUBLIC_URL),
        post("/preferences"),
    ];
    for request in own {
        let answer = portal
            .send(request.form(&[("theme", "dark")]).cookie(&admin.cookie))
            .await;
        assert_eq!(answer.status, 303, "{}", answer.text());
    }
}

#[tokio::test]
async fn a_text_plain_form_reaches_no_server_function() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for path in forms() {
        let sneaky = post(path)
            .header("content-type", "text/plain")
            .header("sec-fetch-site", "cross-site")
            .cookie(&admin.cookie)
            .body("email=eve@example.com&password=seven+quiet+herons+wade&role=admin&name=x");
        portal.send(sneaky).await.refused(403, "csrf");
    }
}

#[tokio::test]
async fn a_picture_or_link_to_a_form_changes_nothing() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let owner = portal.owner().await;
    for path in forms() {
        let query = format!(
            "{path}?id={}&user_id={}&email=x@example.com&name=x",
            owner.id, owner.id
        );
        for method in ["GET", "HEAD"] {
            let answer = portal.send(ask(method, &query).cookie(&admin.cookie)).await;
            assert!(
                matches!(answer.status.as_u16(), 404 | 405),
                "{method} {path}: {}",
                answer.status
            );
        }
    }
    let account = get(&format!("/api/v1/users/{}", owner.id)).cookie(&admin.cookie);
    assert_eq!(portal.send(account).await.expect(200)["email"], OWNER);
    for path in ["/logout", "/preferences"] {
        let answer = portal.send(get(path).cookie(&admin.cookie)).await;
        assert_eq!(answer.status, 405, "{path}");
    }
    assert_eq!(
        portal
            .send(get("/api/v1/me").cookie(&owner.cookie))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_cookie_that_is_not_exactly_ours_signs_nobody_in() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    let good = &admin.cookie;
    let last_altered = {
        let mut altered = good.clone();
        let last = altered.pop().expect("not empty");
        altered.push(if last == 'A' { 'B' } else { 'A' });
        altered
    };
    let bad = [
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        last_altered,
        good.to_uppercase(),
        "gatehouse=".to_owned(),
        "gatehouse=\"".to_owned(),
        format!("gatehouse={}", "A".repeat(8192)),
        format!("__Host-{good}"),
        format!("{good}; {}", owner.cookie),
        format!("{}; {good}", owner.cookie),
        format!("{good}%00"),
        ";;;=;gatehouse".to_owned(),
    ];
    for cookie in bad {
        let answer = portal.send(get("/api/v1/me").cookie(&cookie)).await;
        answer.refused(401, "unauthenticated");
        let page = portal.send(get("/").cookie(&cookie)).await;
        assert_eq!(page.header("location"), "/login", "{cookie:.60}");
    }
    let doubled = format!("{good}; theme=dark; {good}");
    assert_eq!(
        portal.send(get("/api/v1/me").cookie(&doubled)).await.status,
        200
    );
    let in_two_lines = get("/api/v1/me").cookie(good).cookie(&owner.cookie);
    portal
        .send(in_two_lines)
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_bad_token_never_falls_back_to_the_cookie() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for header in ["Bearer x", "Basic YWRhOng=", "Bearer", "x"] {
        let request = get("/api/v1/me")
            .cookie(&admin.cookie)
            .header("authorization", header);
        portal.send(request).await.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_this_host_and_hidden_from_scripts() {
    let portal = Portal::open().await;
    portal.owner().await;
    let front = portal
        .installation
        .front("https://gate.example.com")
        .expect("an origin");
    let conn = gatehouse_server::http::client_address::ConnInfo {
        peer: "203.0.113.7:5".parse().expect("an address"),
        tls: true,
    };
    let form = format!(
        "email=bo%40example.com&password={}",
        PASSWORD.replace(' ', "+")
    );
    let request = http::Request::post("/login")
        .header("host", "gate.example.com")
        .header("origin", "https://gate.example.com")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form.into())
        .expect("a request");
    let answer = front.answer(conn, request).await;
    let line = answer.headers()["set-cookie"].to_str().expect("text");
    assert!(line.starts_with("__Host-gatehouse="), "{line}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Secure", "Path=/"] {
        assert!(line.contains(attribute), "{line}");
    }
    assert!(!line.contains("Domain"), "{line}");
    assert!(answer.headers().contains_key("strict-transport-security"));
}
