//! Where the portal keeps what it knows: SQLite or PostgreSQL for rows, a folder for images.
//!
//! Each file of queries is named after its noun. A query is one portable SQL text, a `const`,
//! and [`for_both!`](stamp) writes the code around it once for each driver; only how to connect,
//! begin and take a snapshot differs, in `sqlite.rs` and `postgres.rs`.
//!
//! To add a query: a method on the port in `gatehouse-core`, the SQL and the method in the
//! noun's file here, and a story in `tests/conformance/` that fails without it. Portable means:
//! times are passed in, `ON CONFLICT` and `RETURNING` are fine, `now()`, `ILIKE` and casts are not.
//! To add a table: a migration with the same number and columns in both folders.

#[macro_use]
mod stamp;

mod access_sessions;
mod audit;
mod column;
mod device_tokens;
mod devices;
mod failure;
mod file_blobs;
mod fleet;
mod handle;
mod invitations;
mod postgres;
mod progress;
mod project_keys;
mod projects;
mod releases;
mod routers;
mod services;
mod sign_ins;
mod sqlite;
mod upkeep;
mod uploads;
mod users;

pub use file_blobs::FileBlobs;
pub use handle::{OpenError, StoreHandle};
