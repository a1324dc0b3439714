//! Where an image's bytes go: through a measure, and into a file unless they are only looked at.

use std::io;

use gatehouse_manifest::{Claims, ImageCheck, Refusal};
use sha2::{Digest, Sha256};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

use crate::Offer;

const READ_BYTES: usize = 64 * 1024;

/// What the bytes are held against.
enum Measure {
    /// The digest in the portal's answer.
    Promised { running: Sha256, sha256: String },
    /// Length, digest and checksum that two keys signed.
    Signed {
        check: ImageCheck,
        claims: Box<Claims>,
    },
}

impl Measure {
    fn of(offer: &Offer) -> Self {
        match &offer.signed {
            Some(claims) => Self::signed(claims.clone()),
            None => Self::promised(offer.sha256.clone()),
        }
    }

    fn promised(sha256: String) -> Self {
        Self::Promised {
            running: Sha256::new(),
            sha256,
        }
    }

    fn signed(claims: Box<Claims>) -> Self {
        Self::Signed {
            check: ImageCheck::new(&claims),
            claims,
        }
    }

    fn afresh(&self) -> Self {
        match self {
            Self::Promised { sha256, .. } => Self::promised(sha256.clone()),
            Self::Signed { claims, .. } => Self::signed(claims.clone()),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        match self {
            Self::Promised { running, .. } => running.update(bytes),
            // Bytes too many are counted here and found again by the verdict.
            Self::Signed { check, .. } => drop(check.push(bytes)),
        }
    }

    fn verdict(self) -> Result<(), Refusal> {
        match self {
            Self::Promised { running, sha256 } => {
                let found = hex::encode(running.finalize());
                (found == sha256).then_some(()).ok_or(Refusal::ImageDiffers)
            }
            Self::Signed { check, .. } => check.finish(),
        }
    }
}

/// The bytes of one image, as far as they have come.
pub(crate) struct Intake {
    file: Option<File>,
    measure: Measure,
    received_bytes: u64,
}

impl Intake {
    /// Measures what comes of the offered image and keeps nothing.
    pub(crate) fn discarding(offer: &Offer) -> Self {
        Self {
            file: None,
            measure: Measure::of(offer),
            received_bytes: 0,
        }
    }

    /// Goes on behind what `file` holds, which is read once to catch up with the measure.
    pub(crate) async fn resuming(offer: &Offer, mut file: File) -> io::Result<Self> {
        let mut intake = Self::discarding(offer);
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
        self.measure = self.measure.afresh();
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

    /// Tells whether all bytes that have come are the image, and begins a new measurement.
    ///
    /// # Errors
    /// When they are not.
    pub(crate) fn verdict(&mut self) -> Result<(), Refusal> {
        let afresh = self.measure.afresh();
        std::mem::replace(&mut self.measure, afresh).verdict()
    }

    fn count(&mut self, bytes: &[u8]) {
        self.measure.push(bytes);
        self.received_bytes += bytes.len() as u64;
    }
}
