//! How many sessions live at a time, of one account, for one service and from one address.

use std::net::IpAddr;

use futures_util::future::join_all;
use gatehouse_core::{Actor, Error};
use gatehouse_types::{
    access::{Grants, OpenSession},
    account::Role,
};
use uuid::Uuid;

use crate::house::{House, account};

const PER_USER: u8 = 32;

impl House {
    /// The owner and two more, with the same grants.
    async fn three_owners(&self, services: &[Uuid]) -> [Actor; 3] {
        let portal = &self.portal;
        let owners = [
            self.owner.clone(),
            account(portal, "cy@example.com", Role::Owner).await,
            account(portal, "di@example.com", Role::Owner).await,
        ];
        let ids = owners
            .iter()
            .map(|owner| owner.account().expect("an account").id);
        let grants = Grants {
            users: ids.collect(),
        };
        for service in services {
            let granted = portal.access.set_grants(&self.admin, *service, &grants);
            granted.await.expect("grants it");
        }
        owners
    }

    async fn open_from(
        &self,
        owner: &Actor,
        last: u8,
        service_id: Uuid,
    ) -> gatehouse_core::Result<()> {
        let there = Actor {
            ip: Some(IpAddr::from([203, 0, 113, last])),
            ..owner.clone()
        };
        let wish = OpenSession {
            service_id,
            minutes: None,
        };
        self.portal.access.open(&there, &wish).await.map(drop)
    }
}

fn code_of(refused: gatehouse_core::Result<()>) -> &'static str {
    match refused.expect_err("there are enough") {
        Error::Conflict { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_service_is_open_64_times_and_no_more() {
    let house = House::new().await;
    let service = house.service_id;
    let [anna, ben, cy] = house.three_owners(&[service]).await;
    for last in 0..PER_USER {
        house.open_from(&anna, last, service).await.expect("opens");
        house.open_from(&ben, last, service).await.expect("opens");
    }
    let refused = house.open_from(&cy, 200, service).await;
    assert_eq!(code_of(refused), "service_limit_reached");
    assert_eq!(house.router.rules().len(), 64);
}

#[tokio::test]
async fn of_sixty_services_that_are_opened_at_once_32_open() {
    let house = House::new().await;
    let mut services = Vec::new();
    for number in 0..60 {
        services.push(house.add_service(9000 + number).await);
    }
    let clicks = services
        .iter()
        .map(|service| house.open_from(&house.owner, 7, *service));
    let (opened, refused): (Vec<_>, Vec<_>) =
        join_all(clicks).await.into_iter().partition(Result::is_ok);
    assert_eq!(opened.len(), usize::from(PER_USER));
    for click in refused {
        assert_eq!(code_of(click), "limit_reached");
    }
    assert_eq!(house.router.rules().len(), usize::from(PER_USER));
}

#[tokio::test]
async fn an_address_has_64_sessions_open_and_no_more() {
    let house = House::new().await;
    let mut services = Vec::new();
    for number in 0..u16::from(PER_USER) {
        services.push(house.add_service(9000 + number).await);
    }
    let [anna, ben, cy] = house.three_owners(&services).await;
    for service in &services {
        house.open_from(&anna, 7, *service).await.expect("opens");
        house.open_from(&ben, 7, *service).await.expect("opens");
    }
    let refused = house.open_from(&cy, 7, services[0]).await;
    assert_eq!(code_of(refused), "address_limit_reached");
    let elsewhere = house.open_from(&cy, 8, services[0]).await;
    elsewhere.expect("another address has room");
}
