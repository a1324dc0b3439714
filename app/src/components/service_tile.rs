//! A service as its owners see it.

use leptos::prelude::*;

use super::{Icon, LivePart};

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
    /// Set where the tile is kept fresh as a whole.
    #[prop(optional, into)]
    live: Option<LivePart>,
    /// Badge, countdown and forms.
    children: Children,
) -> impl IntoView {
    let (part, rev, says) = live.map_or((None, None, None), |live| {
        (Some(live.name), Some(live.rev), live.says)
    });
    view! {
        <article class="tile" data-live=part data-rev=rev data-says=says>
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
