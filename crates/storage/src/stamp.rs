//! One text of code for two drivers.

/// Writes the same items once for SQLite and once for PostgreSQL.
///
/// Inside, `Backend` is the store and `Row` a row of its driver. Neither `sqlx::Any` (it fails
/// on booleans and UUIDs) nor generics over the driver (their bounds explode) do this as plainly.
macro_rules! for_both {
    ($($items:tt)*) => {
        const _: () = {
            type Backend = $crate::sqlite::SqliteStore;
            type Row = sqlx::sqlite::SqliteRow;
            $($items)*
        };
        const _: () = {
            type Backend = $crate::postgres::PostgresStore;
            type Row = sqlx::postgres::PgRow;
            $($items)*
        };
    };
}
