//! A router is led elsewhere, or gets new keys, while somebody opens a service or has one open.

use std::{sync::Arc, time::Duration};

use gatehouse_core::{
    Error,
    ports::router_link::{LinkProtocol, RouterLink, RouterTarget},
};
use gatehouse_types::access::{
    AccessSession, RouterChange,
    SessionState::{Closed, Open},
};
use tokio::time::sleep;

use crate::house::House;

/// How far apart the two of them begin, in steps of this.
const STEP: Duration = Duration::from_micros(50);

impl House {
    async fn lead_to(&self, address: &str) -> bool {
        let change = RouterChange {
            address: Some(address.to_owned()),
            ..RouterChange::default()
        };
        let access = &self.portal.access;
        match access
            .change_router(&self.admin, self.router_id, &change)
            .await
        {
            Ok(_) => true,
            Err(Error::Conflict { .. }) => false,
            Err(other) => panic!("{other:?}"),
        }
    }

    /// Whether the router at an address holds the rule of a session.
    async fn holds(&self, address: &str, session: &AccessSession) -> bool {
        let target = RouterTarget {
            protocol: LinkProtocol::Gatehouse,
            address: address.to_owned(),
            cert_sha256: [0; 32],
            api_key: String::new(),
            aes_key: String::new(),
        };
        let held = self.router.list(&target).await.expect("answers");
        let mut held = held.expect("can tell").into_iter();
        held.any(|held| held.rule.session_id == session.id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_where_the_router_was_led_away_from() {
    let house = Arc::new(House::new().await);
    let mut at = "192.0.2.1:9999".to_owned();
    for turn in 0..80_u32 {
        let next = format!("192.0.2.{}:9999", turn + 2);
        let leading = {
            let (house, next) = (Arc::clone(&house), next.clone());
            tokio::spawn(async move {
                sleep(STEP * (turn % 40)).await;
                house.lead_to(&next).await
            })
        };
        let session = house.open(30).await.expect("answers");
        if leading.await.expect("no panic") {
            at = next;
        }
        if session.state == Open {
            let is_there = house.holds(&at, &session).await;
            assert!(is_there, "turn {turn}: the rule is where nobody closes it");
            assert!(at.starts_with(&format!("{}:", session.host)));
        }
        let access = &house.portal.access;
        let closed = access.close(&house.owner, session.id).await;
        closed.expect("closes");
        assert_eq!(house.router.rules(), []);
    }
}

/// A router that was set up anew has other keys; only with them what is open on it can be closed.
#[tokio::test]
async fn new_keys_are_taken_while_a_session_is_open_and_another_address_is_not() {
    let house = House::new().await;
    let session = house.open(30).await.expect("opens");
    assert!(!house.lead_to("192.0.2.2:9999").await);
    let anew = RouterChange {
        api_key: Some("n".repeat(16)),
        aes_key: Some("n".repeat(16)),
        cert_sha256: Some("cd".repeat(32)),
        ..RouterChange::default()
    };
    let access = &house.portal.access;
    let changed = access.change_router(&house.admin, house.router_id, &anew);
    assert_eq!(changed.await.expect("changes").cert_sha256, "cd".repeat(32));
    let closed = access.close(&house.owner, session.id).await;
    assert_eq!(closed.expect("closes").state, Closed);
    assert_eq!(house.router.rules(), []);
}
