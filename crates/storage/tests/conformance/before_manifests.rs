//! What there was before manifests gets counters and keys.

use std::{fs, path::Path};

use gatehouse_core::ports::firmware::ReleaseRecord;
use gatehouse_storage::StoreHandle;
use gatehouse_types::firmware::ReleaseState;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use crate::{
    databases::{sqlite_in, with_postgres},
    migrations::raw_sqlite,
    records::{NOW_MS, project_key, some_project, some_release},
};

/// Releases as they were kept before there were counters: published in another order than made.
const BEFORE_COUNTERS: [&str; 3] = [
    "UPDATE releases SET release_counter = NULL",
    "UPDATE releases SET state = 'published',
        published_at_ms = CASE version WHEN '1.0.0' THEN 30 WHEN '2.0.0' THEN 10 ELSE 20 END
     WHERE version <> '4.0.0'",
    "UPDATE projects SET last_release_counter = 0",
];

/// The statements of a migration that give counters to what is there.
fn counting_statements(database: &str) -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(database)
        .join("0008_manifests.sql");
    let text = fs::read_to_string(file).unwrap();
    let statements = text.split_inclusive(';').map(str::trim);
    let counting = statements.filter(|statement| statement.starts_with("UPDATE"));
    counting.map(str::to_owned).collect()
}

async fn with_old_releases(handle: &StoreHandle) -> Uuid {
    handle.migrate().await.unwrap();
    let store = handle.store();
    let project_id = some_project(&store).await;
    for version in ["1.0.0", "2.0.0", "3.0.0", "4.0.0"] {
        some_release(&store, project_id, version).await;
    }
    some_release(&store, some_project(&store).await, "1.0.0").await;
    project_id
}

async fn expect_counters(handle: &StoreHandle, project_id: Uuid) {
    let store = handle.store();
    let releases = store.load_catalog(NOW_MS).await.unwrap().releases;
    let counter_of = |project: bool, version: &str| {
        let mut same = releases.iter().filter(|release| {
            (release.project_id == project_id) == project && release.version == version
        });
        same.next().unwrap().release_counter
    };
    for (version, counter) in [
        ("1.0.0", Some(3)),
        ("2.0.0", Some(1)),
        ("3.0.0", Some(2)),
        ("4.0.0", None),
    ] {
        assert_eq!(counter_of(true, version), counter, "{version}");
    }
    assert_eq!(counter_of(false, "1.0.0"), Some(1));
    let draft = releases
        .iter()
        .find(|release| release.version == "4.0.0")
        .unwrap();
    let published = ReleaseRecord {
        state: ReleaseState::Published,
        ..draft.clone()
    };
    assert!(
        store
            .update_release(&published, ReleaseState::Draft)
            .await
            .unwrap()
    );
    let releases = store.load_catalog(NOW_MS).await.unwrap().releases;
    let newest = releases
        .iter()
        .find(|release| release.id == draft.id)
        .unwrap();
    assert_eq!(newest.release_counter, Some(4), "it goes on from there");
}

#[tokio::test]
async fn what_was_published_before_is_counted_in_its_order_in_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    let project_id = with_old_releases(&handle).await;
    let mut raw = raw_sqlite(&folder).await;
    for statement in BEFORE_COUNTERS {
        raw.execute(statement).await.unwrap();
    }
    for statement in counting_statements("sqlite") {
        raw.execute(AssertSqlSafe(statement)).await.unwrap();
    }
    expect_counters(&handle, project_id).await;
}

#[tokio::test]
async fn what_was_published_before_is_counted_in_its_order_in_postgres() {
    with_postgres(|url| {
        tokio::spawn(async move {
            let handle = StoreHandle::connect(&url).await.unwrap();
            let project_id = with_old_releases(&handle).await;
            let mut raw = PgConnection::connect(&url).await.unwrap();
            for statement in BEFORE_COUNTERS {
                raw.execute(statement).await.unwrap();
            }
            for statement in counting_statements("postgres") {
                raw.execute(AssertSqlSafe(statement)).await.unwrap();
            }
            expect_counters(&handle, project_id).await;
            handle.close().await;
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_from_before_gets_one_first_key() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    let project_id = with_old_releases(&handle).await;
    let mut raw = raw_sqlite(&folder).await;
    raw.execute("DELETE FROM project_keys").await.unwrap();
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = handle.store();
        writers.spawn(async move {
            let key = project_key(project_id);
            store.add_project_key(&key, 0).await.unwrap()
        });
    }
    let taken = writers.join_all().await;
    assert_eq!(taken.into_iter().filter(|taken| *taken).count(), 1);
    let keys = handle
        .store()
        .load_catalog(NOW_MS)
        .await
        .unwrap()
        .project_keys;
    assert_eq!(keys.len(), 1);
}
