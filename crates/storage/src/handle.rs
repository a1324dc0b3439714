//! Opens the database that `database_url` names.

use std::{
    fs::OpenOptions,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use gatehouse_core::ports::{Store, StoreError};
use sqlx::{
    migrate::{MigrateError, Migrator},
    postgres::PgConnectOptions,
};

use crate::{
    failure::store_error,
    postgres::{self, PostgresStore},
    sqlite::{self, SqliteStore},
};

/// Why a database cannot be used; each is a sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names no database that the portal can open.
    #[error("database_url must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE.")]
    Url,
    /// A newer portal was here.
    #[error(
        "This database was written by a newer Gatehouse (migration {0}). Install that version or restore a backup."
    )]
    Newer(i64),
    /// A migration that was applied is not the one this program carries.
    #[error(
        "Migration {0} of this database is not the one that this Gatehouse carries. Restore a backup or ask where the database comes from."
    )]
    Altered(i64),
    /// A PostgreSQL database is not copied by the portal.
    #[error(
        "A PostgreSQL database is backed up with pg_dump; Gatehouse copies SQLite databases only."
    )]
    NoSnapshot,
    /// The copy cannot be written.
    #[error(
        "The copy of the database cannot be written to {0}. Choose a file that does not exist yet, in a folder with room."
    )]
    Copy(PathBuf, #[source] std::io::Error),
    /// The database does not answer, or it fails.
    #[error("The database cannot be used: {0}. Check database_url and that the database runs.")]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for OpenError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(store_error(error))
    }
}

/// An open database, whichever kind it is. A clone is the same database.
#[derive(Debug, Clone)]
pub struct StoreHandle(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

impl StoreHandle {
    /// Opens `sqlite://PATH` (made when missing) or `postgres://…`; changes no table.
    ///
    /// # Errors
    /// When the URL is of another kind, or the database does not open.
    pub async fn connect(database_url: &str) -> Result<Self, OpenError> {
        let kind = if let Some(path) = sqlite_path(database_url) {
            Kind::Sqlite(Arc::new(SqliteStore::connect(path?).await?))
        } else if database_url.starts_with("postgres://")
            || database_url.starts_with("postgresql://")
        {
            let options: PgConnectOptions = database_url.parse().map_err(|_| OpenError::Url)?;
            Kind::Postgres(Arc::new(PostgresStore::connect(options).await?))
        } else {
            return Err(OpenError::Url);
        };
        Ok(Self(kind))
    }

    /// Brings the tables up to date; does nothing when they are.
    ///
    /// # Errors
    /// When a newer or another program was here, or a migration fails; then nothing of it stays.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        self.check_version().await?;
        match &self.0 {
            Kind::Sqlite(store) => sqlite::MIGRATIONS.run(store.writes()).await,
            Kind::Postgres(store) => postgres::MIGRATIONS.run(store.writes()).await,
        }
        .map_err(migrate_error)
    }

    /// Refuses a database that a newer portal has written; writes nothing.
    ///
    /// # Errors
    /// [`OpenError::Newer`], or when the database does not answer.
    pub async fn check_version(&self) -> Result<(), OpenError> {
        match self.applied_migration().await? {
            Some(applied) if applied > self.newest_migration() => Err(OpenError::Newer(applied)),
            _ => Ok(()),
        }
    }

    /// The number of the newest migration in the database; `None` for a fresh one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn applied_migration(&self) -> Result<Option<i64>, OpenError> {
        Ok(match &self.0 {
            Kind::Sqlite(store) => store.applied_migration().await?,
            Kind::Postgres(store) => store.applied_migration().await?,
        })
    }

    /// The number of the newest migration that this program carries.
    pub fn newest_migration(&self) -> i64 {
        let migrations: &Migrator = match &self.0 {
            Kind::Sqlite(_) => &sqlite::MIGRATIONS,
            Kind::Postgres(_) => &postgres::MIGRATIONS,
        };
        migrations
            .iter()
            .map(|migration| migration.version)
            .max()
            .unwrap_or(0)
    }

    /// The storage ports of this database.
    pub fn store(&self) -> Arc<dyn Store> {
        match &self.0 {
            Kind::Sqlite(store) => Arc::clone(store) as _,
            Kind::Postgres(store) => Arc::clone(store) as _,
        }
    }

    /// Whether this is a SQLite file, which one process alone may use.
    pub const fn is_sqlite(&self) -> bool {
        matches!(self.0, Kind::Sqlite(_))
    }

    /// Reads one row, to see whether the database answers.
    ///
    /// # Errors
    /// When it does not within 5 s, or its tables are missing.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.store().change_seq().await.map(drop)
    }

    /// Writes one consistent, durable copy of a SQLite database to a new file with mode 0600.
    ///
    /// The portal may go on meanwhile.
    ///
    /// # Errors
    /// When `path` exists or cannot be written, or the database is PostgreSQL.
    pub async fn snapshot_to(&self, path: &Path) -> Result<(), OpenError> {
        let Kind::Sqlite(store) = &self.0 else {
            return Err(OpenError::NoSnapshot);
        };
        let refused = |cause| OpenError::Copy(path.to_owned(), cause);
        let text = path
            .to_str()
            .ok_or_else(|| refused(std::io::ErrorKind::InvalidFilename.into()))?;
        // SQLite takes an empty file; making it ourselves settles its mode and refuses an old one.
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(refused)?;
        let copied = match store.copy_into(text).await {
            Ok(()) => file.sync_all().map_err(refused),
            Err(error) => Err(error.into()),
        };
        if copied.is_err() {
            // The cause of the failed copy is the one worth telling.
            let _ = std::fs::remove_file(path);
        }
        copied
    }

    /// Waits for what is under way and closes every connection.
    pub async fn close(&self) {
        match &self.0 {
            Kind::Sqlite(store) => store.close().await,
            Kind::Postgres(store) => store.close().await,
        }
    }
}

/// The path of a `sqlite:` URL, taken as it stands: nothing is unescaped and there are no
/// parameters, so that any folder name works. In-memory databases cannot be shared by pools.
fn sqlite_path(database_url: &str) -> Option<Result<&Path, OpenError>> {
    let path = database_url.strip_prefix("sqlite:")?;
    let path = path.strip_prefix("//").unwrap_or(path);
    Some(if path.is_empty() || path.starts_with(':') {
        Err(OpenError::Url)
    } else {
        Ok(Path::new(path))
    })
}

fn migrate_error(error: MigrateError) -> OpenError {
    match error {
        MigrateError::VersionMissing(version) => OpenError::Newer(version),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => {
            OpenError::Altered(version)
        }
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        error => OpenError::Store(StoreError::Broken(error.into())),
    }
}
