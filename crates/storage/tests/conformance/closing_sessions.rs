use std::sync::Arc;

use gatehouse_core::ports::{
    Store,
    access::{AccessSessionRecord, SessionFilter},
};
use gatehouse_types::access::{EndReason, SessionState};

use crate::{
    databases::warm_up,
    records::{NOW_MS, ROOM, session, some_owner, some_service},
};

pub(crate) async fn sessions_that_match_begin_to_close_together(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let music = some_service(&store).await;
    let anna = some_owner(&store, "anna@example.org").await;
    let ben = some_owner(&store, "ben@example.org").await;
    let pending = session(&films, anna, "203.0.113.1");
    let open = AccessSessionRecord {
        state: SessionState::Open,
        opened_at_ms: Some(NOW_MS + 1),
        ..session(&films, anna, "203.0.113.2")
    };
    let closing = AccessSessionRecord {
        state: SessionState::Closing,
        end_reason: Some(EndReason::Revoked),
        ..session(&films, anna, "203.0.113.3")
    };
    let over = AccessSessionRecord {
        state: SessionState::Closed,
        finished_at_ms: Some(NOW_MS),
        end_reason: Some(EndReason::Expired),
        ..session(&films, anna, "203.0.113.4")
    };
    let elsewhere = session(&music, anna, "203.0.113.1");
    let somebody_else = session(&films, ben, "203.0.113.1");
    let rows = [&pending, &open, &closing, &over, &elsewhere, &somebody_else];
    for record in rows {
        store.insert_session(record, ROOM).await.unwrap();
    }
    let annas_films = SessionFilter {
        user_id: Some(anna),
        service_id: Some(films.id),
        ..SessionFilter::default()
    };
    let begin = |filter| store.begin_closing(filter, EndReason::UserDisabled);
    let mut begun = begin(annas_films).await.unwrap();
    begun.sort_by_key(|session| session.id);
    let ending = |session: &AccessSessionRecord| AccessSessionRecord {
        state: SessionState::Closing,
        end_reason: Some(EndReason::UserDisabled),
        ..session.clone()
    };
    assert_eq!(begun, [ending(&pending), ending(&open)]);
    for (before, now) in rows.iter().zip([
        ending(&pending),
        ending(&open),
        closing.clone(),
        over.clone(),
        elsewhere.clone(),
        somebody_else.clone(),
    ]) {
        assert_eq!(store.session(before.id).await.unwrap(), Some(now));
    }
    assert_eq!(begin(annas_films).await.unwrap(), [], "they are closing");

    let on_router = SessionFilter {
        router_id: Some(music.router_id),
        ..SessionFilter::default()
    };
    assert_eq!(begin(on_router).await.unwrap(), [ending(&elsewhere)]);
    let older = SessionFilter {
        before: Some(somebody_else.id),
        ..SessionFilter::default()
    };
    assert_eq!(begin(older).await.unwrap(), []);
    let open_ones = SessionFilter {
        state: Some(SessionState::Open),
        ..SessionFilter::default()
    };
    assert_eq!(begin(open_ones).await.unwrap(), []);
    let everything = SessionFilter::default();
    assert_eq!(begin(everything).await.unwrap(), [ending(&somebody_else)]);
}

pub(crate) async fn a_session_begins_to_close_or_advances_but_not_both(store: Arc<dyn Store>) {
    let films = some_service(&store).await;
    let owner = some_owner(&store, "owner@example.org").await;
    warm_up(&store).await;
    for last in 1..=20 {
        let pending = session(&films, owner, &format!("203.0.113.{last}"));
        store.insert_session(&pending, ROOM).await.unwrap();
        let open = AccessSessionRecord {
            state: SessionState::Open,
            opened_at_ms: Some(NOW_MS),
            ..pending
        };
        let (opened, begun) = tokio::join!(
            store.advance_session(&open, SessionState::Pending),
            store.begin_closing(SessionFilter::default(), EndReason::UserDisabled),
        );
        let opened_at_ms = opened.unwrap().then_some(NOW_MS);
        let closing = AccessSessionRecord {
            state: SessionState::Closing,
            end_reason: Some(EndReason::UserDisabled),
            opened_at_ms,
            ..open
        };
        assert_eq!(begun.unwrap(), std::slice::from_ref(&closing));
        assert_eq!(store.session(closing.id).await.unwrap(), Some(closing));
    }
}
