//! Stories of what a visitor of the portal would lose if it were wrong, each over the whole
//! router, the real database, the real blob store and, where routers are concerned, a real daemon.
//!
//! `harness` asks without sockets; `socket` puts the same portal behind the real listener;
//! `program` runs the built binary.

mod access;
mod client_address;
mod config_errors;
mod cookies_csrf;
mod daemon;
mod firmware_bytes;
mod furnish;
mod harness;
mod json_shapes;
mod open_doors;
mod operations;
mod original_contract;
mod paths;
mod platform;
mod program;
mod rights;
mod routers_away;
mod sign_in;
mod sign_in_sessions;
mod socket;
mod tokens;
mod uploads;
mod wire;
