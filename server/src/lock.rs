//! The data folder, and the lock that keeps a second process out of it.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use crate::refusal::Refusal;

const LOCK_FILE: &str = "gatehouse.lock";

/// The exclusive right to a data folder; it ends with the value, and with the process.
#[derive(Debug)]
pub struct DataLock {
    file: File,
}

impl Drop for DataLock {
    fn drop(&mut self) {
        // Closing would not do: a child that is just being started has a copy until its exec.
        let _ = self.file.unlock();
    }
}

/// Makes the data folder with mode 0700, or takes the one that is there as it is.
///
/// # Errors
/// A sentence when the path is something else, or cannot be made.
pub fn make_data_dir(path: &Path) -> Result<(), Refusal> {
    if path.exists() && !path.is_dir() {
        return Err(Refusal::new(format!(
            "The data folder {} is a file. Name a folder with --data-dir.",
            path.display()
        )));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        Refusal::new(format!(
            "The data folder {} cannot be made ({error}). Name another with --data-dir, or make it and give it to this user.",
            path.display()
        ))
    })
}

impl DataLock {
    /// Locks the data folder for this process.
    ///
    /// # Errors
    /// A sentence when another process holds it or the folder is not writable.
    pub fn take(data_dir: &Path) -> Result<Self, Refusal> {
        let file = open_lock_file(data_dir)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { file }),
            Err(TryLockError::WouldBlock) => Err(Refusal::new(format!(
                "Another gatehouse process uses the data folder {}. Stop it first, or name another folder with --data-dir.",
                data_dir.display()
            ))),
            Err(TryLockError::Error(error)) => Err(not_writable(data_dir, &error)),
        }
    }
}

fn open_lock_file(data_dir: &Path) -> Result<File, Refusal> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(data_dir.join(LOCK_FILE))
        .map_err(|error| not_writable(data_dir, &error))
}

fn not_writable(data_dir: &Path, error: &io::Error) -> Refusal {
    Refusal::new(format!(
        "The data folder {} is not writable ({error}). Give it to this user, or name another with --data-dir.",
        data_dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::{DataLock, make_data_dir};

    #[test]
    fn the_folder_is_made_for_its_owner_only() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let data = home.path().join("deep/data");
        make_data_dir(&data).expect("makes it");
        let mode = data.metadata().expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        make_data_dir(&data).expect("takes it again");
    }

    #[test]
    fn a_file_is_no_data_folder() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let refusal = make_data_dir(file.path()).expect_err("refuses").to_string();
        assert!(refusal.contains("is a file"), "{refusal}");
    }

    #[test]
    fn a_second_holder_is_refused_until_the_first_is_gone() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let first = DataLock::take(home.path()).expect("locks");
        let refusal = DataLock::take(home.path())
            .expect_err("refuses")
            .to_string();
        assert!(refusal.contains("Another gatehouse process"), "{refusal}");
        drop(first);
        DataLock::take(home.path()).expect("locks again");
    }

    #[test]
    fn a_copy_that_a_child_still_has_holds_nothing() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let lock = DataLock::take(home.path()).expect("locks");
        let _copy = lock.file.try_clone().expect("a second descriptor");
        drop(lock);
        DataLock::take(home.path()).expect("locks again");
    }

    #[test]
    fn a_missing_folder_is_not_writable() {
        let refusal = DataLock::take("/nonexistent/gatehouse".as_ref()).expect_err("refuses");
        assert!(refusal.to_string().contains("not writable"), "{refusal}");
    }
}
