//! The device against a small portal in the same process.

mod command_line;
mod fleet;
mod support;
mod tls;
mod updating;
