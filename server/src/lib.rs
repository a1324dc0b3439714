//! The running portal: configuration, the front of HTTP, the JSON API, the pages and the command line.
//!
//! [`http`] is everything between a socket and the router, [`api`] the JSON API, [`firmware`]
//! the original server's paths, [`web`] what browsers send and get. [`composition`] is the only
//! place that names adapters. Nothing here decides: that is the core's.

pub mod api;
pub mod cli;
pub mod commands;
pub mod composition;
pub mod config;
pub mod cosigner;
mod ddi;
mod dialects;
pub mod firmware;
pub mod http;
pub mod key_files;
pub mod keys;
pub mod lock;
pub mod logging;
pub mod refusal;
mod rounds;
mod router_link;
pub mod state;
pub mod system;
pub mod web;
mod webhooks;
