use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    access::{AccessSessionRecord, RouterRecord, RouterUpdate, ServiceRecord},
};
use gatehouse_types::access::{EndReason, ServiceKind, SessionState, Transport, Wake};

use crate::records::{NOW_MS, ROOM, id, router, service, session, some_owner, some_service};

pub(crate) async fn a_router_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let mut attic = router("attic");
    let cellar = router("Cellar");
    store.insert_router(&cellar).await.unwrap();
    store.insert_router(&attic).await.unwrap();
    assert!(matches!(
        store.insert_router(&router("attic")).await,
        Err(StoreError::Taken)
    ));
    assert_eq!(store.router(attic.id).await.unwrap(), Some(attic.clone()));
    assert_eq!(
        store.list_routers().await.unwrap(),
        [attic.clone(), cellar.clone()]
    );

    attic = RouterRecord {
        name: "dormer".into(),
        address: "[2001:db8::1]:9999".into(),
        api_key_sealed: vec![3],
        aes_key_sealed: vec![4],
        cert_sha256: [8; 32],
        protocol: 1,
        ..attic
    };
    let written = store.update_router(&attic).await.unwrap();
    assert_eq!(written, RouterUpdate::Written);
    assert_eq!(
        store.list_routers().await.unwrap(),
        [cellar.clone(), attic.clone()]
    );
    attic.name = "Cellar".into();
    assert!(matches!(
        store.update_router(&attic).await,
        Err(StoreError::Taken)
    ));
    let nowhere = store.update_router(&router("nowhere")).await.unwrap();
    assert_eq!(nowhere, RouterUpdate::Gone);
}

pub(crate) async fn a_router_leads_nowhere_else_while_a_session_is_unfinished_on_it(
    store: Arc<dyn Store>,
) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let before = store.router(films.router_id).await.unwrap().unwrap();
    let pending = session(&films, owner, "203.0.113.7");
    store.insert_session(&pending, ROOM).await.unwrap();
    let elsewhere = |change: fn(&mut RouterRecord)| {
        let mut changed = before.clone();
        change(&mut changed);
        changed
    };
    let ways = [
        elsewhere(|router| router.address = "other.example:9999".into()),
        elsewhere(|router| router.protocol = 1),
        elsewhere(|router| {
            router.address = "other.example:9999".into();
            router.api_key_sealed = vec![9];
        }),
    ];
    for way in &ways {
        let refused = store.update_router(way).await.unwrap();
        assert_eq!(refused, RouterUpdate::InUse);
    }
    assert_eq!(store.router(before.id).await.unwrap(), Some(before.clone()));
    let same_place = [
        elsewhere(|router| router.name = "attic".into()),
        elsewhere(|router| router.cert_sha256 = [9; 32]),
        elsewhere(|router| router.api_key_sealed = vec![9]),
        elsewhere(|router| router.aes_key_sealed = vec![9]),
    ];
    for changed in &same_place {
        let written = store.update_router(changed).await.unwrap();
        assert_eq!(written, RouterUpdate::Written);
        let stored = store.router(before.id).await.unwrap();
        assert_eq!(stored.as_ref(), Some(changed));
    }

    let over = AccessSessionRecord {
        state: SessionState::Failed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::RouterUnreachable),
        ..pending
    };
    let ended = store.advance_session(&over, SessionState::Pending).await;
    assert!(ended.unwrap());
    for way in &ways {
        let written = store.update_router(way).await.unwrap();
        assert_eq!(written, RouterUpdate::Written);
    }
}

pub(crate) async fn removing_a_router_takes_its_services_along(store: Arc<dyn Store>) {
    let gone = some_service(&store).await;
    let stays = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    store.set_grants(gone.id, &[owner]).await.unwrap();
    store.set_grants(stays.id, &[owner]).await.unwrap();

    let mut removed = store.router(gone.router_id).await.unwrap().unwrap();
    assert!(store.remove_router(gone.router_id, NOW_MS).await.unwrap());
    assert!(!store.remove_router(gone.router_id, NOW_MS).await.unwrap());
    assert_eq!(
        store.router(gone.router_id).await.unwrap(),
        Some(removed.clone()),
        "sessions may need it"
    );
    let after = store.update_router(&removed).await.unwrap();
    assert_eq!(after, RouterUpdate::Gone);
    assert_eq!(store.service(gone.id).await.unwrap(), None);
    let left = store.load_directory().await.unwrap();
    assert_eq!(left.services, std::slice::from_ref(&stays));
    assert_eq!(left.grants, [(stays.id, owner)]);

    removed.id = id();
    store.insert_router(&removed).await.unwrap();
}

pub(crate) async fn a_service_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    assert_eq!(store.service(films.id).await.unwrap(), Some(films.clone()));
    let other_router = some_service(&store).await.router_id;
    let changed = ServiceRecord {
        router_id: other_router,
        name: "name server".into(),
        description: String::new(),
        icon: "box".into(),
        lan_ip: "fd00::53".parse().unwrap(),
        lan_port: 53,
        public_port: 65_534,
        transport: Transport::Udp,
        kind: ServiceKind::Other,
        url_path: "/".into(),
        default_minutes: 1,
        max_minutes: 480,
        wake: Some(Wake::Wol {
            mac: "02:00:5e:10:00:01".into(),
        }),
        ..films.clone()
    };
    assert!(store.update_service(&changed).await.unwrap());
    assert_eq!(
        store.service(films.id).await.unwrap(),
        Some(changed.clone())
    );
    assert!(store.remove_service(films.id, NOW_MS).await.unwrap());
    assert!(!store.remove_service(films.id, NOW_MS).await.unwrap());
    assert!(!store.update_service(&changed).await.unwrap());
    assert_eq!(store.service(films.id).await.unwrap(), None);
}

pub(crate) async fn a_public_port_is_unique_per_router_and_transport(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let same = service(films.router_id, "Music", films.public_port);
    assert!(matches!(
        store.insert_service(&same).await,
        Err(StoreError::Taken)
    ));
    let by_udp = ServiceRecord {
        transport: Transport::Udp,
        ..same.clone()
    };
    store.insert_service(&by_udp).await.unwrap();
    let mut elsewhere = some_service(&store).await;
    elsewhere.router_id = films.router_id;
    assert!(matches!(
        store.update_service(&elsewhere).await,
        Err(StoreError::Taken)
    ));

    store.remove_service(films.id, NOW_MS).await.unwrap();
    store
        .insert_service(&ServiceRecord {
            id: id(),
            ..same.clone()
        })
        .await
        .unwrap();
    let nowhere = ServiceRecord {
        id: id(),
        router_id: id(),
        ..same
    };
    assert!(
        matches!(
            store.insert_service(&nowhere).await,
            Err(StoreError::Broken(_))
        ),
        "no such router"
    );
}

pub(crate) async fn grants_are_replaced_whole(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let attic = service(films.router_id, "attic camera", 18_097);
    store.insert_service(&attic).await.unwrap();
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    let removed = some_owner(&store, "removed@example.org").await;
    store.remove_user(removed, NOW_MS).await.unwrap();

    store
        .set_grants(films.id, &[ben, anna, ben, removed])
        .await
        .unwrap();
    store.set_grants(attic.id, &[anna]).await.unwrap();
    assert_eq!(store.grants(films.id).await.unwrap(), [anna, ben]);
    let directory = store.load_directory().await.unwrap();
    assert_eq!(directory.services, [attic.clone(), films.clone()]);
    assert_eq!(
        directory.grants,
        [(films.id, anna), (films.id, ben), (attic.id, anna)]
    );
    assert!(store.is_granted(films.id, ben).await.unwrap());

    store.set_grants(films.id, &[anna]).await.unwrap();
    assert!(!store.is_granted(films.id, ben).await.unwrap());
    let directory = store.load_directory().await.unwrap();
    assert_eq!(directory.grants, [(films.id, anna), (attic.id, anna)]);
    store.set_grants(films.id, &[]).await.unwrap();
    assert!(store.grants(films.id).await.unwrap().is_empty());
}

pub(crate) async fn removing_an_account_or_a_service_takes_grants_away(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    store.set_grants(films.id, &[anna, ben]).await.unwrap();
    store.remove_user(ben, NOW_MS).await.unwrap();
    assert_eq!(store.grants(films.id).await.unwrap(), [anna]);
    store.remove_service(films.id, NOW_MS).await.unwrap();
    assert!(!store.is_granted(films.id, anna).await.unwrap());
    let directory = store.load_directory().await.unwrap();
    assert!(directory.services.is_empty() && directory.grants.is_empty());
}

/// Else a dashboard would go on offering what its owner may open no longer.
pub(crate) async fn every_change_of_services_and_grants_raises_the_change_number(
    store: Arc<dyn Store>,
) {
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    let films = some_service(&store).await;
    let mut seen = store.load_directory().await.unwrap().change_seq;
    let mut rises = async |what: &str| {
        let now = store.change_seq().await.unwrap();
        assert!(now > seen, "{what}");
        assert_eq!(store.load_directory().await.unwrap().change_seq, now);
        seen = now;
    };
    let attic = service(films.router_id, "attic camera", 18_097);
    store.insert_service(&attic).await.unwrap();
    rises("a service").await;
    store.update_service(&attic).await.unwrap();
    rises("a changed service").await;
    store.set_grants(films.id, &[anna, ben]).await.unwrap();
    rises("grants").await;
    store.remove_user(ben, NOW_MS).await.unwrap();
    rises("a removed account").await;
    store.remove_service(attic.id, NOW_MS).await.unwrap();
    rises("a removed service").await;
    store.remove_router(films.router_id, NOW_MS).await.unwrap();
    rises("a removed router").await;
}
