//! The reader's choice of colours and language.

use leptos::prelude::*;

use super::button::hidden_inputs;
use crate::{
    context::{PageContext, Theme},
    i18n::{Lang, Nav},
    links,
};

/// Two small forms in the footer, one button for each choice.
#[component]
pub fn Preferences() -> impl IntoView {
    let page = PageContext::current();
    let nav = &page.messages().nav;
    let themes = Theme::ALL
        .map(|theme| {
            choice(
                "theme",
                theme.code(),
                theme_name(theme, nav),
                None,
                theme == page.theme,
            )
        })
        .collect_view();
    let languages = Lang::ALL
        .map(|lang| {
            choice(
                "lang",
                lang.code(),
                lang.name(),
                Some(lang.code()),
                lang == page.lang,
            )
        })
        .collect_view();
    let back = links::again(&page).into_url();
    view! {
        <div class="preferences">
            {group(nav.theme, back.clone(), themes)}
            {group(nav.language, back, languages)}
        </div>
    }
}

fn group(label: &'static str, back: String, buttons: impl IntoView) -> impl IntoView {
    view! {
        <form method="post" action="/preferences" role="group" aria-label=label>
            {hidden_inputs(vec![("back", back)])}
            <span aria-hidden="true">{label}</span>
            {buttons}
        </form>
    }
}

fn choice(
    name: &'static str,
    value: &'static str,
    label: &'static str,
    label_lang: Option<&'static str>,
    taken: bool,
) -> impl IntoView {
    let pressed = if taken { "true" } else { "false" };
    view! { <button type="submit" name=name value=value lang=label_lang aria-pressed=pressed>{label}</button> }
}

fn theme_name(theme: Theme, nav: &Nav) -> &'static str {
    match theme {
        Theme::System => nav.theme_system,
        Theme::Light => nav.theme_light,
        Theme::Dark => nav.theme_dark,
    }
}
