//! What the portal knows and decides.
//!
//! Four rooms stand side by side: [`identity`] (accounts and sign-in), [`access`] (routers,
//! services, access sessions), [`firmware`] (projects, releases, devices, tokens) and
//! [`audit`]. Each method takes the [`Actor`] first and authorises there, next to the data.
//! What they need from outside stands in [`ports`].
//!
//! To add an operation: add its record and its port method, write the method in the room of
//! its noun (look up, check, act, save, note in the audit trail), then call it from the JSON
//! handler and from the server function.

pub mod access;
pub mod actor;
pub mod audit;
pub mod client_address;
mod error;
pub mod firmware;
pub mod identity;
mod jwt;
mod portal;
pub mod ports;
mod seal;
#[cfg(test)]
mod testing;
pub mod upkeep;

pub use actor::Actor;
pub use error::{Error, Result, Source};
pub use portal::{Portal, Settings, project_key_secrets};
