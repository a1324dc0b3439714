//! Sealing one message into one line, and opening it again.

use crate::VERSION;
use crate::frame::{FrameTooLong, MAX_FRAME_BYTES};
use crate::secret::Secret;
use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;

/// The length of the AES-GCM nonce that a caller supplies for each frame, in bytes.
pub const SEAL_NONCE_BYTES: usize = 12;

const KEY_INFO: &[u8] = b"gatehouse router v2";

/// Which way a frame goes; bound into the seal, so that no frame can be reflected to its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the portal to the daemon.
    Request,
    /// From the daemon to the portal.
    Answer,
}

impl Direction {
    fn associated_data(self) -> [u8; 2] {
        match self {
            Self::Request => [VERSION, b'>'],
            Self::Answer => [VERSION, b'<'],
        }
    }
}

/// A line could not be opened with this key, in this direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The line is not base64 of a nonce and a ciphertext.
    #[error("the frame is not base64 of a sealed message")]
    Malformed,
    /// The tag does not match: another AES key, another direction or version, or altered bytes.
    #[error("the frame was sealed with another AES key, or was altered on its way")]
    WrongSeal,
}

/// The symmetric key of one portal-and-daemon pair, derived from their shared `aes_key`.
#[derive(Clone)]
pub struct LinkKey(Aes256Gcm);

impl LinkKey {
    /// Derives the key with HKDF-SHA256 from the UTF-8 bytes of `aes_key`.
    ///
    /// # Panics
    /// Never: 32 bytes are within what HKDF-SHA256 can give.
    pub fn derive(aes_key: &Secret) -> Self {
        let mut key = [0_u8; 32];
        Hkdf::<Sha256>::new(None, aes_key.expose().as_bytes())
            .expand(KEY_INFO, &mut key)
            .expect("32 bytes are within what HKDF-SHA256 can give");
        Self(Aes256Gcm::new(&key.into()))
    }

    /// Seals `message` into one frame, without its newline. `nonce` must never be used twice.
    ///
    /// # Errors
    /// [`FrameTooLong`] if the line would pass [`MAX_FRAME_BYTES`].
    pub fn seal(
        &self,
        direction: Direction,
        nonce: [u8; SEAL_NONCE_BYTES],
        message: &[u8],
    ) -> Result<String, FrameTooLong> {
        let aad = direction.associated_data();
        let ciphertext = self
            .0
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: message,
                    aad: &aad,
                },
            )
            .map_err(|_| FrameTooLong)?;
        let line = STANDARD.encode([nonce.as_slice(), ciphertext.as_slice()].concat());
        if line.len() > MAX_FRAME_BYTES {
            Err(FrameTooLong)
        } else {
            Ok(line)
        }
    }

    /// Opens one frame, given without its newline.
    ///
    /// # Errors
    /// [`OpenError`] if the line is malformed or was not sealed with this key for this direction.
    pub fn open(&self, direction: Direction, line: &[u8]) -> Result<Vec<u8>, OpenError> {
        let sealed = STANDARD.decode(line).map_err(|_| OpenError::Malformed)?;
        let (nonce, ciphertext) = sealed
            .split_first_chunk::<SEAL_NONCE_BYTES>()
            .ok_or(OpenError::Malformed)?;
        let aad = direction.associated_data();
        self.0
            .decrypt(
                &Nonce::from(*nonce),
                Payload {
                    msg: ciphertext,
                    aad: &aad,
                },
            )
            .map_err(|_| OpenError::WrongSeal)
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LinkKey(hidden)")
    }
}
