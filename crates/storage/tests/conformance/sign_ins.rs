use std::sync::Arc;

use gatehouse_core::ports::{Store, StoreError, identity::SignInRecord};
use gatehouse_types::account::{LoginKind, Role};
use uuid::Uuid;

use crate::records::{MINUTE_MS, NOW_MS, id, sign_in, some_owner, user};

pub(crate) async fn a_sign_in_is_found_by_the_hash_of_its_secret(store: Arc<dyn Store>) {
    let owner = user("owner@example.org", Role::Owner);
    store.insert_user(&owner).await.unwrap();
    let browser = sign_in(owner.id, 1);
    let program = SignInRecord {
        kind: LoginKind::Api,
        ip: Some("2001:db8::7".parse().unwrap()),
        user_agent: String::new(),
        ..sign_in(owner.id, 2)
    };
    let unknown_place = SignInRecord {
        ip: None,
        ..sign_in(owner.id, 3)
    };
    for record in [&browser, &program, &unknown_place] {
        store.insert_sign_in(record).await.unwrap();
        let found = store.sign_in(record.token_hash).await.unwrap();
        assert_eq!(found, Some((record.clone(), owner.clone())));
    }
    assert_eq!(store.sign_in([4; 32]).await.unwrap(), None);
    let again = SignInRecord {
        id: id(),
        ..browser.clone()
    };
    assert!(matches!(
        store.insert_sign_in(&again).await,
        Err(StoreError::Taken)
    ));

    assert!(
        store
            .signed_in_before(owner.id, "2001:db8::7".parse().unwrap())
            .await
            .unwrap()
    );
    assert!(
        !store
            .signed_in_before(owner.id, "2001:db8::8".parse().unwrap())
            .await
            .unwrap()
    );
    assert!(
        !store
            .signed_in_before(id(), "2001:db8::7".parse().unwrap())
            .await
            .unwrap()
    );
}

pub(crate) async fn a_sign_in_of_a_disabled_or_removed_account_is_not_found(store: Arc<dyn Store>) {
    let mut owner = user("owner@example.org", Role::Owner);
    store.insert_user(&owner).await.unwrap();
    store.insert_sign_in(&sign_in(owner.id, 1)).await.unwrap();
    owner.disabled_at_ms = Some(NOW_MS);
    store.update_user(&owner).await.unwrap();
    assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);

    owner.disabled_at_ms = None;
    store.update_user(&owner).await.unwrap();
    assert!(store.sign_in([1; 32]).await.unwrap().is_some());
    store.remove_user(owner.id, NOW_MS).await.unwrap();
    assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
}

pub(crate) async fn sign_ins_that_are_over_are_not_listed(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "owner@example.org").await;
    let older = sign_in(owner, 1);
    let newer = sign_in(owner, 2);
    let expired = SignInRecord {
        expires_at_ms: NOW_MS + MINUTE_MS,
        ..sign_in(owner, 3)
    };
    let idle = SignInRecord {
        idle_ms: MINUTE_MS,
        ..sign_in(owner, 4)
    };
    for record in [&older, &newer, &expired, &idle] {
        store.insert_sign_in(record).await.unwrap();
    }
    let listed = store
        .list_sign_ins(owner, NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    assert_eq!(listed, [newer.clone(), older.clone()]);

    store
        .touch_sign_in(idle.id, NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    store.touch_sign_in(idle.id, NOW_MS).await.unwrap();
    let touched = SignInRecord {
        last_seen_at_ms: NOW_MS + MINUTE_MS,
        ..idle
    };
    let listed = store
        .list_sign_ins(owner, NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    assert_eq!(
        listed,
        [touched, newer, older],
        "an earlier moment takes nothing back"
    );
}

pub(crate) async fn sign_ins_are_finished_one_by_one_and_all_but_one(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "owner@example.org").await;
    let stranger = some_owner(&store, "stranger@example.org").await;
    let records: Vec<_> = (1..=4).map(|secret| sign_in(owner, secret)).collect();
    for record in &records {
        store.insert_sign_in(record).await.unwrap();
    }
    let first = records[0].id;
    assert!(
        !store
            .finish_sign_in(stranger, first, NOW_MS, "closed")
            .await
            .unwrap()
    );
    assert!(
        store
            .finish_sign_in(owner, first, NOW_MS, "closed")
            .await
            .unwrap()
    );
    assert!(
        !store
            .finish_sign_in(owner, first, NOW_MS, "closed")
            .await
            .unwrap()
    );
    assert_eq!(store.sign_in(records[0].token_hash).await.unwrap(), None);

    assert_eq!(
        store
            .finish_sign_ins(owner, Some(records[1].id), NOW_MS, "closed")
            .await
            .unwrap(),
        2
    );
    let left: Vec<Uuid> = store
        .list_sign_ins(owner, NOW_MS)
        .await
        .unwrap()
        .iter()
        .map(|record| record.id)
        .collect();
    assert_eq!(left, [records[1].id]);
    assert_eq!(
        store
            .finish_sign_ins(owner, None, NOW_MS, "closed")
            .await
            .unwrap(),
        1
    );
    assert!(store.list_sign_ins(owner, NOW_MS).await.unwrap().is_empty());
}
