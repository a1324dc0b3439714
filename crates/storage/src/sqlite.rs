//! SQLite: one writer that takes its lock at once, and a few readers beside it.

use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt, path::Path, time::Duration};

use gatehouse_core::ports::StoreResult;
use sqlx::{
    Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    migrate::Migrator,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::failure::store_error;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/sqlite");

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;

/// The portal's rows in one SQLite file.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    read: SqlitePool,
    write: SqlitePool,
}

impl SqliteStore {
    /// Opens the file, which is made when it is missing.
    pub(crate) async fn connect(path: &Path) -> sqlx::Result<Self> {
        make_private(path)?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT);
        let writer = options
            .clone()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // What was acknowledged must survive a power cut.
            .synchronous(SqliteSynchronous::Full);
        // The writer comes first: it makes the file that readers may only read.
        let write = pool(1)
            .after_release(|connection, _| Box::pin(is_in_order(connection)))
            .connect_with(writer)
            .await?;
        let read = pool(READERS).connect_with(options.read_only(true)).await?;
        Ok(Self { read, write })
    }

    pub(crate) const fn reads(&self) -> &SqlitePool {
        &self.read
    }

    pub(crate) const fn writes(&self) -> &SqlitePool {
        &self.write
    }

    /// Begins to write several rows. `IMMEDIATE`, because a transaction that reads first and
    /// takes the lock later fails at once when another process wrote in between.
    pub(crate) async fn begin(&self) -> StoreResult<Transaction<'static, Sqlite>> {
        self.write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(store_error)
    }

    /// Begins to read several tables as of one moment.
    pub(crate) async fn begin_snapshot(&self) -> StoreResult<Transaction<'static, Sqlite>> {
        self.read.begin().await.map_err(store_error)
    }

    /// The number of the newest migration in the file; `None` for a fresh one.
    pub(crate) async fn applied_migration(&self) -> sqlx::Result<Option<i64>> {
        let tables: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
        )
        .fetch_one(&self.write)
        .await?;
        if tables == 0 {
            return Ok(None);
        }
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&self.write)
            .await
    }

    /// Writes a consistent copy into `path`, which must be missing or empty.
    pub(crate) async fn copy_into(&self, path: &str) -> sqlx::Result<()> {
        sqlx::query("VACUUM INTO $1")
            .bind(path)
            .execute(&self.read)
            .await
            .map(drop)
    }

    pub(crate) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// Connections to a file do not age: none is closed for its years or for idling.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(BUSY_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

/// Whether no transaction is left on a connection that goes back to the pool.
///
/// On a full disk SQLite rolls back by itself. The driver then fails to do it once more and
/// believes for ever that it is within a transaction; such a connection is replaced.
async fn is_in_order(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    // A roll-back that was begun is over once this is answered.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// SQLite gives its own files the mode of the database; ours is for its owner only.
fn make_private(path: &Path) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).mode(0o600);
    options.open(path).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_writer_waits_for_the_disk_and_readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::connect(&folder.path().join("portal.db"))
            .await
            .unwrap();
        let journal: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&store.write)
            .await
            .unwrap();
        assert_eq!(journal, "wal");
        let full = 2_i64;
        let expectations = [
            ("PRAGMA synchronous", full),
            ("PRAGMA foreign_keys", 1),
            ("PRAGMA busy_timeout", 5_000),
        ];
        for (pragma, expected) in expectations {
            let value: i64 = sqlx::query_scalar(pragma)
                .fetch_one(&store.write)
                .await
                .unwrap();
            assert_eq!(value, expected, "{pragma}");
        }
        assert!(
            sqlx::query("CREATE TABLE t (a)")
                .execute(&store.read)
                .await
                .is_err()
        );
        sqlx::query("CREATE TABLE t (a)")
            .execute(&store.write)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn a_transaction_that_ended_by_itself_does_not_spoil_the_writer() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::connect(&folder.path().join("portal.db"))
            .await
            .unwrap();
        let mut change = store.begin().await.unwrap();
        // As SQLite does by itself on a full disk, unseen by the driver.
        sqlx::query("ROLLBACK").execute(&mut *change).await.unwrap();
        drop(change);
        let mut next = store.begin().await.expect("the writer is in order");
        sqlx::query("CREATE TABLE t (a)")
            .execute(&mut *next)
            .await
            .unwrap();
        next.commit().await.unwrap();
    }
}
