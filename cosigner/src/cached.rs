//! Files held in memory for as long as they are the same on disk.

use std::collections::HashMap;
use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::Refused;
use crate::folder::cannot;

/// Files are replaced and never written in place, so a change shows in these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    changed: (i64, i64),
    modified: (i64, i64),
    len_bytes: u64,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            inode: file.ino(),
            changed: (file.ctime(), file.ctime_nsec()),
            modified: (file.mtime(), file.mtime_nsec()),
            len_bytes: file.len(),
        }
    }
}

/// Beyond this many files memory starts anew; a co-signer has a few portals and some projects.
const MAX_FILES: usize = 4096;

/// Reads files of one kind, each again only after it changed.
pub(crate) struct Cached<T> {
    parse: fn(&str) -> Result<T, String>,
    held: Mutex<HashMap<PathBuf, (Stamp, Arc<T>)>>,
}

impl<T> Cached<T> {
    pub(crate) fn new(parse: fn(&str) -> Result<T, String>) -> Self {
        Self {
            parse,
            held: Mutex::default(),
        }
    }

    /// Gives what the file says now; `None` when there is no such file.
    pub(crate) fn read(&self, path: &Path) -> Result<Option<Arc<T>>, Refused> {
        let stamp = match fs::metadata(path) {
            Ok(file) => Stamp::of(&file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, value)) = held.get(path)
            && *known == stamp
        {
            return Ok(Some(Arc::clone(value)));
        }
        let Some((stamp, value)) = self.read_stamped(path)? else {
            return Ok(None);
        };
        let value = Arc::new(value);
        if held.len() >= MAX_FILES {
            held.clear();
        }
        held.insert(path.to_owned(), (stamp, Arc::clone(&value)));
        Ok(Some(value))
    }

    /// Gives what the file says, without trusting its stamp: for whoever is about to replace it.
    pub(crate) fn read_anew(&self, path: &Path) -> Result<Option<T>, Refused> {
        Ok(self.read_stamped(path)?.map(|(_, value)| value))
    }

    fn read_stamped(&self, path: &Path) -> Result<Option<(Stamp, T)>, Refused> {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        let mut text = String::new();
        let stamp = file
            .metadata()
            .and_then(|found| file.read_to_string(&mut text).map(|_| Stamp::of(&found)))
            .map_err(|error| cannot("read", path, &error))?;
        let value = (self.parse)(&text)
            .map_err(|why| Refused::Storage(format!("{} is damaged: {why}", path.display())))?;
        Ok(Some((stamp, value)))
    }
}
