use std::sync::Arc;

use gatehouse_core::ports::{
    Store,
    access::{AccessSessionRecord, Full, LiveCounts, ServiceRecord, SessionEntry},
    identity::UserEdit,
};
use gatehouse_types::{
    access::{EndReason, SessionState},
    account::Role,
};
use uuid::Uuid;

use crate::records::{NOW_MS, ROOM, session, some_owner, some_service, user};

fn open(service: &ServiceRecord, user_id: Uuid, client_ip: &str) -> AccessSessionRecord {
    AccessSessionRecord {
        state: SessionState::Open,
        opened_at_ms: Some(NOW_MS),
        ..session(service, user_id, client_ip)
    }
}

pub(crate) async fn living_sessions_are_counted_by_user_service_and_address(store: Arc<dyn Store>) {
    let (films, music) = (some_service(&store).await, some_service(&store).await);
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    let over = AccessSessionRecord {
        state: SessionState::Closed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::Expired),
        ..open(&films, anna, "203.0.113.1")
    };
    for record in [
        over,
        open(&films, anna, "203.0.113.1"),
        session(&films, anna, "203.0.113.2"),
        open(&music, anna, "203.0.113.1"),
        open(&films, ben, "203.0.113.1"),
        open(&films, ben, "203.0.113.3"),
    ] {
        store.insert_session(&record, ROOM).await.unwrap();
    }
    let enters = async |service, user_id, last, most| {
        let record = open(service, user_id, &format!("203.0.113.{last}"));
        store.insert_session(&record, most).await.unwrap()
    };
    let exactly = LiveCounts {
        of_user: 4,
        of_service: 5,
        of_address: 4,
    };
    let too_few = [
        (
            Full::User,
            LiveCounts {
                of_user: 3,
                ..exactly
            },
        ),
        (
            Full::Service,
            LiveCounts {
                of_service: 4,
                ..exactly
            },
        ),
    ];
    for (full, most) in too_few {
        let refused = enters(&films, anna, 4, most).await;
        assert_eq!(refused, SessionEntry::Full(full));
    }
    let few_there = LiveCounts {
        of_address: 3,
        ..exactly
    };
    let refused = enters(&music, ben, 1, few_there).await;
    assert_eq!(refused, SessionEntry::Full(Full::Address));
    let entered = enters(&music, ben, 1, exactly).await;
    assert_eq!(entered, SessionEntry::Entered);
    let entered = enters(&films, anna, 4, exactly).await;
    assert_eq!(
        entered,
        SessionEntry::Entered,
        "what was refused left nothing"
    );
}

pub(crate) async fn sessions_whose_right_is_gone_are_found_with_the_reason(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let anna = some_owner(&store, "anna@example.org").await;
    let boss = user("boss@example.org", Role::Admin);
    store.insert_user(&boss).await.unwrap();
    store.set_grants(films.id, &[anna]).await.unwrap();
    let of_anna = open(&films, anna, "203.0.113.1");
    let of_boss = session(&films, boss.id, "203.0.113.1");
    let closing = AccessSessionRecord {
        state: SessionState::Closing,
        end_reason: Some(EndReason::Revoked),
        ..session(&films, anna, "203.0.113.2")
    };
    let over = AccessSessionRecord {
        state: SessionState::Closed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::Expired),
        ..session(&films, anna, "203.0.113.3")
    };
    for record in [&of_anna, &of_boss, &closing, &over] {
        store.insert_session(record, ROOM).await.unwrap();
    }
    let found = || store.sessions_without_right(10);
    assert_eq!(found().await.unwrap(), [], "an admin needs no grant");

    store.set_grants(films.id, &[]).await.unwrap();
    let annas = (of_anna.clone(), EndReason::ServiceRemoved);
    assert_eq!(found().await.unwrap(), [annas]);
    store.set_grants(films.id, &[anna]).await.unwrap();

    let edit = UserEdit {
        disabled: Some(true),
        at_ms: NOW_MS,
        ..UserEdit::default()
    };
    store.change_user(anna, &edit).await.unwrap();
    let disabled = (of_anna.clone(), EndReason::UserDisabled);
    assert_eq!(found().await.unwrap(), [disabled]);
    let edit = UserEdit {
        disabled: Some(false),
        ..edit
    };
    store.change_user(anna, &edit).await.unwrap();
    assert_eq!(found().await.unwrap(), []);

    for elsewhere in [
        ServiceRecord {
            lan_ip: "192.168.50.11".parse().unwrap(),
            ..films.clone()
        },
        ServiceRecord {
            public_port: 18097,
            ..films.clone()
        },
    ] {
        store.update_service(&elsewhere).await.unwrap();
        assert_eq!(found().await.unwrap().len(), 2, "it leads elsewhere");
    }
    store.update_service(&films).await.unwrap();
    assert_eq!(found().await.unwrap(), []);

    store.remove_router(films.router_id, NOW_MS).await.unwrap();
    let both = [&of_anna, &of_boss].map(|row| (row.clone(), EndReason::ServiceRemoved));
    assert_eq!(found().await.unwrap(), both);
    store.remove_user(anna, NOW_MS).await.unwrap();
    let first = store.sessions_without_right(1).await.unwrap();
    assert_eq!(first, [(of_anna, EndReason::UserDisabled)]);
}

pub(crate) async fn a_count_of_traffic_only_grows(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let anna = some_owner(&store, "anna@example.org").await;
    let quiet = open(&films, anna, "203.0.113.1");
    let busy = open(&films, anna, "203.0.113.2");
    for record in [&quiet, &busy] {
        store.insert_session(record, ROOM).await.unwrap();
    }
    for (told, kept) in [
        (0, 0),
        (700, 700),
        (20, 700),
        (5_000_000_000, 5_000_000_000),
    ] {
        store.note_traffic(&[(busy.id, told)]).await.unwrap();
        let now = store.session(busy.id).await.unwrap().unwrap();
        assert_eq!(now.traffic_bytes, Some(kept), "after {told}");
    }
    let both = [(busy.id, 6_000_000_000), (quiet.id, 1), (Uuid::nil(), 1)];
    store.note_traffic(&both).await.unwrap();
    assert_eq!(
        store
            .session(quiet.id)
            .await
            .unwrap()
            .unwrap()
            .traffic_bytes,
        Some(1)
    );
    let closed = AccessSessionRecord {
        state: SessionState::Closed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::Revoked),
        ..busy.clone()
    };
    let advanced = store.advance_session(&closed, SessionState::Open).await;
    assert!(advanced.unwrap());
    let kept = store.session(busy.id).await.unwrap().unwrap();
    assert_eq!(
        kept.traffic_bytes,
        Some(6_000_000_000),
        "a change of the state loses no count"
    );
}
