//! What the portal has written down and what its routers hold become the same again.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use gatehouse_core::{Error, ports::router_link::Rule};
use gatehouse_types::{
    Timestamp,
    access::{
        AccessSession, RouterHealth,
        SessionState::{Closed, Open},
        Transport,
    },
};
use tokio::time::sleep;
use uuid::Uuid;

use crate::{
    hand_router::CLOCK_DIFFERENCE_MS,
    house::{GLANCE, HOME, House, MINUTE_MS, START_MS},
};

/// An id as the portal makes them, of no row.
const STRAY: Uuid = Uuid::from_u128(0x019a_a5e0_0000_7000_8000_0000_0000_0001);
const SILENCE: Duration = Duration::from_secs(5);

impl House {
    async fn reconcile(&self) {
        self.portal.access.reconcile().await.expect("reconciles");
    }

    /// Lets time pass for everybody.
    fn all_pass_ms(&self, by_ms: i64) {
        self.pass_ms(by_ms);
        self.router.pass_ms(by_ms);
    }

    async fn health(&self) -> Option<RouterHealth> {
        let router = self.portal.access.router(&self.admin, self.router_id);
        router.await.expect("is there").health
    }

    async fn shown(&self, session: &AccessSession) -> AccessSession {
        let shown = self.portal.access.session(&self.owner, session.id).await;
        shown.expect("is there")
    }
}

fn rule(session_id: Uuid) -> Rule {
    Rule {
        session_id,
        client_ip: IpAddr::from([203, 0, 113, 99]),
        public_port: 8001,
        lan_ip: IpAddr::from([192, 168, 1, 50]),
        lan_port: 80,
        transport: Transport::Tcp,
    }
}

#[tokio::test]
async fn a_rule_whose_row_is_over_or_missing_is_taken_away() {
    let house = House::new().await;
    let over = house.open(30).await.expect("opens");
    let access = &house.portal.access;
    access.close(&house.owner, over.id).await.expect("closes");
    let live = house.open(30).await.expect("opens anew");
    house.router.let_in(HOME, rule(over.id), 600);
    house.router.let_in(HOME, rule(STRAY), 600);
    house.reconcile().await;
    assert_eq!(house.router.rules(), [(live.id, 1800)]);
}

#[tokio::test]
async fn doors_of_an_original_portal_and_sessions_on_their_way_stay() {
    let house = Arc::new(House::new().await);
    let door = Uuid::from_u128(0x0123_4567_89ab_8def_8123_4567_89ab_cdef);
    house.router.let_in(HOME, rule(door), 600);
    let held = house.router.hold_next_answer();
    let opening = house.spawn_open();
    house.router.is_waited_for().await;
    let pending = house.wait_for_pending().await;
    house.reconcile().await;
    let mut ids: Vec<Uuid> = house.router.rules().iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [door, pending.id]);
    drop(held);
    let opened = opening.await.expect("no panic").expect("opens");
    assert_eq!(opened.state, Open);
}

#[tokio::test]
async fn an_open_session_whose_rule_was_lost_has_it_again_for_the_time_that_is_left() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    let before = house.router.held(session.id).expect("a rule").rule;
    house.all_pass_ms(10 * MINUTE_MS);
    house.router.lose_rules();
    house.reconcile().await;
    assert_eq!(house.router.rules(), [(session.id, 1200)]);
    let again = house.router.held(session.id).expect("a rule").rule;
    assert_eq!(again, before);
    house.all_pass_ms(20 * MINUTE_MS);
    house.reconcile().await;
    assert_eq!(house.router.rules(), [], "its time is over");
}

#[tokio::test]
async fn ends_and_routes_that_differ_are_set_right_and_others_left_alone() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    let right = house.router.held(session.id).expect("a rule").rule;
    let elsewhere = Rule {
        lan_port: 81,
        ..right
    };
    for (wrong, left_s) in [(right, 3600), (right, 60), (elsewhere, 1800)] {
        house.router.let_in(HOME, wrong, left_s);
        house.reconcile().await;
        let held = house.router.held(session.id).expect("a rule");
        assert_eq!((held.rule, held.remaining_ms), (right, 1_800_000));
    }
    let asked = house.router.asked();
    house.all_pass_ms(5 * MINUTE_MS);
    house.reconcile().await;
    assert_eq!(house.router.asked(), asked + 1, "it was only pinged");
    assert_eq!(house.shown(&session).await.expires_at, session.expires_at);
}

#[tokio::test]
async fn a_session_that_its_router_will_not_have_again_ends_with_that_reason() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.router.lose_rules();
    house.router.refuse();
    house.reconcile().await;
    let refused = (Closed, Some("router_refused".to_owned()));
    assert_eq!(house.state(&session).await, refused);
}

#[tokio::test]
async fn a_router_that_cannot_just_now_is_asked_again() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.router.lose_rules();
    house.router.set_busy(true);
    house.reconcile().await;
    assert_eq!(house.state(&session).await, (Open, None));
    let access = &house.portal.access;
    let prolonged = access.extend(&house.owner, session.id, 60).await;
    assert!(
        matches!(prolonged, Err(Error::Unavailable { .. })),
        "{prolonged:?}"
    );
    assert_eq!(house.shown(&session).await.expires_at, session.expires_at);
    house.router.set_busy(false);
    house.reconcile().await;
    assert_eq!(house.router.rules(), [(session.id, 1800)]);
}

#[tokio::test]
async fn a_session_that_is_closed_while_its_rule_is_set_right_leaves_no_open_door() {
    let house = Arc::new(House::new().await);
    let session = house.open(30).await.expect("opens");
    house.router.lose_rules();
    let held = house.router.hold_next();
    let reconciling = Arc::clone(&house);
    let reconciling = tokio::spawn(async move { reconciling.reconcile().await });
    house.router.is_waited_for().await;
    let access = &house.portal.access;
    access
        .close(&house.owner, session.id)
        .await
        .expect("closes");
    drop(held);
    reconciling.await.expect("no panic");
    assert_eq!(house.router.rules(), [], "what came late went out again");
    let revoked = (Closed, Some("revoked".to_owned()));
    assert_eq!(house.state(&session).await, revoked);
}

#[tokio::test]
async fn an_original_daemon_is_asked_for_nothing_that_it_cannot_tell() {
    let house = House::new().await;
    house.open(30).await.expect("opens");
    house.router.lose_rules();
    house.router.become_original();
    house.reconcile().await;
    assert_eq!(house.router.rules(), [], "nobody knows what it holds");
}

#[tokio::test]
async fn a_silent_router_holds_up_no_other() {
    let house = Arc::new(House::new().await);
    let other = "192.0.2.2:9999";
    house.add_router("yard", other).await;
    house.router.let_in(other, rule(STRAY), 600);
    house.router.fall_silent(SILENCE);
    let began = Instant::now();
    let reconciling = Arc::clone(&house);
    let reconciling = tokio::spawn(async move { reconciling.reconcile().await });
    while !house.router.rules().is_empty() {
        assert!(began.elapsed() < SILENCE, "the other router waits");
        sleep(GLANCE).await;
    }
    reconciling.await.expect("no panic");
    assert!(began.elapsed() < 2 * SILENCE, "it was waited for once");
}

#[tokio::test]
async fn what_went_through_a_session_stays_on_record() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    house.reconcile().await;
    assert_eq!(house.shown(&session).await.traffic_bytes, None);
    house.router.count(session.id, 7_000_000_000);
    house.reconcile().await;
    let traffic = house.shown(&session).await.traffic_bytes;
    assert_eq!(traffic, Some(7_000_000_000));
    house.router.count(session.id, 7_000_000_500);
    let access = &house.portal.access;
    let closed = access.close(&house.owner, session.id).await;
    let last = Some(7_000_000_500);
    assert_eq!(closed.expect("closes").traffic_bytes, last, "up to the end");
    house.reconcile().await;
    assert_eq!(house.shown(&session).await.traffic_bytes, last);
}

#[tokio::test]
async fn the_health_of_a_router_says_since_when() {
    let house = House::new().await;
    assert_eq!(house.health().await, None, "nobody asked it yet");
    house.reconcile().await;
    house.all_pass_ms(MINUTE_MS);
    house.open(5).await.expect("opens");
    let well = house.health().await.expect("was asked");
    assert!(well.reachable);
    assert_eq!(well.since, Timestamp(START_MS));
    assert_eq!(well.checked_at, Timestamp(START_MS + MINUTE_MS));
    assert_eq!(
        well.clock_difference_ms,
        Some(CLOCK_DIFFERENCE_MS),
        "the answer to a click tells no clock; the ping's stays"
    );
    assert_eq!(well.daemon_version.as_deref(), Some("1.2.3"));
    house.router.set_away(true);
    house.reconcile().await;
    house.all_pass_ms(MINUTE_MS);
    house.reconcile().await;
    let away = house.health().await.expect("was asked");
    assert!(!away.reachable);
    assert_eq!(away.since, Timestamp(START_MS + MINUTE_MS));
    assert_eq!(away.detail.as_deref(), Some("The router does not answer."));
    assert_eq!(away.clock_difference_ms, None);
    house.router.find_its_voice();
    let access = &house.portal.access;
    let tested = access.test_router(&house.admin, house.router_id).await;
    assert!(tested.expect("answers").reachable);
    let back = house.health().await.expect("was asked");
    assert_eq!(back.since, Timestamp(START_MS + 2 * MINUTE_MS));
    assert_eq!(back.detail, None);
}

#[tokio::test]
async fn a_router_that_refuses_one_session_is_well_all_the_same() {
    let house = House::new().await;
    house.reconcile().await;
    house.router.refuse();
    house.open(5).await.expect("answers");
    assert!(house.health().await.expect("was asked").reachable);
}
