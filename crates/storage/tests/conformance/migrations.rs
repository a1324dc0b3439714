use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
};

use gatehouse_core::ports::{StoreError, firmware::ReleaseRecord};
use gatehouse_storage::{OpenError, StoreHandle};
use gatehouse_types::account::Role;
use sqlx::{Connection, Executor, PgConnection, SqliteConnection, sqlite::SqliteConnectOptions};
use uuid::Uuid;

use crate::{
    databases::{sqlite_in, with_postgres},
    records::{NOW_MS, id, some_project, some_release, user},
};

fn file_names(folder: &str) -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../migrations")
        .join(folder);
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn both_databases_have_the_same_migrations() {
    let names = file_names("sqlite");
    assert!(names.contains("0001_foundation.sql"));
    assert_eq!(names, file_names("postgres"));
}

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    with_postgres(|url| {
        tokio::spawn(async move {
            let postgres = StoreHandle::connect(&url).await.unwrap();
            postgres.migrate().await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let sqlite = sqlite_in(&folder).await;
            sqlite.migrate().await.unwrap();
            assert_eq!(postgres.newest_migration(), sqlite.newest_migration());

            let in_sqlite = columns_of_sqlite(&mut raw_sqlite(&folder).await).await;
            assert!(in_sqlite.contains_key("audit"));
            let in_postgres =
                columns_of_postgres(&mut PgConnection::connect(&url).await.unwrap()).await;
            assert_eq!(in_sqlite, in_postgres);
            postgres.close().await;
        })
    })
    .await;
}

/// Columns of each table with whether they must be filled.
type Columns = BTreeMap<String, BTreeSet<(String, bool)>>;

async fn columns_of_sqlite(connection: &mut SqliteConnection) -> Columns {
    let rows = sqlx::query_as(
        "SELECT t.name, c.name, c.\"notnull\" FROM sqlite_master AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE '\\_sqlx%' ESCAPE '\\'",
    );
    gather(rows.fetch_all(connection).await.unwrap())
}

async fn columns_of_postgres(connection: &mut PgConnection) -> Columns {
    let rows = sqlx::query_as(
        "SELECT table_name::TEXT, column_name::TEXT, is_nullable = 'NO' FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name NOT LIKE '\\_sqlx%'",
    );
    gather(rows.fetch_all(connection).await.unwrap())
}

fn gather(rows: Vec<(String, String, bool)>) -> Columns {
    let mut columns = Columns::new();
    for (table, column, required) in rows {
        columns.entry(table).or_default().insert((column, required));
    }
    columns
}

pub(crate) async fn raw_sqlite(folder: &tempfile::TempDir) -> SqliteConnection {
    let path = folder.path().join("portal with 100% & spaces?.db");
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path))
        .await
        .unwrap()
}

const FROM_THE_FUTURE: &str = "
    INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
    SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";

#[tokio::test]
async fn a_sqlite_database_of_a_newer_portal_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    assert_eq!(handle.applied_migration().await.unwrap(), None);
    assert!(handle.ping().await.is_err(), "there are no tables yet");
    handle.migrate().await.unwrap();
    handle.migrate().await.unwrap();
    handle.ping().await.unwrap();
    assert_eq!(
        handle.applied_migration().await.unwrap(),
        Some(handle.newest_migration())
    );

    raw_sqlite(&folder)
        .await
        .execute(FROM_THE_FUTURE)
        .await
        .unwrap();
    refused_as_newer(&handle).await;
}

#[tokio::test]
async fn a_postgres_database_of_a_newer_portal_is_refused() {
    with_postgres(|url| {
        tokio::spawn(async move {
            let handle = StoreHandle::connect(&url).await.unwrap();
            assert_eq!(handle.applied_migration().await.unwrap(), None);
            handle.migrate().await.unwrap();
            handle.migrate().await.unwrap();
            handle.ping().await.unwrap();
            PgConnection::connect(&url)
                .await
                .unwrap()
                .execute(FROM_THE_FUTURE)
                .await
                .unwrap();
            refused_as_newer(&handle).await;
            let refused = handle.snapshot_to(Path::new("unused")).await;
            assert!(matches!(refused, Err(OpenError::NoSnapshot)));
            handle.close().await;
            assert!(matches!(
                handle.ping().await,
                Err(StoreError::Unavailable(_))
            ));
        })
    })
    .await;
}

async fn refused_as_newer(handle: &StoreHandle) {
    assert!(matches!(
        handle.check_version().await,
        Err(OpenError::Newer(99))
    ));
    let sentence = handle.migrate().await.unwrap_err().to_string();
    assert_eq!(
        sentence,
        "This database was written by a newer Gatehouse (migration 99). Install that version or restore a backup."
    );
}

/// A release as it was kept before there were rollouts: what came later has its default.
const OLD_RELEASE: &str = "
    INSERT INTO releases (id, project_id, version, version_key, file_name, sha256, state, notes, created_at_ms)
    SELECT $1, project_id, '0.9.0', '0.9.0', 'old.bin', sha256, state, notes, created_at_ms FROM releases";

async fn release_in(handle: &StoreHandle) -> ReleaseRecord {
    handle.migrate().await.unwrap();
    let store = handle.store();
    let project_id = some_project(&store).await;
    some_release(&store, project_id, "1.0.0").await
}

async fn expect_old_release(handle: &StoreHandle, old_id: Uuid, release: &ReleaseRecord) {
    let expected = ReleaseRecord {
        id: old_id,
        version: "0.9.0".into(),
        version_key: "0.9.0".into(),
        file_name: "old.bin".into(),
        number: 0,
        ..release.clone()
    };
    let catalog = handle.store().load_catalog(NOW_MS).await.unwrap();
    assert!(
        catalog.releases.contains(&expected),
        "{:?}",
        catalog.releases
    );
}

#[tokio::test]
async fn an_old_release_in_sqlite_goes_to_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    let release = release_in(&handle).await;
    let old_id = id();
    let insert = sqlx::query(OLD_RELEASE).bind(old_id);
    insert
        .execute(&mut raw_sqlite(&folder).await)
        .await
        .unwrap();
    expect_old_release(&handle, old_id, &release).await;
}

#[tokio::test]
async fn an_old_release_in_postgres_goes_to_everybody() {
    with_postgres(|url| {
        tokio::spawn(async move {
            let handle = StoreHandle::connect(&url).await.unwrap();
            let release = release_in(&handle).await;
            let old_id = id();
            let mut raw = PgConnection::connect(&url).await.unwrap();
            let insert = sqlx::query(OLD_RELEASE).bind(old_id);
            insert.execute(&mut raw).await.unwrap();
            expect_old_release(&handle, old_id, &release).await;
            handle.close().await;
        })
    })
    .await;
}

#[tokio::test]
async fn a_migration_that_was_changed_afterwards_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    handle.migrate().await.unwrap();
    raw_sqlite(&folder)
        .await
        .execute("UPDATE _sqlx_migrations SET checksum = x'00'")
        .await
        .unwrap();
    assert!(matches!(handle.migrate().await, Err(OpenError::Altered(1))));
}

#[tokio::test]
async fn urls_of_other_databases_are_refused() {
    for url in [
        "",
        "mysql://host/db",
        "sqlite:",
        "sqlite://",
        "sqlite::memory:",
        "postgres",
        "postgres://[::1",
    ] {
        assert!(
            matches!(StoreHandle::connect(url).await, Err(OpenError::Url)),
            "{url}"
        );
    }
    let missing_folder = StoreHandle::connect("sqlite:///nowhere/at/all.db").await;
    assert!(matches!(
        missing_folder,
        Err(OpenError::Store(StoreError::Unavailable(_)))
    ));
    let nobody_listens = StoreHandle::connect("postgres://nobody@127.0.0.1:1/none").await;
    assert!(matches!(
        nobody_listens,
        Err(OpenError::Store(StoreError::Unavailable(_)))
    ));
}

#[tokio::test]
async fn a_snapshot_is_the_whole_database_at_one_moment() {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    handle.migrate().await.unwrap();
    let anna = user("anna@example.org", Role::Admin);
    handle.store().insert_user(&anna).await.unwrap();
    let copy = folder.path().join("it's a copy.db");
    handle.snapshot_to(&copy).await.unwrap();
    handle
        .store()
        .insert_user(&user("later@example.org", Role::Owner))
        .await
        .unwrap();
    assert_eq!(
        fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(
        matches!(handle.snapshot_to(&copy).await, Err(OpenError::Copy(..))),
        "it overwrites nothing"
    );

    let restored = StoreHandle::connect(&format!("sqlite:{}", copy.display()))
        .await
        .unwrap();
    restored.migrate().await.unwrap();
    assert_eq!(restored.store().list_users(None, 10).await.unwrap(), [anna]);
}
