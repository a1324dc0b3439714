use std::sync::Arc;

use gatehouse_core::ports::{
    Store, StoreError,
    access::{AccessSessionRecord, LiveCounts, PendingSince, SessionEntry, SessionFilter},
};
use gatehouse_types::access::{EndReason, SessionState, Transport, WakeStep};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{MINUTE_MS, NOW_MS, ROOM, id, session, some_owner, some_service},
};

pub(crate) async fn a_session_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let fresh = session(&films, owner, "203.0.113.7");
    let whole = AccessSessionRecord {
        state: SessionState::Closed,
        step: Some(WakeStep::Opening),
        client_ip: "2001:db8::7".parse().unwrap(),
        lan_ip: "fd00::53".parse().unwrap(),
        transport: Transport::Udp,
        url: None,
        opened_at_ms: Some(NOW_MS + 1),
        finished_at_ms: Some(NOW_MS + 2),
        end_reason: Some(EndReason::RevokedByAdmin),
        traffic_bytes: Some(i64::MAX),
        ..session(&films, owner, "203.0.113.7")
    };
    for record in [&fresh, &whole] {
        store.insert_session(record, ROOM).await.unwrap();
        assert_eq!(
            store.session(record.id).await.unwrap().as_ref(),
            Some(record)
        );
    }
    assert_eq!(store.session(id()).await.unwrap(), None);
    assert_eq!(
        store
            .live_session(films.id, owner, fresh.client_ip)
            .await
            .unwrap(),
        Some(fresh)
    );
    assert_eq!(
        store
            .live_session(films.id, owner, whole.client_ip)
            .await
            .unwrap(),
        None
    );
}

pub(crate) async fn fifty_clicks_at_once_open_one_session(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    warm_up(&store).await;
    let mut clicks = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(&store);
        let record = session(&films, owner, "203.0.113.7");
        clicks.spawn(async move { store.insert_session(&record, ROOM).await });
    }
    let outcomes = clicks.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    let taken = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Err(StoreError::Taken)))
        .count();
    assert_eq!(taken, 49, "{outcomes:?}");
    let all = store.list_sessions(SessionFilter::default(), 100).await;
    assert_eq!(all.unwrap().len(), 1);
    store
        .insert_session(&session(&films, owner, "203.0.113.8"), ROOM)
        .await
        .unwrap();
}

pub(crate) async fn of_fifty_sessions_at_once_as_many_enter_as_there_is_room(
    store: Arc<dyn Store>,
) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    warm_up(&store).await;
    let most = LiveCounts { of_user: 7, ..ROOM };
    let mut clicks = JoinSet::new();
    for number in 0..50 {
        let store = Arc::clone(&store);
        let record = session(&films, owner, &format!("203.0.113.{number}"));
        clicks.spawn(async move { store.insert_session(&record, most).await.unwrap() });
    }
    let entries = clicks.join_all().await;
    let entered = entries.iter().filter(|one| **one == SessionEntry::Entered);
    assert_eq!(entered.count(), 7, "{entries:?}");
    let all = store.list_sessions(SessionFilter::default(), 100).await;
    assert_eq!(all.unwrap().len(), 7, "who found it full left nothing");
}

pub(crate) async fn a_session_advances_from_the_state_it_is_in(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let pending = session(&films, owner, "203.0.113.7");
    store.insert_session(&pending, ROOM).await.unwrap();

    let open = AccessSessionRecord {
        state: SessionState::Open,
        opened_at_ms: Some(NOW_MS + 5),
        ..pending.clone()
    };
    assert!(
        store
            .advance_session(&open, SessionState::Pending)
            .await
            .unwrap()
    );
    assert!(
        !store
            .advance_session(&open, SessionState::Pending)
            .await
            .unwrap(),
        "it was taken on before"
    );
    assert_eq!(store.session(open.id).await.unwrap(), Some(open.clone()));

    let mut closers = JoinSet::new();
    for reason in [
        EndReason::Revoked,
        EndReason::Expired,
        EndReason::RevokedByAdmin,
    ] {
        let store = Arc::clone(&store);
        let closing = AccessSessionRecord {
            state: SessionState::Closing,
            end_reason: Some(reason),
            ..open.clone()
        };
        closers.spawn(async move {
            store
                .advance_session(&closing, SessionState::Open)
                .await
                .unwrap()
        });
    }
    assert_eq!(
        closers
            .join_all()
            .await
            .into_iter()
            .filter(|won| *won)
            .count(),
        1
    );

    let closing = store.session(open.id).await.unwrap().unwrap();
    let closed = AccessSessionRecord {
        state: SessionState::Closed,
        expires_at_ms: NOW_MS + MINUTE_MS,
        finished_at_ms: Some(NOW_MS + MINUTE_MS),
        ..closing
    };
    assert!(
        store
            .advance_session(&closed, SessionState::Closing)
            .await
            .unwrap()
    );
    assert_eq!(store.session(open.id).await.unwrap(), Some(closed));
    store
        .insert_session(&session(&films, owner, "203.0.113.7"), ROOM)
        .await
        .unwrap();
}

pub(crate) async fn sessions_are_filtered_and_paged(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let music = some_service(&store).await;
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    let over = AccessSessionRecord {
        state: SessionState::Failed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::RouterUnreachable),
        ..session(&films, anna, "203.0.113.7")
    };
    let second = session(&films, anna, "203.0.113.7");
    let third = session(&music, anna, "203.0.113.7");
    let fourth = session(&films, ben, "203.0.113.8");
    for record in [&over, &second, &third, &fourth] {
        store.insert_session(record, ROOM).await.unwrap();
    }
    let everything = SessionFilter::default();
    let cases = [
        (everything, vec![fourth.id, third.id, second.id, over.id]),
        (
            SessionFilter {
                user_id: Some(anna),
                ..everything
            },
            vec![third.id, second.id, over.id],
        ),
        (
            SessionFilter {
                service_id: Some(films.id),
                ..everything
            },
            vec![fourth.id, second.id, over.id],
        ),
        (
            SessionFilter {
                router_id: Some(music.router_id),
                ..everything
            },
            vec![third.id],
        ),
        (
            SessionFilter {
                state: Some(SessionState::Failed),
                ..everything
            },
            vec![over.id],
        ),
        (
            SessionFilter {
                unfinished_only: true,
                ..everything
            },
            vec![fourth.id, third.id, second.id],
        ),
        (
            SessionFilter {
                client_ip: Some(fourth.client_ip),
                ..everything
            },
            vec![fourth.id],
        ),
        (
            SessionFilter {
                before: Some(third.id),
                ..everything
            },
            vec![second.id, over.id],
        ),
        (
            SessionFilter {
                user_id: Some(anna),
                service_id: Some(films.id),
                router_id: Some(films.router_id),
                invitation_id: None,
                client_ip: Some(second.client_ip),
                state: Some(SessionState::Pending),
                unfinished_only: true,
                before: Some(fourth.id),
            },
            vec![second.id],
        ),
    ];
    for (filter, expected) in cases {
        assert_eq!(
            ids(&store.list_sessions(filter, 10).await.unwrap()),
            expected,
            "{filter:?}"
        );
    }
    assert_eq!(
        ids(&store.list_sessions(everything, 2).await.unwrap()),
        [fourth.id, third.id]
    );
}

pub(crate) async fn the_keeper_finds_sessions_that_are_due(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let from = |last: u8| session(&films, owner, &format!("203.0.113.{last}"));
    let expired = AccessSessionRecord {
        state: SessionState::Open,
        expires_at_ms: NOW_MS,
        ..from(1)
    };
    let closing = AccessSessionRecord {
        state: SessionState::Closing,
        end_reason: Some(EndReason::Revoked),
        expires_at_ms: NOW_MS + MINUTE_MS,
        ..from(2)
    };
    let stuck = AccessSessionRecord {
        requested_at_ms: NOW_MS - MINUTE_MS,
        expires_at_ms: NOW_MS + 2 * MINUTE_MS,
        ..from(3)
    };
    let young = from(4);
    let open = AccessSessionRecord {
        state: SessionState::Open,
        ..from(5)
    };
    let over = AccessSessionRecord {
        state: SessionState::Closed,
        expires_at_ms: NOW_MS - MINUTE_MS,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::Expired),
        ..from(6)
    };
    for record in [&open, &young, &stuck, &closing, &expired, &over] {
        store.insert_session(record, ROOM).await.unwrap();
    }
    let due = store
        .due_sessions(NOW_MS, pending_since(NOW_MS - MINUTE_MS + 1), 10)
        .await
        .unwrap();
    assert_eq!(due, [expired.clone(), closing, stuck]);
    assert_eq!(
        store
            .due_sessions(NOW_MS, pending_since(NOW_MS - MINUTE_MS), 1)
            .await
            .unwrap(),
        [expired]
    );
}

pub(crate) async fn no_router_takes_the_place_of_another(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let music = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let closing = |service, last: u8, minutes: i64| AccessSessionRecord {
        state: SessionState::Closing,
        end_reason: Some(EndReason::Revoked),
        expires_at_ms: NOW_MS + minutes * MINUTE_MS,
        ..session(service, owner, &format!("203.0.113.{last}"))
    };
    let crowd: Vec<_> = (1..=3).map(|last| closing(&films, last, 1)).collect();
    let patient = closing(&music, 1, 3);
    let stuck = AccessSessionRecord {
        requested_at_ms: NOW_MS - MINUTE_MS,
        expires_at_ms: NOW_MS + 2 * MINUTE_MS,
        ..session(&films, owner, "203.0.113.4")
    };
    for record in crowd.iter().chain([&patient, &stuck]) {
        store.insert_session(record, ROOM).await.unwrap();
    }
    let due = store
        .due_sessions(NOW_MS, pending_since(NOW_MS), 2)
        .await
        .unwrap();
    assert_eq!(
        ids(&due),
        [crowd[0].id, stuck.id, patient.id],
        "closing ones give way to what need not wait for its router"
    );
}

fn pending_since(at_ms: i64) -> PendingSince {
    PendingSince {
        plain_ms: at_ms,
        waking_ms: at_ms,
        opening_ms: at_ms,
    }
}

fn ids(sessions: &[AccessSessionRecord]) -> Vec<Uuid> {
    sessions.iter().map(|session| session.id).collect()
}
