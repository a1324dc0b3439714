//! A second look before something ends.

use leptos::prelude::*;

use super::{Button, Look, button::hidden_inputs};

/// A button that first unfolds what it will end, then does it; it needs no script.
#[component]
pub fn Confirm(
    /// What the closed button says.
    #[prop(into)]
    summary: String,
    /// A sentence that says what ends.
    #[prop(into)]
    warning: String,
    /// Where the form posts to.
    #[prop(into)]
    action: String,
    /// What the button that does it says.
    #[prop(into)]
    button: String,
    /// Hidden fields that go with it.
    #[prop(optional)]
    extra: Vec<(&'static str, String)>,
) -> impl IntoView {
    view! {
        <details class="confirm">
            <summary class="button button-quiet-danger">{summary}</summary>
            <form method="post" action=action>
                {hidden_inputs(extra)}
                <p>{warning}</p>
                <Button look=Look::Danger>{button}</Button>
            </form>
        </details>
    }
}
