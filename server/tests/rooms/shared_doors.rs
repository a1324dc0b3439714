//! Original daemons know no sessions: an owner and a guest behind one address share one rule. What
//! one of them does must not shut the other out, nor keep the rule open when both are gone.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use gatehouse_core::{Actor, access::GuestSession, ports::router_link::Rule};
use gatehouse_types::{
    access::{
        AccessSession, Grants, OpenSession, RouterChange,
        SessionState::{Closed, Open},
        Transport,
    },
    account::Role,
};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    guests::Invited,
    hand_router::door_of,
    house::{GLANCE, House, MINUTE_MS, account, nobody},
};

/// Longer than whoever waits for nobody may take.
const PROMPTLY: Duration = Duration::from_secs(30);
/// Longer than that.
const NEVER: Duration = Duration::from_mins(10);

/// A house whose router runs the original daemon, and a guest at the owner's own address.
struct Shared {
    house: Arc<House>,
    invited: Invited,
}

impl Shared {
    async fn new() -> Self {
        let house = House::new().await;
        house.make_original(house.router_id).await;
        let invited = house.invite(9).await;
        Self {
            house: Arc::new(house),
            invited,
        }
    }

    async fn guest_opens(&self) -> GuestSession {
        let opened = self.house.open_as(&nobody(), &self.invited).await;
        opened.expect("opens for 20 minutes")
    }

    async fn guest_closes(&self, opened: &GuestSession) {
        let access = &self.house.portal.access;
        let closed = access.close_as_guest(&nobody(), &opened.pass).await;
        closed.expect("closes");
    }

    async fn owner_closes(&self, session: &AccessSession) {
        let access = &self.house.portal.access;
        let closed = access.close(&self.house.owner, session.id).await;
        closed.expect("closes");
    }

    /// Lets time pass for everybody.
    fn all_pass_ms(&self, by_ms: i64) {
        self.house.pass_ms(by_ms);
        self.house.router.pass_ms(by_ms);
    }

    /// How long the one rule lasts.
    fn is_open_for(&self, minutes: u32) {
        assert_eq!(self.house.router.rules(), [(the_door(), minutes * 60)]);
    }
}

impl House {
    async fn make_original(&self, router_id: Uuid) {
        let original = RouterChange {
            protocol: Some(1),
            ..RouterChange::default()
        };
        let access = &self.portal.access;
        let changed = access.change_router(&self.admin, router_id, &original);
        changed.await.expect("changes");
    }

    /// Opens a service to 32 addresses at once; says how many are let in.
    async fn open_from_everywhere(&self, who: &Actor, service_id: Uuid) -> usize {
        let clicks = (0..32_u8).map(|last| {
            let there = Actor {
                ip: Some(IpAddr::from([203, 0, 113, last])),
                ..who.clone()
            };
            self.opens_to(there, service_id)
        });
        let opened = join_all(clicks).await.into_iter();
        opened.filter(|is_open| *is_open).count()
    }

    async fn opens_to(&self, there: Actor, service_id: Uuid) -> bool {
        let wish = OpenSession {
            service_id,
            minutes: None,
        };
        let opened = self.portal.access.open(&there, &wish).await;
        opened.expect("answers").0.state == Open
    }
}

fn the_door() -> Uuid {
    door_of(&Rule {
        session_id: Uuid::nil(),
        client_ip: [203, 0, 113, 7].into(),
        public_port: 8001,
        lan_ip: [192, 168, 1, 50].into(),
        lan_port: 80,
        transport: Transport::Tcp,
    })
}

#[tokio::test]
async fn who_comes_later_for_a_shorter_time_shortens_nobodys() {
    let shared = Shared::new().await;
    shared.house.open(60).await.expect("opens");
    shared.guest_opens().await;
    shared.is_open_for(60);
}

#[tokio::test]
async fn one_session_goes_and_the_other_keeps_its_own_end() {
    let shared = Shared::new().await;
    let owners = shared.house.open(60).await.expect("opens");
    let guests = shared.guest_opens().await;
    shared.guest_closes(&guests).await;
    shared.is_open_for(60);
    shared.guest_opens().await;
    shared.owner_closes(&owners).await;
    shared.is_open_for(20);
}

#[tokio::test]
async fn the_rule_goes_with_the_last_of_them() {
    let shared = Shared::new().await;
    let owners = shared.house.open(60).await.expect("opens");
    let guests = shared.guest_opens().await;
    shared.owner_closes(&owners).await;
    shared.guest_closes(&guests).await;
    assert_eq!(shared.house.router.rules(), []);
}

#[tokio::test]
async fn one_session_is_over_and_the_other_goes_on() {
    let shared = Shared::new().await;
    let owners = shared.house.open(60).await.expect("opens");
    shared.guest_opens().await;
    shared.all_pass_ms(20 * MINUTE_MS);
    shared.house.keep().await;
    shared.is_open_for(40);
    assert_eq!(shared.house.state(&owners).await, (Open, None));
    shared.all_pass_ms(40 * MINUTE_MS);
    shared.house.keep().await;
    assert_eq!(shared.house.router.rules(), []);
}

#[tokio::test]
async fn an_owner_who_prolongs_or_shortens_takes_nothing_from_another_owner() {
    let shared = Shared::new().await;
    let (house, access) = (&shared.house, &shared.house.portal.access);
    let other = account(&house.portal, "cy@example.com", Role::Owner).await;
    let users = [&house.owner, &other].map(|owner| owner.account().expect("an account").id);
    let grants = Grants {
        users: users.to_vec(),
    };
    let granted = access.set_grants(&house.admin, house.service_id, &grants);
    granted.await.expect("grants");
    let wish = OpenSession {
        service_id: house.service_id,
        minutes: Some(40),
    };
    access.open(&other, &wish).await.expect("opens");
    let own = house.open(20).await.expect("opens");
    for (minutes, lasts) in [(60, 60), (10, 40)] {
        let moved = access.extend(&house.owner, own.id, minutes).await;
        moved.expect("moves its end");
        shared.is_open_for(lasts);
    }
}

#[tokio::test]
async fn who_closes_while_another_is_being_let_in_does_not_shut_them_out() {
    let shared = Arc::new(Shared::new().await);
    let owners = shared.house.open(60).await.expect("opens");
    let held = shared.house.router.hold_next_answer();
    let (opening, closing) = (Arc::clone(&shared), Arc::clone(&shared));
    let opening = tokio::spawn(async move { opening.guest_opens().await });
    shared.house.router.is_waited_for().await;
    let closing = tokio::spawn(async move { closing.owner_closes(&owners).await });
    // Time enough to take the rule away, if it were not for the guest.
    sleep(Duration::from_millis(200)).await;
    drop(held);
    let opened = opening.await.expect("no panic");
    closing.await.expect("no panic");
    assert_eq!(opened.session.state, Open);
    shared.is_open_for(20);
}

#[tokio::test]
async fn who_was_closed_while_they_waited_at_the_door_is_not_let_in() {
    let shared = Arc::new(Shared::new().await);
    let house = &shared.house;
    let held = house.router.hold_next_answer();
    let owners = house.spawn_open();
    house.router.is_waited_for().await;
    let opening = Arc::clone(&shared);
    let opening = tokio::spawn(async move { opening.guest_opens().await });
    let guests = loop {
        let live = house.portal.access.live_sessions(&house.owner).await;
        let mut live = live.expect("lists").into_iter();
        if let Some(guests) = live.find(|session| session.guest.is_some()) {
            break guests;
        }
        sleep(GLANCE).await;
    };
    let closing = {
        let (shared, guests) = (Arc::clone(&shared), guests.clone());
        tokio::spawn(async move { shared.owner_closes(&guests).await })
    };
    while house.state(&guests).await.1.is_none() {
        sleep(GLANCE).await;
    }
    drop(held);
    owners.await.expect("no panic").expect("opens");
    opening.await.expect("no panic");
    closing.await.expect("no panic");
    let revoked = (Closed, Some("revoked".to_owned()));
    assert_eq!(house.state(&guests).await, revoked);
    assert_eq!(
        house.router.asked(),
        2,
        "the owner was let in, and stays when the guest goes"
    );
    shared.is_open_for(30);
}

#[tokio::test]
async fn a_silent_router_holds_up_no_door_of_another() {
    let house = Arc::new(House::new().await);
    let (access, admin) = (&house.portal.access, &house.admin);
    house.make_original(house.router_id).await;
    let cabin = house.add_router("cabin", "192.0.2.2:9999").await;
    house.make_original(cabin).await;
    let in_the_cabin = house.add_service_behind(cabin, 8002).await;
    let cy = account(&house.portal, "cy@example.com", Role::Owner).await;
    let grants = Grants {
        users: vec![cy.account().expect("an account").id],
    };
    let granted = access.set_grants(admin, in_the_cabin, &grants);
    granted.await.expect("grants");

    house.router.fall_silent(NEVER);
    let waiting = Arc::clone(&house);
    let waiting = tokio::spawn(async move {
        waiting
            .open_from_everywhere(&waiting.owner, waiting.service_id)
            .await
    });
    let all_wait = async {
        while house.router.asked() < 32 {
            sleep(GLANCE).await;
        }
    };
    timeout(PROMPTLY, all_wait)
        .await
        .expect("each asks at its own door");
    let opened = timeout(PROMPTLY, house.open_from_everywhere(&cy, in_the_cabin)).await;
    assert_eq!(opened.expect("waits for nobody"), 32);
    waiting.abort();
}
