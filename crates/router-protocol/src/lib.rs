//! What the portal and the daemon on the router say to each other: protocol version 2, and in
//! [`legacy_v1`] the original daemon's.
//!
//! A conversation is TCP, then TLS with the daemon's certificate pinned by its SHA-256, then lines.
//! One line is one [`seal`]ed JSON message, a request from the portal or an answer from the daemon:
//!
//! ```text
//! base64( nonce (12 bytes) || AES-256-GCM ciphertext and tag ) "\n"
//! ```
//!
//! [`message`], [`frame`], [`seal`] and [`replay`] do no I/O and take time and randomness as
//! parameters, so that a test can state exact bytes. [`client`] is the portal's end of the link.
//!
//! **To add an action:** a variant of [`message::Command`], its members in `wire/request.rs`, what
//! it answers in [`message::Answer`], and the arm in the daemon's `service.rs`. A new member of an
//! existing action is a new protocol version, since the daemon refuses members it does not know.

pub mod client;
pub mod frame;
pub mod legacy_v1;
pub mod mac;
pub mod message;
pub mod replay;
pub mod seal;
pub mod secret;
mod wire;

/// The protocol version that is ours, in every message and bound into every seal.
pub const VERSION: u8 = 2;
