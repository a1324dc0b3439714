//! The replay window with a copy on disk, so that a restarted daemon goes on refusing.

use gatehouse_router_protocol::message::RequestNonce;
use gatehouse_router_protocol::replay::{NotAdmitted, ReplayWindow};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tracing::error;

const FILE_NAME: &str = "replay-window";

/// After how many lines the file is written anew without the forgotten ones.
const COMPACT_AFTER_LINES: usize = 4096;

/// The requests of the last minutes, in memory and in one file of `state_dir`.
#[derive(Debug)]
pub struct ReplayJournal {
    window: ReplayWindow,
    path: PathBuf,
    file: File,
    lines: usize,
}

impl ReplayJournal {
    /// Reads the window back, or starts an empty one. `now_ms` is the time since the Unix epoch.
    ///
    /// # Errors
    /// The I/O error if the folder cannot be made or the file cannot be read and written.
    pub fn open(state_dir: &Path, now_ms: u64) -> io::Result<Self> {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(state_dir)?;
        let path = state_dir.join(FILE_NAME);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            read => read?,
        };
        let mut window = ReplayWindow::from_text(&String::from_utf8_lossy(&text));
        window.forget_old(now_ms);
        let file = write_anew(&path, &window)?;
        Ok(Self {
            lines: window.len(),
            window,
            path,
            file,
        })
    }

    /// Admits a request once, and has it on disk before returning.
    ///
    /// # Errors
    /// [`NotAdmitted`] as [`ReplayWindow::admit`] says.
    pub fn admit(
        &mut self,
        nonce: RequestNonce,
        ts_ms: u64,
        now_ms: u64,
    ) -> Result<(), NotAdmitted> {
        self.window.admit(nonce, ts_ms, now_ms)?;
        self.record(&ReplayWindow::line(nonce, ts_ms), now_ms);
        Ok(())
    }

    /// Admits a request of protocol version 1 once, and has it on disk before returning.
    ///
    /// # Errors
    /// [`NotAdmitted`] as [`ReplayWindow::admit_legacy`] says.
    pub fn admit_legacy(&mut self, digest: RequestNonce, now_ms: u64) -> Result<(), NotAdmitted> {
        self.window.admit_legacy(digest)?;
        self.record(&ReplayWindow::legacy_line(digest), now_ms);
        Ok(())
    }

    /// A full disk must not keep a portal from revoking: memory still refuses replays.
    fn record(&mut self, line: &str, now_ms: u64) {
        if let Err(error) = self.write(line, now_ms) {
            error!("the replay window is not on disk, a restart would forget it: {error}");
            // What was written may end in half a line, so the next one starts the file anew.
            self.lines = usize::MAX;
        }
    }

    fn write(&mut self, line: &str, now_ms: u64) -> io::Result<()> {
        if self.lines >= COMPACT_AFTER_LINES.max(self.window.len() * 2) {
            self.window.forget_old(now_ms);
            self.file = write_anew(&self.path, &self.window)?;
            self.lines = self.window.len();
            return Ok(());
        }
        self.lines += 1;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()
    }
}

fn write_anew(path: &Path, window: &ReplayWindow) -> io::Result<File> {
    let fresh = path.with_extension("new");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    file.write_all(window.to_text().as_bytes())?;
    file.sync_data()?;
    std::fs::rename(&fresh, path)?;
    // Otherwise a power cut could bring an older window back.
    if let Some(folder) = path.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}
