//! Where an image's bytes go: through a digest, and into a file unless they are only looked at.

use std::io;

use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

const READ_BYTES: usize = 64 * 1024;

/// The bytes of one image, as far as they have come.
#[derive(Debug)]
pub(crate) struct Intake {
    file: Option<File>,
    sha256: Sha256,
    received_bytes: u64,
}

impl Intake {
    /// Hashes what comes and keeps nothing.
    pub(crate) fn discarding() -> Self {
        Self {
            file: None,
            sha256: Sha256::new(),
            received_bytes: 0,
        }
    }

    /// Goes on behind what `file` holds, which is read once to catch up with the digest.
    pub(crate) async fn resuming(mut file: File) -> io::Result<Self> {
        let mut intake = Self::discarding();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let read_bytes = file.read(&mut buffer).await?;
            if read_bytes == 0 {
                break;
            }
            intake.count(&buffer[..read_bytes]);
        }
        intake.file = Some(file);
        Ok(intake)
    }

    /// Takes the next bytes.
    pub(crate) async fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.write_all(bytes).await?;
        }
        self.count(bytes);
        Ok(())
    }

    /// Forgets everything received, in the file too.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            file.set_len(0).await?;
            file.rewind().await?;
        }
        self.sha256 = Sha256::new();
        self.received_bytes = 0;
        Ok(())
    }

    /// Hands everything appended to the operating system, so that the next run finds it.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.flush().await,
            None => Ok(()),
        }
    }

    /// Waits until the file's bytes are on the disk.
    pub(crate) async fn sync(&mut self) -> io::Result<()> {
        self.flush().await?;
        match &self.file {
            Some(file) => file.sync_all().await,
            None => Ok(()),
        }
    }

    /// How many bytes have come.
    pub(crate) const fn received_bytes(&self) -> u64 {
        self.received_bytes
    }

    /// The digest of all bytes that have come, as 64 lower-case hex digits.
    pub(crate) fn sha256(&self) -> String {
        hex::encode(self.sha256.clone().finalize())
    }

    fn count(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        self.received_bytes += bytes.len() as u64;
    }
}
