//! What people see: the document, its components, pages and islands, in two languages.
//!
//! Everything but [`islands`] and [`format`] belongs to the server. Each of the server's
//! modules says so once, in the first line of its root file, so that the browser's wasm holds
//! the islands and nothing else.
//!
//! - A new page: a file in `pages/` named after its URL, a line in the route table of
//!   `pages/mod.rs`, built from what `components/mod.rs` lists.
//! - A new text: one line with both languages in the file of its page under `i18n/`.
//! - A new island: only where something lives by itself; see `islands/mod.rs`.

pub mod components;
pub mod context;
pub mod format;
pub mod forms;
pub mod i18n;
pub mod islands;
pub mod links;
pub mod pages;
pub mod shell;
pub mod visit;
