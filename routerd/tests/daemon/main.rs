//! The daemon over its real link, and as a program.

mod harness;
mod hostile;
mod program;
mod refusals;
mod sessions;
