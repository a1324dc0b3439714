//! Buttons, links that look like them, and the plain forms around them.

use leptos::prelude::*;

/// How much a button asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Look {
    /// The one thing to do here.
    #[default]
    Primary,
    /// Anything else.
    Plain,
    /// It ends or removes something.
    Danger,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Primary => "button button-primary",
            Self::Plain => "button",
            Self::Danger => "button button-danger",
        }
    }
}

/// A button that sends the form around it.
#[component]
pub fn Button(
    /// How it looks.
    #[prop(optional)]
    look: Look,
    /// What the form calls it.
    #[prop(optional, into)]
    name: Option<String>,
    /// What it sends under its name.
    #[prop(optional, into)]
    value: Option<String>,
    children: Children,
) -> impl IntoView {
    view! { <button type="submit" class=look.class() name=name value=value>{children()}</button> }
}

/// A link that looks like a button, for the next step of a page.
#[component]
pub fn ButtonLink(
    /// Where it leads.
    #[prop(into)]
    href: String,
    /// How it looks.
    #[prop(optional)]
    look: Look,
    /// Whether it opens beside this page.
    #[prop(optional)]
    new_tab: bool,
    children: Children,
) -> impl IntoView {
    let target = new_tab.then_some("_blank");
    let rel = new_tab.then_some("noopener noreferrer");
    view! { <a class=look.class() href=href target=target rel=rel>{children()}</a> }
}

/// A form that posts and lets the server answer with the next page.
#[component]
pub fn PostForm(
    /// Where it posts to.
    #[prop(into)]
    action: String,
    children: Children,
) -> impl IntoView {
    view! { <form class="form" method="post" action=action>{children()}</form> }
}

/// A form of one button; hidden inputs may come as `extra`.
#[component]
pub fn PostButton(
    /// Where it posts to.
    #[prop(into)]
    action: String,
    /// How it looks.
    #[prop(default = Look::Plain)]
    look: Look,
    /// Hidden fields that go with it.
    #[prop(optional)]
    extra: Vec<(&'static str, String)>,
    children: Children,
) -> impl IntoView {
    view! {
        <form class="one-button" method="post" action=action>
            {hidden_inputs(extra)}
            <Button look=look>{children()}</Button>
        </form>
    }
}

pub(super) fn hidden_inputs(fields: Vec<(&'static str, String)>) -> impl IntoView {
    fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view()
}
