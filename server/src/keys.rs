//! The portal's signing secret on disk.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use crate::refusal::Refusal;

/// The length of the signing secret in bytes.
pub const SECRET_BYTES: usize = 32;

/// Reads `keys/secret.bin` in the data folder, or makes it from `fresh` at the first start.
///
/// Several instances may start at once on one mounted folder: all of them get the same secret.
///
/// # Errors
/// A sentence when the file has another length, is readable by others, or cannot be written.
pub fn load_or_create(
    data_dir: &Path,
    fresh: impl FnOnce() -> [u8; SECRET_BYTES],
) -> Result<[u8; SECRET_BYTES], Refusal> {
    let folder = data_dir.join("keys");
    let path = folder.join("secret.bin");
    if !path.exists() {
        create(&folder, &path, &fresh()).map_err(|error| {
            Refusal::new(format!(
                "The signing secret {} cannot be written ({error}).",
                path.display()
            ))
        })?;
    }
    read(&path)
}

/// Writes aside and links into place, so that a crash never leaves half a secret behind.
fn create(folder: &Path, path: &Path, secret: &[u8; SECRET_BYTES]) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let aside = folder.join(format!("secret.{}.new", std::process::id()));
    remove_if_there(&aside)?;
    let mut file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&aside)?;
    file.write_all(secret)?;
    file.sync_all()?;
    match fs::hard_link(&aside, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        _linked_by_us_or_another => fs::remove_file(&aside)?,
    }
    File::open(folder)?.sync_all()
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}

fn read(path: &Path) -> Result<[u8; SECRET_BYTES], Refusal> {
    let shown = path.display();
    let unreadable = |error: io::Error| {
        Refusal::new(format!(
            "The signing secret {shown} cannot be read ({error})."
        ))
    };
    let mode = fs::metadata(path).map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(Refusal::new(format!(
            "Other users may read the signing secret {shown}. Run: chmod 600 {shown}"
        )));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    bytes.try_into().map_err(|bytes: Vec<u8>| {
        Refusal::new(format!(
            "The signing secret {shown} has {} bytes instead of {SECRET_BYTES}. Restore it from a backup, or delete it: then everybody signs in anew.",
            bytes.len()
        ))
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{SECRET_BYTES, load_or_create};

    #[test]
    fn the_first_start_makes_it_and_the_next_keeps_it() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let first = load_or_create(home.path(), || [7; SECRET_BYTES]).expect("makes it");
        let second = load_or_create(home.path(), || [8; SECRET_BYTES]).expect("reads it");
        assert_eq!((first, second), ([7; SECRET_BYTES], [7; SECRET_BYTES]));

        let path = home.path().join("keys/secret.bin");
        assert_eq!(
            path.metadata().expect("is there").permissions().mode() & 0o777,
            0o600
        );
        let left = fs::read_dir(home.path().join("keys"))
            .expect("lists")
            .count();
        assert_eq!(left, 1, "nothing else stays in the folder");
    }

    #[test]
    fn a_cut_secret_is_refused() {
        let home = tempfile::tempdir().expect("a temporary folder");
        load_or_create(home.path(), || [7; SECRET_BYTES]).expect("makes it");
        fs::write(home.path().join("keys/secret.bin"), [1; 31]).expect("cuts it");
        let refusal = load_or_create(home.path(), || [8; SECRET_BYTES]).expect_err("refuses");
        assert!(
            refusal.to_string().contains("31 bytes instead of 32"),
            "{refusal}"
        );
    }

    #[test]
    fn a_secret_that_others_may_read_is_refused() {
        let home = tempfile::tempdir().expect("a temporary folder");
        load_or_create(home.path(), || [7; SECRET_BYTES]).expect("makes it");
        let path = home.path().join("keys/secret.bin");
        for mode in [0o640, 0o604] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("opens it up");
            let refusal = load_or_create(home.path(), || [8; SECRET_BYTES]).expect_err("refuses");
            assert!(refusal.to_string().contains("chmod 600"), "{refusal}");
        }
    }
}
