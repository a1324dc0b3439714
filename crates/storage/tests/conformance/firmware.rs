use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    firmware::{DeviceTokenRecord, ProjectRecord, ReleaseRecord, TokenFilter},
};
use gatehouse_types::firmware::ReleaseState;

use crate::{
    databases::warm_up,
    records::{NOW_MS, artifact, device, id, project, release, some_project, token},
};

pub(crate) async fn a_project_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let garden = project("garden");
    let attic = ProjectRecord {
        hardware: Vec::new(),
        description: String::new(),
        ..project("Attic")
    };
    store.insert_project(&garden).await.unwrap();
    store.insert_project(&attic).await.unwrap();
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().projects,
        [attic.clone(), garden.clone()]
    );

    let changed = ProjectRecord {
        title: "Slugs".into(),
        description: "New".into(),
        hardware: vec!["\"quoted\", 🐌".into()],
        ..garden
    };
    let renamed = ProjectRecord {
        name: "a name is for good".into(),
        ..changed.clone()
    };
    assert!(store.update_project(&renamed).await.unwrap());
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().projects,
        [attic, changed]
    );
    assert!(!store.update_project(&project("ghost")).await.unwrap());
}

pub(crate) async fn a_removed_project_frees_its_name_and_revokes_its_tokens(store: Arc<dyn Store>) {
    let garden = project("garden");
    store.insert_project(&garden).await.unwrap();
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
        store.insert_project(&second).await,
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
    store.insert_project(&second).await.unwrap();
}

pub(crate) async fn a_release_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let first = release(project_id, "1.0.0", 1);
    let second = ReleaseRecord {
        version: "v01.01.00".into(),
        version_key: "1.1.0".into(),
        state: ReleaseState::Withdrawn,
        notes: "Says \"hello\" 🦉\n".into(),
        published_at_ms: Some(NOW_MS + 1),
        withdrawn_at_ms: Some(NOW_MS + 2),
        ..release(project_id, "1.1.0", 2)
    };
    let same_bytes = release(some_project(&store).await, "1.0.0", 1);
    for record in [&first, &second, &same_bytes] {
        store.insert_release(record).await.unwrap();
    }
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        [first, second, same_bytes]
    );
    let addresses = store.artifact_addresses().await.unwrap();
    assert_eq!(addresses, [artifact(1).sha256, artifact(2).sha256]);

    let mut nonsense = release(project_id, "2.0.0", 3);
    nonsense.artifact.sha256 = "not hex".into();
    assert!(matches!(
        store.insert_release(&nonsense).await,
        Err(StoreError::Broken(_))
    ));
}

pub(crate) async fn version_and_file_name_are_unique_in_a_project(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let first = release(project_id, "1.0.0", 1);
    store.insert_release(&first).await.unwrap();
    let same_version = ReleaseRecord {
        file_name: "other.bin".into(),
        ..release(project_id, "1.0.0", 2)
    };
    let same_file = ReleaseRecord {
        file_name: first.file_name.clone(),
        ..release(project_id, "1.0.1", 3)
    };
    for taken in [same_version, same_file] {
        assert!(matches!(
            store.insert_release(&taken).await,
            Err(StoreError::Taken)
        ));
    }
    assert_eq!(
        store.artifact_addresses().await.unwrap(),
        [artifact(1).sha256]
    );
    assert_eq!(store.load_catalog(NOW_MS).await.unwrap().releases, [first]);
}

pub(crate) async fn a_release_changes_from_the_state_it_is_in(store: Arc<dyn Store>) {
    let draft = release(some_project(&store).await, "1.0.0", 1);
    store.insert_release(&draft).await.unwrap();
    let published = ReleaseRecord {
        state: ReleaseState::Published,
        notes: "Faster".into(),
        published_at_ms: Some(NOW_MS),
        ..draft
    };
    assert!(
        !store
            .update_release(&published, ReleaseState::Withdrawn)
            .await
            .unwrap()
    );
    assert!(
        store
            .update_release(&published, ReleaseState::Draft)
            .await
            .unwrap()
    );
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        std::slice::from_ref(&published)
    );

    let withdrawn = ReleaseRecord {
        state: ReleaseState::Withdrawn,
        withdrawn_at_ms: Some(NOW_MS),
        ..published
    };
    let (one, other) = tokio::join!(
        store.update_release(&withdrawn, ReleaseState::Published),
        store.update_release(&withdrawn, ReleaseState::Published)
    );
    assert!(one.unwrap() ^ other.unwrap());
    assert_eq!(
        store.load_catalog(NOW_MS).await.unwrap().releases,
        [withdrawn]
    );
}

pub(crate) async fn only_drafts_are_deleted(store: Arc<dyn Store>) {
    let project_id = some_project(&store).await;
    let draft = release(project_id, "1.0.0", 1);
    let twin = release(some_project(&store).await, "1.0.0", 1);
    let published = ReleaseRecord {
        state: ReleaseState::Published,
        ..release(project_id, "2.0.0", 2)
    };
    for record in [&draft, &twin, &published] {
        store.insert_release(record).await.unwrap();
    }
    assert!(!store.delete_draft(published.id).await.unwrap());
    assert!(store.delete_draft(draft.id).await.unwrap());
    assert!(!store.delete_draft(draft.id).await.unwrap());
    let addresses = store.artifact_addresses().await.unwrap();
    assert_eq!(
        addresses,
        [artifact(1).sha256, artifact(2).sha256],
        "the twin still names the bytes"
    );
    assert!(store.delete_draft(twin.id).await.unwrap());
    assert_eq!(
        store.artifact_addresses().await.unwrap(),
        [artifact(2).sha256]
    );
    store
        .insert_release(&ReleaseRecord { id: id(), ..draft })
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
    store.insert_project(&garden).await.unwrap();
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
