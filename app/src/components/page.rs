//! The frame of a page's content.

use leptos::prelude::*;
use leptos_meta::Title;

use super::{Banner, Tone};
use crate::{context::PageContext, format::raw_text};

/// The main content under its heading, with what the last form achieved above it.
#[component]
pub fn Page(
    /// The heading, also the document's title.
    #[prop(into)]
    title: String,
    /// One sentence under the heading.
    #[prop(optional, into)]
    intro: Option<String>,
    /// Where the page belongs: URL and name of the list above it.
    #[prop(optional, into)]
    back: Option<(String, String)>,
    children: Children,
) -> impl IntoView {
    let page = PageContext::current();
    let document_title = raw_text(&format!("{title} · {}", page.messages().common.product));
    let back = back.map(|(href, label)| {
        view! { <p class="back"><a href=href><span aria-hidden="true">"← "</span>{label}</a></p> }
    });
    view! {
        <Title text=document_title />
        <main id="content" tabindex="-1">
            <div class="page-head">
                {back}
                <h1>{title}</h1>
                {intro.map(|intro| view! { <p class="intro">{intro}</p> })}
            </div>
            {outcome(&page)}
            {children()}
        </main>
    }
}

fn outcome(page: &PageContext) -> impl IntoView + use<> {
    let lang = page.lang;
    let notice = page
        .notice()
        .map(|notice| view! { <Banner tone=Tone::Good>{notice.text(lang)}</Banner> });
    let problem = page
        .problem()
        .map(|problem| view! { <Banner tone=Tone::Bad>{problem.text(lang)}</Banner> });
    (notice, problem)
}

/// A titled part of a page.
#[component]
pub fn Section(
    /// The heading of the part.
    #[prop(into)]
    title: String,
    children: Children,
) -> impl IntoView {
    view! {
        <section class="section">
            <h2>{title}</h2>
            {children()}
        </section>
    }
}

/// A framed part of a page, for a form or a group of facts.
#[component]
pub fn Card(children: Children) -> impl IntoView {
    view! { <div class="card">{children()}</div> }
}
