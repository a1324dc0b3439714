//! Stories of what a visitor of the portal would lose if it were wrong, each over the whole
//! router, the real database, the real blob store and, where routers are concerned, a real daemon.
//!
//! `harness` asks without sockets; `socket` puts the same portal behind the real listener;
//! `program` runs the built binary.

mod access;
mod arduino;
mod attacks;
mod broken_downloads;
mod client_address;
mod config_errors;
mod cookies_csrf;
mod daemon;
mod ddi;
mod esp_idf;
mod esphome;
mod events;
mod field;
mod firmware_bytes;
mod furnish;
mod guests;
mod halting;
mod hard_times;
mod harness;
mod images;
mod import;
mod invitations;
mod json_shapes;
mod log;
mod manifests;
mod moving;
mod open_doors;
mod open_files;
mod operations;
mod original_contract;
mod paths;
mod platform;
mod program;
mod proxies;
mod rauc;
mod refused_forms;
mod resumable;
mod resumable_crowd;
mod rights;
mod router_rounds;
mod routers_away;
mod scrub;
mod set_up;
mod sign_in;
mod sign_in_sessions;
mod socket;
mod tokens;
mod uploads;
mod waking;
mod wire;
