//! Protocol version 1: what the original daemon and its command-line client say to each other.
//!
//! A conversation is TCP, then TLS, then one request without a newline and one answer, `OK` or
//! `FAIL`. The client keeps its side open, so the daemon reads until the request opens:
//!
//! ```text
//! base64( IV (16 bytes) || AES-256-CBC ciphertext )        key = SHA-256( utf8( aes_key ) )
//! ```
//!
//! The seal proves nothing about who wrote it: CBC has no tag, and a message has no time. What
//! keeps strangers out is TLS, the address list and the API key. So a daemon checks that key for
//! every action and remembers every request that it ever took ([`crate::replay`]).

pub mod client;
mod message;
pub mod padding;
mod seal;

pub use message::{
    DEFAULT_TIMEOUT_MINUTES, Door, LegacyCommand, LegacyRequest, TIMEOUT_MINUTES, is_door,
    is_whole_request, session_id_of,
};
pub use seal::{IV_BYTES, LegacyKey, Opened};

/// What the daemon answers when it did what it was asked for.
pub const ANSWER_OK: &[u8] = b"OK";

/// What the daemon answers otherwise, whatever the reason.
pub const ANSWER_FAIL: &[u8] = b"FAIL";
