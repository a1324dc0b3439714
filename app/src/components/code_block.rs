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
    let button = copy.then(|| text.clone()).map(|text| {
        view! {
            <CopyButton>
                <button
                    type="button"
                    class="button"
                    hidden
                    aria-live="polite"
                    data-text=text
                    data-done=common.copied
                >
                    {common.copy}
                </button>
            </CopyButton>
        }
    });
    view! {
        <div class="code-block">
            <div class="code-head"><span>{label.clone()}</span>{button}</div>
            <pre tabindex="0" role="region" aria-label=label><code>{text}</code></pre>
        </div>
    }
}
