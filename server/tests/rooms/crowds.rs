//! Many sessions at once: they end together, and none waits for somebody else's router.

use std::{net::IpAddr, ops::Range, time::Duration};

use gatehouse_core::ports::{
    access::{AccessSessionRecord, LiveCounts, SessionFilter},
    router_link::Rule,
};
use gatehouse_types::{
    access::{
        EndReason, SessionState,
        SessionState::{Closed, Closing, Failed, Open, Pending},
    },
    account::UserChange,
    audit::AuditQuery,
};
use serde_json::json;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::house::{GLANCE, HOME, House, MINUTE_MS, START_MS};

/// No crowd is too big.
const ROOM: LiveCounts = LiveCounts {
    of_user: i64::MAX,
    of_service: i64::MAX,
    of_address: i64::MAX,
};
const CABIN: &str = "192.0.2.2:9999";
/// Longer than any request may take to end what went away.
const PROMPTLY: Duration = Duration::from_secs(20);
/// Longer than that.
const NEVER: Duration = Duration::from_mins(1);

impl House {
    /// Puts open sessions of the owner into the books, for an hour, each from an address of its
    /// own, and their rules on the router.
    async fn crowd(
        &self,
        numbers: Range<u32>,
        service_id: Uuid,
        change: impl Fn(&mut AccessSessionRecord),
    ) {
        let service = self
            .store
            .service(service_id)
            .await
            .expect("answers")
            .expect("is there");
        let router = self
            .store
            .router(service.router_id)
            .await
            .expect("answers")
            .expect("is there");
        for number in numbers {
            let mut session = AccessSessionRecord {
                id: Uuid::from_u128(u128::from(number)),
                service_id,
                router_id: service.router_id,
                user_id: self.owner_id(),
                service_name: service.name.clone(),
                state: Open,
                step: None,
                client_ip: IpAddr::from((0xC612_0000 + number).to_be_bytes()),
                host: "192.0.2.1".into(),
                public_port: service.public_port,
                lan_ip: service.lan_ip,
                lan_port: service.lan_port,
                transport: service.transport,
                url: None,
                requested_at_ms: START_MS,
                opened_at_ms: Some(START_MS),
                expires_at_ms: START_MS + 60 * MINUTE_MS,
                finished_at_ms: None,
                end_reason: None,
                traffic_bytes: None,
                guest: None,
            };
            change(&mut session);
            let entered = self.store.insert_session(&session, ROOM).await;
            entered.expect("adds it");
            let rule = Rule {
                session_id: session.id,
                client_ip: session.client_ip,
                public_port: session.public_port,
                lan_ip: session.lan_ip,
                lan_port: session.lan_port,
                transport: session.transport,
            };
            self.router.let_in(&router.address, rule, 3600);
        }
    }

    async fn disable_owner(&self) {
        let change: UserChange = serde_json::from_value(json!({ "disabled": true })).expect("fits");
        let changed = self
            .portal
            .change_user(&self.admin, self.owner_id(), &change)
            .await;
        changed.expect("disables it");
    }

    async fn count(&self, service_id: Uuid, state: SessionState, reason: EndReason) -> usize {
        let such = SessionFilter {
            service_id: Some(service_id),
            state: Some(state),
            ..SessionFilter::default()
        };
        let such = self.store.list_sessions(such, 1000).await.expect("lists");
        such.iter()
            .filter(|row| row.end_reason == Some(reason))
            .count()
    }
}

#[tokio::test]
async fn all_sessions_of_an_account_end_within_the_request_that_disables_it() {
    let house = House::new().await;
    // More than are asked for at once, and few enough for the two seconds that a request has.
    house.crowd(0..20, house.service_id, |_| ()).await;
    house.disable_owner().await;
    let closed = house
        .count(house.service_id, Closed, EndReason::UserDisabled)
        .await;
    assert_eq!(closed, 20);
    assert_eq!(house.router.rules(), []);
    let query = AuditQuery {
        action: Some("session.close".into()),
        ..AuditQuery::default()
    };
    let trail = house.portal.audit.list(&house.admin, &query).await;
    let trail = trail.expect("lists").items;
    let lines: Vec<_> = trail
        .iter()
        .map(|line| (line.target_id.as_str(), line.detail.as_str()))
        .collect();
    let owner = house.owner_id().to_string();
    assert_eq!(lines, [(owner.as_str(), "user_disabled, sessions: 20")]);
}

#[tokio::test]
async fn disabling_an_account_does_not_wait_for_a_dead_router() {
    let house = House::new().await;
    let cabin = house.add_router("cabin", CABIN).await;
    let cabin = house.add_service_behind(cabin, 8001).await;
    house.crowd(0..40, house.service_id, |_| ()).await;
    house.crowd(40..41, cabin, |_| ()).await;
    house.router.fall_silent(NEVER);
    let disabled = timeout(PROMPTLY, house.disable_owner()).await;
    disabled.expect("answers promptly");
    let closing = house
        .count(house.service_id, Closing, EndReason::UserDisabled)
        .await;
    assert_eq!(closing, 40, "it is in force for all of them");
    assert_eq!(house.router.rules().len(), 40);
    let elsewhere = house.count(cabin, Closed, EndReason::UserDisabled).await;
    assert_eq!(elsewhere, 1, "another router is not kept waiting");

    house.router.find_its_voice();
    house.keep().await;
    let closed = house
        .count(house.service_id, Closed, EndReason::UserDisabled)
        .await;
    assert_eq!(closed, 40);
    assert_eq!(house.router.rules(), []);
}

fn closing(session: &mut AccessSessionRecord) {
    session.state = Closing;
    session.end_reason = Some(EndReason::Revoked);
}

#[tokio::test]
async fn a_crowd_on_a_dead_router_keeps_nobody_elses_sessions_waiting() {
    let house = House::new().await;
    let router_id = house.add_router("cabin", CABIN).await;
    let cabin = house.add_service_behind(router_id, 8001).await;
    house.crowd(0..300, house.service_id, closing).await;
    house
        .crowd(300..301, cabin, |session| {
            closing(session);
            session.expires_at_ms += MINUTE_MS;
        })
        .await;
    house
        .crowd(301..302, cabin, |session| session.expires_at_ms = START_MS)
        .await;
    house.router.set_away_at(HOME, true);
    house.keep().await;
    house.keep().await;
    assert_eq!(house.count(cabin, Closed, EndReason::Revoked).await, 1);
    assert_eq!(house.count(cabin, Closed, EndReason::Expired).await, 1);
    assert_eq!(house.router.rules().len(), 300, "those on the dead router");
}

#[tokio::test]
async fn what_the_clock_can_end_is_not_kept_out_by_a_crowd_on_its_own_dead_router() {
    let house = House::new().await;
    house.crowd(0..300, house.service_id, closing).await;
    house
        .crowd(300..301, house.service_id, |session| {
            session.state = Pending;
            session.opened_at_ms = None;
            session.expires_at_ms += MINUTE_MS;
        })
        .await;
    house.router.set_away(true);
    house.pass_ms(MINUTE_MS);
    house.keep().await;
    let left_behind = house
        .count(house.service_id, Closing, EndReason::PortalStopped)
        .await;
    assert_eq!(left_behind, 1, "no longer pending");
    house.pass_ms(60 * MINUTE_MS);
    house.keep().await;
    house.keep().await;
    assert_eq!(
        house
            .count(house.service_id, Closed, EndReason::Revoked)
            .await,
        300
    );
    assert_eq!(
        house
            .count(house.service_id, Failed, EndReason::PortalStopped)
            .await,
        1
    );
}

#[tokio::test]
async fn a_silent_router_is_left_alone_for_a_while() {
    let house = House::new().await;
    house.crowd(0..40, house.service_id, closing).await;
    house.router.fall_silent(Duration::from_millis(1200));
    house.keep().await;
    assert_eq!(
        house.router.asked(),
        8,
        "the others of the queue did not try"
    );
    house.keep().await;
    assert_eq!(house.router.asked(), 8, "nor does the next round");
    house.router.find_its_voice();
    let closed = async {
        while !house.router.rules().is_empty() {
            house.keep().await;
            sleep(GLANCE).await;
        }
    };
    timeout(PROMPTLY, closed).await.expect("it is asked again");
}

#[tokio::test]
async fn a_revocation_asks_a_router_that_is_being_left_alone() {
    let house = House::new().await;
    house.crowd(0..1, house.service_id, closing).await;
    house.crowd(1..2, house.service_id, |_| ()).await;
    house.router.fall_silent(Duration::from_millis(1200));
    house.keep().await;
    house.router.find_its_voice();
    house.disable_owner().await;
    let closed = house
        .count(house.service_id, Closed, EndReason::UserDisabled)
        .await;
    assert_eq!(closed, 1);
}
