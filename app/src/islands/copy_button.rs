//! Copying a text with one click.
//!
//! Inside is one button: its `data-text` is what is copied, its `data-done` what it says after.

use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::{Element, HtmlElement};

use super::{data, listener, part, say};

/// Shows the hidden button inside it where copying works.
#[island]
pub fn CopyButton(
    /// The button.
    children: Children,
) -> impl IntoView {
    view! { <span use:offer_copy>{children()}</span> }
}

fn offer_copy(root: Element) {
    // Browsers offer the clipboard to secure pages only.
    if !window().is_secure_context() {
        return;
    }
    let button: HtmlElement = part(&root, "button");
    button.set_hidden(false);
    let clicked = button.clone();
    button.set_onclick(Some(&listener(move |_: web_sys::Event| {
        let _promise = window()
            .navigator()
            .clipboard()
            .write_text(&data(&clicked, "data-text"));
        say(&clicked, &data(&clicked, "data-done"));
    })));
}
