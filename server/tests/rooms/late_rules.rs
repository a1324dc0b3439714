//! Commands that overtake each other on their way to a router: what comes in late goes out again.

use std::sync::Arc;

use gatehouse_core::Result;
use gatehouse_types::access::{
    AccessSession,
    SessionState::{Closed, Closing, Open},
};
use tokio::{task::JoinHandle, time::sleep};
use uuid::Uuid;

use crate::house::{GLANCE, House, MINUTE_MS};

#[tokio::test]
async fn a_rule_that_a_prolongation_left_too_long_goes_at_the_end_of_its_session() {
    let house = Arc::new(House::new().await);
    let session = house.open(5).await.expect("opens");
    let held = house.router.hold_next_answer();
    let shorter = spawn_extend(&house, session.id, 10);
    while house.router.rules() != [(session.id, 600)] {
        sleep(GLANCE).await;
    }
    let access = &house.portal.access;
    let longer = access.extend(&house.owner, session.id, 60).await;
    longer.expect("overtakes the first one's answer");
    drop(held);
    shorter.await.expect("no panic").expect("is answered late");
    assert_eq!(
        house.router.rules(),
        [(session.id, 3600)],
        "the router heard of the longer one last, the row of the shorter one"
    );
    house.pass_ms(10 * MINUTE_MS);
    house.keep().await;
    let expired = (Closed, Some("expired".to_owned()));
    assert_eq!(house.state(&session).await, expired);
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_rule_that_came_in_late_waits_for_the_keeper_while_the_router_is_away() {
    let house = Arc::new(House::new().await);
    let held = house.router.hold_next();
    let opening = house.spawn_open();
    let pending = house.wait_for_pending().await;
    house.router.is_waited_for().await;
    let access = &house.portal.access;
    let closed = access.close(&house.owner, pending.id).await;
    assert_eq!(
        closed.expect("closes").state,
        Closed,
        "nothing was let in yet"
    );

    let held_answer = house.router.hold_next_answer();
    drop(held);
    house.router.is_waited_for().await;
    assert_eq!(house.router.rules().len(), 1, "now something is");
    house.router.set_away(true);
    drop(held_answer);
    let came_to = opening.await.expect("no panic").expect("answers");
    assert_eq!(came_to.state, Closing);
    house.keep().await;
    let revoked = Some("revoked".to_owned());
    assert_eq!(house.state(&pending).await, (Closing, revoked.clone()));

    house.router.set_away(false);
    house.keep().await;
    assert_eq!(house.state(&pending).await, (Closed, revoked));
    assert_eq!(house.router.rules(), []);
}

#[tokio::test]
async fn a_rule_that_came_in_late_goes_though_the_service_was_opened_again() {
    let house = Arc::new(House::new().await);
    let held = house.router.hold_next();
    let opening = house.spawn_open();
    let first = house.wait_for_pending().await;
    house.router.is_waited_for().await;
    let access = &house.portal.access;
    let closed = access.close(&house.owner, first.id).await;
    closed.expect("closes");
    let second = house.open(30).await.expect("opens again");
    drop(held);
    let came_to = opening.await.expect("no panic").expect("answers");
    assert_eq!((came_to.id, came_to.state), (first.id, Closed));
    assert_eq!(house.router.rules(), [(second.id, 1800)]);
    assert_eq!(house.state(&second).await, (Open, None));
}

fn spawn_extend(house: &Arc<House>, id: Uuid, minutes: i64) -> JoinHandle<Result<AccessSession>> {
    let house = Arc::clone(house);
    tokio::spawn(async move { house.portal.access.extend(&house.owner, id, minutes).await })
}
