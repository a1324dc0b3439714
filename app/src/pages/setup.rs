//! Set-up by the one-time link that the portal prints while it has no account.

use gatehouse_core::identity::SetupLink;
use http::StatusCode;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use super::loading::loaded;
use crate::{
    components::{Banner, Button, ButtonLink, Card, Page, PostForm, TextField, Tone},
    context::PageContext,
    i18n::Problem,
    visit::Visit,
};

/// The page that makes the first admin.
#[component]
pub fn Setup() -> impl IntoView {
    let Visit { portal, .. } = Visit::current();
    let token = PageContext::current()
        .query_value("token")
        .unwrap_or_default();
    let asked = token.clone();
    loaded(
        async move { portal.identity.setup_link(&asked).await },
        move |link| match link {
            SetupLink::Works => view! { <FirstAdmin token=token /> }.into_any(),
            SetupLink::Invalid => view! { <Invalid /> }.into_any(),
            SetupLink::Done => view! { <Done /> }.into_any(),
        },
    )
}

#[component]
fn FirstAdmin(token: String) -> impl IntoView {
    let page = PageContext::current();
    let messages = page.messages();
    let (texts, common) = (&messages.setup, &messages.common);
    view! {
        <Page title=texts.title intro=texts.intro>
            <Card>
                <PostForm action="/setup">
                    <input type="hidden" name="token" value=token />
                    <TextField
                        name="email"
                        label=common.email
                        kind="email"
                        value=page.query_value("email").unwrap_or_default()
                        autocomplete="username"
                        required=true
                        max_chars=254
                    />
                    <TextField
                        name="password"
                        label=common.password
                        kind="password"
                        hint=common.password_hint
                        autocomplete="new-password"
                        required=true
                    />
                    <TextField
                        name="repeat"
                        label=texts.repeat
                        kind="password"
                        autocomplete="new-password"
                        required=true
                    />
                    <Button>{texts.submit}</Button>
                </PostForm>
            </Card>
        </Page>
    }
}

#[component]
fn Invalid() -> impl IntoView {
    not_found();
    let page = PageContext::current();
    let texts = &page.messages().setup;
    // A refused form has its banner from the page already.
    let banner = page.problem().is_none().then(|| {
        view! { <Banner tone=Tone::Warn>{Problem::SetupLink.text(page.lang)}</Banner> }
    });
    view! {
        <Page title=texts.invalid_title>
            {banner}
            <p>{texts.invalid_hint}</p>
        </Page>
    }
}

#[component]
fn Done() -> impl IntoView {
    not_found();
    let messages = PageContext::current().messages();
    let texts = &messages.setup;
    view! {
        <Page title=texts.done_title>
            <p>{texts.done_hint}</p>
            <p><ButtonLink href="/login">{messages.nav.sign_in}</ButtonLink></p>
        </Page>
    }
}

fn not_found() {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
}
