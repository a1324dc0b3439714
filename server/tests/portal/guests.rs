//! The page of an invitation, for somebody without an account and without scripts.

use serde_json::json;

use crate::{
    access::House,
    furnish::text_of,
    harness::{Answer, Ask, ask, get, post},
    log::Log,
};

const GUEST_IP: &str = "198.51.100.4";

fn from_guest(ask: Ask) -> Ask {
    ask.peer(GUEST_IP)
}

impl House {
    /// Invites twice at the most and answers the secret of the link.
    async fn token(&self) -> String {
        let made = self.invitation().await;
        let (_, token) = text_of(&made, "link").split_once('=').expect("a link");
        token.to_owned()
    }

    async fn guest_page(&self, path: &str) -> Answer {
        self.portal.send(from_guest(get(path))).await
    }

    async fn guest_opens(&self, token: &str, minutes: &str) -> Answer {
        let form = post("/guest").form(&[("token", token), ("minutes", minutes)]);
        self.portal.send(from_guest(form)).await
    }

    async fn guest_closes(&self, token: &str, pass: &str) -> Answer {
        let form = post("/guest/close").form(&[("token", token), ("pass", pass)]);
        self.portal.send(from_guest(form)).await
    }
}

fn pass_in(location: &str) -> &str {
    let (_, rest) = location.split_once("pass=").expect("a pass");
    rest.split('&').next().expect("a value")
}

#[tokio::test]
async fn a_guest_reads_what_it_opens_opens_it_and_closes_it() {
    let house = House::new().await;
    let token = house.token().await;
    let link = format!("/guest?token={token}");
    let page = house.guest_page(&link).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("referrer-policy"), "strict-origin");
    assert_eq!(page.header("cache-control"), "no-store");
    let page = page.text();
    for part in [
        "Service 8001",
        "bo@example.com",
        GUEST_IP,
        "Everybody behind that address",
        "20 min",
    ] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(
        !page.contains("30 min") && !page.contains("Plumber"),
        "{page}"
    );
    assert!(
        !page.contains("type=\"module\""),
        "no wasm before it is open"
    );

    let opened = house.guest_opens(&token, "15").await;
    assert_eq!(opened.status, 303);
    let way = opened.header("location").to_owned();
    assert!(
        way.starts_with(&link) && way.ends_with("&ok=session_opened"),
        "{way}"
    );
    assert_eq!(house.held().await, 1);
    let shown = house.guest_page(&way).await.text();
    for part in [
        "http://127.0.0.1:8001/web",
        "127.0.0.1:8001",
        "action=\"/guest/close\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let sessions = get("/api/v1/sessions").cookie(&house.owner.cookie);
    let sessions = house.portal.send(sessions).await.expect(200);
    assert_eq!(sessions["items"][0]["client_ip"], GUEST_IP);
    assert_eq!(sessions["items"][0]["guest"]["label"], "Plumber");
    let owners = get("/sessions").cookie(&house.owner.cookie);
    assert!(
        house
            .portal
            .send(owners)
            .await
            .text()
            .contains("Guest: Plumber")
    );

    let back = house.guest_page(&link).await.text();
    let shows_only = "name=\"minutes\" value=\"0\"";
    assert!(back.contains(shows_only), "{back}");
    let again = house.guest_opens(&token, "0").await;
    let same = pass_in(again.header("location")).to_owned();
    let closed = house.guest_closes(&token, &same).await;
    let way = closed.header("location");
    assert!(way.ends_with("&ok=session_closed"), "{way}");
    assert_eq!(house.held().await, 0, "it was the same session");
    let shown = house.guest_page(way).await.text();
    assert!(
        shown.contains("Nobody gets in") && !shown.contains("http://127.0.0.1:8001"),
        "{shown}"
    );
    assert!(shown.contains(&format!("href=\"{link}\"")), "the way back");
}

#[tokio::test]
async fn the_page_speaks_the_guests_language() {
    let house = House::new().await;
    let link = format!("/guest?token={}", house.token().await);
    let spanish = get(&link).header("accept-language", "es-MX,es;q=0.9");
    let page = house.portal.send(from_guest(spanish)).await.text();
    assert!(
        page.contains("Tienes una invitación a Service 8001"),
        "{page}"
    );
    assert!(
        page.contains(&format!("name=\"back\" value=\"{link}\"")),
        "a choice keeps the link"
    );
}

#[tokio::test]
async fn a_wrong_link_is_not_found_and_one_that_is_over_says_why() {
    let house = House::new().await;
    let token = house.token().await;
    let overlong = "A".repeat(5_000);
    for wrong in [
        "",
        "?token=",
        "?token=x",
        "?token=%00",
        "?pass=x",
        &format!("?token={overlong}"),
    ] {
        let page = house.guest_page(&format!("/guest{wrong}")).await;
        assert_eq!(page.status, 404, "{wrong}");
        assert!(page.text().contains("This link does not work"), "{wrong}");
    }
    let wrong = house.guest_opens("wrong", "15").await;
    assert_eq!(wrong.header("location"), "/guest?token=wrong");

    let listed = get("/api/v1/invitations").cookie(&house.owner.cookie);
    let listed = house.portal.send(listed).await.expect(200);
    let path = format!("/api/v1/invitations/{}", text_of(&listed["items"][0], "id"));
    let revoked = ask("DELETE", &path).cookie(&house.owner.cookie);
    assert_eq!(house.portal.send(revoked).await.status, 204);
    let link = format!("/guest?token={token}");
    let page = house.guest_page(&link).await;
    assert_eq!(page.status, 410);
    assert!(page.text().contains("It was withdrawn"), "{}", page.text());
    let opened = house.guest_opens(&token, "15").await;
    assert_eq!(opened.header("location"), link);
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn who_tries_many_links_is_told_how_long_to_wait() {
    let house = House::new().await;
    let mut answers = Vec::new();
    for number in 0..12 {
        answers.push(
            house
                .guest_page(&format!("/guest?token=guess{number}"))
                .await,
        );
    }
    let last = answers.pop().expect("twelve");
    assert_eq!(last.status, 429, "{}", last.text());
    assert_eq!(last.header("retry-after"), "1");
    assert!(answers.iter().all(|answer| answer.status == 404));
    let token = house.token().await;
    let elsewhere = get(&format!("/guest?token={token}")).peer("192.0.2.9");
    assert_eq!(house.portal.send(elsewhere).await.status, 200);
}

#[tokio::test]
async fn who_opens_in_vain_again_and_again_is_told_to_wait() {
    let mut house = House::new().await;
    let token = house.token().await;
    house.router.stop().await;
    let mut answers = Vec::new();
    for _ in 0..7 {
        answers.push(house.guest_opens(&token, "15").await);
    }
    let last = answers.pop().expect("seven");
    assert_eq!(last.status, 429, "{}", last.text());
    assert_eq!(last.header("retry-after"), "1");
    assert_eq!(last.header("referrer-policy"), "strict-origin");
    let page = last.text();
    for part in ["Too many tries", "Service 8001", "action=\"/guest\""] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(answers.iter().all(|answer| answer.status == 303));
}

#[tokio::test]
async fn a_form_of_another_site_opens_and_closes_nothing() {
    let house = House::new().await;
    let token = house.token().await;
    for origin in ["https://evil.example", "null"] {
        for path in ["/guest", "/guest/close"] {
            let form = post(path).form(&[("token", &token), ("minutes", "15"), ("pass", "x")]);
            let answer = house
                .portal
                .send(from_guest(form).header("origin", origin))
                .await;
            answer.refused(403, "csrf");
        }
    }
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn bad_forms_open_nothing_and_burn_no_use() {
    let house = House::new().await;
    let token = house.token().await;
    for minutes in [
        "0",
        "-1",
        "21",
        "1e9",
        "1.5",
        "",
        "x",
        "99999999999999999999",
    ] {
        let refused = house.guest_opens(&token, minutes).await;
        let way = format!("/guest?token={token}&error=invalid&field=minutes");
        assert_eq!(refused.header("location"), way, "{minutes}");
        assert_eq!(house.guest_page(&way).await.status, 200);
    }
    let longer = house.guest_opens(&"x".repeat(100_000), "15").await;
    assert_eq!(longer.status, 413);
    let no_form = post("/guest").json(&json!({ "token": token, "minutes": 15 }));
    assert_eq!(house.portal.send(from_guest(no_form)).await.status, 400);
    assert_eq!(
        house
            .portal
            .send(from_guest(ask("PUT", "/guest")))
            .await
            .status,
        405
    );
    let listed = get("/api/v1/invitations").cookie(&house.owner.cookie);
    let listed = house.portal.send(listed).await.expect(200);
    assert_eq!(listed["items"][0]["uses"], 0);
    assert_eq!(house.held().await, 0);
}

#[tokio::test]
async fn an_address_in_the_form_is_not_let_in() {
    let house = House::new().await;
    let token = house.token().await;
    let form = [
        ("token", &*token),
        ("minutes", "15"),
        ("client_ip", "192.0.2.66"),
        ("ip_src", "192.0.2.66"),
    ];
    let form = post("/guest")
        .form(&form)
        .header("x-forwarded-for", "192.0.2.66");
    assert_eq!(house.portal.send(from_guest(form)).await.status, 303);
    let sessions = get("/api/v1/sessions").cookie(&house.owner.cookie);
    let sessions = house.portal.send(sessions).await.expect(200);
    assert_eq!(sessions["items"][0]["client_ip"], GUEST_IP);
}

#[tokio::test]
async fn neither_link_nor_pass_is_in_the_log() {
    let house = House::new().await;
    let token = house.token().await;
    let (log, guard) = Log::listen();
    house.guest_page(&format!("/guest?token={token}")).await;
    let opened = house.guest_opens(&token, "15").await;
    let pass = pass_in(opened.header("location")).to_owned();
    house.guest_page(opened.header("location")).await;
    house.guest_closes(&token, &pass).await;
    drop(guard);
    let log = log.text();
    assert!(
        log.contains("path=\"/guest\"") && log.contains("/guest/close"),
        "{log}"
    );
    assert!(!log.contains(&token) && !log.contains(&pass), "{log}");
}
