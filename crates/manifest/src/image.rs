use alloc::string::String;
use core::fmt;

use sha2::{Digest, Sha256};

use crate::{Claims, Refusal};

/// Checks an image while it comes, piece by piece, against what was signed.
///
/// Nothing of the image may be started before [`finish`](Self::finish) says yes.
#[derive(Clone)]
pub struct ImageCheck {
    size_bytes: u64,
    sha256: String,
    checksum: u32,
    received_bytes: u64,
    running_sha256: Sha256,
    running_checksum: crc32fast::Hasher,
}

impl ImageCheck {
    /// Begins with no bytes received.
    pub fn new(claims: &Claims) -> Self {
        Self {
            size_bytes: claims.size_bytes,
            sha256: claims.sha256.clone(),
            checksum: claims.checksum,
            received_bytes: 0,
            running_sha256: Sha256::new(),
            running_checksum: crc32fast::Hasher::new(),
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`Refusal::ImageTooLong`] with the first byte too many: the rest need not be fetched.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        self.received_bytes = self.received_bytes.saturating_add(bytes.len() as u64);
        if self.received_bytes > self.size_bytes {
            return Err(Refusal::ImageTooLong);
        }
        self.running_sha256.update(bytes);
        self.running_checksum.update(bytes);
        Ok(())
    }

    /// Says whether what came is what was signed.
    ///
    /// # Errors
    /// [`Refusal::ImageTooLong`], [`Refusal::ImageTooShort`], or [`Refusal::ImageDiffers`] when
    /// SHA-256 or CRC-32 is another.
    pub fn finish(self) -> Result<(), Refusal> {
        if self.received_bytes > self.size_bytes {
            return Err(Refusal::ImageTooLong);
        }
        if self.received_bytes < self.size_bytes {
            return Err(Refusal::ImageTooShort);
        }
        let same_checksum = self.running_checksum.finalize() == self.checksum;
        if !same_checksum || !is_hex_of(&self.sha256, &self.running_sha256.finalize()) {
            return Err(Refusal::ImageDiffers);
        }
        Ok(())
    }
}

impl fmt::Debug for ImageCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageCheck")
            .field("size_bytes", &self.size_bytes)
            .field("received_bytes", &self.received_bytes)
            .finish_non_exhaustive()
    }
}

fn is_hex_of(hex: &str, bytes: &[u8]) -> bool {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|half| DIGITS[usize::from(half)]);
    digits.eq(hex.bytes())
}
