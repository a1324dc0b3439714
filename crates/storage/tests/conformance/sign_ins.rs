use std::{net::IpAddr, sync::Arc};

use gatehouse_core::ports::{
    Store, StoreError,
    identity::{SignInRecord, UserEdit},
};
use gatehouse_types::account::{LoginKind, Role};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::databases::warm_up;
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
        assert!(begin(&store, record).await);
        let found = store.sign_in(record.token_hash).await.unwrap();
        let change_seq = store.change_seq().await.unwrap();
        assert_eq!(found, Some((record.clone(), owner.clone(), change_seq)));
    }
    assert_eq!(store.sign_in([4; 32]).await.unwrap(), None);
    let again = SignInRecord {
        id: id(),
        ..browser.clone()
    };
    assert!(matches!(
        store.insert_sign_in(&again, &owner.password_hash).await,
        Err(StoreError::Taken)
    ));
}

pub(crate) async fn every_address_of_a_user_is_listed_once(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "owner@example.org").await;
    let stranger = some_owner(&store, "stranger@example.org").await;
    let places = [Some("2001:db8::7"), Some("203.0.113.7"), None];
    for (secret, place) in (1..).zip(places.into_iter().chain(places)) {
        let record = SignInRecord {
            ip: place.map(|ip| ip.parse().unwrap()),
            ..sign_in(owner, secret)
        };
        assert!(begin(&store, &record).await);
    }
    store
        .finish_sign_ins(owner, None, NOW_MS, "closed")
        .await
        .unwrap();
    let mut listed = store.sign_in_addresses(owner).await.unwrap();
    listed.sort();
    let expected: [IpAddr; 2] = ["203.0.113.7", "2001:db8::7"].map(|ip| ip.parse().unwrap());
    assert_eq!(listed, expected);
    let nowhere = store.sign_in_addresses(stranger).await.unwrap();
    assert!(nowhere.is_empty());
}

pub(crate) async fn a_sign_in_begins_with_the_password_that_is_in_force(store: Arc<dyn Store>) {
    let owner = user("owner@example.org", Role::Owner);
    store.insert_user(&owner).await.unwrap();
    let change = async |edit: UserEdit| {
        let changed = store.change_user(owner.id, &edit).await.unwrap();
        assert!(changed.is_some());
    };
    let mut secret = 0;
    let mut begins = async |password_hash: &str| {
        secret += 1;
        let record = sign_in(owner.id, secret);
        let began = store.insert_sign_in(&record, password_hash).await.unwrap();
        let found = store.sign_in(record.token_hash).await.unwrap();
        assert!(began || found.is_none(), "half a sign-in");
        began
    };
    assert!(begins(&owner.password_hash).await);
    let new_password = UserEdit {
        password_hash: Some("new".into()),
        ..UserEdit::default()
    };
    change(new_password).await;
    assert!(!begins(&owner.password_hash).await);
    assert!(begins("new").await);
    for (disabled, may_begin) in [(true, false), (false, true)] {
        let edit = UserEdit {
            disabled: Some(disabled),
            ..UserEdit::default()
        };
        change(edit).await;
        assert_eq!(begins("new").await, may_begin);
    }
    store.remove_user(owner.id, NOW_MS).await.unwrap();
    assert!(!begins("new").await);
}

pub(crate) async fn no_sign_in_outlives_the_password_it_began_with(store: Arc<dyn Store>) {
    warm_up(&store).await;
    for round in 0..40 {
        let owner = user(&format!("owner{round}@example.org"), Role::Owner);
        store.insert_user(&owner).await.unwrap();
        let new_password = UserEdit {
            password_hash: Some("new".into()),
            ends_sign_ins: Some("password_changed"),
            ..UserEdit::default()
        };
        let mut racing = JoinSet::new();
        for number in 0..8 {
            let (store, hash) = (Arc::clone(&store), owner.password_hash.clone());
            let record = sign_in(owner.id, number);
            racing.spawn(async move {
                store.insert_sign_in(&record, &hash).await.unwrap();
            });
        }
        store.change_user(owner.id, &new_password).await.unwrap();
        racing.join_all().await;
        let left = store.list_sign_ins(owner.id, NOW_MS).await.unwrap();
        assert_eq!(left, [], "round {round}");
    }
}

/// Begins a session of an ordinary account.
async fn begin(store: &Arc<dyn Store>, record: &SignInRecord) -> bool {
    let hash = user("", Role::Owner).password_hash;
    store.insert_sign_in(record, &hash).await.unwrap()
}

pub(crate) async fn a_sign_in_of_a_disabled_or_removed_account_is_not_found(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "owner@example.org").await;
    assert!(begin(&store, &sign_in(owner, 1)).await);
    for disabled in [true, false] {
        let edit = UserEdit {
            disabled: Some(disabled),
            ..UserEdit::default()
        };
        store.change_user(owner, &edit).await.unwrap();
        let found = store.sign_in([1; 32]).await.unwrap();
        assert_eq!(found.is_none(), disabled);
    }
    store.remove_user(owner, NOW_MS).await.unwrap();
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
        assert!(begin(&store, record).await);
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
        assert!(begin(&store, record).await);
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
