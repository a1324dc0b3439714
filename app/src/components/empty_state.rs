//! What a list says while it is empty.

use leptos::prelude::*;

/// Says that there is nothing, and what to do next.
#[component]
pub fn EmptyState(
    /// That there is nothing.
    #[prop(into)]
    title: String,
    /// What to do next, in a sentence.
    #[prop(optional, into)]
    hint: Option<String>,
    /// The link or form that does it.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="empty">
            <p class="empty-title">{title}</p>
            {hint.map(|hint| view! { <p>{hint}</p> })}
            {children.map(|children| children())}
        </div>
    }
}
