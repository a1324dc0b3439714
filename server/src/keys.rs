//! The portal's own secrets on disk: what signs tokens, and what it is known by at a co-signer.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use gatehouse_manifest::{Algorithm, SigningKey};

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
    let file = KeyFile::of(data_dir, "secret.bin", "signing secret");
    let bytes = file.read_or_create(|| Ok(fresh().to_vec()))?;
    bytes.try_into().map_err(|bytes: Vec<u8>| {
        Refusal::new(format!(
            "{file} has {} bytes instead of {SECRET_BYTES}. Restore it from a backup, or delete it: then everybody signs in anew.",
            bytes.len()
        ))
    })
}

/// Reads `keys/identity.pem`, the key by which co-signers know this portal, or makes it from
/// `fresh` at the first start.
///
/// # Errors
/// A sentence when the file holds no such key, is readable by others, or cannot be written.
pub fn identity(data_dir: &Path, fresh: impl FnOnce() -> [u8; 32]) -> Result<SigningKey, Refusal> {
    let file = KeyFile::of(data_dir, "identity.pem", "identity key");
    let damaged = |why: &dyn std::fmt::Display| {
        Refusal::new(format!(
            "{file} is no P-256 key in PEM form ({why}). Restore it from a backup, or delete it: then each co-signer has to trust the new one."
        ))
    };
    let pem = file.read_or_create(|| {
        let made = SigningKey::from_bytes(Algorithm::Es256, &fresh());
        let made = made.map_err(|error| damaged(&error))?;
        Ok(made.to_pem().as_bytes().to_vec())
    })?;
    let pem = String::from_utf8(pem).map_err(|error| damaged(&error))?;
    SigningKey::from_pem(&pem).map_err(|error| damaged(&error))
}

/// A file below `keys`, for nobody but the portal.
struct KeyFile {
    folder: PathBuf,
    name: &'static str,
    what: &'static str,
}

impl std::fmt::Display for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "The {} {}", self.what, self.path().display())
    }
}

impl KeyFile {
    fn of(data_dir: &Path, name: &'static str, what: &'static str) -> Self {
        let folder = data_dir.join("keys");
        Self { folder, name, what }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.name)
    }

    fn read_or_create(
        &self,
        fresh: impl FnOnce() -> Result<Vec<u8>, Refusal>,
    ) -> Result<Vec<u8>, Refusal> {
        if !self.path().exists() {
            self.create(&fresh()?)
                .map_err(|error| Refusal::new(format!("{self} cannot be written ({error}).")))?;
        }
        self.read()
    }

    /// Writes aside and links into place, so that a crash never leaves half a secret behind.
    fn create(&self, bytes: &[u8]) -> io::Result<()> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.folder)?;
        let aside = self
            .folder
            .join(format!("{}.{}.new", self.name, std::process::id()));
        remove_if_there(&aside)?;
        let mut file = OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        match fs::hard_link(&aside, self.path()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _linked_by_us_or_another => fs::remove_file(&aside)?,
        }
        File::open(&self.folder)?.sync_all()
    }

    fn read(&self) -> Result<Vec<u8>, Refusal> {
        let unreadable =
            |error: io::Error| Refusal::new(format!("{self} cannot be read ({error})."));
        let path = self.path();
        let mode = fs::metadata(&path)
            .map_err(unreadable)?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            let (what, shown) = (self.what, path.display());
            return Err(Refusal::new(format!(
                "Other users may read the {what} {shown}. Run: chmod 600 {shown}"
            )));
        }
        fs::read(&path).map_err(unreadable)
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _gone => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::{SECRET_BYTES, identity, load_or_create};

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

    #[test]
    fn the_portal_keeps_its_identity() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let first = identity(home.path(), || [7; 32]).expect("makes it");
        let second = identity(home.path(), || [8; 32]).expect("reads it");
        let [first, second] = [first, second].map(|key| key.public_key().server_id());
        assert_eq!(first, second);

        let path = home.path().join("keys/identity.pem");
        let mode = path.metadata().expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let whole = fs::read_to_string(&path).expect("reads");
        fs::write(&path, &whole[..whole.len() / 2]).expect("cuts it");
        let refusal = identity(home.path(), || [8; 32]).expect_err("refuses");
        assert!(refusal.to_string().contains("no P-256 key"), "{refusal}");
    }
}
