//! A database for each story, gone when the story is over.

use std::{env, str::FromStr, sync::Arc};

use gatehouse_core::ports::Store;
use gatehouse_storage::StoreHandle;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions,
};
use tokio::task::{JoinError, JoinSet};

use crate::records::id;

/// Names a PostgreSQL server on which the tests may make databases.
const POSTGRES_URL: &str = "GATEHOUSE_TEST_POSTGRES_URL";

pub(crate) async fn on_sqlite<F: Future<Output = ()>>(story: impl FnOnce(Arc<dyn Store>) -> F) {
    let folder = tempfile::tempdir().unwrap();
    let handle = sqlite_in(&folder).await;
    handle.migrate().await.unwrap();
    story(handle.store()).await;
    handle.close().await;
}

pub(crate) async fn sqlite_in(folder: &tempfile::TempDir) -> StoreHandle {
    let path = folder.path().join("portal with 100% & spaces?.db");
    StoreHandle::connect(&format!("sqlite://{}", path.display()))
        .await
        .unwrap()
}

pub(crate) async fn on_postgres<F>(story: impl FnOnce(Arc<dyn Store>) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    with_postgres(|url| async move {
        let handle = StoreHandle::connect(&url).await.unwrap();
        handle.migrate().await.unwrap();
        let told = tokio::spawn(story(handle.store())).await;
        handle.close().await;
        told
    })
    .await;
}

/// Runs `work` with the URL of a fresh database and drops that, whatever came of the work.
pub(crate) async fn with_postgres<F>(work: impl FnOnce(String) -> F)
where
    F: Future<Output = Result<(), JoinError>>,
{
    let Ok(server_url) = env::var(POSTGRES_URL) else {
        println!("skipped: {POSTGRES_URL} is not set");
        return;
    };
    let server = PgConnectOptions::from_str(&server_url).unwrap();
    let name = format!("gatehouse_test_{}_{}", std::process::id(), id().simple());
    let mut connection = PgConnection::connect_with(&server).await.unwrap();
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
    connection.execute(AssertSqlSafe(create)).await.unwrap();

    let outcome = work(server.database(&name).to_url_lossy().to_string()).await;

    connection
        .execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .await
        .unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

/// Opens as many connections as the pool allows: while they open one after the other, nothing races.
pub(crate) async fn warm_up(store: &Arc<dyn Store>) {
    let mut readers = JoinSet::new();
    for _ in 0..50 {
        let store = Arc::clone(store);
        readers.spawn(async move { store.load_catalog(0).await.unwrap() });
    }
    readers.join_all().await;
}
