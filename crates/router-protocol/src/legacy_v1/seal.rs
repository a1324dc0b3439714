//! Sealing one message into one base64 text, and opening it again.

use super::padding::{pad, unpad};
use crate::frame::{FrameTooLong, MAX_FRAME_BYTES};
use crate::message::RequestNonce;
use crate::secret::Secret;
use aes::Aes256;
use aes::cipher::{Array, BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::{Decryptor, Encryptor};
use sha2::{Digest, Sha256};
use std::fmt;

/// The length of the random value that starts each sealed message, in bytes.
pub const IV_BYTES: usize = 16;

const CIPHER_BLOCK_BYTES: usize = 16;

/// An opened message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// The message without its padding.
    pub message: Vec<u8>,
    /// Names the request for the replay window: the first half of the ciphertext's SHA-256. The IV
    /// is left out, since anybody can change it and with it the first 16 bytes of the message.
    pub digest: RequestNonce,
}

/// The symmetric key of one client and daemon: the SHA-256 of their shared `aes_key`.
#[derive(Clone)]
pub struct LegacyKey([u8; 32]);

impl LegacyKey {
    /// Derives the key from the UTF-8 bytes of `aes_key`.
    pub fn derive(aes_key: &Secret) -> Self {
        Self(Sha256::digest(aes_key.expose()).into())
    }

    /// Seals `message` into base64 without a newline. `iv` must be random, and never used twice.
    ///
    /// # Errors
    /// [`FrameTooLong`] if the text would pass [`MAX_FRAME_BYTES`].
    pub fn seal(&self, iv: [u8; IV_BYTES], message: &[u8]) -> Result<String, FrameTooLong> {
        let mut blocks = pad(message);
        Encryptor::<Aes256>::new(&self.0.into(), &iv.into())
            .encrypt_blocks(Array::slice_as_chunks_mut(&mut blocks).0);
        let blob = STANDARD.encode([&iv[..], &blocks].concat());
        if blob.len() > MAX_FRAME_BYTES {
            Err(FrameTooLong)
        } else {
            Ok(blob)
        }
    }

    /// Opens a text; `None` when it is not whole, or was not sealed with this key.
    ///
    /// A short start of a text can open by chance: whether it is whole, its message tells
    /// ([`super::is_whole_request`]).
    pub fn open(&self, blob: &[u8]) -> Option<Opened> {
        if !is_whole_number_of_blocks(blob) {
            return None;
        }
        let sealed = STANDARD.decode(blob).ok()?;
        let (iv, ciphertext) = sealed.split_first_chunk::<IV_BYTES>()?;
        let digest = Sha256::digest(ciphertext);
        let mut blocks = ciphertext.to_vec();
        Decryptor::<Aes256>::new(&self.0.into(), &(*iv).into())
            .decrypt_blocks(Array::slice_as_chunks_mut(&mut blocks).0);
        Some(Opened {
            message: unpad(&blocks)?.to_vec(),
            digest: RequestNonce(std::array::from_fn(|index| digest[index])),
        })
    }
}

/// Spares a text that trickles in the work of opening it at each byte: it has an IV and at least
/// one block, and ends where a block does.
fn is_whole_number_of_blocks(blob: &[u8]) -> bool {
    let missing_bytes = blob.iter().rev().take_while(|&&mark| mark == b'=').count();
    let sealed_bytes = (blob.len() / 4 * 3).saturating_sub(missing_bytes);
    blob.len().is_multiple_of(4)
        && sealed_bytes.is_multiple_of(CIPHER_BLOCK_BYTES)
        && sealed_bytes >= IV_BYTES + CIPHER_BLOCK_BYTES
}

impl fmt::Debug for LegacyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("LegacyKey(hidden)")
    }
}
