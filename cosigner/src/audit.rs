//! The co-signer's own record of what it did and refused: JSON lines that nothing of the portal reaches.
//!
//! What changes something is recorded for itself. Signatures and refusals are counted: what happens
//! alike again and again is written once and then summed up once a minute. They have a log of their
//! own, so that neither a large fleet nor a flood of strangers rolls away the lines that matter.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use uuid::Uuid;

use crate::Refused;
use crate::folder::{Folder, Lock, cannot};
use crate::moment::rfc3339;

/// The log of what changed: trust, keys, approvals, new releases.
pub(crate) const RECORD: &str = "audit";
/// The log of what was signed and refused.
pub(crate) const REQUESTS: &str = "requests";
/// A full log becomes `audit.1.log`, and so on.
const MAX_LOG_BYTES: u64 = 8 * 1024 * 1024;
const OLD_LOGS: u8 = 9;
const SUM_UP_AFTER_MS: i64 = 60_000;
const MAX_TALLIES: usize = 1024;

/// What a line may say besides its moment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub(crate) struct Event {
    #[serde(rename = "event")]
    pub(crate) what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) release_counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

impl Event {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            project_id: None,
            server_id: None,
            release_counter: None,
            detail: None,
        }
    }

    pub(crate) fn of_project(self, project_id: Uuid) -> Self {
        Self {
            project_id: Some(project_id),
            ..self
        }
    }

    pub(crate) fn by(self, server_id: Option<Uuid>) -> Self {
        Self { server_id, ..self }
    }

    pub(crate) fn counting(self, release_counter: Option<u64>) -> Self {
        Self {
            release_counter,
            ..self
        }
    }

    pub(crate) fn saying(self, detail: impl Into<String>) -> Self {
        Self {
            detail: Some(detail.into()),
            ..self
        }
    }
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u64>,
}

struct Tally {
    since_ms: i64,
    times: u64,
}

#[derive(Default)]
pub(crate) struct Audit {
    tallies: Mutex<HashMap<Event, Tally>>,
}

impl Audit {
    /// Writes what happens often: the first time, and then how often within a minute.
    pub(crate) fn count(&self, folder: &Folder, event: Event, now_ms: i64) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tally) = tallies.get_mut(&event) {
            tally.times += 1;
            if now_ms - tally.since_ms >= SUM_UP_AFTER_MS {
                note(folder, &line(&event, Some(tally.times), now_ms));
                *tally = Tally {
                    since_ms: now_ms,
                    times: 0,
                };
            }
            return;
        }
        if tallies.len() >= MAX_TALLIES {
            sum_up(&mut tallies, folder, now_ms, i64::MAX);
        }
        note(folder, &line(&event, None, now_ms));
        let first = Tally {
            since_ms: now_ms,
            times: 0,
        };
        tallies.insert(event, first);
    }

    /// Writes the sums of everything that began a minute ago or earlier.
    pub(crate) fn sum_up_due(&self, folder: &Folder, now_ms: i64) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        sum_up(&mut tallies, folder, now_ms, now_ms - SUM_UP_AFTER_MS);
    }

    /// Writes all sums.
    pub(crate) fn sum_up_all(&self, folder: &Folder, now_ms: i64) {
        let mut tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        sum_up(&mut tallies, folder, now_ms, i64::MAX);
    }
}

/// Writes a line that is on the disk when it answers, alone with the folder.
pub(crate) fn record(
    folder: &Folder,
    lock: &Lock,
    event: &Event,
    now_ms: i64,
) -> Result<(), Refused> {
    make_room(folder, RECORD, lock)
        .and_then(|()| append(folder, RECORD, &line(event, None, now_ms)))
        .and_then(|file| file.sync_data())
        .map_err(|error| cannot("write", &folder.log(RECORD, 0), &error))
}

fn sum_up(tallies: &mut HashMap<Event, Tally>, folder: &Folder, now_ms: i64, before_ms: i64) {
    tallies.retain(|event, tally| {
        let stays = tally.since_ms > before_ms;
        if !stays && tally.times > 0 {
            note(folder, &line(event, Some(tally.times), now_ms));
        }
        stays
    });
}

fn line(event: &Event, times: Option<u64>, now_ms: i64) -> Vec<u8> {
    let line = Line {
        at: rfc3339(now_ms),
        event,
        times,
    };
    let mut text = crate::json(&line);
    text.push(b'\n');
    text
}

/// A refusal stands whether or not it can be written down.
fn note(folder: &Folder, line: &[u8]) {
    if let Err(error) = try_note(folder, line) {
        tracing::error!(%error, "the log of requests cannot be written");
    }
}

fn try_note(folder: &Folder, line: &[u8]) -> io::Result<()> {
    if is_full(folder, REQUESTS)? {
        let lock = folder.lock().map_err(io::Error::other)?;
        make_room(folder, REQUESTS, &lock)?;
    }
    append(folder, REQUESTS, line)?;
    Ok(())
}

/// One write of one line, which other processes' lines do not get into.
fn append(folder: &Folder, name: &str, line: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(folder.log(name, 0))?;
    file.write_all(line)?;
    Ok(file)
}

fn is_full(folder: &Folder, name: &str) -> io::Result<bool> {
    match fs::metadata(folder.log(name, 0)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => Ok(found?.len() >= MAX_LOG_BYTES),
    }
}

/// Moves full logs aside; whoever holds the lock already would wait for itself if this took it.
fn make_room(folder: &Folder, name: &str, _lock: &Lock) -> io::Result<()> {
    if !is_full(folder, name)? {
        return Ok(());
    }
    for age in (0..OLD_LOGS).rev() {
        match fs::rename(folder.log(name, age), folder.log(name, age + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _moved_or_never_there => {}
        }
    }
    Ok(())
}

/// Gives a log's last lines, the newest at the end.
pub(crate) fn last_lines(
    folder: &Folder,
    name: &str,
    count: usize,
) -> Result<Vec<String>, Refused> {
    let mut lines: Vec<String> = Vec::new();
    for age in 0..=OLD_LOGS {
        if lines.len() >= count {
            break;
        }
        let path = folder.log(name, age);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            read => read.map_err(|error| cannot("read", &path, &error))?,
        };
        let older = text.lines().map(str::to_owned);
        lines.splice(0..0, older);
    }
    Ok(lines.split_off(lines.len().saturating_sub(count)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Audit, Event, MAX_LOG_BYTES, RECORD, REQUESTS, last_lines, record};
    use crate::folder::Folder;

    #[test]
    fn what_happens_often_is_summed_up() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(&home.path().join("c")).expect("opens");
        let audit = Audit::default();
        for second in 0..=60 {
            audit.count(&folder, Event::new("signed"), second * 1000);
        }
        audit.count(&folder, Event::new("signed"), 61_000);
        audit.sum_up_all(&folder, 62_000);
        let lines = last_lines(&folder, REQUESTS, 10).expect("reads");
        let expected = [
            r#"{"at":"1970-01-01T00:00:00Z","event":"signed"}"#,
            r#"{"at":"1970-01-01T00:01:00Z","event":"signed","times":60}"#,
            r#"{"at":"1970-01-01T00:01:02Z","event":"signed","times":1}"#,
        ];
        assert_eq!(lines, expected);
        assert!(!folder.log(RECORD, 0).exists(), "counted, not recorded");
    }

    #[test]
    fn a_full_log_moves_aside_and_is_still_read() {
        let home = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(&home.path().join("c")).expect("opens");
        let write = |what| {
            let lock = folder.lock().expect("locks");
            record(&folder, &lock, &Event::new(what), 0).expect("writes");
        };
        write("trusted");
        let filler = usize::try_from(MAX_LOG_BYTES).expect("fits");
        let mut text = fs::read(folder.log(RECORD, 0)).expect("reads");
        text.resize(filler - 1, b' ');
        text.push(b'\n');
        fs::write(folder.log(RECORD, 0), text).expect("fills it");
        write("revoked");
        assert!(folder.log(RECORD, 1).exists());
        let lines = last_lines(&folder, RECORD, 2).expect("reads");
        assert!(lines[0].trim().is_empty(), "the filler is the line before");
        assert!(lines[1].contains("revoked"), "{lines:?}");
        let all = last_lines(&folder, RECORD, 9).expect("reads");
        assert!(all[0].contains("trusted"));
    }
}
