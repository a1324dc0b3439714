//! An owner's address changes while a session is open.

use std::{net::IpAddr, sync::Arc, time::Duration};

use gatehouse_core::{Actor, Error};
use gatehouse_types::access::{
    AccessSession, OpenSession,
    SessionState::{Closed, Failed, Open},
};
use tokio::time::{sleep, timeout};

use crate::house::{GLANCE, House, MINUTE_MS};

const DEADLINE: Duration = Duration::from_secs(30);
const CAFE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 20));

impl House {
    fn owner_elsewhere(&self) -> Actor {
        Actor {
            ip: Some(CAFE),
            ..self.owner.clone()
        }
    }

    async fn move_to_cafe(
        &self,
        session: &AccessSession,
    ) -> gatehouse_core::Result<(AccessSession, bool)> {
        let access = &self.portal.access;
        access
            .move_session(&self.owner_elsewhere(), session.id)
            .await
    }
}

#[tokio::test]
async fn a_session_moves_with_the_time_that_is_left_and_the_old_one_is_replaced() {
    let house = House::new().await;
    let home = house.open(30).await.expect("opens");
    house.pass_ms(10 * MINUTE_MS);
    let (cafe, is_new) = house.move_to_cafe(&home).await.expect("moves");
    assert!(is_new);
    assert_eq!(
        (cafe.state, cafe.client_ip.as_str()),
        (Open, "198.51.100.20")
    );
    assert_eq!(cafe.expires_at, home.expires_at);
    let replaced = (Closed, Some("replaced".to_owned()));
    assert_eq!(house.state(&home).await, replaced);
    assert_eq!(house.router.rules(), [(cafe.id, 1200)]);
    let again = house.move_to_cafe(&home).await;
    assert!(
        matches!(
            again,
            Err(Error::Conflict {
                code: "finished",
                ..
            })
        ),
        "{again:?}"
    );
    let (same, is_new) = house.move_to_cafe(&cafe).await.expect("is there already");
    assert_eq!((same.id, is_new), (cafe.id, false));
}

#[tokio::test]
async fn a_move_goes_on_when_the_browser_goes_away_in_the_middle_of_it() {
    let house = Arc::new(House::new().await);
    let home = house.open(30).await.expect("opens");
    let held = house.router.hold_next_answer();
    let asking = {
        let (house, home) = (Arc::clone(&house), home.clone());
        tokio::spawn(async move { house.move_to_cafe(&home).await })
    };
    house.router.is_waited_for().await;
    assert_eq!(house.router.rules().len(), 2, "both are let in now");
    asking.abort();
    assert!(asking.await.is_err_and(|error| error.is_cancelled()));
    drop(held);
    let replaced = (Closed, Some("replaced".to_owned()));
    let ends = async {
        while house.state(&home).await != replaced {
            sleep(GLANCE).await;
        }
    };
    timeout(DEADLINE, ends).await.expect("the old one ends");
    assert_eq!(house.router.rules().len(), 1);
}

#[tokio::test]
async fn the_old_session_stays_where_the_new_one_does_not_open() {
    let house = House::new().await;
    let home = house.open(30).await.expect("opens");
    house.router.set_away(true);
    let (cafe, _) = house.move_to_cafe(&home).await.expect("answers");
    assert_eq!(cafe.state, Failed);
    assert_eq!(house.state(&home).await, (Open, None));
    house.router.set_away(false);
    assert_eq!(house.router.rules(), [(home.id, 1800)]);
}

#[tokio::test]
async fn what_is_open_at_the_new_address_already_takes_the_longer_time_over() {
    let house = House::new().await;
    let home = house.open(30).await.expect("opens");
    let wish = OpenSession {
        service_id: house.service_id,
        minutes: Some(5),
    };
    let access = &house.portal.access;
    let opened = access.open(&house.owner_elsewhere(), &wish).await;
    let (before, _) = opened.expect("opens");
    let (cafe, is_new) = house.move_to_cafe(&home).await.expect("moves");
    assert_eq!((cafe.id, is_new), (before.id, false));
    assert_eq!(cafe.expires_at, home.expires_at);
    assert_eq!(house.router.rules(), [(cafe.id, 1800)]);
}

#[tokio::test]
async fn a_session_follows_nobody_but_who_opened_it_and_no_unknown_address() {
    let house = House::new().await;
    let home = house.open(30).await.expect("opens");
    let access = &house.portal.access;
    let admins = access.move_session(&house.admin, home.id).await;
    assert!(matches!(admins, Err(Error::Forbidden(_))), "{admins:?}");
    let nowhere = Actor {
        ip: None,
        ..house.owner.clone()
    };
    let unknown = access.move_session(&nowhere, home.id).await;
    assert!(
        matches!(unknown, Err(Error::NoClientAddress)),
        "{unknown:?}"
    );
    let over_v6 = Actor {
        ip: Some("2001:db8::7".parse().expect("an address")),
        ..house.owner.clone()
    };
    let other_family = access.move_session(&over_v6, home.id).await;
    let refused = matches!(
        other_family,
        Err(Error::Conflict {
            code: "address_family",
            ..
        })
    );
    assert!(refused, "{other_family:?}");
    assert_eq!(house.router.rules(), [(home.id, 1800)]);
}

#[tokio::test]
async fn whoever_has_no_room_for_more_can_still_move() {
    let house = House::new().await;
    let home = house.open(30).await.expect("opens");
    for port in 9000..9031_u16 {
        let wish = OpenSession {
            service_id: house.add_service(port).await,
            minutes: None,
        };
        let opened = house.portal.access.open(&house.owner, &wish).await;
        opened.expect("opens");
    }
    house.move_to_cafe(&home).await.expect("moves");
    assert_eq!(house.router.rules().len(), 32);
}
