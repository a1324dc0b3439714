//! The browser's entry point: wakes the islands of a page that asked for them.

// The islands' exports live in this crate; without a use of it the linker would drop them.
pub use gatehouse_app::islands;
use wasm_bindgen::prelude::wasm_bindgen;

/// Prepares the page for its islands; the page's script then starts each of them.
#[wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    leptos::mount::hydrate_islands();
}
