//! The daemon that runs on the router: it lets one public address through to one LAN service until
//! a given moment, on request of the portal.
//!
//! A connection passes these rooms in turn, and each can end it: [`listener`] (who may connect, how
//! many at once), TLS, `connection` (frames and deadlines), [`service`] (key, clock, replay, then the
//! command), [`policy`] (what this router never does, whatever the portal says), and [`backend`].
//!
//! [`sessions`] keeps what is open: [`table`] in memory, [`session_journal`] on disk, and a
//! [`backend`], which it brings back to the table whenever they differ. What a portal looks at is in
//! [`shown`], which no firewall that hangs holds up; what went through a session that is over, in
//! `last_counts`.
//!
//! **To add a backend:** a sibling of [`backend::dry_run`] that implements [`backend::Backend`], its
//! arm in [`backend::choose`], and its name in [`config`].

pub mod backend;
pub mod check;
pub mod clock;
pub mod commands;
pub mod config;
mod connection;
mod failure;
mod flows;
pub mod keygen;
mod last_counts;
pub mod listener;
mod opening;
pub mod policy;
mod random;
pub mod replay_journal;
pub mod service;
pub mod session_journal;
pub mod sessions;
pub mod shown;
pub mod table;
mod tls;

pub use failure::Failure;
