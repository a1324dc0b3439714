//! What a page says when nothing is behind its URL.

use http::StatusCode;
use leptos::prelude::*;
use leptos_axum::ResponseOptions;

use crate::{
    components::{ButtonLink, EmptyState, Page},
    context::PageContext,
};

/// The page for a URL without a page, or for something that is not the reader's to see.
#[component]
pub fn NotFound() -> impl IntoView {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(StatusCode::NOT_FOUND);
    }
    let texts = &PageContext::current().messages().errors;
    view! {
        <Page title=texts.not_found_title>
            <EmptyState title=texts.not_found_text>
                <ButtonLink href="/">{texts.to_start}</ButtonLink>
            </EmptyState>
        </Page>
    }
}
