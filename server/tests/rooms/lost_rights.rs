//! A right that goes while a session opens takes the session along, whoever is quicker.

use std::sync::Arc;

use gatehouse_core::{
    Error,
    ports::{access::SessionFilter, identity::UserEdit},
};
use gatehouse_types::{
    access::{EndReason, Grants, SessionState},
    account::UserChange,
};
use serde_json::json;

use crate::house::{House, START_MS};

#[derive(Debug, Clone, Copy)]
enum Right {
    Grant,
    Service,
    Router,
    Account,
    Enabled,
}

const RIGHTS: [(Right, EndReason); 5] = [
    (Right::Grant, EndReason::ServiceRemoved),
    (Right::Service, EndReason::ServiceRemoved),
    (Right::Router, EndReason::ServiceRemoved),
    (Right::Account, EndReason::UserDisabled),
    (Right::Enabled, EndReason::UserDisabled),
];

impl House {
    async fn take_away(&self, right: Right) {
        let (portal, admin) = (&self.portal, &self.admin);
        let taken = match right {
            Right::Grant => {
                let nobody = Grants { users: Vec::new() };
                let granted = portal.access.set_grants(admin, self.service_id, &nobody);
                granted.await.map(drop)
            }
            Right::Service => portal.access.remove_service(admin, self.service_id).await,
            Right::Router => portal.access.remove_router(admin, self.router_id).await,
            Right::Account => portal.remove_user(admin, self.owner_id()).await,
            Right::Enabled => {
                let change: UserChange =
                    serde_json::from_value(json!({ "disabled": true })).expect("fits");
                let changed = portal.change_user(admin, self.owner_id(), &change);
                changed.await.map(drop)
            }
        };
        taken.expect("takes it away");
    }

    /// Takes it away like somebody who looked for sessions before the row of this one was there.
    async fn take_away_unseen(&self, right: Right) {
        let (store, owner_id) = (&self.store, self.owner_id());
        match right {
            Right::Grant => store.set_grants(self.service_id, &[]).await,
            Right::Service => store
                .remove_service(self.service_id, START_MS)
                .await
                .map(drop),
            Right::Router => store
                .remove_router(self.router_id, START_MS)
                .await
                .map(drop),
            Right::Account => store.remove_user(owner_id, START_MS).await.map(drop),
            Right::Enabled => {
                let edit = UserEdit {
                    disabled: Some(true),
                    at_ms: START_MS,
                    ..UserEdit::default()
                };
                store.change_user(owner_id, &edit).await.map(drop)
            }
        }
        .expect("takes it away");
    }
}

#[tokio::test]
async fn a_right_that_is_taken_away_while_a_session_opens_takes_it_along() {
    for (right, reason) in RIGHTS {
        let house = Arc::new(House::new().await);
        let held = house.router.hold_next();
        let opening = house.spawn_open();
        house.wait_for_pending().await;
        house.router.is_waited_for().await;
        house.take_away(right).await;
        drop(held);
        let answer = opening.await.expect("no panic");
        assert!(
            matches!(answer, Err(Error::NotFound(_))),
            "{right:?}: {answer:?}"
        );
        nothing_is_left(&house, right, reason).await;
    }
}

#[tokio::test]
async fn a_right_that_went_before_the_row_was_written_takes_the_session_along() {
    for (right, reason) in RIGHTS {
        let house = Arc::new(House::new().await);
        let held = house.router.hold_next();
        let opening = house.spawn_open();
        house.wait_for_pending().await;
        house.router.is_waited_for().await;
        house.take_away_unseen(right).await;
        drop(held);
        let answer = opening.await.expect("no panic");
        assert!(
            matches!(answer, Err(Error::NotFound(_))),
            "{right:?}: {answer:?}"
        );
        nothing_is_left(&house, right, reason).await;
    }
}

#[tokio::test]
async fn a_right_that_went_while_nobody_looked_takes_open_sessions_along() {
    for (right, reason) in RIGHTS {
        let house = House::new().await;
        house.open(30).await.expect("opens");
        house.take_away_unseen(right).await;
        house.keep().await;
        nothing_is_left(&house, right, reason).await;
    }
}

async fn nothing_is_left(house: &House, right: Right, reason: EndReason) {
    let all = house
        .store
        .list_sessions(SessionFilter::default(), 10)
        .await;
    let all = all.expect("lists");
    let ends: Vec<_> = all.iter().map(|row| (row.state, row.end_reason)).collect();
    assert_eq!(ends, [(SessionState::Closed, Some(reason))], "{right:?}");
    assert_eq!(house.router.rules(), [], "{right:?}");
}
