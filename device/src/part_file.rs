//! `PATH.part`: the half-fetched image that outlives a run, and the digest it belongs to.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::{Failure, Kind};

/// The files beside the target: the bytes so far, and the SHA-256 of the image they are a part of.
#[derive(Debug)]
pub(crate) struct PartFile {
    target: PathBuf,
    part: PathBuf,
    digest: PathBuf,
}

impl PartFile {
    /// Names the files that belong to `target`.
    pub(crate) fn beside(target: &Path) -> Self {
        Self {
            target: target.to_owned(),
            part: with_suffix(target, ".part"),
            digest: with_suffix(target, ".part.sha256"),
        }
    }

    /// Opens what is there of the image with this digest; bytes of another image are dropped.
    ///
    /// # Errors
    /// When the files cannot be written, or another update is writing them.
    pub(crate) fn open(&self, sha256: &str) -> Result<File, Failure> {
        if self.target.is_dir() {
            let cause = io::Error::from(io::ErrorKind::IsADirectory);
            return Err(Failure::local("write", &self.target, &cause));
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&self.part)
            .map_err(|cause| Failure::local("write", &self.part, &cause))?;
        // The update that held the lock may have moved the file away while we opened it.
        if file.try_lock().is_err() || !self.part.exists() {
            let part = self.part.display();
            let sentence = format!("another update is writing {part}: let it end, then try again");
            return Err(Failure::new(Kind::Local, sentence));
        }
        if !fs::read_to_string(&self.digest).is_ok_and(|kept| kept == sha256) {
            // In this order: bytes are never beside a digest that is not theirs.
            file.set_len(0)
                .map_err(|cause| Failure::local("write", &self.part, &cause))?;
            fs::write(&self.digest, sha256)
                .map_err(|cause| Failure::local("write", &self.digest, &cause))?;
        }
        Ok(file)
    }

    /// Puts the whole and synced image in the target's place, for good.
    ///
    /// # Errors
    /// When the folder does not allow it; the target is then as it was.
    pub(crate) fn install(&self) -> Result<(), Failure> {
        fs::rename(&self.part, &self.target)
            .and_then(|()| sync_folder(&self.target))
            .map_err(|cause| Failure::local("replace", &self.target, &cause))?;
        self.forget_digest();
        Ok(())
    }

    /// Drops bytes that are of no use to a later run.
    pub(crate) fn discard(&self) {
        // What stays behind costs a later run no more than these bytes: their digest tells.
        let _ = fs::remove_file(&self.part);
        self.forget_digest();
    }

    fn forget_digest(&self) {
        // A digest without bytes is harmless.
        let _ = fs::remove_file(&self.digest);
    }
}

/// The same path with more behind its name.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Waits until the folder of `file` has it on the disk under its name.
pub(crate) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_stay_for_the_same_image_and_go_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::beside(&folder.path().join("lamp.bin"));
        let kept = folder.path().join("lamp.bin.part");
        drop(part.open("aa").unwrap());
        fs::write(&kept, "half").unwrap();
        drop(part.open("aa").unwrap());
        assert_eq!(fs::read(&kept).unwrap(), b"half");
        drop(part.open("bb").unwrap());
        assert_eq!(fs::read(&kept).unwrap(), b"");
    }

    #[test]
    fn a_second_update_of_the_same_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let part = PartFile::beside(&folder.path().join("lamp.bin"));
        let _first = part.open("aa").unwrap();
        let failure = part.open("aa").unwrap_err();
        assert!(
            failure.to_string().starts_with("another update is writing"),
            "{failure}"
        );
    }

    #[test]
    fn a_folder_is_no_target() {
        let folder = tempfile::tempdir().unwrap();
        let failure = PartFile::beside(folder.path()).open("aa").unwrap_err();
        assert_eq!(failure.kind(), Kind::Local);
    }
}
