//! A bad release in a fleet of reference devices, over real connections.

use std::time::Duration;

use gatehouse_core::Actor;
use gatehouse_device::{
    Portal as Door, Token, portal_url,
    simulate::{Fleet, Member, simulate},
};
use gatehouse_types::rollout::{ActionState, Halt, RolloutProgress};
use serde_json::json;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    furnish::{PROJECT, text_of},
    harness::Portal,
};

const DEVICES: u128 = 40;
const PATIENCE: Duration = Duration::from_secs(30);

async fn members(portal: &Portal) -> Vec<Member> {
    let mut members = Vec::new();
    for number in 1..=DEVICES {
        let wish = json!({ "device_id": Uuid::from_u128(number), "project": PROJECT });
        let made = portal.generate_token(&wish).await.expect(200);
        members.push(Member {
            token: Token::new(text_of(&made, "token")).expect("a token"),
            current_fw: "1.0.0".to_owned(),
        });
    }
    members
}

async fn progress(portal: &Portal) -> RolloutProgress {
    let firmware = &portal.installation.portal.firmware;
    firmware.flush_progress().await.expect("writes");
    firmware.keep_rollouts().await.expect("keeps");
    let progress = firmware
        .rollout_progress(&Actor::system(), PROJECT, "1.1.0")
        .await;
    progress.expect("shows")
}

/// Keeps the rollouts as the portal does every two seconds, until this one is halted.
async fn halted(portal: &Portal) -> Halt {
    loop {
        if let Some(halt) = progress(portal).await.rollout.halted {
            return halt;
        }
        sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_halts_by_itself_when_simulated_devices_fail() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.1.0").await;
    let served = portal.listen().await;
    let url = portal_url(&format!("http://{}", served.address)).expect("an address");
    let fleet = Fleet {
        members: members(&portal).await,
        keys: None,
        fail_percent: 100,
        // One after the other, so that most of them have yet to ask when it is noticed.
        first_check_ms: 0..=20_000,
        poll_ms: 200..=400,
        restart_ms: 1..=20,
    };
    let door = Door::new(url, &fleet.members[0].token, None).expect("a client");
    let mut halt = None;
    let end = async { halt = timeout(PATIENCE, halted(&portal)).await.ok() };
    let tally = simulate(&door, &fleet, end).await;
    let halt = halt.unwrap_or_else(|| panic!("nothing halts it: {tally}"));
    assert!(halt.failed >= 1 && halt.finished >= halt.failed, "{halt:?}");

    let begun = |progress: &RolloutProgress| -> i64 {
        let counts = progress.counts.iter();
        counts.map(|count| count.devices).sum()
    };
    let before = progress(&portal).await;
    assert!(
        begun(&before) < i64::try_from(DEVICES).expect("fits"),
        "it spared the others: {before:?}"
    );
    let succeeded = before
        .counts
        .iter()
        .find(|count| count.state == ActionState::Succeeded);
    assert!(succeeded.is_none_or(|count| count.devices == 0));
    let eager = Fleet {
        first_check_ms: 0..=10,
        ..fleet
    };
    simulate(&door, &eager, sleep(Duration::from_secs(1))).await;
    assert_eq!(
        begun(&progress(&portal).await),
        begun(&before),
        "nobody else is offered it"
    );
    assert!(served.stop().await);
}
