//! What a device remembers of manifests: how far its releases went, and which manifests it met.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use gatehouse_manifest::Claims;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::now_s;
use crate::part_file::{sync_folder, with_suffix};
use crate::{Failure, Kind};

/// Longer than any leeway after a manifest's expiry: until then it could come again.
const REMEMBERED_AFTER_EXPIRY_S: i64 = 600;

/// The highest release that was installed, and the manifests that were used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    project_id: String,
    release_counter: u64,
    /// The `jti` of each manifest that was used, and when it expires, in seconds since 1970.
    seen: BTreeMap<String, i64>,
    /// The release on its way into its place: which one it is, if power fails at that moment.
    installing: Option<Installing>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Installing {
    release_counter: u64,
    sha256: String,
}

impl Memory {
    pub(crate) fn new(project_id: &str) -> Self {
        Self {
            project_id: project_id.to_owned(),
            release_counter: 0,
            seen: BTreeMap::new(),
            installing: None,
        }
    }

    /// The counter of the highest release that was installed; 0 before the first.
    pub const fn release_counter(&self) -> u64 {
        self.release_counter
    }

    pub(crate) fn has_seen(&self, jti: &str) -> bool {
        self.seen.contains_key(jti)
    }

    /// Notes that this manifest is used, and that its release may soon be in its place.
    pub(crate) fn begin(&mut self, claims: &Claims) {
        let forgotten_before_s = now_s().saturating_sub(REMEMBERED_AFTER_EXPIRY_S);
        self.seen.retain(|_, exp_s| *exp_s >= forgotten_before_s);
        self.seen.insert(claims.jti.clone(), claims.exp);
        self.installing = Some(Installing {
            release_counter: claims.release_counter,
            sha256: claims.sha256.clone(),
        });
    }

    /// Notes that the release is in its place; an older one that was allowed lowers nothing.
    pub(crate) fn finish(&mut self) {
        if let Some(installed) = self.installing.take() {
            self.release_counter = self.release_counter.max(installed.release_counter);
        }
    }

    /// Finishes what power failed on, if `target` holds it.
    pub(crate) fn catch_up(&mut self, target: &Path) -> Result<(), Failure> {
        let Some(installing) = &self.installing else {
            return Ok(());
        };
        let found = match sha256_of(target) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found.map_err(|cause| Failure::local("read", target, &cause))?,
        };
        if found == installing.sha256 {
            self.finish();
        }
        Ok(())
    }
}

fn sha256_of(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read_bytes = file.read(&mut buffer)?;
        if read_bytes == 0 {
            return Ok(hex::encode(digest.finalize()));
        }
        digest.update(&buffer[..read_bytes]);
    }
}

/// The file that outlives a run; a damaged one is never taken for a new one.
#[derive(Debug, Clone)]
pub struct StateFile {
    path: PathBuf,
}

impl StateFile {
    /// Names the file.
    pub const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Names the file that belongs to the image at `target`: `PATH.state`.
    pub fn beside(target: &Path) -> Self {
        Self::at(with_suffix(target, ".state"))
    }

    /// Reads what a device remembers; `nothing` when there is no file yet.
    ///
    /// # Errors
    /// When the file is unreadable, damaged, or of another project.
    pub fn read(&self, nothing: Memory) -> Result<Memory, Failure> {
        let text = match fs::read(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(nothing),
            text => text.map_err(|cause| Failure::local("read", &self.path, &cause))?,
        };
        let path = self.path.display();
        let memory: Memory = serde_json::from_slice(&text).map_err(|cause| {
            let sentence = format!(
                "the state in {path} is damaged ({cause}), so this device no longer knows which \
                 releases are older than its own: bring the file back, or delete it if you know \
                 that the installed release is the newest"
            );
            Failure::new(Kind::Local, sentence)
        })?;
        if memory.project_id != nothing.project_id {
            let sentence = format!(
                "the state in {path} belongs to project {}, but the keys to {}: correct --state or \
                 --keys",
                memory.project_id, nothing.project_id
            );
            return Err(Failure::new(Kind::Local, sentence));
        }
        Ok(memory)
    }

    /// Replaces the file in one step and waits until it is on the disk.
    pub(crate) fn write(&self, memory: &Memory) -> Result<(), Failure> {
        let new = with_suffix(&self.path, ".new");
        let text = serde_json::to_vec_pretty(memory).expect("plain members are JSON");
        let unwritable = |cause| Failure::local("write", &new, &cause);
        let mut file = File::create(&new).map_err(unwritable)?;
        file.write_all(&text)
            .and_then(|()| file.sync_all())
            .and_then(|()| fs::rename(&new, &self.path))
            .and_then(|()| sync_folder(&self.path))
            .map_err(unwritable)
    }

    /// Keeps a second update from remembering something else at the same time.
    pub(crate) fn lock(&self) -> Result<File, Failure> {
        let path = with_suffix(&self.path, ".lock");
        let file = File::create(&path).map_err(|cause| Failure::local("write", &path, &cause))?;
        if file.try_lock().is_err() {
            let path = path.display();
            let sentence = format!("another update holds {path}: let it end, then try again");
            return Err(Failure::new(Kind::Local, sentence));
        }
        Ok(file)
    }
}
