//! The portal's rooms over the real SQLite database, with a clock and a router that the test
//! holds in its hands: what happens as time goes by and while a router is away.

mod house;
mod keeper;
mod sign_ins;
mod tokens;
