use std::sync::Arc;

use gatehouse_core::ports::{Store, audit::AuditFilter};
use gatehouse_types::{Timestamp, audit::AuditEntry};

use crate::records::{NOW_MS, id};

fn line(actor_name: &str, action: &str, target_id: &str, at_ms: i64) -> AuditEntry {
    AuditEntry {
        id: id(),
        at: Timestamp(at_ms),
        actor_kind: "account".into(),
        actor_id: Some("0190a7c2-0000-7000-8000-000000000001".into()),
        actor_name: actor_name.into(),
        ip: Some("203.0.113.7".into()),
        action: action.into(),
        target_kind: "service".into(),
        target_id: target_id.into(),
        result: "ok".into(),
        detail: "30 minutes, \"it's\" 🦉".into(),
        request_id: Some("r-1".into()),
    }
}

pub(crate) async fn a_line_comes_back_as_it_was_written(store: Arc<dyn Store>) {
    let full = line("anna@example.org", "session.open", "films", NOW_MS);
    let bare = AuditEntry {
        actor_kind: "nobody".into(),
        actor_id: None,
        ip: None,
        request_id: None,
        result: "refused".into(),
        detail: String::new(),
        ..line("", "login", "", NOW_MS)
    };
    store.append_audit(&full).await.unwrap();
    store.append_audit(&bare).await.unwrap();
    assert_eq!(
        store.list_audit(&AuditFilter::default(), 10).await.unwrap(),
        [bare, full]
    );
}

/// Three lines, oldest first.
async fn three_lines(store: &Arc<dyn Store>) -> [AuditEntry; 3] {
    let lines = [
        line("anna@example.org", "session.open", "films", NOW_MS),
        line("100%_ben@example.org", "session.close", "films", NOW_MS + 1),
        AuditEntry {
            actor_id: None,
            ..line("Annabel", "login", "a'; DROP TABLE audit", NOW_MS + 2)
        },
    ];
    for entry in &lines {
        store.append_audit(entry).await.unwrap();
    }
    lines
}

async fn expect(store: &Arc<dyn Store>, filter: AuditFilter, expected: &[&AuditEntry]) {
    let listed = store.list_audit(&filter, 10).await.unwrap();
    assert_eq!(listed.iter().collect::<Vec<_>>(), expected, "{filter:?}");
}

pub(crate) async fn lines_are_filtered_by_actor_action_and_target(store: Arc<dyn Store>) {
    let [first, second, third] = &three_lines(&store).await;
    let by_actor: [(&str, &[&AuditEntry]); 5] = [
        ("nna", &[third, first]),
        ("Anna", &[third]),
        ("%_", &[second]),
        ("0190a7c2-0000-7000-8000-000000000001", &[second, first]),
        ("0190a7c2", &[]),
    ];
    for (actor, expected) in by_actor {
        expect(
            &store,
            AuditFilter {
                actor: Some(actor.into()),
                ..AuditFilter::default()
            },
            expected,
        )
        .await;
    }
    let by_action: [(&str, &[&AuditEntry]); 4] = [
        ("session", &[second, first]),
        ("session.open", &[first]),
        ("Session", &[]),
        ("ession", &[]),
    ];
    for (action, expected) in by_action {
        expect(
            &store,
            AuditFilter {
                action: Some(action.into()),
                ..AuditFilter::default()
            },
            expected,
        )
        .await;
    }
    let by_target: [(&str, &[&AuditEntry]); 3] = [
        ("films", &[second, first]),
        ("a'; DROP TABLE audit", &[third]),
        ("film", &[]),
    ];
    for (target, expected) in by_target {
        expect(
            &store,
            AuditFilter {
                target: Some(target.into()),
                ..AuditFilter::default()
            },
            expected,
        )
        .await;
    }
}

pub(crate) async fn lines_are_filtered_by_time_and_paged(store: Arc<dyn Store>) {
    let [first, second, third] = &three_lines(&store).await;
    let everything = AuditFilter::default;
    expect(&store, everything(), &[third, second, first]).await;
    expect(
        &store,
        AuditFilter {
            from_ms: Some(NOW_MS + 1),
            ..everything()
        },
        &[third, second],
    )
    .await;
    expect(
        &store,
        AuditFilter {
            to_ms: Some(NOW_MS + 1),
            ..everything()
        },
        &[first],
    )
    .await;
    expect(
        &store,
        AuditFilter {
            before: Some(third.id),
            ..everything()
        },
        &[second, first],
    )
    .await;
    let all_at_once = AuditFilter {
        actor: Some("anna".into()),
        action: Some("session.".into()),
        target: Some("films".into()),
        from_ms: Some(NOW_MS),
        to_ms: Some(NOW_MS + 9),
        before: Some(third.id),
    };
    expect(&store, all_at_once, &[first]).await;
    assert_eq!(
        &store.list_audit(&everything(), 1).await.unwrap()[..],
        std::slice::from_ref(third)
    );
}
