//! The device against a small portal in the same process.

mod command_line;
mod fleet;
mod offline;
mod refusing;
mod signed;
mod support;
mod tls;
mod updating;
mod vendor;
