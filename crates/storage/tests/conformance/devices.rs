use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use gatehouse_core::ports::{
    Store, StoreError,
    firmware::{DeviceRecord, TokenFilter},
    fleet::{FleetChange, Progress},
};
use gatehouse_types::{
    Timestamp,
    firmware::{ReportEntry, ReportState},
    rollout::Channel,
};
use uuid::Uuid;

use crate::records::{NOW_MS, device, heard, id, some_project, token};

pub(crate) async fn a_device_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let plain = DeviceRecord {
        attributes: BTreeMap::new(),
        target_token_hash: None,
        ..device(project_id)
    };
    let full = DeviceRecord {
        controller_id: Some("urn:shed-1@garden".into()),
        channel: Channel::Beta,
        current_version: Some("1.2.3".into()),
        last_state: Some(ReportState::RolledBack),
        last_seen_at_ms: Some(NOW_MS),
        ..device(project_id)
    };
    for record in [&plain, &full] {
        store.insert_device(record).await.unwrap();
        assert_eq!(
            store
                .device(project_id, record.device_id)
                .await
                .unwrap()
                .as_ref(),
            Some(record)
        );
    }
    assert!(matches!(
        store.insert_device(&full).await,
        Err(StoreError::Taken)
    ));
    let same_controller = DeviceRecord {
        controller_id: full.controller_id.clone(),
        ..device(project_id)
    };
    assert!(matches!(
        store.insert_device(&same_controller).await,
        Err(StoreError::Taken)
    ));
    let other_project = some_project(&store).await;
    assert_eq!(
        store.device(other_project, full.device_id).await.unwrap(),
        None
    );
    store
        .insert_device(&DeviceRecord {
            project_id: other_project,
            ..full.clone()
        })
        .await
        .unwrap();

    let changed = DeviceRecord {
        name: "Zoë's \"shed\"".into(),
        group_name: String::new(),
        channel: Channel::Stable,
        attributes: BTreeMap::from([("🐌".into(), "\"\\".into()), (String::new(), String::new())]),
        ..full
    };
    assert!(store.update_device(&changed).await.unwrap());
    assert_eq!(
        store.device(project_id, changed.device_id).await.unwrap(),
        Some(changed)
    );
    assert!(!store.update_device(&device(project_id)).await.unwrap());
}

pub(crate) async fn devices_are_listed_page_by_page(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let mut records = vec![DeviceRecord {
        device_id: Uuid::nil(),
        ..device(project_id)
    }];
    records.extend((0..3).map(|_| device(project_id)));
    records.push(DeviceRecord {
        device_id: Uuid::max(),
        ..device(project_id)
    });
    for record in records.iter().rev() {
        store.insert_device(record).await.unwrap();
    }
    store
        .insert_device(&device(some_project(&store).await))
        .await
        .unwrap();
    assert_eq!(
        store.list_devices(project_id, None, 2).await.unwrap(),
        records[..2]
    );
    let after = Some(records[1].device_id);
    assert_eq!(
        store.list_devices(project_id, after, 10).await.unwrap(),
        records[2..]
    );
}

fn changed_device(change: &FleetChange) -> Uuid {
    match change {
        FleetChange::Device(device) => device.device_id,
        FleetChange::Removed { device_id, .. } => *device_id,
    }
}

pub(crate) async fn sightings_tell_version_and_time(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let records: Vec<_> = (0..3).map(|_| device(project_id)).collect();
    for record in &records {
        store.insert_device(record).await.unwrap();
    }
    let seen = |record: &DeviceRecord, version: Option<&str>, at_ms| Progress {
        current_version: version.map(Into::into),
        ..heard(record, at_ms)
    };
    let (first, second) = (&records[0], &records[1]);
    let fleet_seq = store.fleet_seq().await.unwrap();
    store.save_progress(&[]).await.unwrap();
    let sightings = [
        seen(first, None, NOW_MS + 2),
        seen(second, Some("1.0.0"), NOW_MS),
        seen(&device(project_id), Some("9.9.9"), NOW_MS),
        seen(first, Some("1.0.0"), NOW_MS + 1),
    ];
    store.save_progress(&sightings).await.unwrap();
    // Other instances would offer an older release to whoever came to a newer one on its own.
    let told = store.fleet_seq().await.unwrap();
    let (_, news) = store.fleet_changes(fleet_seq, 10).await.unwrap();
    let news: BTreeSet<Uuid> = news.iter().map(changed_device).collect();
    assert_eq!(news, BTreeSet::from([first.device_id, second.device_id]));
    let late = [
        seen(second, Some("0.9.0"), NOW_MS - 1),
        seen(first, Some("0.8.0"), NOW_MS + 1),
        seen(first, None, NOW_MS + 3),
    ];
    store.save_progress(&late).await.unwrap();
    let by_the_portal = |record| Progress {
        at_ms: None,
        ..heard(record, NOW_MS)
    };
    let unheard = [by_the_portal(first), by_the_portal(&records[2])];
    store.save_progress(&unheard).await.unwrap();

    for (record, at_ms) in [(first, NOW_MS + 3), (second, NOW_MS)] {
        let found = store.device(project_id, record.device_id).await;
        let found = found.unwrap().unwrap();
        assert_eq!(found.current_version.as_deref(), Some("1.0.0"));
        assert_eq!(found.last_seen_at_ms, Some(at_ms));
    }
    let silent = store.device(project_id, records[2].device_id).await;
    assert_eq!(silent.unwrap().unwrap().last_seen_at_ms, None);
    let (_, late) = store.fleet_changes(told, 10).await.unwrap();
    assert_eq!(late, [], "late words and sightings are no news");
    let versions = store.versions_in_field(project_id).await.unwrap();
    assert_eq!(versions, [(None, 1), (Some("1.0.0".into()), 2)]);
    let newest_ms = NOW_MS + 3;
    let heard_of = async |since_ms| store.heard_of(project_id, since_ms).await.unwrap();
    assert_eq!(heard_of(newest_ms).await, (1, Some(newest_ms)));
    assert_eq!(heard_of(newest_ms + 1).await, (0, Some(newest_ms)));
    let nobody = store.heard_of(Uuid::nil(), 0).await.unwrap();
    assert_eq!(nobody, (0, None));
}

pub(crate) async fn reports_are_kept_newest_first(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let record = device(project_id);
    store.insert_device(&record).await.unwrap();
    let change_seq = store.change_seq().await.unwrap();
    let at = |at_ms| Progress {
        current_version: Some("1.0.0".into()),
        ..heard(&record, at_ms)
    };
    let report = |state, at_ms| ReportEntry {
        at: Timestamp(at_ms),
        version: "1.1.0".into(),
        state,
        detail: "at 40 % 🦉".into(),
    };
    let downloading = report(ReportState::Downloading, NOW_MS);
    let failed = report(ReportState::Failed, NOW_MS + 1);
    assert!(
        store
            .insert_report(id(), &at(NOW_MS), &downloading)
            .await
            .unwrap()
    );
    assert!(
        store
            .insert_report(id(), &at(NOW_MS + 1), &failed)
            .await
            .unwrap()
    );
    let nobody = Progress {
        device_id: id(),
        ..at(NOW_MS)
    };
    assert!(!store.insert_report(id(), &nobody, &failed).await.unwrap());

    let found = store
        .device(project_id, record.device_id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.last_state, Some(ReportState::Failed));
    assert_eq!(found.last_seen_at_ms, Some(NOW_MS + 1));
    assert_eq!(found.current_version.as_deref(), Some("1.0.0"));
    let listed = store
        .list_reports(project_id, record.device_id, 10)
        .await
        .unwrap();
    assert_eq!(listed, [failed.clone(), downloading]);
    assert_eq!(
        store
            .list_reports(project_id, record.device_id, 1)
            .await
            .unwrap(),
        [failed]
    );
    assert!(
        store
            .list_reports(project_id, nobody.device_id, 1)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store.change_seq().await.unwrap(),
        change_seq,
        "a flood of reports reloads no catalogue"
    );
}

pub(crate) async fn a_removed_device_takes_reports_and_tokens_along(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let record = device(project_id);
    let device_id = record.device_id;
    store.insert_device(&record).await.unwrap();
    let sighting = heard(&record, NOW_MS);
    let report = ReportEntry {
        at: Timestamp(NOW_MS),
        version: "1.0.0".into(),
        state: ReportState::Succeeded,
        detail: String::new(),
    };
    store.insert_report(id(), &sighting, &report).await.unwrap();
    let permit = token(project_id, device_id);
    store.insert_device_token(&permit).await.unwrap();
    let of_another = token(project_id, id());
    store.insert_device_token(&of_another).await.unwrap();

    assert!(
        store
            .remove_device(project_id, device_id, NOW_MS)
            .await
            .unwrap()
    );
    assert!(
        !store
            .remove_device(project_id, device_id, NOW_MS)
            .await
            .unwrap()
    );
    assert_eq!(store.device(project_id, device_id).await.unwrap(), None);
    assert!(
        store
            .list_reports(project_id, device_id, 1)
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().revoked,
        [permit.jti]
    );
    let filter = TokenFilter {
        device_id: Some(device_id),
        ..TokenFilter::default()
    };
    let listed = store.list_device_tokens(filter, 1).await.unwrap();
    assert_eq!(listed[0].revoked_at_ms, Some(NOW_MS));
    store.insert_device(&record).await.unwrap();
}
