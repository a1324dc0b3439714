//! Access sessions while nobody clicks: they end, whatever else happens.

use std::sync::Arc;

use gatehouse_types::access::{
    OpenSession,
    SessionState::{Closed, Closing, Failed, Open, Pending},
};
use tokio::{sync::oneshot::Sender, time::sleep};

use crate::{
    hand_router::HandRouter,
    house::{GLANCE, House, MINUTE_MS},
};

#[tokio::test]
async fn a_session_ends_when_its_time_is_over_and_says_when_that_was() {
    let house = House::new().await;
    let session = house.open(5).await.expect("opens");
    assert_eq!(house.router.rules(), [(session.id, 300)]);
    house.pass_ms(5 * MINUTE_MS - 1);
    house.keep().await;
    assert_eq!(house.state(&session).await, (Open, None));
    house.pass_ms(20_001);
    house.keep().await;
    assert_eq!(
        house.state(&session).await,
        (Closed, Some("expired".to_owned()))
    );
    let ended = house
        .portal
        .access
        .session(&house.owner, session.id)
        .await
        .expect("is there");
    assert_eq!(
        ended.finished_at,
        Some(session.expires_at),
        "the true end, not when it was noticed"
    );
    let again = house.open(5).await.expect("opens anew");
    assert_ne!(again.id, session.id);
}

#[tokio::test]
async fn an_extended_session_ends_at_its_new_end() {
    let house = House::new().await;
    let session = house.open(5).await.expect("opens");
    house.pass_ms(4 * MINUTE_MS);
    house
        .portal
        .access
        .extend(&house.owner, session.id, 30)
        .await
        .expect("extends");
    assert_eq!(house.router.rules(), [(session.id, 1800)]);
    house.pass_ms(10 * MINUTE_MS);
    house.keep().await;
    assert_eq!(house.state(&session).await, (Open, None));
    house.pass_ms(20 * MINUTE_MS);
    house.keep().await;
    assert_eq!(
        house.state(&session).await,
        (Closed, Some("expired".to_owned()))
    );
    let late = house
        .portal
        .access
        .extend(&house.owner, session.id, 5)
        .await;
    assert!(late.is_err(), "what is over cannot be extended");
}

#[tokio::test]
async fn an_expired_session_that_nobody_kept_yet_cannot_be_extended() {
    let house = House::new().await;
    let session = house.open(5).await.expect("opens");
    house.pass_ms(5 * MINUTE_MS);
    assert!(
        house
            .portal
            .access
            .extend(&house.owner, session.id, 5)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_click_right_at_the_end_opens_anew_instead_of_reviving() {
    let house = House::new().await;
    let old = house.open(5).await.expect("opens");
    house.pass_ms(5 * MINUTE_MS + 500);
    let new = house.open(5).await.expect("opens anew");
    assert_eq!(new.state, Open);
    assert_ne!(
        new.id, old.id,
        "the rule of the old one is gone from the kernel"
    );
}

#[tokio::test]
async fn closing_is_tried_until_the_router_is_back() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.router.set_away(true);
    house
        .portal
        .access
        .close(&house.owner, session.id)
        .await
        .expect("is marked");
    for _ in 0..3 {
        house.pass_ms(MINUTE_MS);
        house.keep().await;
        assert_eq!(
            house.state(&session).await,
            (Closing, Some("revoked".to_owned()))
        );
    }
    house.router.set_away(false);
    house.keep().await;
    assert_eq!(
        house.state(&session).await,
        (Closed, Some("revoked".to_owned()))
    );
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn closing_ends_with_the_sessions_time_when_the_router_never_comes_back() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.router.set_away(true);
    house
        .portal
        .access
        .close(&house.owner, session.id)
        .await
        .expect("is marked");
    house.pass_ms(30 * MINUTE_MS);
    house.keep().await;
    assert_eq!(
        house.state(&session).await,
        (Closed, Some("revoked".to_owned())),
        "the kernel ended the rule by itself"
    );
}

#[tokio::test]
async fn a_session_on_a_router_whose_keys_do_not_open_ends_with_its_time() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.lose_router_keys().await;
    let access = &house.portal.access;
    let closed = access.close(&house.owner, session.id).await;
    assert_eq!(closed.expect("is marked").state, Closing);
    house.keep().await;
    let revoked = Some("revoked".to_owned());
    assert_eq!(house.state(&session).await, (Closing, revoked.clone()));
    house.pass_ms(30 * MINUTE_MS);
    house.keep().await;
    assert_eq!(house.state(&session).await, (Closed, revoked));
}

#[tokio::test]
async fn a_router_whose_keys_do_not_open_is_like_one_that_does_not_answer() {
    let house = House::new().await;
    house.lose_router_keys().await;
    let access = &house.portal.access;
    access.reconcile().await.expect("goes on");
    let router = access.router(&house.admin, house.router_id).await;
    let health = router.expect("is there").health.expect("was asked");
    let told = health.detail.expect("tells why");
    assert!(!health.reachable && told.contains("enter them again"));
    let session = house.open(30).await.expect("answers");
    let unreachable = (Failed, Some("router_unreachable".to_owned()));
    assert_eq!(house.state(&session).await, unreachable);
}

#[tokio::test]
async fn a_portal_that_died_while_opening_leaves_no_rule_without_a_row() {
    let house = Arc::new(House::new().await);
    let _held = house.router.hold_next_answer();
    let dies = house.spawn_open();
    let left = house.wait_for_pending().await;
    while house.router.rules().is_empty() {
        sleep(GLANCE).await;
    }
    dies.abort();
    assert!(dies.await.is_err_and(|error| error.is_cancelled()));
    house.pass_ms(29_000);
    house.keep().await;
    assert_eq!(
        house.state(&left).await,
        (Pending, None),
        "a slow router is given its time"
    );
    house.pass_ms(2_000);
    house.keep().await;
    assert_eq!(
        house.state(&left).await,
        (Failed, Some("portal_stopped".to_owned()))
    );
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_session_that_is_closed_while_it_opens_leaves_no_open_door() {
    type Hold = fn(&HandRouter) -> Sender<()>;
    let holds: [Hold; 2] = [HandRouter::hold_next, HandRouter::hold_next_answer];
    for hold in holds {
        let house = Arc::new(House::new().await);
        let held = hold(&house.router);
        let opening = house.spawn_open();
        let pending = house.wait_for_pending().await;
        house.router.is_waited_for().await;
        house
            .portal
            .access
            .close(&house.owner, pending.id)
            .await
            .expect("closes");
        drop(held);
        let came_to = opening.await.expect("no panic").expect("answers");
        assert_eq!(came_to.state, Closed);
        assert_eq!(
            house.state(&pending).await,
            (Closed, Some("revoked".to_owned()))
        );
        assert_eq!(house.router.rules(), [], "what came late went out again");
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_no_rule_behind_without_its_row() {
    let house = House::new().await;
    house.router.lose_answers();
    let session = house.open(30).await.expect("answers");
    let closing = (Closing, Some("router_unreachable".to_owned()));
    assert_eq!(house.state(&session).await, closing);
    assert_eq!(house.router.rules().len(), 1, "the router obeyed");
    house.router.find_its_voice();
    house.keep().await;
    let failed = (Failed, Some("router_unreachable".to_owned()));
    assert_eq!(house.state(&session).await, failed);
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_router_that_fails_inside_keeps_no_rule_that_it_may_have_taken() {
    let house = House::new().await;
    house.router.fail_inside();
    let session = house.open(30).await.expect("answers");
    let failed = (Failed, Some("router_refused".to_owned()));
    assert_eq!(house.state(&session).await, failed);
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_rule_of_a_router_that_failed_inside_waits_for_the_keeper() {
    let house = Arc::new(House::new().await);
    house.router.fail_inside();
    let held = house.router.hold_next_answer();
    let opening = house.spawn_open();
    house.wait_for_pending().await;
    house.router.is_waited_for().await;
    house.router.set_away(true);
    drop(held);
    let session = opening.await.expect("no panic").expect("answers");
    let refused = Some("router_refused".to_owned());
    assert_eq!(house.state(&session).await, (Closing, refused.clone()));
    assert_eq!(house.router.rules().len(), 1, "nobody could take it away");
    house.router.set_away(false);
    house.keep().await;
    assert_eq!(house.state(&session).await, (Failed, refused));
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_prolongation_without_an_answer_keeps_the_later_end_in_the_books() {
    let house = House::new().await;
    let session = house.open(10).await.expect("opens");
    house.router.lose_answers();
    let extended = house.portal.access.extend(&house.owner, session.id, 60);
    extended.await.expect_err("the router did not answer");
    let now = house.portal.access.session(&house.owner, session.id).await;
    let end = now.expect("is there").expires_at;
    assert!(end > session.expires_at, "the rule may last until then");
}

#[tokio::test]
async fn a_prolongation_that_never_arrived_changes_nothing() {
    let house = House::new().await;
    let session = house.open(10).await.expect("opens");
    house.router.set_away(true);
    let extended = house.portal.access.extend(&house.owner, session.id, 60);
    extended.await.expect_err("the router is away");
    let now = house.portal.access.session(&house.owner, session.id).await;
    assert_eq!(now.expect("is there").expires_at, session.expires_at);
}

#[tokio::test]
async fn one_account_opens_32_sessions_and_no_more() {
    let house = House::new().await;
    for port in 9000..9033_u16 {
        let wish = OpenSession {
            service_id: house.add_service(port).await,
            minutes: None,
        };
        let opened = house.portal.access.open(&house.owner, &wish).await;
        match opened {
            Ok(_) => assert!(port < 9032, "the 33rd was opened"),
            Err(error) => assert!(
                port == 9032 && error.to_string().contains("32"),
                "{port}: {error}"
            ),
        }
    }
    assert_eq!(house.router.rules().len(), 32);
}
