//! The daemon that runs on the router: it lets one public address through to one LAN service until
//! a given moment, on request of the portal.
//!
//! A connection passes these rooms in turn, and each can end it: [`listener`] (who may connect, how
//! many at once), TLS, `connection` (frames and deadlines), [`service`] (key, clock, replay, then the
//! command), [`policy`] (what this router never does, whatever the portal says), and [`backend`].
//!
//! **To add a backend:** a sibling of [`backend::dry_run`] with the same four operations, the choice
//! in `service.rs`, and its name accepted in [`config`].

pub mod backend;
pub mod clock;
pub mod commands;
pub mod config;
mod connection;
mod failure;
pub mod keygen;
pub mod listener;
pub mod policy;
mod random;
pub mod replay_journal;
pub mod service;
mod tls;

pub use failure::Failure;
