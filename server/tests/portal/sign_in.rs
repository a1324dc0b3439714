//! Signing in: what a stranger may learn, and how often they may try.

use gatehouse_core::Actor;
use gatehouse_types::account::{Role, UserChange};
use http::HeaderMap;
use serde_json::{Value, json};

use crate::{
    furnish::{ADMIN, OWNER, PASSWORD, cookie_of},
    harness::{Answer, Portal, get, post},
};

/// What stays the same from request to request.
fn without_id(answer: &Answer) -> (u16, HeaderMap, Value) {
    let mut headers = answer.headers.clone();
    headers.remove("x-request-id");
    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.remove("request_id");
    }
    headers.remove("content-length");
    (answer.status.as_u16(), headers, body)
}

async fn api_login(portal: &Portal, user: &str, pass: &str) -> Answer {
    portal
        .send(post("/api/login").json(&json!({ "user": user, "pass": pass })))
        .await
}

#[tokio::test]
async fn a_stranger_cannot_tell_which_half_was_wrong_nor_that_an_account_is_disabled() {
    let portal = Portal::open().await;
    portal.admin().await;
    let gone = portal.person("gone@example.com", Role::Owner).await;
    let disabled = UserChange {
        disabled: Some(true),
        ..UserChange::default()
    };
    portal
        .installation
        .portal
        .change_user(&Actor::system(), gone.id, &disabled)
        .await
        .expect("disables");
    let wrong_password = without_id(&api_login(&portal, ADMIN, "wrong").await);
    assert_eq!(wrong_password.0, 401);
    for (user, pass) in [
        ("nobody@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
        ("", ""),
        ("nul\0l@example.com", PASSWORD),
        ("nobody@example.com", &"x".repeat(2000)),
    ] {
        assert_eq!(
            without_id(&api_login(&portal, user, pass).await),
            wrong_password,
            "{user:?}"
        );
    }
    let form = |answer: &Answer| answer.header("location").replace("%40", "@");
    let known = portal.sign_in(ADMIN, "wrong").await;
    let unknown = portal.sign_in("nix@example.com", "wrong").await;
    assert_eq!(
        form(&known),
        "/login?error=credentials&email=ada@example.com&next=%2F"
    );
    assert_eq!(
        form(&unknown),
        form(&known).replace(ADMIN, "nix@example.com")
    );
}

#[tokio::test]
async fn an_unknown_account_costs_as_much_time_as_a_wrong_password() {
    let portal = Portal::open().await;
    portal.admin().await;
    let timed = async |user: &'static str| {
        let started = std::time::Instant::now();
        api_login(&portal, user, "wrong")
            .await
            .refused(401, "unauthenticated");
        started.elapsed()
    };
    let (mut known, mut unknown) = (std::time::Duration::MAX, std::time::Duration::MAX);
    // One more would be refused without a look at the password.
    for _ in 0..6 {
        known = known.min(timed(ADMIN).await);
        unknown = unknown.min(timed("nobody@example.com").await);
        // Without a hash the answer takes a hundredth of one; other tests slow single answers down.
        if unknown * 3 > known && known * 3 > unknown {
            return;
        }
    }
    panic!("{known:?} against {unknown:?}");
}

#[tokio::test]
async fn spellings_of_an_address_are_one_account_and_one_counter() {
    let portal = Portal::open().await;
    portal.admin().await;
    for spelling in ["ADA@example.com", " ada@example.com ", "ａｄａ@example.com"] {
        assert_eq!(
            api_login(&portal, spelling, PASSWORD).await.status,
            200,
            "{spelling:?}"
        );
    }
    for spelling in [
        "ada@example.com",
        "Ada@Example.com",
        "ada@example.com ",
        "ＡＤＡ@example.com",
        "ada@EXAMPLE.com",
        "aDa@example.com",
    ] {
        api_login(&portal, spelling, "wrong")
            .await
            .refused(401, "unauthenticated");
    }
    let throttled = api_login(&portal, "adA@example.com", PASSWORD).await;
    throttled.refused(429, "too_many");
    assert!(
        throttled
            .header("retry-after")
            .parse::<u64>()
            .is_ok_and(|seconds| seconds >= 1)
    );
}

#[tokio::test]
async fn whoever_guesses_in_a_browser_is_told_on_the_page_when_to_try_again() {
    let portal = Portal::open().await;
    portal.admin().await;
    let guess = || {
        let form = [("email", ADMIN), ("password", "a guess"), ("next", "/me")];
        portal.send(post("/login").form(&form).header("accept-language", "es"))
    };
    for _ in 0..6 {
        assert_eq!(guess().await.status, 303);
    }
    let throttled = guess().await;
    assert_eq!(throttled.status, 429, "{}", throttled.text());
    let wait_s = throttled.header("retry-after").parse::<u64>();
    assert!(wait_s.is_ok_and(|seconds| seconds >= 1), "{throttled:?}");
    assert!(throttled.header("content-type").starts_with("text/html"));
    let page = throttled.text();
    for part in ["Demasiados intentos.", ADMIN, "value=\"/me\""] {
        assert!(page.contains(part), "{part} in {page}");
    }
    assert!(!page.contains("a guess"), "{page}");
}

#[tokio::test]
async fn an_overlong_address_does_not_come_back_in_a_url() {
    let portal = Portal::open().await;
    for (email_chars, is_repeated) in [(254, true), (255, false)] {
        let email = "x".repeat(email_chars);
        let repeated = if is_repeated { email.as_str() } else { "" };
        assert_eq!(
            portal.sign_in(&email, "wrong").await.header("location"),
            format!("/login?error=credentials&email={repeated}&next=%2F")
        );
    }
}

#[tokio::test]
async fn a_stranger_who_guesses_slows_only_themself_down() {
    let portal = Portal::open().await;
    portal.admin().await;
    let guess = |peer: &'static str| {
        let login = json!({ "user": ADMIN, "pass": "wrong" });
        portal.send(post("/api/login").json(&login).peer(peer))
    };
    let mut refused = 0;
    for _ in 0..20 {
        refused += u32::from(guess("198.51.100.9").await.status == 429);
    }
    assert!(refused >= 13, "{refused} of 20 guesses were slowed down");
    assert_eq!(
        api_login(&portal, ADMIN, PASSWORD).await.status,
        200,
        "the admin's own network is let in"
    );
}

#[tokio::test]
async fn a_password_of_a_mebibyte_is_refused_before_it_costs_anything() {
    let portal = Portal::open().await;
    portal.admin().await;
    api_login(&portal, ADMIN, &"x".repeat(1 << 20))
        .await
        .refused(413, "too_large");
    let form = portal.sign_in(ADMIN, &"x".repeat(3 << 20)).await;
    form.refused(413, "too_large");
    assert_eq!(portal.send(get("/livez")).await.status, 200);
}

#[tokio::test]
async fn passwords_in_nfc_and_nfd_are_one_and_emoji_are_welcome() {
    let portal = Portal::open().await;
    let new = gatehouse_types::account::NewUser {
        email: OWNER.into(),
        password: "el patio de jose\u{301} 🦀 llueve".into(),
        role: Role::Owner,
    };
    let identity = &portal.installation.portal.identity;
    identity
        .create_user(&Actor::system(), &new)
        .await
        .expect("makes it");
    let composed = api_login(&portal, OWNER, "el patio de jos\u{e9} 🦀 llueve").await;
    assert_eq!(composed.status, 200, "{}", composed.text());
    let cut = api_login(&portal, OWNER, "el patio de jos\u{e9} 🦀").await;
    cut.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_sign_in_never_leads_away_from_the_portal() {
    let portal = Portal::open().await;
    portal.admin().await;
    for evil in [
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "https://evil.example",
        "/\t/evil",
        "/a\r\nSet-Cookie: x=y",
    ] {
        let form = [("email", ADMIN), ("password", PASSWORD), ("next", evil)];
        let answer = portal.send(post("/login").form(&form)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/"),
            "{evil:?}"
        );
        let preference = [("theme", "dark"), ("back", evil)];
        let answer = portal.send(post("/preferences").form(&preference)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("location")),
            (303, "/"),
            "{evil:?}"
        );
    }
    let form = [
        ("email", ADMIN),
        ("password", PASSWORD),
        ("next", "/sessions?state=open"),
    ];
    let answer = portal.send(post("/login").form(&form)).await;
    assert_eq!(answer.header("location"), "/sessions?state=open");
}

#[tokio::test]
async fn two_browsers_that_race_for_the_set_up_make_one_admin() {
    let portal = Portal::open().await;
    let token = portal
        .installation
        .portal
        .identity
        .setup_token()
        .await
        .expect("asks")
        .expect("no account yet");
    let set_up = |email: &'static str| {
        let form = [
            ("token", token.as_str()),
            ("email", email),
            ("password", PASSWORD),
            ("repeat", PASSWORD),
        ];
        portal.send(post("/setup").form(&form))
    };
    let (one, other) = tokio::join!(set_up(ADMIN), set_up("eve@example.com"));
    let ways = [one.header("location"), other.header("location")];
    assert_eq!(
        ways.iter().filter(|way| way.starts_with("/login")).count(),
        1,
        "{ways:?}"
    );
    assert_eq!(
        ways.iter().filter(|way| **way == "/setup").count(),
        1,
        "{ways:?}"
    );
    let late = set_up("mal@example.com").await;
    assert_eq!(late.header("location"), "/setup");
    let sign_ins = [
        portal.sign_in(ADMIN, PASSWORD).await,
        portal.sign_in("eve@example.com", PASSWORD).await,
    ];
    assert_eq!(
        sign_ins
            .iter()
            .filter(|answer| cookie_of(answer).is_some())
            .count(),
        1
    );
    assert!(
        portal
            .installation
            .portal
            .identity
            .setup_token()
            .await
            .expect("asks")
            .is_none()
    );
}

#[tokio::test]
async fn a_failed_set_up_does_not_burn_the_link() {
    let portal = Portal::open().await;
    let token = portal
        .installation
        .portal
        .identity
        .setup_token()
        .await
        .expect("asks")
        .expect("no account yet");
    let set_up = |token: &str, password: &str, repeat: &str| {
        let form = [
            ("token", token),
            ("email", ADMIN),
            ("password", password),
            ("repeat", repeat),
        ];
        portal.send(post("/setup").form(&form))
    };
    assert_eq!(
        set_up("guessed", PASSWORD, PASSWORD)
            .await
            .header("location"),
        "/setup?error=setup_link"
    );
    let short = set_up(&token, "short", "short").await;
    assert!(
        short
            .header("location")
            .ends_with("error=invalid&field=password"),
        "{short:?}"
    );
    assert!(
        !short.header("location").contains("short&"),
        "no password in a URL"
    );
    let differ = set_up(&token, PASSWORD, "another one").await;
    assert!(
        differ
            .header("location")
            .ends_with("error=passwords_differ"),
        "{differ:?}"
    );
    assert!(
        set_up(&token, PASSWORD, PASSWORD)
            .await
            .header("location")
            .starts_with("/login")
    );
}
