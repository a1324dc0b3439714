//! PostgreSQL: one pool for everything, and several portals may share the database.

use std::time::Duration;

use gatehouse_core::ports::StoreResult;
use sqlx::{
    PgPool, Postgres, Transaction,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::failure::store_error;

pub(crate) static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations/postgres");

/// The portal's rows in a PostgreSQL database.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    pool: PgPool,
}

impl PostgresStore {
    /// Opens the database, which must exist.
    pub(crate) async fn connect(options: PgConnectOptions) -> sqlx::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(16)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options.application_name("gatehouse"))
            .await?;
        Ok(Self { pool })
    }

    pub(crate) const fn reads(&self) -> &PgPool {
        &self.pool
    }

    pub(crate) const fn writes(&self) -> &PgPool {
        &self.pool
    }

    /// Begins to write several rows.
    pub(crate) async fn begin(&self) -> StoreResult<Transaction<'static, Postgres>> {
        self.pool.begin().await.map_err(store_error)
    }

    /// Begins to read several tables as of one moment.
    pub(crate) async fn begin_snapshot(&self) -> StoreResult<Transaction<'static, Postgres>> {
        self.pool
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            .await
            .map_err(store_error)
    }

    /// The number of the newest migration in the database; `None` for a fresh one.
    pub(crate) async fn applied_migration(&self) -> sqlx::Result<Option<i64>> {
        let migrated: bool =
            sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
                .fetch_one(&self.pool)
                .await?;
        if !migrated {
            return Ok(None);
        }
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&self.pool)
            .await
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}
