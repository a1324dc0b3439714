//! The portal's way to the network: connections, TLS, and what every answer has in common.
//!
//! [`listen::Listener`] accepts and times connections; [`front::Front`] stands before the
//! router and gives each request its id, its client's address and its safe answer headers.

pub mod assets;
pub mod client_address;
pub mod csrf;
pub mod descriptors;
pub mod extract;
pub mod front;
pub mod headers;
pub mod json;
pub mod listen;
mod pace;
pub mod problem;
pub(crate) mod proxy_protocol;
pub mod request_id;
mod seats;
pub mod shutdown;
pub mod tls;
mod upload_pace;

#[cfg(test)]
mod listen_tests;
