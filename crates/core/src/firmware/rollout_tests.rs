use std::sync::Arc;

use gatehouse_types::{
    Timestamp,
    firmware::ReleaseState,
    rollout::{ActionState, Approval, Halt, RolloutPlan},
};
use proptest::prelude::*;

use super::*;
use crate::ports::firmware::{Artifact, ProjectRecord, ReleaseRecord};

const NOW: i64 = 1_800_000_000_000;

fn version(text: &str) -> Version {
    text.parse().expect("a version")
}

fn record(text: &str) -> ReleaseRecord {
    ReleaseRecord {
        id: Uuid::from_u128(text.bytes().fold(0, |id, byte| id << 8 | u128::from(byte))),
        project_id: Uuid::from_u128(1),
        version: text.to_owned(),
        version_key: version(text).key(),
        file_name: format!("lamp-{text}.bin"),
        artifact: Artifact {
            sha256: "00".repeat(32),
            sha1: "00".repeat(20),
            md5: "00".repeat(16),
            crc32: Some(0),
            size_bytes: 1000,
        },
        state: ReleaseState::Published,
        notes: String::new(),
        number: 1,
        release_counter: Some(1),
        image: None,
        channel: Channel::Stable,
        min_version: None,
        allow_downgrade: false,
        rollout: Rollout::default(),
        approval: Approval::default(),
        revision: 0,
        created_at_ms: NOW,
        published_at_ms: Some(NOW),
        withdrawn_at_ms: None,
    }
}

fn release(record: ReleaseRecord) -> CatalogRelease {
    let min_version = record.min_version.as_deref().map(version);
    CatalogRelease {
        version: version(&record.version),
        min_version,
        record,
    }
}

fn project(records: Vec<ReleaseRecord>) -> CatalogProject {
    let mut releases: Vec<_> = records
        .into_iter()
        .map(|record| Arc::new(release(record)))
        .collect();
    releases.sort_by(|one, other| one.version.cmp(&other.version));
    CatalogProject {
        record: ProjectRecord {
            id: Uuid::from_u128(1),
            name: "lamp".into(),
            title: "Lamp".into(),
            description: String::new(),
            hardware: Vec::new(),
            two_person_approval: false,
            registers_unknown_devices: false,
            gateway_token_hash: None,
            quota_bytes: None,
            poll_s: 3600,
            revision: 0,
            created_at_ms: NOW,
        },
        releases,
        keys: Vec::new(),
    }
}

fn with_plan(text: &str, plan: RolloutPlan) -> ReleaseRecord {
    ReleaseRecord {
        rollout: Rollout {
            plan,
            ..Rollout::default()
        },
        ..record(text)
    }
}

fn device(current: Option<&Version>) -> Candidate<'_> {
    Candidate {
        device_id: Uuid::from_u128(7),
        group: "",
        channel: Channel::Stable,
        current,
        standing: None,
        past: &[],
    }
}

fn picked(project: &CatalogProject, device: Candidate<'_>) -> Option<String> {
    pick(project, device, NOW).map(|release| release.record.version.clone())
}

#[test]
fn the_newest_release_is_for_everybody_who_has_an_older_one() {
    let project = project(vec![record("1.0.0"), record("1.1.0"), record("1.2.0")]);
    let (old, newest, newer) = (version("1.0.0"), version("1.2.0"), version("2.0.0"));
    assert_eq!(
        picked(&project, device(Some(&old))).as_deref(),
        Some("1.2.0")
    );
    assert_eq!(picked(&project, device(None)).as_deref(), Some("1.2.0"));
    assert_eq!(picked(&project, device(Some(&newest))), None);
    assert_eq!(
        picked(&project, device(Some(&newer))),
        None,
        "never a lower one"
    );
}

#[test]
fn a_lower_release_is_offered_only_if_it_says_so() {
    let lower = ReleaseRecord {
        allow_downgrade: true,
        ..record("1.1.0")
    };
    let broken = version("1.2.0");
    assert_eq!(
        picked(&project(vec![lower]), device(Some(&broken))).as_deref(),
        Some("1.1.0")
    );
}

#[test]
fn beta_releases_are_for_beta_devices() {
    let beta = ReleaseRecord {
        channel: Channel::Beta,
        ..record("1.3.0")
    };
    let project = project(vec![record("1.2.0"), beta]);
    let current = version("1.0.0");
    let brave = Candidate {
        channel: Channel::Beta,
        ..device(Some(&current))
    };
    assert_eq!(
        picked(&project, device(Some(&current))).as_deref(),
        Some("1.2.0")
    );
    assert_eq!(picked(&project, brave).as_deref(), Some("1.3.0"));
}

#[test]
fn a_device_that_is_too_old_goes_over_the_release_in_between() {
    let demanding = ReleaseRecord {
        min_version: Some("1.5.0".into()),
        ..record("2.0.0")
    };
    let project = project(vec![record("1.5.0"), demanding]);
    let (old, ready) = (version("1.0.0"), version("1.5.0"));
    assert_eq!(
        picked(&project, device(Some(&old))).as_deref(),
        Some("1.5.0")
    );
    assert_eq!(
        picked(&project, device(Some(&ready))).as_deref(),
        Some("2.0.0")
    );
    assert_eq!(
        picked(&project, device(None)).as_deref(),
        Some("1.5.0"),
        "nobody knows whether it is ready"
    );
}

#[test]
fn nobody_begins_while_a_rollout_is_paused_halted_or_not_yet_due() {
    let current = version("1.0.0");
    let paused = with_plan(
        "1.1.0",
        RolloutPlan {
            paused: true,
            ..RolloutPlan::default()
        },
    );
    let early = with_plan(
        "1.1.0",
        RolloutPlan {
            starts_at: Some(Timestamp(NOW + 1)),
            ..RolloutPlan::default()
        },
    );
    let mut halted = record("1.1.0");
    halted.rollout.halted = Some(Halt {
        at: Timestamp(NOW),
        failed: 2,
        finished: 5,
    });
    for held in [paused, early, halted] {
        assert_eq!(picked(&project(vec![held]), device(Some(&current))), None);
    }
}

#[test]
fn what_is_on_its_way_may_arrive_while_the_rollout_is_paused() {
    let current = version("1.0.0");
    let paused = with_plan(
        "1.1.0",
        RolloutPlan {
            paused: true,
            ..RolloutPlan::default()
        },
    );
    let standing = Standing {
        state: ActionState::Downloading,
        ..Standing::offered(paused.id, None, None, NOW)
    };
    let begun = Candidate {
        standing: Some(&standing),
        ..device(Some(&current))
    };
    assert_eq!(
        picked(&project(vec![paused]), begun).as_deref(),
        Some("1.1.0")
    );
}

#[test]
fn a_device_that_failed_waits_and_is_not_led_to_a_lower_version() {
    let current = version("1.0.0");
    let project = project(vec![record("1.1.0"), record("1.2.0")]);
    let failed = |retry_at_ms| Standing {
        state: ActionState::Failed,
        retry_at_ms: Some(retry_at_ms),
        ..Standing::offered(record("1.2.0").id, None, None, NOW)
    };
    let (waiting, ready) = (failed(NOW + 1), failed(NOW));
    assert_eq!(
        picked(
            &project,
            Candidate {
                standing: Some(&waiting),
                ..device(Some(&current))
            }
        ),
        None
    );
    assert_eq!(
        picked(
            &project,
            Candidate {
                standing: Some(&ready),
                ..device(Some(&current))
            }
        )
        .as_deref(),
        Some("1.2.0")
    );
}

#[test]
fn groups_have_their_turn_one_after_the_other_and_then_everybody_else() {
    let current = version("1.0.0");
    let turn = |groups_done, group| {
        let mut record = with_plan(
            "1.1.0",
            RolloutPlan {
                groups: vec!["lab".into(), "friends".into()],
                ..RolloutPlan::default()
            },
        );
        record.rollout.groups_done = groups_done;
        let device = Candidate {
            group,
            ..device(Some(&current))
        };
        picked(&project(vec![record]), device).is_some()
    };
    let order = [
        (0, [true, false, false]),
        (1, [true, true, false]),
        (2, [true, true, true]),
    ];
    for (done, expected) in order {
        assert_eq!(
            ["lab", "friends", "street"].map(|group| turn(done, group)),
            expected
        );
    }
}

#[test]
fn hours_may_go_over_midnight() {
    let at = |hour: i64| hour * HOUR_MS;
    let night = HourWindow {
        from_hour: 22,
        to_hour: 6,
    };
    let day = HourWindow {
        from_hour: 9,
        to_hour: 17,
    };
    assert!(is_open(night, at(23)) && is_open(night, at(24 + 5)) && !is_open(night, at(6)));
    assert!(is_open(day, at(9)) && !is_open(day, at(17)) && !is_open(day, at(8)));
}

#[test]
fn a_share_of_a_fleet_is_about_that_share() {
    let release = record("1.1.0").id;
    let within = (0..10_000_u128)
        .filter(|device| is_within(10, release, Uuid::from_u128(*device)))
        .count();
    assert!((900..1100).contains(&within), "{within}");
    assert!((0..1000_u128).all(|device| !is_within(0, release, Uuid::from_u128(device))));
}

proptest! {
    /// A device that has seen a release offered must not see it taken back by a higher percentage.
    #[test]
    fn raising_the_percentage_never_removes_a_device(release: u128, device: u128, lower in 0_u8..=100, more in 0_u8..=100) {
        let (release, device) = (Uuid::from_u128(release), Uuid::from_u128(device));
        let higher = lower.saturating_add(more).min(100);
        prop_assert!(!is_within(lower, release, device) || is_within(higher, release, device));
    }

    /// Two instances hold the same rows in memories of their own; their answers must be the same.
    #[test]
    fn the_same_device_is_answered_the_same_on_every_instance(device_id: u128, percent in 0_u8..=100, newest in 0_u32..9) {
        let instance = || {
            let plan = RolloutPlan { percent, ..RolloutPlan::default() };
            project(vec![record("1.0.0"), with_plan(&format!("1.1.{newest}"), plan)])
        };
        let current = version("1.0.0");
        let device = Candidate { device_id: Uuid::from_u128(device_id), ..device(Some(&current)) };
        prop_assert_eq!(picked(&instance(), device), picked(&instance(), device));
    }
}
