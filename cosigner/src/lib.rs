//! The co-signer: the second of the two signatures without which no device installs anything.
//!
//! A [`CoSigner`] is a folder with keys, trust and memory, and the rules that stand between a portal
//! and a signature. The portal uses one in its own process ([`CoSigner::cosign_own`]), or one on
//! another host over HTTP ([`router`], [`serve()`], the program `gatehouse-cosigner`). Both use the same
//! folder, so moving it is how one becomes the other.
//!
//! To add a rule: a member of [`Portal`], a variant of [`Refused`] with its words and code, its status
//! in `http.rs`, and the place in `cosigner.rs` or `project.rs` where it decides.

mod approvers;
mod audit;
mod bearers;
mod cached;
mod cosigner;
mod folder;
mod form;
mod http;
mod keys;
mod moment;
mod portal;
mod project;
mod rate;
mod refused;
mod serve;
mod trust;

pub use cosigner::{CoSigner, Standing};
pub use folder::OpenError;
pub use http::{Clock, router};
pub use keys::ProjectKeys;
pub use portal::{Hours, Portal, Projects, Star};
pub use project::{Release, Wish};
pub use refused::Refused;
pub use serve::{Limits, serve};
pub use trust::TrustedPortal;

/// Writes what has text for keys and numbers or text for values, which never fails.
pub(crate) fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain data can be written as JSON")
}
