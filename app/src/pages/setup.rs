//! Set-up by the one-time link that the portal prints while it has no account.

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
        async move { portal.identity.setup_token_works(&asked).await },
        move |works| {
            if works {
                view! { <FirstAdmin token=token /> }.into_any()
            } else {
                view! { <Over /> }.into_any()
            }
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
fn Over() -> impl IntoView {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
    let page = PageContext::current();
    let texts = &page.messages().setup;
    view! {
        <Page title=texts.invalid_title>
            <Banner tone=Tone::Warn>{Problem::SetupLink.text(page.lang)}</Banner>
            <p>{texts.invalid_hint}</p>
            <p><ButtonLink href="/login">{page.messages().nav.sign_in}</ButtonLink></p>
        </Page>
    }
}
