//! The co-signer from outside: as a library with a clock of the test's, and as running processes.

mod commands;
mod floods;
mod folder;
mod harness;
mod limits;
mod messages;
mod program;
mod releases;
mod service;
mod speed;
mod trust;
