//! A service as its owners see it.

use leptos::prelude::*;

use super::Icon;

/// Icon, name and description of a service; its state and what can be done come as children.
#[component]
pub fn ServiceTile(
    /// One of the portal's icons.
    #[prop(into)]
    icon: String,
    /// The service's name.
    #[prop(into)]
    name: String,
    /// What it is for.
    #[prop(optional, into)]
    description: String,
    /// Badge, countdown and forms.
    children: Children,
) -> impl IntoView {
    view! {
        <article class="tile">
            <div class="tile-head">
                <Icon name=icon />
                <div>
                    <h3>{name}</h3>
                    {(!description.is_empty()).then(|| view! { <p class="muted">{description}</p> })}
                </div>
            </div>
            <div class="tile-body">{children()}</div>
        </article>
    }
}
