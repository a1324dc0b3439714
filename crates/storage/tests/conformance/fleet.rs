use std::{collections::BTreeMap, sync::Arc};

use gatehouse_core::ports::{
    Store,
    firmware::DeviceRecord,
    fleet::{FleetChange, FleetDevice, Progress},
};
use gatehouse_types::rollout::{ActionState, Channel};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{NOW_MS, came_to, device, heard, some_device, some_project, some_release},
};

/// What is kept in memory of a device that was just registered.
fn in_memory(record: &DeviceRecord) -> FleetDevice {
    FleetDevice {
        project_id: record.project_id,
        device_id: record.device_id,
        controller_id: record.controller_id.clone(),
        group_name: record.group_name.clone(),
        channel: record.channel,
        target_token_hash: record.target_token_hash,
        current_version: record.current_version.clone(),
        wants_attributes: true,
        action: None,
        past: Vec::new(),
    }
}

async fn of_store(store: &Arc<dyn Store>, record: &DeviceRecord) -> Option<FleetDevice> {
    let found = store.fleet_device(record.project_id, record.device_id);
    found.await.unwrap()
}

/// The ids of what changed, in the order of the answer.
fn ids(changes: &[FleetChange]) -> Vec<Uuid> {
    let id = |change: &FleetChange| match change {
        FleetChange::Device(device) => device.device_id,
        FleetChange::Removed { device_id, .. } => *device_id,
    };
    changes.iter().map(id).collect()
}

pub(crate) async fn a_device_in_memory_is_like_its_row(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let plain = DeviceRecord {
        target_token_hash: None,
        ..device(project_id)
    };
    let full = DeviceRecord {
        controller_id: Some("shed:1".into()),
        channel: Channel::Beta,
        current_version: Some("1.2.3".into()),
        ..device(project_id)
    };
    for record in [&plain, &full] {
        store.insert_device(record).await.unwrap();
        assert_eq!(of_store(&store, record).await, Some(in_memory(record)));
    }
    assert_eq!(of_store(&store, &device(project_id)).await, None);

    let attributes = BTreeMap::from([("mac".into(), "🐌".into())]);
    let save = |device_id| store.save_attributes(project_id, device_id, &attributes);
    assert!(save(full.device_id).await.unwrap());
    assert!(!save(Uuid::max()).await.unwrap());
    let told = FleetDevice {
        wants_attributes: false,
        ..in_memory(&full)
    };
    assert_eq!(of_store(&store, &full).await, Some(told));
    let row = store.device(project_id, full.device_id).await.unwrap();
    assert_eq!(row.unwrap().attributes, attributes);
    assert_eq!(of_store(&store, &plain).await, Some(in_memory(&plain)));
}

pub(crate) async fn a_fleet_is_loaded_page_by_page(store: Arc<dyn Store>) {
    let projects = [some_project(&store).await, some_project(&store).await];
    let mut expected = Vec::new();
    for project_id in projects {
        let first = DeviceRecord {
            device_id: Uuid::nil(),
            ..device(project_id)
        };
        store.insert_device(&first).await.unwrap();
        let second = some_device(&store, project_id).await;
        expected.extend([in_memory(&first), in_memory(&second)]);
    }
    let removed_project = some_project(&store).await;
    some_device(&store, removed_project).await;
    store.remove_project(removed_project, NOW_MS).await.unwrap();
    let release = some_release(&store, projects[1], "2.0.0").await;
    let last = DeviceRecord {
        device_id: expected[3].device_id,
        ..device(projects[1])
    };
    let said = came_to(&last, release.id, ActionState::Installing, NOW_MS);
    expected[3].action = said.actions.first().cloned();
    store.save_progress(&[said]).await.unwrap();

    let mut loaded = Vec::new();
    for size in [3, 1, 0] {
        let after = loaded
            .last()
            .map(|last: &FleetDevice| (last.project_id, last.device_id));
        let page = store.load_fleet(after, 3).await.unwrap();
        assert_eq!(page.len(), size);
        loaded.extend(page);
    }
    assert_eq!(loaded, expected);
}

pub(crate) async fn what_holds_releases_back_is_read_along_with_each_device(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let lamp = some_device(&store, project_id).await;
    let fan = some_device(&store, project_id).await;
    let mut says = Vec::new();
    for (place, state) in [
        ActionState::Failed,
        ActionState::Cancelled,
        ActionState::Succeeded,
        ActionState::RolledBack,
        ActionState::Failed,
        ActionState::Cancelled,
    ]
    .into_iter()
    .enumerate()
    {
        let release = some_release(&store, project_id, &format!("{place}.0.0")).await;
        let at_ms = NOW_MS + i64::try_from(place).unwrap();
        says.push(came_to(&lamp, release.id, state, at_ms));
    }
    let of_fan = came_to(
        &fan,
        says[1].actions[0].release_id,
        ActionState::Failed,
        NOW_MS,
    );
    let before = store.fleet_seq().await.unwrap();
    store.save_progress(&says).await.unwrap();
    store
        .save_progress(std::slice::from_ref(&of_fan))
        .await
        .unwrap();

    let action = |place: usize| says[place].actions[0].clone();
    let expected = [
        FleetDevice {
            action: Some(action(5)),
            past: vec![action(4), action(3), action(1)],
            ..in_memory(&lamp)
        },
        FleetDevice {
            action: of_fan.actions.first().cloned(),
            ..in_memory(&fan)
        },
    ];
    assert_eq!(store.load_fleet(None, 9).await.unwrap(), expected);
    assert_eq!(store.load_fleet(None, 1).await.unwrap(), expected[..1]);
    let first = (project_id, lamp.device_id);
    let rest = store.load_fleet(Some(first), 9).await.unwrap();
    assert_eq!(rest, expected[1..]);
    for (record, expected) in [&lamp, &fan].into_iter().zip(&expected) {
        assert_eq!(of_store(&store, record).await.as_ref(), Some(expected));
    }
    let (_, changes) = store.fleet_changes(before, 9).await.unwrap();
    assert_eq!(
        changes,
        expected.map(|device| FleetChange::Device(Box::new(device)))
    );
}

pub(crate) async fn a_device_is_found_by_what_foreign_clients_call_it(store: Arc<dyn Store>) {
    let (garden, attic) = (some_project(&store).await, some_project(&store).await);
    let named = |project_id| DeviceRecord {
        controller_id: Some("Node-1".into()),
        ..device(project_id)
    };
    let (here, there) = (named(garden), named(attic));
    for record in [&here, &there, &device(garden)] {
        store.insert_device(record).await.unwrap();
    }
    let find = async |project_id, name| store.controller(project_id, name).await.unwrap();
    assert_eq!(find(garden, "Node-1").await, Some(here.device_id));
    assert_eq!(find(attic, "Node-1").await, Some(there.device_id));
    assert_eq!(find(garden, "node-1").await, None);
}

pub(crate) async fn every_change_of_a_device_is_found_once(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let release = some_release(&store, project_id, "2.0.0").await;
    let untouched = some_device(&store, project_id).await;
    let mut seen = store.fleet_seq().await.unwrap();
    let mut finds = async |expected: &[&DeviceRecord], what: &str| {
        let (up_to, changes) = store.fleet_changes(seen, 9).await.unwrap();
        assert_eq!(up_to, store.fleet_seq().await.unwrap(), "{what}");
        assert_eq!(up_to > seen, !expected.is_empty(), "{what}");
        let mut expected_changes = Vec::new();
        for record in expected {
            let now = of_store(&store, record).await.unwrap();
            expected_changes.push(FleetChange::Device(Box::new(now)));
        }
        assert_eq!(changes, expected_changes, "{what}");
        seen = up_to;
    };
    finds(&[], "nothing").await;
    let lamp = some_device(&store, project_id).await;
    finds(&[&lamp], "a registration").await;
    store.save_progress(&[heard(&lamp, NOW_MS)]).await.unwrap();
    finds(&[], "a sighting").await;
    store.update_device(&lamp).await.unwrap();
    finds(&[&lamp], "a change by an admin").await;
    let none = BTreeMap::new();
    let saved = store.save_attributes(project_id, lamp.device_id, &none);
    assert!(saved.await.unwrap());
    finds(&[&lamp], "attributes").await;
    let began = came_to(&lamp, release.id, ActionState::Downloading, NOW_MS);
    let words = [began, heard(&untouched, NOW_MS)];
    store.save_progress(&words).await.unwrap();
    finds(&[&lamp], "an action").await;
    let fan = some_device(&store, project_id).await;
    store.update_device(&lamp).await.unwrap();
    finds(&[&fan, &lamp], "two changes").await;
}

pub(crate) async fn a_batch_is_never_cut(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let release = some_release(&store, project_id, "2.0.0").await;
    let mut batch = Vec::new();
    for _ in 0..5 {
        batch.push(some_device(&store, project_id).await);
    }
    let lone = some_device(&store, project_id).await;
    let gone = some_device(&store, project_id).await;
    let words: Vec<Progress> = batch
        .iter()
        .map(|record| came_to(record, release.id, ActionState::Pending, NOW_MS))
        .collect();
    store.update_device(&lone).await.unwrap();
    let before = store.fleet_seq().await.unwrap() - 1;
    store.save_progress(&words).await.unwrap();
    let removed = store.remove_device(project_id, gone.device_id, NOW_MS);
    assert!(removed.await.unwrap());

    let mut expected = vec![lone.device_id];
    let (up_to, changes) = store.fleet_changes(before, 1).await.unwrap();
    assert_eq!((up_to, ids(&changes)), (before + 1, expected.clone()));
    expected.extend(batch.iter().map(|record| record.device_id));
    for limit in [2, 4, 6] {
        let (up_to, changes) = store.fleet_changes(before, limit).await.unwrap();
        let mut found = ids(&changes);
        found[1..].sort_unstable();
        assert_eq!((up_to, found), (before + 2, expected.clone()), "{limit}");
    }
    let (up_to, changes) = store.fleet_changes(before + 1, 1).await.unwrap();
    assert_eq!((up_to, changes.len()), (before + 2, batch.len()));
    let (up_to, changes) = store.fleet_changes(up_to, 1).await.unwrap();
    assert_eq!((up_to, ids(&changes)), (before + 3, vec![gone.device_id]));
    let nothing = store.fleet_changes(up_to, 1).await.unwrap();
    assert_eq!(nothing, (up_to, Vec::new()));
}

pub(crate) async fn a_removed_device_is_forgotten_unless_it_came_back(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let release = some_release(&store, project_id, "2.0.0").await;
    let lamp = some_device(&store, project_id).await;
    let began = came_to(&lamp, release.id, ActionState::Pending, NOW_MS);
    let began = [began];
    store.save_progress(&began).await.unwrap();
    let before = store.fleet_seq().await.unwrap();
    let remove = || store.remove_device(project_id, lamp.device_id, NOW_MS);
    assert!(remove().await.unwrap());
    let tombstone = FleetChange::Removed {
        project_id,
        device_id: lamp.device_id,
    };
    let (after_removal, changes) = store.fleet_changes(before, 9).await.unwrap();
    assert_eq!(changes, [tombstone]);
    assert!(!remove().await.unwrap());
    store.save_progress(&began).await.unwrap();
    assert_eq!(of_store(&store, &lamp).await, None);
    assert_eq!(
        store.action_counts(release.id, None).await.unwrap(),
        [],
        "an action goes with its device and is not written without one"
    );
    assert_eq!(store.rollout_minutes(release.id).await.unwrap(), []);

    store.insert_device(&lamp).await.unwrap();
    let (_, changes) = store.fleet_changes(before, 9).await.unwrap();
    let back = [FleetChange::Device(Box::new(in_memory(&lamp)))];
    assert_eq!(changes, back);
    let (_, changes) = store.fleet_changes(after_removal, 9).await.unwrap();
    assert_eq!(changes, back);
    assert!(remove().await.unwrap(), "a second tombstone has its place");
}

pub(crate) async fn no_change_is_missed_while_others_write(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let project_id = some_project(&store).await;
    let release = some_release(&store, project_id, "2.0.0").await;
    let mut writers = JoinSet::new();
    for writer in 0..4 {
        let store = Arc::clone(&store);
        writers.spawn(async move {
            for round in 0..10 {
                let record = some_device(&store, project_id).await;
                let state = ActionState::ALL[writer];
                let word = came_to(&record, release.id, state, NOW_MS + round);
                store.save_progress(&[word]).await.unwrap();
            }
        });
    }
    let mut in_memory = BTreeMap::new();
    let mut seen = 0;
    loop {
        let is_over = writers.is_empty();
        let (up_to, changes) = store.fleet_changes(seen, 3).await.unwrap();
        for change in changes {
            if let FleetChange::Device(device) = change {
                in_memory.insert(device.device_id, *device);
            }
        }
        if is_over && up_to == seen {
            break;
        }
        seen = up_to;
        while writers.try_join_next().is_some_and(|done| done.is_ok()) {}
    }
    let stored = store.load_fleet(None, 99).await.unwrap();
    assert_eq!(stored.len(), 40);
    assert!(stored.iter().all(|device| device.action.is_some()));
    assert_eq!(in_memory.into_values().collect::<Vec<_>>(), stored);
}

pub(crate) async fn a_thousand_devices_are_heard_of_at_once(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let release = some_release(&store, project_id, "2.0.0").await;
    let mut words = Vec::new();
    for number in 0..1200 {
        let record = some_device(&store, project_id).await;
        words.push(Progress {
            current_version: Some(format!("1.0.{}", number % 3)),
            ..came_to(&record, release.id, ActionState::Succeeded, NOW_MS + number)
        });
    }
    store.save_progress(&words).await.unwrap();
    let versions = store.versions_in_field(project_id).await.unwrap();
    let expected = [0, 1, 2].map(|number| (Some(format!("1.0.{number}")), 400));
    assert_eq!(versions, expected);
    let counts = store.action_counts(release.id, None).await.unwrap();
    assert_eq!(counts, [(ActionState::Succeeded, 1200)]);
    let minutes = store.rollout_minutes(release.id).await.unwrap();
    assert_eq!(minutes.iter().map(|minute| minute.delta).sum::<i64>(), 1200);
    for (number, device) in (0..).zip(store.list_devices(project_id, None, 9999).await.unwrap()) {
        assert_eq!(device.last_seen_at_ms, Some(NOW_MS + number));
    }
}

pub(crate) async fn groups_are_counted(store: Arc<dyn Store>) {
    let (garden, attic) = (some_project(&store).await, some_project(&store).await);
    for (project_id, group) in [(garden, "b"), (garden, ""), (garden, "b"), (attic, "a")] {
        let record = DeviceRecord {
            group_name: group.into(),
            ..device(project_id)
        };
        store.insert_device(&record).await.unwrap();
    }
    let sizes = store.group_sizes(garden).await.unwrap();
    assert_eq!(sizes, [(String::new(), 1), ("b".into(), 2)]);
    assert_eq!(store.group_sizes(attic).await.unwrap(), [("a".into(), 1)]);
}
