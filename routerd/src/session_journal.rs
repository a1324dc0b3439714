//! A copy of the table on disk, so that a restarted daemon knows which kernel entries are whose.
//!
//! One JSON object a line: the machine's start first, then what was opened and closed. A line is on
//! disk before the firewall changes, so an entry that the journal does not know is nobody's.
//!
//! An end is a moment of the monotonic clock, which no change of the date can move. That clock begins
//! anew with the machine, whose date may be hours old by then, so over a restart of the machine no
//! session is restored: no connection outlived it, and the portal adds again what should be open.
//! What was closed stays closed.

use crate::clock::Clock;
use crate::table::{Session, Table, flow_of};
use gatehouse_router_protocol::message::Route;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, IntoInnerError, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use tracing::error;
use uuid::Uuid;

const FILE_NAME: &str = "sessions";

/// After how many lines, and how many times the entries, the file is written anew.
const COMPACT_AFTER_LINES: usize = 4096;

/// All times are milliseconds of the monotonic clock.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Boot {
        boot_id: String,
    },
    Open {
        session_id: Uuid,
        #[serde(flatten)]
        route: Route,
        end_ms: u64,
    },
    Closed {
        session_id: Uuid,
        at_ms: u64,
        until_ms: u64,
    },
}

/// The file of one daemon's sessions.
#[derive(Debug)]
pub struct SessionJournal {
    path: PathBuf,
    /// `None` after the disk failed; the next entry writes the whole file anew.
    file: Option<File>,
    lines: usize,
}

impl SessionJournal {
    /// Reads what was open into `table`, with what is left of its time, and starts a fresh file.
    /// It gives the routes too that were open in this run of the machine and are no longer.
    ///
    /// # Errors
    /// The I/O error if the file cannot be read or written.
    pub fn open(
        state_dir: &Path,
        table: &mut Table,
        clock: &dyn Clock,
    ) -> io::Result<(Self, Vec<Route>)> {
        let path = state_dir.join(FILE_NAME);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let ended = restore(&parse(&text), table, clock);
        let mut journal = Self {
            path,
            file: None,
            lines: 0,
        };
        journal.write_anew(table, clock)?;
        Ok((journal, ended))
    }

    /// Notes that a session is open as `table` has it, or closed if it is not open there.
    ///
    /// A full disk must not keep a portal from revoking, so a failure is only logged. What cannot be
    /// noted as closed must not come back after a restart either: then the whole file goes, and
    /// with it what the next start would restore.
    pub fn note(&mut self, session_id: Uuid, table: &Table, clock: &dyn Clock) {
        if let Err(failure) = self.append(session_id, table, clock) {
            self.give_up(&failure);
        }
    }

    /// Writes the whole file anew, for a change of many sessions at once.
    pub fn note_all(&mut self, table: &Table, clock: &dyn Clock) {
        if let Err(failure) = self.write_anew(table, clock) {
            self.give_up(&failure);
        }
    }

    fn append(&mut self, session_id: Uuid, table: &Table, clock: &dyn Clock) -> io::Result<()> {
        let entries = table.len() + table.closed().count();
        let due = self.lines >= COMPACT_AFTER_LINES.max(entries * 2);
        let Some(file) = self.file.as_mut().filter(|_| !due) else {
            return self.write_anew(table, clock);
        };
        let now_ms = clock.monotonic_ms();
        let line = match table.get(session_id) {
            Some(session) => open_line(session_id, session),
            None => closed_line(session_id, table.closed_until(session_id), now_ms),
        };
        self.lines += 1;
        file.write_all(text_of(&line).as_bytes())?;
        file.sync_data()
    }

    fn write_anew(&mut self, table: &Table, clock: &dyn Clock) -> io::Result<()> {
        let now_ms = clock.monotonic_ms();
        let boot = Line::Boot {
            boot_id: clock.boot_id(),
        };
        let open = table.sessions().map(|(id, session)| open_line(id, session));
        let closed = table
            .closed()
            .map(|(id, until_ms)| closed_line(id, until_ms, now_ms));
        let lines = std::iter::once(boot).chain(open).chain(closed);
        self.file = None;
        self.file = Some(replace(&self.path, lines)?);
        self.lines = 1 + table.len() + table.closed().count();
        Ok(())
    }

    fn give_up(&mut self, failure: &io::Error) {
        self.file = None;
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => error!(
                "the sessions are not on disk ({failure}) and the old file cannot be removed ({error}): a restart may open closed sessions again"
            ),
            _ => error!("the sessions are not on disk, a restart would end them: {failure}"),
        }
    }
}

/// Writes beside the file and renames, so that a crash leaves the old or the new one whole.
fn replace(path: &Path, lines: impl Iterator<Item = Line>) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    let mut writer = BufWriter::new(file);
    for line in lines {
        writer.write_all(text_of(&line).as_bytes())?;
    }
    let file = writer.into_inner().map_err(IntoInnerError::into_error)?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    // Otherwise a power cut could bring the old file back, and closed sessions with it.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

fn open_line(session_id: Uuid, session: Session) -> Line {
    Line::Open {
        session_id,
        route: session.route,
        end_ms: session.ends_at_ms,
    }
}

fn closed_line(session_id: Uuid, until_ms: u64, at_ms: u64) -> Line {
    Line::Closed {
        session_id,
        at_ms,
        until_ms,
    }
}

fn text_of(line: &Line) -> String {
    let json = serde_json::to_string(line).expect("plain members always have a JSON form");
    format!("{json}\n")
}

/// A line cut off by a crash was never acted on, so it is left out.
fn parse(text: &[u8]) -> Vec<Line> {
    text.split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect()
}

fn restore(lines: &[Line], table: &mut Table, clock: &dyn Clock) -> Vec<Route> {
    let now_ms = clock.monotonic_ms();
    let boot_id = clock.boot_id();
    let same_boot =
        matches!(lines.first(), Some(Line::Boot { boot_id: known }) if *known == boot_id);
    let mut known = BTreeMap::new();
    for line in lines {
        match *line {
            Line::Open {
                session_id,
                route,
                end_ms,
            } if same_boot => {
                let ends_at_ms = end_ms;
                table.restore(session_id, Session { route, ends_at_ms });
                known.insert((flow_of(&route), route.port_dst), route);
            }
            Line::Boot { .. } | Line::Open { .. } => {}
            Line::Closed {
                session_id,
                at_ms,
                until_ms,
            } => {
                table.drop_open(session_id);
                let until_ms = if same_boot {
                    until_ms
                } else {
                    now_ms + until_ms.saturating_sub(at_ms)
                };
                table.remember_closed(session_id, until_ms);
            }
        }
    }
    table.take_ended(now_ms);
    for (_, session) in table.sessions() {
        known.remove(&(flow_of(&session.route), session.route.port_dst));
    }
    known.into_values().collect()
}

#[cfg(test)]
mod tests;
