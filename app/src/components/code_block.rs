//! Text for machines: tokens, commands, checksums.

use leptos::prelude::*;

use crate::{context::PageContext, islands::CopyButton};

/// A block that one click or tap selects whole.
#[component]
pub fn CodeBlock(
    /// What the block holds.
    #[prop(into)]
    label: String,
    /// The text itself.
    #[prop(into)]
    text: String,
    /// Whether a copy button joins it; the page then needs `IslandScripts`.
    #[prop(optional)]
    copy: bool,
) -> impl IntoView {
    let common = &PageContext::current().messages().common;
    let button = copy.then(|| {
        view! { <CopyButton text=text.clone() label=common.copy.to_owned() done=common.copied.to_owned() /> }
    });
    view! {
        <div class="code-block">
            <div class="code-head"><span>{label.clone()}</span>{button}</div>
            <pre tabindex="0" role="region" aria-label=label><code>{text}</code></pre>
        </div>
    }
}
