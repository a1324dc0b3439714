//! The set-up page: what it says when it sets nothing up, and what a fault leaves behind.

use std::fs::OpenOptions;

use crate::{
    furnish::{ADMIN, PASSWORD},
    harness::{Portal, get, post},
    log::Log,
};

async fn printed_token(portal: &Portal) -> String {
    let token = portal.installation.portal.identity.setup_token().await;
    token.expect("asks").expect("no account yet")
}

#[tokio::test]
async fn who_comes_with_a_wrong_link_is_told_how_to_get_one() {
    let portal = Portal::open().await;
    for path in ["/setup", "/setup?token=guessed", "/setup?error=setup_link"] {
        let page = portal.send(get(path)).await;
        assert_eq!(page.status, 404, "{path}");
        let page = page.text();
        assert_eq!(page.matches("Restart the portal").count(), 1, "{path}");
        assert!(page.contains("gatehouse admin create"), "{path}");
        assert!(!page.contains("is set up"), "{path}");
    }
}

#[tokio::test]
async fn who_comes_after_the_set_up_is_told_so_and_sent_to_sign_in() {
    let portal = Portal::open().await;
    let token = printed_token(&portal).await;
    portal.admin().await;
    for path in ["/setup".to_owned(), format!("/setup?token={token}")] {
        let page = portal.send(get(&path)).await;
        assert_eq!(page.status, 404, "{path}");
        let page = page.text();
        assert!(page.contains("This portal is set up"), "{page}");
        assert!(page.contains("href=\"/login\""), "{page}");
        assert!(!page.contains("Restart the portal"), "{page}");
    }
}

#[tokio::test]
async fn a_refused_set_up_keeps_its_link_and_lets_an_overlong_address_go() {
    let portal = Portal::open().await;
    let token = printed_token(&portal).await;
    let address = "x".repeat(3000);
    let form = [
        ("token", &*token),
        ("email", &address),
        ("password", PASSWORD),
        ("repeat", PASSWORD),
    ];
    let answer = portal.send(post("/setup").form(&form)).await;
    assert_eq!(
        answer.header("location"),
        format!("/setup?token={token}&error=invalid&field=email")
    );
}

#[tokio::test]
async fn a_fault_during_the_set_up_is_logged_without_the_link() {
    let portal = Portal::open().await;
    let token = printed_token(&portal).await;
    let data = portal.folder.path().join("data");
    for file in ["gatehouse.db", "gatehouse.db-wal"] {
        let file = OpenOptions::new().write(true).open(data.join(file));
        file.and_then(|file| file.set_len(0)).expect("cuts it");
    }
    let form = [
        ("token", &*token),
        ("email", ADMIN),
        ("password", PASSWORD),
        ("repeat", PASSWORD),
    ];
    let (log, guard) = Log::listen();
    let answer = portal.send(post("/setup").form(&form)).await;
    drop(guard);
    assert!(
        answer.header("location").ends_with("error=internal"),
        "{answer:?}"
    );
    let log = log.text();
    let fault = log.lines().find(|line| line.contains("ERROR"));
    assert!(fault.is_some_and(|line| line.contains("cause=")), "{log}");
    for secret in [&token, ADMIN, PASSWORD] {
        assert!(!log.contains(secret), "{log}");
    }
}
