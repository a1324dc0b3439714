//! The reference device: what a gadget in the field does, as an ordinary program.
//!
//! An update passes these rooms in turn: [`Portal`] asks what to install, [`Offer`] is the answer
//! after its members were checked, [`Keys`] let only what two keys signed pass and `memory` is what
//! the device keeps of that, `download` fetches the bytes and goes on where it was cut off,
//! `intake` takes them in and hashes them, [`update`] puts the file in its place and reports.
//! [`simulate`] plays the same story for many devices at once and keeps nothing but a tally;
//! [`offline`] looks at a manifest in a file.
//!
//! **To add a command:** its work in a file of its own here, its flags in `arguments.rs`.

mod clock;
mod download;
mod failure;
mod guard;
mod intake;
mod keys;
mod memory;
mod offer;
pub mod offline;
mod part_file;
mod portal;
mod random;
pub mod simulate;
mod tally;
mod token;
pub mod update;

pub use download::growing_waits;
pub use failure::{Failure, Kind};
pub use guard::Guard;
pub use keys::Keys;
pub use memory::{Memory, StateFile};
pub use offer::Offer;
pub use portal::{Answer, Portal, portal_url};
pub use tally::Tally;
pub use token::Token;
