#![expect(
    clippy::needless_pass_by_value,
    reason = "a directive is handed its element"
)]
//! The parts of pages that live in the browser.
//!
//! The server renders all of an island's markup as its children, so a page reads well without
//! scripts. An island takes nothing else: what it needs later waits in `data-` attributes, and once
//! started it changes that markup itself. Props would bring a JSON library into the browser, and
//! signals a runtime to drive them; both weigh more than all islands together. For the same reason:
//! no catalogue and whole numbers only.
//!
//! To add one: a file here, its markup in a component in `components/live.rs`, and
//! `<IslandScripts/>` on the pages that use it.

use leptos::prelude::window;
use wasm_bindgen::{JsCast, closure::Closure, convert::FromWasmAbi};
use web_sys::{Element, HtmlElement, js_sys::Function};

pub mod copy_button;
pub mod countdown;
mod image_version;
pub mod keep_fresh;
mod memory;
pub mod upload;

pub use copy_button::CopyButton;
pub use countdown::Countdown;
pub use keep_fresh::KeepFresh;
pub use upload::UploadForm;

/// The browser's steady clock: milliseconds since the page began to load.
fn steady_ms() -> f64 {
    window()
        .performance()
        .map_or(0.0, |performance| performance.now())
}

/// The first element inside `root` that the selector fits; the server rendered it.
fn part(root: &Element, selector: &str) -> HtmlElement {
    let found = root.query_selector(selector).ok().flatten();
    found
        .expect("the server renders every part of an island")
        .unchecked_into()
}

fn data(element: &Element, name: &str) -> String {
    element.get_attribute(name).unwrap_or_default()
}

/// Puts a text in an element, and leaves it alone where it is there already: a screen reader
/// would say it again.
fn say(element: &Element, text: &str) {
    if element.text_content().as_deref() != Some(text) {
        element.set_text_content(Some(text));
    }
}

fn listener<E: FromWasmAbi + 'static>(handle: impl FnMut(E) + 'static) -> Function {
    Closure::<dyn FnMut(E)>::new(handle)
        .into_js_value()
        .unchecked_into()
}
