//! Waking before opening: each step shows, each ends in time, and nothing opens for nobody.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use gatehouse_core::{
    Error,
    access::{WAKE_LASTS_MS, webhook_key},
    ports::access::AccessSessionRecord,
};
use gatehouse_types::{
    access::{
        AccessSession, NewService, ServiceChange,
        SessionState::{Closed, Failed, Open, Pending},
        Wake, WakeStep,
    },
    audit::AuditQuery,
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{task::JoinHandle, time::sleep};

use crate::{
    guests::guest_at,
    house::{GLANCE, House, MINUTE_MS, WEBHOOK_SECRET},
};

const MAC: [u8; 6] = [2, 0, 0x5e, 0x10, 0, 1];

fn wol() -> Wake {
    Wake::Wol {
        mac: "02:00:5E-10-00-01".into(),
    }
}

fn webhook(path: &str) -> Wake {
    Wake::Webhook {
        url: format!("https://home.example.org{path}"),
    }
}

async fn house_that_wakes(wake: Wake) -> Arc<House> {
    let house = House::new().await;
    let change = ServiceChange {
        wake: Some(Some(wake)),
        ..ServiceChange::default()
    };
    let access = &house.portal.access;
    let changed = access.change_service(&house.admin, house.service_id, &change);
    changed.await.expect("changes");
    Arc::new(house)
}

/// Lets the one job that waits run.
fn wake_up(house: &Arc<House>) -> JoinHandle<()> {
    let mut jobs = house.portal.access.due_wakes();
    assert_eq!(jobs.len(), 1);
    let job = jobs.remove(0);
    let house = Arc::clone(house);
    tokio::spawn(async move { house.portal.access.wake_up(job).await })
}

async fn shown(house: &House, session: &AccessSession) -> AccessSession {
    let access = &house.portal.access;
    access
        .session(&house.owner, session.id)
        .await
        .expect("is there")
}

async fn assert_failed(house: &House, session: &AccessSession, reason: &str) {
    let failed = (Failed, Some(reason.to_owned()));
    assert_eq!(house.state(session).await, failed);
}

async fn wait_for(house: &House, session: &AccessSession, step: WakeStep) {
    while shown(house, session).await.step != Some(step) {
        sleep(GLANCE).await;
    }
}

fn port_answers(house: &House) {
    house
        .router
        .set_up("192.168.1.50:80".parse().expect("an address"), 3);
}

#[tokio::test]
async fn a_click_wakes_the_host_waits_for_its_port_and_opens() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    assert_eq!(
        (clicked.state, clicked.step),
        (Pending, Some(WakeStep::Waking))
    );
    assert!(house.router.rules().is_empty());
    let again = house.open(30).await.expect("is the same");
    assert_eq!(again.id, clicked.id);

    let job = wake_up(&house);
    wait_for(&house, &clicked, WakeStep::Waiting).await;
    assert_eq!(house.router.woken(), [MAC]);
    assert!(
        house.router.rules().is_empty(),
        "nothing is open before it answers"
    );
    house.pass_ms(MINUTE_MS / 2);
    house.keep().await;
    port_answers(&house);
    job.await.expect("ends");
    let opened = shown(&house, &clicked).await;
    assert_eq!((opened.state, opened.step), (Open, None));
    assert_eq!(
        house.router.rules(),
        [(clicked.id, 1800)],
        "the time begins when it is open"
    );
    assert_eq!(opened.expires_at.0 - clicked.expires_at.0, MINUTE_MS / 2);
}

#[tokio::test]
async fn a_host_that_is_awake_is_left_alone() {
    let house = house_that_wakes(wol()).await;
    port_answers(&house);
    let clicked = house.open(30).await.expect("is taken");
    wake_up(&house).await.expect("ends");
    assert_eq!(shown(&house, &clicked).await.state, Open);
    assert!(house.router.woken().is_empty());
}

#[tokio::test]
async fn a_host_that_stays_asleep_fails_after_a_minute() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    let job = wake_up(&house);
    wait_for(&house, &clicked, WakeStep::Waiting).await;
    house.pass_ms(MINUTE_MS);
    job.await.expect("ends");
    assert_failed(&house, &clicked, "not_awake").await;
    assert!(house.router.rules().is_empty());
}

#[tokio::test]
async fn a_session_that_is_closed_while_its_host_wakes_never_opens() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    let job = wake_up(&house);
    wait_for(&house, &clicked, WakeStep::Waiting).await;
    let closed = house.portal.access.close(&house.owner, clicked.id).await;
    assert_eq!(closed.expect("closes").state, Closed);
    port_answers(&house);
    job.await.expect("ends");
    assert_eq!(
        house.state(&clicked).await,
        (Closed, Some("revoked".to_owned()))
    );
    assert!(house.router.rules().is_empty());
}

/// Nobody runs the job: the portal that took the click is gone.
#[tokio::test]
async fn what_a_portal_that_died_was_waking_is_ended_by_the_keeper() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    house.pass_ms(WAKE_LASTS_MS + 5_000);
    house.keep().await;
    assert_eq!(house.state(&clicked).await.0, Pending);
    house.pass_ms(1);
    // Nothing was let in yet, so nobody needs to be asked.
    house.router.set_away(true);
    house.keep().await;
    assert_failed(&house, &clicked, "portal_stopped").await;
    let query = AuditQuery::default();
    let lines = house.portal.audit.list(&house.admin, &query).await;
    let line = lines.expect("lists").items.into_iter().next();
    let line = line.expect("a line");
    assert_eq!((&*line.action, &*line.result), ("session.open", "failed"));
}

/// The portal that took the click died while it waited for the port, or after the port answered.
#[tokio::test]
async fn another_instance_ends_each_step_in_its_time_and_says_why() {
    let house = house_that_wakes(wol()).await;
    for (step, lasts_ms) in [
        (WakeStep::Waiting, WAKE_LASTS_MS + 5_000),
        (WakeStep::Opening, WAKE_LASTS_MS + 35_000),
    ] {
        let clicked = house.open(30).await.expect("is taken");
        // It dies with its jobs.
        drop(house.portal.access.due_wakes());
        let row = house.store.session(clicked.id).await.expect("answers");
        let row = AccessSessionRecord {
            step: Some(step),
            ..row.expect("is there")
        };
        let stepped = house.store.advance_session(&row, Pending).await;
        assert!(stepped.expect("answers"));
        let other = house.other_instance();
        house.pass_ms(lasts_ms);
        other.access.keep().await.expect("keeps");
        assert_eq!(house.state(&clicked).await, (Pending, None), "{step:?}");
        house.pass_ms(1);
        other.access.keep().await.expect("keeps");
        assert_failed(&house, &clicked, "portal_stopped").await;
    }
}

/// It must be over before the keeper of another instance takes the session for left behind.
#[tokio::test]
async fn a_router_that_says_nothing_holds_no_waking_up_beyond_its_time() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    house.router.keep_probes_waiting();
    let job = wake_up(&house);
    while house.router.probed() == 0 {
        sleep(GLANCE).await;
    }
    house.pass_ms(WAKE_LASTS_MS);
    job.await.expect("ends");
    assert_failed(&house, &clicked, "router_unreachable").await;
}

#[tokio::test]
async fn a_router_that_goes_away_while_a_host_wakes_is_the_reason() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    let job = wake_up(&house);
    wait_for(&house, &clicked, WakeStep::Waiting).await;
    house.router.set_away(true);
    let probed = house.router.probed();
    while house.router.probed() == probed {
        sleep(GLANCE).await;
    }
    house.pass_ms(WAKE_LASTS_MS);
    job.await.expect("ends");
    assert_failed(&house, &clicked, "router_unreachable").await;
}

#[tokio::test]
async fn a_router_that_refuses_to_look_ends_it_at_once() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    house.router.refuse();
    wake_up(&house).await.expect("ends");
    assert_failed(&house, &clicked, "router_refused").await;
    assert!(house.router.woken().is_empty());
}

#[tokio::test]
async fn a_host_behind_a_router_whose_keys_do_not_open_is_not_waited_for() {
    let house = house_that_wakes(wol()).await;
    let clicked = house.open(30).await.expect("is taken");
    house.lose_router_keys().await;
    wake_up(&house).await.expect("ends");
    assert_failed(&house, &clicked, "router_unreachable").await;
}

#[tokio::test]
async fn a_home_backend_is_called_with_a_short_token_for_this_service_and_person() {
    let house = house_that_wakes(webhook("/wake")).await;
    let clicked = house.open(30).await.expect("is taken");
    let job = wake_up(&house);
    wait_for(&house, &clicked, WakeStep::Waiting).await;
    port_answers(&house);
    job.await.expect("ends");
    assert_eq!(shown(&house, &clicked).await.state, Open);

    let called = house.router.called();
    let [(url, token)] = called.as_slice() else {
        panic!("{called:?}");
    };
    assert_eq!(url, "https://home.example.org/wake");
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let key = webhook_key(WEBHOOK_SECRET, "https://home.example.org").expect("derives it");
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("any length");
    mac.update(signed.as_bytes());
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64");
    mac.verify_slice(&signature)
        .expect("the key of this origin");
    let (_, claims) = signed.split_once('.').expect("three parts");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["sub"], json!(house.owner_id()));
    assert_eq!(claims["aud"], json!(house.service_id));
    let lasts = claims["exp"].as_i64().expect("seconds") - claims["iat"].as_i64().expect("seconds");
    assert_eq!(lasts, 60);
}

#[tokio::test]
async fn a_guest_wakes_nobody() {
    for wake in [wol(), webhook("/wake")] {
        let house = house_that_wakes(wake).await;
        let invited = house.invite(1).await;
        let opened = house.open_as(&guest_at(4), &invited).await.expect("opens");
        assert_eq!((opened.session.state, opened.session.step), (Open, None));
        assert!(house.portal.access.due_wakes().is_empty());
        assert!(house.router.woken().is_empty() && house.router.called().is_empty());
    }
}

#[tokio::test]
async fn a_home_backend_that_refuses_is_the_reason_of_the_failure() {
    let house = house_that_wakes(webhook("/broken")).await;
    let clicked = house.open(30).await.expect("is taken");
    wake_up(&house).await.expect("ends");
    assert_failed(&house, &clicked, "wake_failed").await;
    assert!(house.router.rules().is_empty());
}

#[tokio::test]
async fn what_cannot_be_woken_is_refused_by_its_field() {
    let house = House::new().await;
    let access = &house.portal.access;
    let new: NewService = serde_json::from_value(json!({
        "name": "nas", "router_id": house.router_id, "lan_ip": "192.168.1.51", "lan_port": 80,
        "public_port": 8100,
    }))
    .expect("fits");
    for (wake, wanted) in [
        (
            Wake::Wol {
                mac: "ff:ff:ff:ff:ff:ff".into(),
            },
            "wake.mac",
        ),
        (
            Wake::Webhook {
                url: "https://evil.example/".into(),
            },
            "wake.url",
        ),
    ] {
        let new = NewService {
            wake: Some(wake.clone()),
            ..new.clone()
        };
        let change = ServiceChange {
            wake: Some(Some(wake)),
            ..ServiceChange::default()
        };
        let refusals = [
            access.create_service(&house.admin, &new).await,
            access
                .change_service(&house.admin, house.service_id, &change)
                .await,
        ];
        for refused in refusals {
            assert!(
                matches!(&refused, Err(Error::Invalid { field, .. }) if *field == wanted),
                "{refused:?}"
            );
        }
    }
}
