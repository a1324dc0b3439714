//! Who hears of what, and that nothing is lost between.

use futures_util::FutureExt;
use gatehouse_core::{
    Actor, Error,
    access::{LiveEvent, Subscription},
    ports::access::SessionFilter,
};
use gatehouse_types::{
    access::{
        AccessSession, EndReason,
        SessionState::{Closed, Closing, Failed, Open},
    },
    account::{Role, UserChange},
};

use crate::house::{House, account, nobody, sign_in_of};

const STREAMS_PER_USER: usize = 32;

async fn listen(house: &House, actor: &Actor) -> Subscription {
    let subscribed = house.portal.access.subscribe(actor, false, None).await;
    subscribed.expect("there is room")
}

async fn follow(house: &House) {
    house.portal.access.follow_sessions().await.expect("reads");
}

/// What has come by now.
fn heard(subscription: &mut Subscription) -> Vec<(i64, AccessSession)> {
    std::iter::from_fn(|| subscription.next().now_or_never())
        .map(|event| match event {
            Some(LiveEvent::Session { seq, session }) => (seq, session.as_ref().clone()),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[tokio::test]
async fn one_hears_of_ones_own_sessions_and_an_admin_of_all() {
    let house = House::new().await;
    let neighbour = account(&house.portal, "eve@example.com", Role::Owner).await;
    let mut listeners = [
        listen(&house, &house.owner).await,
        listen(&house, &house.admin).await,
    ];
    let mut stranger = listen(&house, &neighbour).await;
    let access = &house.portal.access;

    let opened = house.open(5).await.expect("opens");
    follow(&house).await;
    let extended = access.extend(&house.owner, opened.id, 30).await;
    follow(&house).await;
    let closed = access.close(&house.owner, opened.id).await;
    follow(&house).await;
    follow(&house).await;

    let stages = [opened, extended.expect("extends"), closed.expect("closes")];
    for listener in &mut listeners {
        let (numbers, told): (Vec<_>, Vec<_>) = heard(listener).into_iter().unzip();
        assert_eq!(told, stages, "each as it was then, and each once");
        assert!(numbers.is_sorted_by(|before, after| before < after));
    }
    assert_eq!(stages[2].state, Closed);
    assert!(heard(&mut stranger).is_empty());
}

#[tokio::test]
async fn a_failure_and_what_another_instance_closes_are_told_too() {
    let house = House::new().await;
    let mut owner = listen(&house, &house.owner).await;
    house.router.set_away(true);
    house.open(5).await.expect("is written down");
    follow(&house).await;
    assert_eq!(heard(&mut owner)[0].1.state, Failed);

    house.router.set_away(false);
    house.open(5).await.expect("opens");
    follow(&house).await;
    assert_eq!(heard(&mut owner)[0].1.state, Open);
    // The other instance shares only the database with this one.
    let closing = house
        .store
        .begin_closing(SessionFilter::default(), EndReason::RevokedByAdmin);
    closing.await.expect("closes");
    follow(&house).await;
    assert_eq!(heard(&mut owner)[0].1.state, Closing);
}

#[tokio::test]
async fn whoever_comes_back_hears_what_was_missed() {
    let house = House::new().await;
    let mut first = listen(&house, &house.owner).await;
    let opened = house.open(5).await.expect("opens");
    follow(&house).await;
    let (seen, _) = heard(&mut first)[0];
    drop(first);
    follow(&house).await;
    let access = &house.portal.access;
    let closed = access.close(&house.owner, opened.id).await.expect("closes");

    let back = access.subscribe(&house.owner, false, Some(seen)).await;
    let mut back = back.expect("there is room");
    follow(&house).await;
    let missed = heard(&mut back);
    assert_eq!(missed.len(), 1);
    assert_eq!(missed[0].1, closed);
    assert!(missed[0].0 > seen);

    let mut news = listen(&house, &house.owner).await;
    follow(&house).await;
    assert!(heard(&mut news).is_empty(), "only what happens from now on");
}

#[tokio::test]
async fn who_was_away_too_long_is_told_to_look_again() {
    let house = House::new().await;
    for _ in 0..256 {
        let session = house.open(5).await.expect("opens");
        let closed = house.portal.access.close(&house.owner, session.id).await;
        closed.expect("closes");
    }
    let access = &house.portal.access;
    let back = access.subscribe(&house.owner, false, Some(0)).await;
    let event = back.expect("there is room").next().await;
    assert_eq!(event, Some(LiveEvent::Missed));
}

#[tokio::test]
async fn nobody_has_more_streams_than_there_are_for_one() {
    let house = House::new().await;
    let mut streams = Vec::new();
    for _ in 0..STREAMS_PER_USER {
        streams.push(listen(&house, &house.owner).await);
    }
    let access = &house.portal.access;
    let refused = access.subscribe(&house.owner, false, None).await;
    assert!(
        matches!(refused.err(), Some(Error::Unavailable { retry_after_s, .. }) if retry_after_s > 0)
    );
    listen(&house, &house.admin).await;
    streams.pop();
    listen(&house, &house.owner).await;
}

#[tokio::test]
async fn the_end_of_the_portal_is_the_end_of_every_stream() {
    let house = House::new().await;
    let mut stream = listen(&house, &house.owner).await;
    assert_eq!(stream.next().now_or_never(), None);
    house.portal.access.end_streams();
    assert_eq!(stream.next().now_or_never(), Some(None));
    let late = house.portal.access.subscribe(&house.owner, false, None);
    assert!(matches!(late.await.err(), Some(Error::Unavailable { .. })));
}

#[tokio::test]
async fn nobody_listens_without_an_account() {
    let house = House::new().await;
    let refused = house.portal.access.subscribe(&nobody(), false, None).await;
    assert!(matches!(refused.err(), Some(Error::Unauthenticated(_))));
}

/// Looking whether a sign-in still holds must not be what keeps it.
#[tokio::test]
async fn a_sign_in_holds_until_it_is_idle_or_its_role_changes() {
    let house = House::new().await;
    let identity = &house.portal.identity;
    let sign_in = || async {
        let visitor = nobody();
        let signed_in = identity.sign_in(&visitor, sign_in_of("bo@example.com"), false);
        let secret = signed_in.await.expect("signs in").secret;
        let known = identity.authenticate_cookie(&visitor, &secret).await;
        known.expect("the database answers").expect("is known")
    };
    let holds = async |actor: &Actor| identity.is_still_signed_in(actor).await.expect("looks");

    let idle = sign_in().await;
    for _ in 0..59 {
        house.pass_ms(crate::house::MINUTE_MS);
        assert!(holds(&idle).await);
    }
    house.pass_ms(crate::house::MINUTE_MS);
    assert!(!holds(&idle).await);

    let out = sign_in().await;
    assert!(holds(&out).await);
    identity.sign_out(&out).await.expect("signs out");
    assert!(!holds(&out).await);

    let raised = sign_in().await;
    let change = UserChange {
        role: Some(Role::Admin),
        ..UserChange::default()
    };
    let changed = house
        .portal
        .change_user(&house.admin, house.owner_id(), &change);
    changed.await.expect("changes");
    assert!(!holds(&raised).await);
}
