//! Copying a text with one click.
//!
//! The button holds what it copies in `data-text`, and in `data-done` what it says afterwards.

use leptos::prelude::*;
use web_sys::{Element, Event};

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
    let button = part(&root, "button");
    let clicked = button.clone();
    button.set_onclick(Some(&listener(move |_: Event| {
        let clipboard = window().navigator().clipboard();
        let _promise = clipboard.write_text(&data(&clicked, "data-text"));
        say(&clicked, &data(&clicked, "data-done"));
    })));
    button.set_hidden(false);
}
