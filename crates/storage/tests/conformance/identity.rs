use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    identity::{UserEdit, UserRecord},
};
use gatehouse_types::account::Role;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{MINUTE_MS, NOW_MS, id, sign_in, some_owner, user},
};

pub(crate) async fn an_account_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let anna = user("anna@example.org", Role::Admin);
    store.insert_user(&anna).await.unwrap();
    assert_eq!(store.user(anna.id).await.unwrap(), Some(anna.clone()));
    assert_eq!(
        store.user_by_email_key("anna@example.org").await.unwrap(),
        Some(anna.clone())
    );
    assert_eq!(
        store.user_by_email_key("ANNA@EXAMPLE.ORG").await.unwrap(),
        None
    );
    assert_eq!(store.user(id()).await.unwrap(), None);
}

pub(crate) async fn a_change_leaves_alone_what_it_does_not_name(store: Arc<dyn Store>) {
    some_admin(&store, "berta@example.org").await;
    let mut anna = user("anna@example.org", Role::Admin);
    store.insert_user(&anna).await.unwrap();
    let (id, unknown) = (anna.id, id());
    let changed = async |edit: UserEdit| {
        let changed = store.change_user(id, &edit).await.unwrap();
        assert_eq!(store.user(id).await.unwrap(), changed);
        changed.unwrap()
    };
    assert_eq!(changed(UserEdit::default()).await, anna);

    anna.email = "Anna@example.com".into();
    anna.email_key = "anna@example.com".into();
    let address = UserEdit {
        email: Some(anna.email.clone()),
        email_key: Some(anna.email_key.clone()),
        ..UserEdit::default()
    };
    assert_eq!(changed(address).await, anna);

    anna.role = Role::Owner;
    assert_eq!(changed(role(Role::Owner)).await, anna);

    anna.disabled_at_ms = Some(NOW_MS);
    assert_eq!(changed(disabled(true, NOW_MS)).await, anna);
    assert_eq!(
        changed(disabled(true, NOW_MS + 1)).await,
        anna,
        "who is disabled keeps the moment"
    );

    anna.password_hash = "another".into();
    let password = UserEdit {
        password_hash: Some("another".into()),
        ..UserEdit::default()
    };
    assert_eq!(changed(password).await, anna);

    anna.disabled_at_ms = None;
    assert_eq!(changed(disabled(false, NOW_MS)).await, anna);
    let ghost = store.change_user(unknown, &UserEdit::default()).await;
    assert_eq!(ghost.unwrap(), None);
}

pub(crate) async fn changes_at_the_same_moment_all_stand(store: Arc<dyn Store>) {
    some_admin(&store, "berta@example.org").await;
    warm_up(&store).await;
    for round in 0..20 {
        let id = some_owner(&store, &format!("owner{round}@example.org")).await;
        let password = UserEdit {
            password_hash: Some("another".into()),
            ..UserEdit::default()
        };
        let (promotion, disabling) = (role(Role::Admin), disabled(true, NOW_MS));
        let (one, two, three) = tokio::join!(
            store.change_user(id, &promotion),
            store.change_user(id, &password),
            store.change_user(id, &disabling),
        );
        assert!(one.unwrap().is_some() && two.unwrap().is_some() && three.unwrap().is_some());
        let after = store.user(id).await.unwrap().unwrap();
        assert_eq!(
            (after.role, &*after.password_hash, after.disabled_at_ms),
            (Role::Admin, "another", Some(NOW_MS))
        );
    }
}

pub(crate) async fn a_change_ends_sign_ins_or_neither_happens(store: Arc<dyn Store>) {
    let admin = some_admin(&store, "anna@example.org").await;
    let hash = user("", Role::Admin).password_hash;
    store
        .insert_sign_in(&sign_in(admin, 1), &hash)
        .await
        .unwrap();
    let demotion = UserEdit {
        ends_sign_ins: Some("role_changed"),
        ..role(Role::Owner)
    };
    assert_eq!(store.change_user(admin, &demotion).await.unwrap(), None);
    assert!(store.sign_in([1; 32]).await.unwrap().is_some());
    some_admin(&store, "berta@example.org").await;
    assert!(store.change_user(admin, &demotion).await.unwrap().is_some());
    assert_eq!(store.sign_in([1; 32]).await.unwrap(), None);
}

pub(crate) async fn an_address_is_unique_until_its_account_is_removed(store: Arc<dyn Store>) {
    let first = some_owner(&store, "ben@example.org").await;
    let second = user("ben@example.org", Role::Owner);
    assert!(matches!(
        store.insert_user(&second).await,
        Err(StoreError::Taken)
    ));

    assert!(store.remove_user(first, NOW_MS).await.unwrap());
    assert!(
        !store.remove_user(first, NOW_MS).await.unwrap(),
        "it is gone already"
    );
    assert_eq!(store.user(first).await.unwrap(), None);
    store.insert_user(&second).await.unwrap();
    assert_eq!(
        store.user_by_email_key("ben@example.org").await.unwrap(),
        Some(second.clone())
    );

    let third = some_owner(&store, "cleo@example.org").await;
    let same_address = UserEdit {
        email_key: Some(second.email_key),
        ..UserEdit::default()
    };
    assert!(matches!(
        store.change_user(third, &same_address).await,
        Err(StoreError::Taken)
    ));
}

pub(crate) async fn a_password_is_replaced_only_where_it_is_still_known(store: Arc<dyn Store>) {
    let mut ana = user("ana@example.org", Role::Owner);
    store.insert_user(&ana).await.unwrap();
    let old = ana.password_hash.clone();
    assert!(
        !store
            .replace_password(ana.id, "other", "new")
            .await
            .unwrap()
    );
    assert!(store.replace_password(ana.id, &old, "new").await.unwrap());
    assert!(!store.replace_password(ana.id, &old, "newer").await.unwrap());
    ana.password_hash = "new".into();
    assert_eq!(store.user(ana.id).await.unwrap(), Some(ana.clone()));
    let disabling = disabled(true, NOW_MS);
    let disabled = store.change_user(ana.id, &disabling).await.unwrap();
    assert!(disabled.is_some());
    let replaced = store.replace_password(ana.id, "new", "newer").await;
    assert!(!replaced.unwrap(), "who is disabled stays so");
}

pub(crate) async fn accounts_are_listed_page_by_page(store: Arc<dyn Store>) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(some_owner(&store, &format!("owner{number}@example.org")).await);
    }
    store.remove_user(ids.remove(1), NOW_MS).await.unwrap();
    assert_eq!(store.count_users().await.unwrap(), 4);

    let page = store.list_users(None, 3).await.unwrap();
    assert_eq!(
        page.iter().map(|user| user.id).collect::<Vec<_>>(),
        ids[..3]
    );
    let rest = store.list_users(Some(ids[2]), 3).await.unwrap();
    assert_eq!(
        rest.iter().map(|user| user.id).collect::<Vec<_>>(),
        ids[3..]
    );
}

pub(crate) async fn one_enabled_admin_always_stays(store: Arc<dyn Store>) {
    let anna = some_admin(&store, "anna@example.org").await;
    let mut dora = user("dora@example.org", Role::Admin);
    dora.disabled_at_ms = Some(NOW_MS);
    store.insert_user(&dora).await.unwrap();
    some_owner(&store, "owner@example.org").await;

    let is_done = async |id: Uuid, edit: UserEdit| {
        let changed = store.change_user(id, &edit).await.unwrap();
        changed.is_some()
    };
    let leaves = [role(Role::Owner), disabled(true, NOW_MS)];
    for leave in &leaves {
        assert!(!is_done(anna, leave.clone()).await, "{leave:?}");
        assert!(is_done(dora.id, leave.clone()).await, "she was none");
    }
    assert!(!store.remove_user(anna, NOW_MS).await.unwrap());
    assert!(
        is_done(anna, role(Role::Admin)).await,
        "she stays what she is"
    );
    assert!(is_done(anna, disabled(false, NOW_MS)).await);
    assert!(
        store.remove_user(dora.id, NOW_MS).await.unwrap(),
        "who is disabled may go"
    );

    some_admin(&store, "berta@example.org").await;
    for leave in leaves {
        assert!(is_done(anna, leave).await, "another one stays");
    }
}

pub(crate) async fn two_admins_removing_each_other_leave_one(store: Arc<dyn Store>) {
    warm_up(&store).await;
    for round in 0..20 {
        store
            .insert_user(&user(&format!("admin{round}@example.org"), Role::Admin))
            .await
            .unwrap();
        let admins = store.list_users(None, 3).await.unwrap();
        let [one, other] = &admins[..] else {
            assert_eq!((round, admins.len()), (0, 1), "one stays after each round");
            continue;
        };
        let (one, other) = tokio::join!(
            store.remove_user(one.id, NOW_MS),
            store.remove_user(other.id, NOW_MS)
        );
        assert!(one.unwrap() ^ other.unwrap());
    }
}

pub(crate) async fn a_portal_without_admins_lets_owners_change(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "only@example.org").await;
    let changed = store.change_user(owner, &disabled(true, NOW_MS)).await;
    assert!(changed.unwrap().is_some());
    assert!(store.remove_user(owner, NOW_MS).await.unwrap());
}

async fn some_admin(store: &Arc<dyn Store>, email: &str) -> Uuid {
    let admin = user(email, Role::Admin);
    store.insert_user(&admin).await.unwrap();
    admin.id
}

fn role(role: Role) -> UserEdit {
    UserEdit {
        role: Some(role),
        ..UserEdit::default()
    }
}

fn disabled(disabled: bool, at_ms: i64) -> UserEdit {
    UserEdit {
        disabled: Some(disabled),
        at_ms,
        ..UserEdit::default()
    }
}

pub(crate) async fn a_set_up_link_works_once_and_not_too_late(store: Arc<dyn Store>) {
    let first = user("first@example.org", Role::Admin);
    store
        .replace_setup_link([1; 32], NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    store
        .replace_setup_link([2; 32], NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    assert!(
        !store.setup_link_works([1; 32], NOW_MS).await.unwrap(),
        "a newer one took its place"
    );
    assert!(!store.use_setup_link([1; 32], NOW_MS, &first).await.unwrap());
    assert!(store.setup_link_works([2; 32], NOW_MS).await.unwrap());
    assert!(
        !store
            .setup_link_works([2; 32], NOW_MS + MINUTE_MS)
            .await
            .unwrap(),
        "it is over"
    );
    assert!(
        !store
            .use_setup_link([2; 32], NOW_MS + MINUTE_MS, &first)
            .await
            .unwrap()
    );
    assert_eq!(store.count_users().await.unwrap(), 0);

    assert!(store.use_setup_link([2; 32], NOW_MS, &first).await.unwrap());
    assert_eq!(store.user(first.id).await.unwrap(), Some(first));
    assert!(
        !store.setup_link_works([2; 32], NOW_MS).await.unwrap(),
        "it is burnt"
    );

    store
        .replace_setup_link([3; 32], NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    assert!(
        !store.setup_link_works([3; 32], NOW_MS).await.unwrap(),
        "there is an account"
    );
    let second = user("second@example.org", Role::Admin);
    assert!(
        !store
            .use_setup_link([3; 32], NOW_MS, &second)
            .await
            .unwrap()
    );
}

pub(crate) async fn twenty_people_with_one_set_up_link_make_one_admin(store: Arc<dyn Store>) {
    store
        .replace_setup_link([1; 32], NOW_MS + MINUTE_MS)
        .await
        .unwrap();
    warm_up(&store).await;
    let mut people = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        people.spawn(async move {
            let admin = user(&format!("admin{number}@example.org"), Role::Admin);
            store.use_setup_link([1; 32], NOW_MS, &admin).await.unwrap()
        });
    }
    let made = people
        .join_all()
        .await
        .into_iter()
        .filter(|made| *made)
        .count();
    assert_eq!(made, 1);
    assert_eq!(store.count_users().await.unwrap(), 1);
}

pub(crate) async fn the_newest_acknowledgement_counts(store: Arc<dyn Store>) {
    let owner = some_owner(&store, "owner@example.org").await;
    assert_eq!(store.last_ack(owner).await.unwrap(), None);
    store.insert_ack(id(), owner, 3, NOW_MS).await.unwrap();
    store.insert_ack(id(), owner, 5, NOW_MS + 1).await.unwrap();
    assert_eq!(store.last_ack(owner).await.unwrap(), Some((5, NOW_MS + 1)));
}

pub(crate) async fn text_is_kept_to_the_letter_or_refused(store: Arc<dyn Store>) {
    for text in [
        "Zoë 🦉 日本",
        "it's \"quoted\" \\ %_;--",
        " spaces \t\r\n",
        "e\u{301} and é",
        "",
    ] {
        let record = UserRecord {
            email: text.into(),
            email_key: text.into(),
            ..user("text", Role::Owner)
        };
        store.insert_user(&record).await.unwrap();
        assert_eq!(store.user_by_email_key(text).await.unwrap(), Some(record));
    }
    let record = UserRecord {
        email: "before\0after".into(),
        ..user("nul@example.org", Role::Owner)
    };
    match store.insert_user(&record).await {
        Ok(()) => assert_eq!(store.user(record.id).await.unwrap(), Some(record)),
        Err(error) => {
            assert!(matches!(error, StoreError::Broken(_)), "{error:?}");
            assert_eq!(store.user(record.id).await.unwrap(), None);
        }
    }
}
