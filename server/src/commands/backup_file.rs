//! The file that `gatehouse backup` writes and `gatehouse restore` reads.
//!
//! ```text
//! GATEHOUSE BACKUP 1
//! {"path":"gatehouse.db","size_bytes":N,"sha256":"…"}   then N bytes, and the next entry
//! END <SHA-256 over everything before this line>
//! ```
//! A name is one of a few kinds and never leads anywhere, which is why this is no tar.

use std::{
    collections::HashSet,
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::refusal::Refusal;

const MAGIC: &[u8] = b"GATEHOUSE BACKUP ";
const FORMAT: u64 = 1;
const END: &str = "END ";
const LINE_MAX_BYTES: u64 = 512;
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Part {
    /// The SQLite snapshot.
    Database,
    /// The portal's signing secret.
    Secret,
    /// The key by which co-signers know the portal.
    Identity,
    /// A file of the co-signer inside the portal, by its name below that one's folder.
    CoSigner(String),
    /// The image with this SHA-256, 64 lower-case hex digits.
    Blob(String),
}

impl Part {
    fn path(&self) -> String {
        match self {
            Self::Database => "gatehouse.db".into(),
            Self::Secret => "keys/secret.bin".into(),
            Self::Identity => "keys/identity.pem".into(),
            Self::CoSigner(name) => format!("cosigner/{name}"),
            Self::Blob(sha256) => format!("blobs/{}/{sha256}", &sha256[..2]),
        }
    }

    pub(super) fn parse(path: &str) -> Option<Self> {
        let is_hex_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let name = path.rsplit('/').next()?;
        let part = if let Some(name) = path.strip_prefix("cosigner/") {
            is_of_cosigner(name).then(|| Self::CoSigner(name.into()))?
        } else if name.len() == 64 && name.bytes().all(is_hex_digit) {
            Self::Blob(name.into())
        } else if name == "identity.pem" {
            Self::Identity
        } else if path.starts_with("keys/") {
            Self::Secret
        } else {
            Self::Database
        };
        (part.path() == path).then_some(part)
    }
}

/// Whether a co-signer keeps keys, trust or counters under this name; its record is its own.
fn is_of_cosigner(name: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let ending = match folder {
        "keys" => ".pem",
        "portals" | "projects" => ".json",
        _ => return name == "approvers.json",
    };
    file.ends_with(ending) && file.bytes().all(is_plain) && !file.starts_with('.')
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    path: String,
    size_bytes: u64,
    sha256: String,
}

/// Why an entry did not come into a backup.
pub(super) enum NotAdded {
    /// Its bytes are not the ones that were stored; the backup is as if it had never been tried.
    Damaged(String),
    /// The backup itself cannot be written.
    Refused(Refusal),
}

impl From<Refusal> for NotAdded {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// A backup being written.
pub(super) struct Writer {
    output: BufWriter<File>,
    whole: Sha256,
    size_bytes: u64,
}

impl Writer {
    /// Makes the file, which must not exist, for its owner only.
    pub(super) fn create(path: &Path) -> Result<Self, Refusal> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| not_written(&error))?;
        let mut writer = Self {
            output: BufWriter::with_capacity(CHUNK_BYTES, file),
            whole: Sha256::new(),
            size_bytes: 0,
        };
        writer.put(MAGIC)?;
        writer.put(format!("{FORMAT}\n").as_bytes())?;
        Ok(writer)
    }

    /// Adds an entry whose bytes must be as many as promised and have the promised SHA-256.
    pub(super) async fn add(
        &mut self,
        part: &Part,
        size_bytes: u64,
        sha256: &str,
        bytes: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<(), NotAdded> {
        let (whole_before, start_bytes) = (self.whole.clone(), self.size_bytes);
        let added = self.try_add(part, size_bytes, sha256, bytes).await;
        if let Err(NotAdded::Damaged(_)) = added {
            self.output
                .seek(SeekFrom::Start(start_bytes))
                .and_then(|_| self.output.get_ref().set_len(start_bytes))
                .map_err(|error| not_written(&error))?;
            self.whole = whole_before;
            self.size_bytes = start_bytes;
        }
        added
    }

    async fn try_add(
        &mut self,
        part: &Part,
        size_bytes: u64,
        sha256: &str,
        mut bytes: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<(), NotAdded> {
        let header = Header {
            path: part.path(),
            size_bytes,
            sha256: sha256.into(),
        };
        let line = serde_json::to_string(&header).map_err(|error| not_written(&error.into()))?;
        self.put(format!("{line}\n").as_bytes())?;
        let (start_bytes, mut digest) = (self.size_bytes, Sha256::new());
        while let Some(chunk) = bytes.next().await {
            let chunk = chunk.map_err(|error| NotAdded::Damaged(error.to_string()))?;
            digest.update(&chunk);
            self.put(&chunk)?;
        }
        if self.size_bytes - start_bytes == size_bytes && hex::encode(digest.finalize()) == sha256 {
            Ok(())
        } else {
            let why = "its bytes are not the ones that were stored";
            Err(NotAdded::Damaged(why.into()))
        }
    }

    /// Ends the backup and waits until it is on the disk; answers its length in bytes.
    pub(super) fn finish(mut self) -> Result<u64, Refusal> {
        let end = hex::encode(self.whole.clone().finalize());
        self.put(format!("{END}{end}\n").as_bytes())?;
        self.output
            .into_inner()
            .map_err(io::IntoInnerError::into_error)
            .and_then(|file| file.sync_all())
            .map_err(|error| not_written(&error))?;
        Ok(self.size_bytes)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.whole.update(bytes);
        self.size_bytes += bytes.len() as u64;
        self.output
            .write_all(bytes)
            .map_err(|error| not_written(&error))
    }
}

fn not_written(error: &io::Error) -> Refusal {
    Refusal::new(format!(
        "The backup cannot be written ({error}). Choose a folder with room that this user may write to."
    ))
}

/// A backup being read; every byte counts toward its digests.
pub(super) struct Reader {
    input: BufReader<File>,
    shown: String,
    whole: Sha256,
    entry: Option<Entry>,
    seen: HashSet<Part>,
}

struct Entry {
    path: String,
    rest_bytes: u64,
    sha256: String,
    digest: Sha256,
}

impl Reader {
    /// Opens a backup of the format that this program knows.
    pub(super) fn open(path: &Path) -> Result<Self, Refusal> {
        let shown = path.display().to_string();
        let file = File::open(path).map_err(|error| unreadable(&shown, &error))?;
        let mut reader = Self {
            input: BufReader::with_capacity(CHUNK_BYTES, file),
            shown,
            whole: Sha256::new(),
            entry: None,
            seen: HashSet::new(),
        };
        reader.check_format()?;
        Ok(reader)
    }

    fn check_format(&mut self) -> Result<(), Refusal> {
        let mut magic = [0; MAGIC.len()];
        self.input
            .read_exact(&mut magic)
            .map_err(|error| self.failed(&error))?;
        if magic != MAGIC {
            return Err(Refusal::new(format!(
                "{} is no Gatehouse backup. Name a file that gatehouse backup wrote.",
                self.shown
            )));
        }
        self.whole.update(magic);
        match self.line()?.parse() {
            Ok(FORMAT) => Ok(()),
            Ok(newer) if newer > FORMAT => Err(Refusal::new(format!(
                "{} was written by a newer Gatehouse (backup format {newer}). Restore it with that version.",
                self.shown
            ))),
            _ => Err(self.changed("its format has no number")),
        }
    }

    /// Goes to the next entry, past what is left of this one; `None` at the end, when
    /// everything is there and has the right digests.
    pub(super) fn next_entry(&mut self) -> Result<Option<Part>, Refusal> {
        while self.chunk()?.is_some() {}
        let before = hex::encode(self.whole.clone().finalize());
        let line = self.line()?;
        if let Some(end) = line.strip_prefix(END) {
            self.check_end(end, &before)?;
            return Ok(None);
        }
        let header: Header =
            serde_json::from_str(&line).map_err(|_| self.changed("an entry has no header"))?;
        let part = Part::parse(&header.path)
            .ok_or_else(|| self.changed("an entry has a name that no backup uses"))?;
        if !self.seen.insert(part.clone()) {
            return Err(self.changed("an entry is there twice"));
        }
        if matches!(&part, Part::Blob(sha256) if *sha256 != header.sha256) {
            return Err(self.changed("an image has the name of another"));
        }
        self.entry = Some(Entry {
            path: header.path,
            rest_bytes: header.size_bytes,
            sha256: header.sha256,
            digest: Sha256::new(),
        });
        Ok(Some(part))
    }

    /// The next bytes of this entry; `None` when it is whole and has the right digest.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>, Refusal> {
        let Some(mut entry) = self.entry.take() else {
            return Ok(None);
        };
        if entry.rest_bytes == 0 {
            return if hex::encode(entry.digest.finalize()) == entry.sha256 {
                Ok(None)
            } else {
                Err(self.changed(&format!("{} has another SHA-256", entry.path)))
            };
        }
        let chunk = self.read_up_to(entry.rest_bytes)?;
        entry.rest_bytes -= chunk.len() as u64;
        entry.digest.update(&chunk);
        self.entry = Some(entry);
        Ok(Some(chunk))
    }

    /// Reads at least one byte.
    fn read_up_to(&mut self, rest_bytes: u64) -> Result<Bytes, Refusal> {
        let there = match self.input.fill_buf() {
            Ok([]) => Err(ErrorKind::UnexpectedEof.into()),
            there => there,
        };
        let there = there.map_err(|error| failed(&self.shown, &error))?;
        let length = usize::try_from(rest_bytes).map_or(there.len(), |rest| rest.min(there.len()));
        let chunk = Bytes::copy_from_slice(&there[..length]);
        self.input.consume(length);
        self.whole.update(&chunk);
        Ok(chunk)
    }

    fn check_end(&mut self, end: &str, before: &str) -> Result<(), Refusal> {
        let nothing_follows = self
            .input
            .fill_buf()
            .map_err(|error| failed(&self.shown, &error))?
            .is_empty();
        if end != before {
            Err(self.changed("the whole has another SHA-256"))
        } else if !nothing_follows {
            Err(self.changed("something follows its end"))
        } else if !(self.seen.contains(&Part::Database) && self.seen.contains(&Part::Secret)) {
            Err(self.changed("the database or the signing secret is missing"))
        } else {
            Ok(())
        }
    }

    fn line(&mut self) -> Result<String, Refusal> {
        let mut line = Vec::new();
        self.input
            .by_ref()
            .take(LINE_MAX_BYTES)
            .read_until(b'\n', &mut line)
            .map_err(|error| self.failed(&error))?;
        self.whole.update(&line);
        let is_full = line.len() as u64 == LINE_MAX_BYTES;
        match line.pop() {
            Some(b'\n') => String::from_utf8(line).map_err(|_| self.changed("a line is no text")),
            Some(_) if is_full => Err(self.changed("a line has no end")),
            _ => Err(self.failed(&ErrorKind::UnexpectedEof.into())),
        }
    }

    fn failed(&self, error: &io::Error) -> Refusal {
        failed(&self.shown, error)
    }

    fn changed(&self, how: &str) -> Refusal {
        Refusal::new(format!(
            "{} was changed since it was written: {how}. Copy it anew from where it was made, or take another backup.",
            self.shown
        ))
    }
}

fn failed(shown: &str, error: &io::Error) -> Refusal {
    if error.kind() == ErrorKind::UnexpectedEof {
        return Refusal::new(format!(
            "{shown} is cut: it ends too early. Copy it anew from where it was made, or take another backup."
        ));
    }
    unreadable(shown, error)
}

fn unreadable(shown: &str, error: &io::Error) -> Refusal {
    Refusal::new(format!("The backup {shown} cannot be read ({error})."))
}
