//! The parts of pages that live in the browser.
//!
//! An island renders on the server first and says the same there, so a page reads well without
//! scripts. Keep them few and small: texts come in as props, no catalogue, no JSON library of our
//! own, whole numbers only. To add one: a file here, its texts filled in by a component in
//! `components/live.rs`, and `<IslandScripts/>` on the pages that use it.

pub mod copy_button;
pub mod countdown;
pub mod upload;

pub use copy_button::CopyButton;
pub use countdown::{Countdown, CountdownTexts};
pub use upload::{UploadForm, UploadTexts};

/// The browser's steady clock: milliseconds since the page began to load.
fn steady_ms() -> f64 {
    leptos::prelude::window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}
