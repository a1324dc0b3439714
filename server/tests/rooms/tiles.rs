//! Whether services answer: found out only for those who look, and not more often than it takes.

use std::{net::SocketAddr, sync::Arc};

use futures_util::FutureExt;
use gatehouse_core::{
    Actor,
    access::{LiveEvent, Subscription},
};
use gatehouse_types::access::{Reach, Service};
use uuid::Uuid;

use crate::house::{House, MINUTE_MS};

const SECOND_MS: i64 = 1000;

fn port() -> SocketAddr {
    "192.168.1.50:80".parse().expect("an address")
}

async fn look(house: &House, actor: &Actor) -> Vec<(Uuid, Reach, Option<i64>)> {
    let access = &house.portal.access;
    let services = access.list_services(actor).await.expect("lists");
    let known = access.look_at(&services);
    let state = |service: &Service| {
        let reach = known.get(&service.id);
        let state = reach.map_or(Reach::Unknown, |reach| reach.state);
        (service.id, state, reach.and_then(|reach| reach.latency_ms))
    };
    services.iter().map(state).collect()
}

async fn probe(house: &House) {
    let access = &house.portal.access;
    for round in access.due_probes().await.expect("the database answers") {
        access.probe(round).await;
    }
}

async fn listen(house: &House, services: bool) -> Subscription {
    let access = &house.portal.access;
    let subscribed = access.subscribe(&house.owner, services, None).await;
    subscribed.expect("there is room")
}

#[tokio::test]
async fn a_port_is_asked_about_while_somebody_looks_and_no_more_often_than_it_takes() {
    let house = House::new().await;
    probe(&house).await;
    assert_eq!(house.router.probed(), 0, "nobody looked");

    house.router.set_up(port(), 3);
    let id = house.service_id;
    assert_eq!(
        look(&house, &house.owner).await,
        [(id, Reach::Unknown, None)]
    );
    probe(&house).await;
    assert_eq!(look(&house, &house.owner).await, [(id, Reach::Up, Some(3))]);
    house.pass_ms(20 * SECOND_MS);
    look(&house, &house.owner).await;
    probe(&house).await;
    assert_eq!(house.router.probed(), 1, "what was found still holds");
    house.pass_ms(11 * SECOND_MS);
    probe(&house).await;
    assert_eq!(house.router.probed(), 2);
    house.pass_ms(MINUTE_MS);
    probe(&house).await;
    assert_eq!(house.router.probed(), 2, "nobody looks any more");
    house.pass_ms(5 * MINUTE_MS);
    assert_eq!(
        look(&house, &house.owner).await,
        [(id, Reach::Unknown, None)],
        "too long ago"
    );
}

#[tokio::test]
async fn a_hundred_looks_at_once_are_one_question() {
    let house = Arc::new(House::new().await);
    for _ in 0..100 {
        look(&house, &house.owner).await;
    }
    let access = &house.portal.access;
    let rounds = access.due_probes().await.expect("the database answers");
    assert_eq!(rounds.len(), 1);
    let meanwhile = access.due_probes().await.expect("the database answers");
    assert!(meanwhile.is_empty(), "it is being asked");
    for round in rounds {
        access.probe(round).await;
    }
    assert_eq!(house.router.probed(), 1);
    assert_eq!(
        look(&house, &house.owner).await,
        [(house.service_id, Reach::Down, None)]
    );
}

#[tokio::test]
async fn of_a_silent_router_nothing_is_known_and_it_is_asked_once() {
    let house = House::new().await;
    house.add_service(8002).await;
    house.router.set_up(port(), 3);
    look(&house, &house.owner).await;
    probe(&house).await;
    let all = |state: Reach, found: Vec<(Uuid, Reach, Option<i64>)>| {
        found.len() == 2 && found.iter().all(|(_, found, _)| *found == state)
    };
    assert!(all(Reach::Up, look(&house, &house.owner).await));

    house.router.set_away(true);
    // Somebody else speaks to it, and no answer comes.
    let tested = house
        .portal
        .access
        .test_router(&house.admin, house.router_id)
        .await;
    assert!(!tested.expect("tests").reachable);
    assert!(
        all(Reach::Unknown, look(&house, &house.owner).await),
        "at once, and not when it is asked again"
    );
    let asked = house.router.probed();
    let mut listener = listen(&house, true).await;
    probe(&house).await;
    assert_eq!(house.router.probed(), asked, "its silence is known");
    let told = listener.next().now_or_never().flatten();
    assert!(matches!(told, Some(LiveEvent::Services(told)) if told.len() == 2));
}

#[tokio::test]
async fn an_original_daemon_leaves_it_unknown() {
    let house = House::new().await;
    house.router.become_original();
    house.router.set_up(port(), 3);
    look(&house, &house.owner).await;
    probe(&house).await;
    assert_eq!(
        look(&house, &house.owner).await,
        [(house.service_id, Reach::Unknown, None)]
    );
}

#[tokio::test]
async fn news_reach_those_who_want_them_and_may_know() {
    let house = House::new().await;
    let mine = house.service_id;
    let foreign = house.add_service(8003).await;
    let nobody = gatehouse_types::access::Grants { users: Vec::new() };
    let granted = house
        .portal
        .access
        .set_grants(&house.admin, foreign, &nobody);
    granted.await.expect("grants");
    let mut listener = listen(&house, true).await;
    let mut other = listen(&house, false).await;
    look(&house, &house.admin).await;
    probe(&house).await;
    let told = match listener.next().now_or_never().flatten() {
        Some(LiveEvent::Services(told)) => told,
        other => panic!("{other:?}"),
    };
    let told: Vec<_> = told.iter().map(|reach| (reach.id, reach.state)).collect();
    assert_eq!(told, [(mine, Reach::Down)]);
    assert_eq!(other.next().now_or_never(), None);

    house.pass_ms(31 * SECOND_MS);
    house
        .portal
        .access
        .look_on(&mut listener)
        .await
        .expect("looks");
    probe(&house).await;
    assert_eq!(listener.next().now_or_never(), None, "nothing new");
}
