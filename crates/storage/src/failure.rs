//! What a driver's error means to the portal.

use gatehouse_core::ports::StoreError;
use sqlx::{
    error::{DatabaseError, ErrorKind},
    postgres::PgDatabaseError,
    sqlite::SqliteError,
};

/// Sorts an error of either driver.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    match &error {
        sqlx::Error::Database(database) => match fault(database.as_ref()) {
            Fault::Taken => StoreError::Taken,
            Fault::Full => StoreError::Full(error.into()),
            Fault::Away => StoreError::Unavailable(error.into()),
            Fault::Other => StoreError::Broken(error.into()),
        },
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => StoreError::Unavailable(error.into()),
        _ => StoreError::Broken(error.into()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Taken,
    Full,
    Away,
    Other,
}

fn fault(error: &dyn DatabaseError) -> Fault {
    if error.kind() == ErrorKind::UniqueViolation {
        return Fault::Taken;
    }
    let code = error.code().unwrap_or_default();
    if error.as_error().is::<SqliteError>() {
        sqlite_fault(code.parse().unwrap_or_default())
    } else if error.as_error().is::<PgDatabaseError>() {
        postgres_fault(&code)
    } else {
        Fault::Other
    }
}

/// <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
const fn sqlite_fault(code: i32) -> Fault {
    const BUSY: i32 = 5;
    const LOCKED: i32 = 6;
    const FULL: i32 = 13;
    const CANNOT_OPEN: i32 = 14;
    // Growing the shared memory file beside the write-ahead log fails like this on a full disk.
    const IOERR_SHMSIZE: i32 = 4874;
    match (code, code & 0xff) {
        (IOERR_SHMSIZE, _) | (_, FULL) => Fault::Full,
        (_, BUSY | LOCKED | CANNOT_OPEN) => Fault::Away,
        _ => Fault::Other,
    }
}

/// PostgreSQL's manual, appendix A: classes 08 (connection) and 57P (shutting down), and
/// what passes when tried again.
fn postgres_fault(code: &str) -> Fault {
    match code {
        "53100" => Fault::Full,
        "53300" | "40001" | "40P01" | "55P03" => Fault::Away,
        _ if code.starts_with("08") || code.starts_with("57P") => Fault::Away,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_busy_database() {
        assert_eq!(sqlite_fault(13), Fault::Full);
        assert_eq!(sqlite_fault(4874), Fault::Full);
        assert_eq!(sqlite_fault(517), Fault::Away, "busy snapshot");
        assert_eq!(sqlite_fault(266), Fault::Other, "read error");
        assert_eq!(postgres_fault("53100"), Fault::Full);
        assert_eq!(postgres_fault("57P01"), Fault::Away);
        assert_eq!(postgres_fault("23503"), Fault::Other, "foreign key");
    }

    #[test]
    fn a_pool_without_a_free_connection_is_no_fault_of_the_data() {
        assert!(matches!(
            store_error(sqlx::Error::PoolTimedOut),
            StoreError::Unavailable(_)
        ));
        assert!(matches!(
            store_error(sqlx::Error::RowNotFound),
            StoreError::Broken(_)
        ));
    }
}
