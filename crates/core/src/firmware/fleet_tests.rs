use gatehouse_types::rollout::ActionState;

use super::*;
use crate::ports::fleet::ActionRecord;

const KEY: Key = (Uuid::from_u128(1), Uuid::from_u128(2));

fn stored(action: Option<ActionRecord>) -> FleetDevice {
    FleetDevice {
        project_id: KEY.0,
        device_id: KEY.1,
        controller_id: Some("lamp-7".into()),
        group_name: "lab".into(),
        channel: Channel::Stable,
        target_token_hash: None,
        current_version: Some("1.0.0".into()),
        wants_attributes: false,
        action,
        past: Vec::new(),
    }
}

fn action(state: ActionState, updated_at_ms: i64) -> ActionRecord {
    let standing = Standing {
        state,
        ..Standing::offered(Uuid::from_u128(3), None, None, updated_at_ms)
    };
    standing.record(KEY.0, KEY.1, "")
}

/// Another instance's older word must not undo what this one has heard since.
#[test]
fn what_was_heard_since_stays() {
    let fleet = Fleet::default();
    fleet.learn(&stored(Some(action(ActionState::Installing, 20))));
    fleet.learn(&stored(Some(action(ActionState::Pending, 10))));
    let state = |fleet: &Fleet| {
        fleet.with(KEY, |member| {
            member.standing.as_ref().map(|standing| standing.state)
        })
    };
    assert_eq!(state(&fleet), Some(Some(ActionState::Installing)));
    fleet.learn(&stored(Some(action(ActionState::Succeeded, 30))));
    assert_eq!(state(&fleet), Some(Some(ActionState::Succeeded)));
}

/// A release that failed must not begin anew because another instance heard of the next one.
#[test]
fn how_a_device_stood_with_an_earlier_release_stays_known() {
    let of_release = |number, state, updated_at_ms| ActionRecord {
        release_id: Uuid::from_u128(number),
        ..action(state, updated_at_ms)
    };
    let past = |fleet: &Fleet| {
        fleet.with(KEY, |member| {
            let past = member.past.iter();
            past.map(|standing| (standing.release_id.as_u128(), standing.state))
                .collect::<Vec<_>>()
        })
    };
    let failed = of_release(3, ActionState::Failed, 20);
    let fleet = Fleet::default();
    fleet.learn(&stored(Some(failed.clone())));
    fleet.learn(&stored(Some(of_release(4, ActionState::Pending, 30))));
    assert_eq!(past(&fleet), Some(vec![(3, ActionState::Failed)]));
    fleet.learn(&stored(Some(of_release(5, ActionState::Pending, 10))));
    let both = vec![(3, ActionState::Failed), (5, ActionState::Pending)];
    assert_eq!(
        past(&fleet),
        Some(both),
        "one that comes late is not newest"
    );

    fleet.learn(&FleetDevice {
        past: vec![
            of_release(5, ActionState::Cancelled, 40),
            of_release(3, ActionState::RolledBack, 10),
            of_release(6, ActionState::Failed, 5),
            of_release(7, ActionState::Failed, 4),
        ],
        ..stored(Some(of_release(4, ActionState::Pending, 30)))
    });
    let latest = [
        (5, ActionState::Cancelled),
        (3, ActionState::Failed),
        (6, ActionState::Failed),
    ];
    assert_eq!(
        past(&fleet),
        Some(latest.to_vec()),
        "the latest of each, and few"
    );
    fleet.learn(&stored(Some(of_release(3, ActionState::Downloading, 50))));
    let others = [
        (5, ActionState::Cancelled),
        (4, ActionState::Pending),
        (6, ActionState::Failed),
    ];
    assert_eq!(
        past(&fleet),
        Some(others.to_vec()),
        "the newest is not past"
    );
}

#[test]
fn a_removed_device_is_not_found_by_any_name() {
    let fleet = Fleet::default();
    fleet.learn(&stored(None));
    assert_eq!(fleet.controller(KEY.0, "lamp-7"), Some(KEY.1));
    fleet.learn_change(&FleetChange::Removed {
        project_id: KEY.0,
        device_id: KEY.1,
    });
    assert!(!fleet.knows(KEY));
    assert_eq!(fleet.controller(KEY.0, "lamp-7"), None);
}

/// The database was away for a while: nothing that a device did in between may be lost.
#[test]
fn what_could_not_be_written_is_joined_with_what_came_since() {
    let fleet = Fleet::default();
    let word = |at_ms, version: Option<&str>, state| Progress {
        project_id: KEY.0,
        device_id: KEY.1,
        at_ms: Some(at_ms),
        current_version: version.map(str::to_owned),
        actions: vec![action(state, at_ms)],
        events: Vec::new(),
    };
    fleet.note(word(10, Some("1.0.0"), ActionState::Pending));
    let batch = fleet.take_unwritten();
    fleet.note(word(20, None, ActionState::Downloading));
    fleet.keep_unwritten(batch);
    let all = fleet.take_unwritten();
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].at_ms, Some(20));
    assert_eq!(all[0].current_version.as_deref(), Some("1.0.0"));
    assert_eq!(all[0].actions, [action(ActionState::Downloading, 20)]);
}

/// A million devices that ask at once must not keep the database busy with nothing else.
#[test]
fn of_many_that_say_nothing_new_some_wait_and_none_is_forgotten() {
    let fleet = Fleet::default();
    let all = 2 * u128::try_from(SIGHTINGS_AT_ONCE * SHARDS).unwrap();
    for number in 0..all {
        fleet.learn(&FleetDevice {
            device_id: Uuid::from_u128(number),
            controller_id: None,
            ..stored(None)
        });
        let key = (KEY.0, Uuid::from_u128(number));
        fleet.note(sighting(key, 10));
        fleet.note(sighting(key, 20));
    }
    let halves = [fleet.take_unwritten(), fleet.take_unwritten()];
    assert_eq!(halves[0].len(), halves[1].len());
    let mut written: Vec<Uuid> = halves.iter().flatten().map(|said| said.device_id).collect();
    written.sort();
    assert!((0..all).map(Uuid::from_u128).eq(written));
    assert!(halves.iter().flatten().all(|said| said.at_ms == Some(20)));
    assert_eq!(fleet.take_unwritten(), []);
}

#[test]
fn a_sighting_outlives_a_change_by_another_instance_and_ends_with_its_device() {
    let fleet = Fleet::default();
    fleet.learn(&stored(None));
    fleet.note(sighting(KEY, 10));
    fleet.learn(&stored(None));
    assert_eq!(fleet.take_unwritten(), [sighting(KEY, 10)]);
    fleet.note(sighting(KEY, 20));
    fleet.forget(KEY);
    assert_eq!(fleet.take_unwritten(), []);
}
