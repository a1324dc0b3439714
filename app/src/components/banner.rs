//! A sentence that the reader must not miss.

use leptos::prelude::*;

use super::Tone;

/// A message above the content; a bad one is announced at once, others politely.
#[component]
pub fn Banner(
    /// What it means.
    tone: Tone,
    /// A few words in bold before the sentence.
    #[prop(optional, into)]
    title: Option<String>,
    children: Children,
) -> impl IntoView {
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    view! {
        <div class=format!("banner banner-{}", tone.class()) role=role>
            {title.map(|title| view! { <strong>{title}</strong> })}
            <p>{children()}</p>
        </div>
    }
}
