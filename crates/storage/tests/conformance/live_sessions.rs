//! What changed, by number: the numbers come from the database itself, so both must give them alike.

use std::{collections::BTreeSet, sync::Arc};

use gatehouse_core::ports::{
    Store,
    access::{AccessSessionRecord, PendingSince, SessionFilter},
};
use gatehouse_types::access::{EndReason, SessionState, WakeStep};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{
    databases::warm_up,
    records::{MINUTE_MS, NOW_MS, ROOM, session, some_owner, some_service},
};

async fn changed_after(store: &Arc<dyn Store>, seq: i64) -> Vec<(i64, AccessSessionRecord)> {
    store.sessions_changed_after(seq, 100).await.unwrap()
}

pub(crate) async fn a_change_that_people_see_gets_the_next_number(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let before = store.session_change_seq().await.unwrap();
    assert!(changed_after(&store, before).await.is_empty());

    let pending = session(&films, owner, "203.0.113.7");
    store.insert_session(&pending, ROOM).await.unwrap();
    let [(first, told)] = changed_after(&store, before).await.try_into().unwrap();
    assert!(first > before);
    assert_eq!(told, pending);

    let stages = [
        AccessSessionRecord {
            step: Some(WakeStep::Waiting),
            ..pending.clone()
        },
        AccessSessionRecord {
            state: SessionState::Open,
            opened_at_ms: Some(NOW_MS),
            ..pending.clone()
        },
        AccessSessionRecord {
            state: SessionState::Open,
            opened_at_ms: Some(NOW_MS),
            expires_at_ms: NOW_MS + 60 * MINUTE_MS,
            ..pending.clone()
        },
    ];
    let mut last = first;
    let mut from = SessionState::Pending;
    for stage in stages {
        assert!(store.advance_session(&stage, from).await.unwrap());
        let [(next, told)] = changed_after(&store, last).await.try_into().unwrap();
        assert!(next > last);
        assert_eq!(told, stage);
        (last, from) = (next, stage.state);
    }
    assert!(store.session_change_seq().await.unwrap() >= last);
    store.note_traffic(&[(pending.id, 4096)]).await.unwrap();
    assert!(
        changed_after(&store, last).await.is_empty(),
        "what is only counted is no news"
    );
}

pub(crate) async fn what_changes_together_bears_one_number_or_rising_ones(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let sessions = ["203.0.113.7", "203.0.113.8"].map(|ip| session(&films, owner, ip));
    for session in &sessions {
        store.insert_session(session, ROOM).await.unwrap();
    }
    let before = store.session_change_seq().await.unwrap();
    let closing = store.begin_closing(SessionFilter::default(), EndReason::Revoked);
    assert_eq!(closing.await.unwrap().len(), 2);
    let told = changed_after(&store, before).await;
    let ids: BTreeSet<Uuid> = told.iter().map(|(_, session)| session.id).collect();
    assert_eq!(ids, sessions.iter().map(|session| session.id).collect());
    assert!(told.is_sorted_by_key(|(seq, _)| *seq));
    let newest = told.last().unwrap().0;
    assert!(changed_after(&store, newest).await.is_empty());
}

/// A number that becomes visible after a higher one would be passed over by who follows.
pub(crate) async fn twenty_changes_at_once_are_all_found(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    warm_up(&store).await;
    let mut clicks = JoinSet::new();
    for number in 0..20 {
        let store = Arc::clone(&store);
        let record = session(&films, owner, &format!("203.0.113.{number}"));
        clicks.spawn(async move {
            store.insert_session(&record, ROOM).await.unwrap();
            record.id
        });
    }
    let (mut last, mut found) = (0, BTreeSet::new());
    while clicks.try_join_next().is_some() || !clicks.is_empty() {
        for (seq, session) in changed_after(&store, last).await {
            last = seq;
            found.insert(session.id);
        }
        tokio::task::yield_now().await;
    }
    for (_, session) in changed_after(&store, last).await {
        found.insert(session.id);
    }
    assert_eq!(found.len(), 20);
}

pub(crate) async fn a_session_whose_host_is_woken_may_be_pending_longer(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    let steps = [
        None,
        Some(WakeStep::Waking),
        Some(WakeStep::Waiting),
        Some(WakeStep::Opening),
    ];
    for (last, step) in (1..).zip(steps) {
        let record = AccessSessionRecord {
            step,
            ..session(&films, owner, &format!("203.0.113.{last}"))
        };
        store.insert_session(&record, ROOM).await.unwrap();
    }
    let due = async |plain_ms, waking_ms, opening_ms| {
        let since = PendingSince {
            plain_ms,
            waking_ms,
            opening_ms,
        };
        let due = store.due_sessions(NOW_MS, since, 10).await.unwrap();
        due.iter().map(|due| due.step).collect::<Vec<_>>()
    };
    let (then, later) = (NOW_MS, NOW_MS + 1);
    assert_eq!(due(then, then, then).await, []);
    assert_eq!(due(later, then, then).await, steps[..1]);
    assert_eq!(due(then, later, then).await, steps[1..3]);
    assert_eq!(due(then, then, later).await, steps[3..]);
}
