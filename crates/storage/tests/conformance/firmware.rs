use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    firmware::{DeviceTokenRecord, ProjectRecord, TokenFilter},
};
use gatehouse_types::firmware::ReleaseState;

use crate::{
    databases::warm_up,
    records::{NOW_MS, device, id, project, project_key, release, some_project, token},
};

pub(crate) async fn a_project_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let garden = project("garden");
    let attic = ProjectRecord {
        hardware: Vec::new(),
        gateway_token_hash: Some([6; 32]),
        quota_bytes: Some(1),
        description: String::new(),
        ..project("Attic")
    };
    store
        .insert_project(&garden, &project_key(garden.id))
        .await
        .unwrap();
    store
        .insert_project(&attic, &project_key(attic.id))
        .await
        .unwrap();
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().projects,
        [attic.clone(), garden.clone()]
    );

    let changed = ProjectRecord {
        title: "Slugs".into(),
        description: "New".into(),
        hardware: vec!["\"quoted\", 🐌".into()],
        two_person_approval: true,
        registers_unknown_devices: true,
        gateway_token_hash: Some([5; 32]),
        quota_bytes: Some(i64::MAX),
        poll_s: 5,
        ..garden
    };
    let renamed = ProjectRecord {
        name: "a name is for good".into(),
        ..changed.clone()
    };
    assert!(store.update_project(&renamed).await.unwrap());
    assert!(
        !store.update_project(&renamed).await.unwrap(),
        "whoever knows an older one changes nothing"
    );
    let changed = ProjectRecord {
        revision: 1,
        ..changed
    };
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().projects,
        [attic, changed]
    );
    assert!(!store.update_project(&project("ghost")).await.unwrap());
}

pub(crate) async fn a_removed_project_frees_its_name_and_revokes_its_tokens(store: Arc<dyn Store>) {
    let garden = project("garden");
    store
        .insert_project(&garden, &project_key(garden.id))
        .await
        .unwrap();
    store
        .insert_release(&release(garden.id, "1.0.0", 1))
        .await
        .unwrap();
    let revoked = token(garden.id, id());
    store.insert_device_token(&revoked).await.unwrap();
    let stays = token(some_project(&store).await, id());
    store.insert_device_token(&stays).await.unwrap();
    let second = project("garden");
    assert!(matches!(
        store.insert_project(&second, &project_key(second.id)).await,
        Err(StoreError::Taken)
    ));

    assert!(store.remove_project(garden.id, NOW_MS).await.unwrap());
    assert!(!store.remove_project(garden.id, NOW_MS).await.unwrap());
    assert!(!store.update_project(&garden).await.unwrap());
    let catalog = store.load_catalog(NOW_MS).await.unwrap();
    assert!(
        catalog
            .projects
            .iter()
            .all(|project| project.id != garden.id)
    );
    assert!(catalog.releases.is_empty());
    assert_eq!(catalog.revoked, [revoked.jti]);
    assert!(
        store.artifact_addresses().await.unwrap().is_empty(),
        "its images are wanted no longer"
    );
    store
        .insert_project(&second, &project_key(second.id))
        .await
        .unwrap();
}

pub(crate) async fn what_others_must_notice_raises_the_change_number(store: Arc<dyn Store>) {
    let mut seen = store.change_seq().await.unwrap();
    let mut rises = async |what: &str| {
        let now = store.change_seq().await.unwrap();
        assert!(now > seen, "{what}");
        assert_eq!(store.load_catalog(NOW_MS).await.unwrap().change_seq, now);
        seen = now;
    };
    let garden = project("garden");
    store
        .insert_project(&garden, &project_key(garden.id))
        .await
        .unwrap();
    rises("a project").await;
    store.update_project(&garden).await.unwrap();
    rises("a change of a project").await;
    let mut image = release(garden.id, "1.0.0", 1);
    store.insert_release(&image).await.unwrap();
    rises("a release").await;
    store.delete_draft(image.id).await.unwrap();
    rises("a deleted draft").await;
    store.insert_release(&image).await.unwrap();
    image.state = ReleaseState::Published;
    store
        .update_release(&image, ReleaseState::Draft)
        .await
        .unwrap();
    rises("a published release").await;
    let sensor = device(garden.id);
    store.insert_device(&sensor).await.unwrap();
    let permit = token(garden.id, sensor.device_id);
    store.insert_device_token(&permit).await.unwrap();
    let before_revocation = store.change_seq().await.unwrap();
    store.revoke_device_token(permit.jti, NOW_MS).await.unwrap();
    assert!(store.change_seq().await.unwrap() > before_revocation);
    rises("a revocation").await;
    store
        .remove_device(garden.id, sensor.device_id, NOW_MS)
        .await
        .unwrap();
    rises("a removed device").await;
    store.remove_project(garden.id, NOW_MS).await.unwrap();
    rises("a removed project").await;
}

pub(crate) async fn a_catalogue_is_of_one_moment(store: Arc<dyn Store>) {
    warm_up(&store).await;
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for content in 0..60 {
                let project_id = some_project(&store).await;
                store
                    .insert_release(&release(project_id, "1.0.0", content))
                    .await
                    .unwrap();
            }
        }
    });
    while !writer.is_finished() {
        let catalog = store.load_catalog(NOW_MS).await.unwrap();
        let loaded = catalog.projects.len() + catalog.releases.len();
        assert_eq!(
            i64::try_from(loaded).unwrap(),
            catalog.change_seq,
            "each change was of one row"
        );
    }
    writer.await.unwrap();
}

pub(crate) async fn a_revoked_token_is_in_the_catalogue_until_it_is_over(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let good = token(project_id, id());
    let over = DeviceTokenRecord {
        expires_at_ms: NOW_MS,
        ..token(project_id, id())
    };
    let untouched = token(project_id, id());
    for record in [&good, &over, &untouched] {
        store.insert_device_token(record).await.unwrap();
    }
    assert!(matches!(
        store.insert_device_token(&good).await,
        Err(StoreError::Taken)
    ));
    assert_eq!(store.revoke_device_token(id(), NOW_MS).await.unwrap(), None);
    assert_eq!(
        store.revoke_device_token(over.jti, NOW_MS).await.unwrap(),
        Some(false)
    );
    assert_eq!(
        store.revoke_device_token(good.jti, NOW_MS).await.unwrap(),
        Some(true)
    );
    assert_eq!(
        store
            .revoke_device_token(good.jti, NOW_MS + 1)
            .await
            .unwrap(),
        Some(false)
    );

    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().revoked,
        [good.jti]
    );
    assert!(
        store
            .load_catalog(good.expires_at_ms)
            .await
            .unwrap()
            .revoked
            .is_empty()
    );
    let listed = store
        .list_device_tokens(TokenFilter::default(), 10)
        .await
        .unwrap();
    let revoked = |record| DeviceTokenRecord {
        revoked_at_ms: Some(NOW_MS),
        ..record
    };
    assert_eq!(listed, [untouched, revoked(over), revoked(good)]);
}

pub(crate) async fn tokens_are_filtered_and_paged(store: Arc<dyn Store>) {
    let garden = some_project(&store).await;
    let attic = some_project(&store).await;
    let sensor = id();
    let first = token(garden, sensor);
    let second = token(attic, sensor);
    let third = token(garden, id());
    for record in [&first, &second, &third] {
        store.insert_device_token(record).await.unwrap();
    }
    let everything = TokenFilter::default();
    let cases = [
        (everything, vec![&third, &second, &first]),
        (
            TokenFilter {
                project_id: Some(garden),
                ..everything
            },
            vec![&third, &first],
        ),
        (
            TokenFilter {
                device_id: Some(sensor),
                ..everything
            },
            vec![&second, &first],
        ),
        (
            TokenFilter {
                before: Some(third.jti),
                ..everything
            },
            vec![&second, &first],
        ),
        (
            TokenFilter {
                project_id: Some(garden),
                device_id: Some(sensor),
                before: Some(third.jti),
            },
            vec![&first],
        ),
    ];
    for (filter, expected) in cases {
        let listed = store.list_device_tokens(filter, 10).await.unwrap();
        assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert_eq!(
        store.list_device_tokens(everything, 1).await.unwrap(),
        [third]
    );
}
