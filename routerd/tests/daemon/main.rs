//! The daemon over its real link, and as a program.

mod attacks;
mod certificates;
mod harness;
mod hostile;
mod hostile_answers;
mod lan;
mod legacy;
mod link_attacks;
mod program;
mod refusals;
mod sessions;
mod survival;
mod tools;
