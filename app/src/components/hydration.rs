//! The script that wakes a page's islands.

use leptos::{hydration::HydrationScripts, prelude::*};

use crate::{context::PageContext, shell::leptos_options};

/// Loads the wasm and starts the islands of this page.
///
/// A page with islands places it once, anywhere in its content; a page without it loads no wasm.
#[component]
pub fn IslandScripts() -> impl IntoView {
    let options = leptos_options(&PageContext::current());
    view! { <HydrationScripts options=options islands=true /> }
}
