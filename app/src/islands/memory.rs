//! What this browser remembers of this portal, also after a reload.

use leptos::prelude::window;
use web_sys::Storage;

/// What was kept under the key; empty when nothing was.
pub(super) fn recall(key: &str) -> String {
    let found = storage().and_then(|storage| storage.get_item(key).ok());
    found.flatten().unwrap_or_default()
}

/// Keeps a text; an empty one is forgotten. A browser that keeps nothing knows less after a reload.
pub(super) fn keep(key: &str, text: &str) {
    let Some(storage) = storage() else { return };
    let _kept = if text.is_empty() {
        storage.remove_item(key)
    } else {
        storage.set_item(key, text)
    };
}

fn storage() -> Option<Storage> {
    window().local_storage().ok().flatten()
}
