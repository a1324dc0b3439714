use leptos::prelude::*;

/// A button that copies a text; it shows itself only where copying works.
#[island]
pub fn CopyButton(
    /// What is copied.
    text: String,
    /// What the button says.
    label: String,
    /// What it says once the text is copied.
    done: String,
) -> impl IntoView {
    let works = RwSignal::new(false);
    let copied = RwSignal::new(false);
    // Browsers offer the clipboard to secure pages only.
    Effect::new(move |_| works.set(window().is_secure_context()));
    let copy = move |_| {
        let _promise = window().navigator().clipboard().write_text(&text);
        copied.set(true);
    };
    let says = move || {
        if copied.get() {
            done.clone()
        } else {
            label.clone()
        }
    };
    view! {
        <button type="button" class="button" hidden=move || !works.get() on:click=copy aria-live="polite">
            {says}
        </button>
    }
}
