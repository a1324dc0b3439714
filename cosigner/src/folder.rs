//! The co-signer's folder: where what lies, and how it is written so that no crash leaves half.
//!
//! All writing happens under one lock of the folder, so several processes may share it. What is
//! there may be read at any time: a file is replaced whole.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::Refused;

/// Why a folder cannot be the co-signer's.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Something in it cannot be read, made or written.
    #[error("The co-signer's folder {} cannot be used ({source}).", folder.display())]
    Unusable {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Its keys would be open to everybody on the machine.
    #[error("Other users may read the co-signer's folder {}. Run: chmod 700 {}", .0.display(), .0.display())]
    OpenToOthers(PathBuf),
}

/// Projects beyond this many get no key and no memory.
pub(crate) const MAX_PROJECTS: usize = 20_000;

const SUBFOLDERS: [&str; 5] = ["keys", "portals", "projects", "rates", "tmp"];

pub(crate) struct Folder {
    root: PathBuf,
}

/// Whoever holds it is the only one who writes; dropping it lets the next one.
pub(crate) struct Lock {
    _file: File,
}

impl Folder {
    pub(crate) fn open(root: &Path) -> Result<Self, OpenError> {
        let folder = Self {
            root: root.to_owned(),
        };
        folder.lay_out().map_err(|source| OpenError::Unusable {
            folder: root.to_owned(),
            source,
        })?;
        let mode = fs::metadata(root).map(|found| found.permissions().mode());
        if mode.is_ok_and(|mode| mode & 0o077 != 0) {
            return Err(OpenError::OpenToOthers(root.to_owned()));
        }
        Ok(folder)
    }

    fn lay_out(&self) -> io::Result<()> {
        for name in SUBFOLDERS {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(self.root.join(name))?;
        }
        let _lock = self.take_lock()?;
        // Whoever was writing these held the lock and is dead.
        for left in fs::read_dir(self.root.join("tmp"))? {
            fs::remove_file(left?.path())?;
        }
        Ok(())
    }

    pub(crate) fn key(&self, project_id: Uuid) -> PathBuf {
        self.root.join("keys").join(format!("{project_id}.pem"))
    }

    pub(crate) fn next_key(&self, project_id: Uuid) -> PathBuf {
        self.root
            .join("keys")
            .join(format!("{project_id}.next.pem"))
    }

    pub(crate) fn project(&self, project_id: Uuid) -> PathBuf {
        self.root
            .join("projects")
            .join(format!("{project_id}.json"))
    }

    pub(crate) fn portal(&self, server_id: Uuid) -> PathBuf {
        self.root.join("portals").join(format!("{server_id}.json"))
    }

    pub(crate) fn rate(&self, server_id: Uuid) -> PathBuf {
        self.root.join("rates").join(format!("{server_id}.json"))
    }

    pub(crate) fn approvers(&self) -> PathBuf {
        self.root.join("approvers.json")
    }

    /// Gives `audit.log` of the name `audit`, or an older one: 1 is the one before.
    pub(crate) fn log(&self, name: &str, age: u8) -> PathBuf {
        self.root.join(match age {
            0 => format!("{name}.log"),
            age => format!("{name}.{age}.log"),
        })
    }

    /// Lists the ids that have a file in a subfolder, in their order.
    pub(crate) fn ids_in(&self, subfolder: &str) -> Result<Vec<Uuid>, Refused> {
        let path = self.root.join(subfolder);
        let entries = fs::read_dir(&path).map_err(|error| cannot("read", &path, &error))?;
        let mut ids: Vec<Uuid> = entries
            .filter_map(|entry| {
                let name = entry.ok()?.file_name();
                let (id, _) = name.to_str()?.split_once('.')?;
                id.parse().ok()
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(ids)
    }

    /// Refuses a project that would be one too many in a subfolder: a portal that is trusted with any
    /// project may name any id.
    pub(crate) fn check_room_in(&self, subfolder: &str) -> Result<(), Refused> {
        if self.ids_in(subfolder)?.len() >= MAX_PROJECTS {
            return Err(Refused::TooManyProjects);
        }
        Ok(())
    }

    pub(crate) fn lock(&self) -> Result<Lock, Refused> {
        self.take_lock()
            .map_err(|error| cannot("lock", &self.root.join("lock"), &error))
    }

    fn take_lock(&self) -> io::Result<Lock> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(self.root.join("lock"))?;
        file.lock()?;
        Ok(Lock { _file: file })
    }

    /// Puts new content in the place of a file's, for good once it answers.
    pub(crate) fn replace(&self, path: &Path, content: &[u8], _lock: &Lock) -> Result<(), Refused> {
        self.write_aside(content)
            .and_then(|aside| fs::rename(aside, path))
            .and_then(|()| sync_folder_of(path))
            .map_err(|error| cannot("write", path, &error))
    }

    /// Makes a file if there is none, also where locks mean nothing (some network folders).
    pub(crate) fn create(&self, path: &Path, content: &[u8], _lock: &Lock) -> Result<(), Refused> {
        self.write_aside(content)
            .and_then(|aside| {
                match fs::hard_link(&aside, path) {
                    Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                    _linked_by_us_or_another => fs::remove_file(&aside)?,
                }
                sync_folder_of(path)
            })
            .map_err(|error| cannot("write", path, &error))
    }

    fn write_aside(&self, content: &[u8]) -> io::Result<PathBuf> {
        let aside = self
            .root
            .join("tmp")
            .join(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(content)?;
        file.sync_all()?;
        Ok(aside)
    }
}

/// Moves one file into the place of another, for good once it answers.
pub(crate) fn move_over(from: &Path, to: &Path, _lock: &Lock) -> Result<(), Refused> {
    fs::rename(from, to)
        .and_then(|()| sync_folder_of(to))
        .map_err(|error| cannot("write", to, &error))
}

/// Takes a file away, for good once it answers.
pub(crate) fn remove(path: &Path, _lock: &Lock) -> Result<(), Refused> {
    fs::remove_file(path)
        .and_then(|()| sync_folder_of(path))
        .map_err(|error| cannot("remove", path, &error))
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// Says what could not be done with which file.
pub(crate) fn cannot(verb: &str, path: &Path, error: &io::Error) -> Refused {
    Refused::Storage(format!("cannot {verb} {} ({error})", path.display()))
}
