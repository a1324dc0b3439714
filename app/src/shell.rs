#![cfg(feature = "ssr")]
//! The document around every page: head, header with navigation, footer with preferences.

use http::{HeaderValue, header::CONTENT_SECURITY_POLICY};
use leptos::{config::LeptosOptions, nonce::use_nonce, prelude::*};
use leptos_axum::ResponseOptions;
use leptos_meta::MetaTags;

use crate::{
    components::{AccountActions, Navigation, Preferences},
    context::{PageContext, Theme},
    i18n::Problem,
    pages::{App, error::ErrorPage},
};

/// Renders the whole document for the request in the current [`PageContext`].
pub fn shell() -> impl IntoView {
    let page = PageContext::current();
    let common = &page.messages().common;
    forbid_foreign_content(page.debug);
    render_islands_only();
    let content = if page.forbidden {
        view! { <ErrorPage problem=Problem::Forbidden /> }.into_any()
    } else {
        view! { <App /> }.into_any()
    };
    let theme = (page.theme != Theme::System).then(|| page.theme.code());
    view! {
        <!DOCTYPE html>
        <html lang=page.lang.code() data-theme=theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content="light dark" />
                <link rel="icon" href="/favicon.ico" sizes="32x32" />
                <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
                <link rel="stylesheet" href=format!("/{}/gatehouse.css", page.pkg_path) />
                <AutoReload options=leptos_options(&page) />
                <MetaTags />
            </head>
            <body>
                <a class="skip-link" href="#content">{common.skip_to_content}</a>
                <header class="site-header">
                    <div class="site-bar">
                        <a class="brand" href="/"><span class="brand-mark" aria-hidden="true"></span>{common.product}</a>
                        <Navigation />
                        <AccountActions />
                    </div>
                </header>
                {content}
                <footer class="site-footer">
                    <Preferences />
                </footer>
            </body>
        </html>
    }
}

/// What Leptos needs to name the browser's files for this page.
pub(crate) fn leptos_options(page: &PageContext) -> LeptosOptions {
    LeptosOptions::builder()
        .output_name("gatehouse")
        .site_pkg_dir(page.pkg_path.as_str())
        .build()
}

fn forbid_foreign_content(debug: bool) {
    let (Some(nonce), Some(response)) = (use_nonce(), use_context::<ResponseOptions>()) else {
        return;
    };
    // The page reload of `cargo leptos watch` listens on another port.
    let reload = if debug { " ws:" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'{reload}; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    if let Ok(value) = HeaderValue::from_str(&policy) {
        response.insert_header(CONTENT_SECURITY_POLICY, value);
    }
}

/// Keeps what the server loaded out of the page: no island reads it back.
fn render_islands_only() {
    if let Some(shared) = Owner::current_shared_context() {
        shared.set_is_hydrating(false);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use axum::body::Body;
    use http::{HeaderMap, Request};
    use http_body_util::BodyExt;
    use leptos_axum::{generate_route_list, render_app_async_with_context};

    use super::*;
    use crate::{
        context::{Viewer, tests::context},
        i18n::Lang,
    };

    /// The page at `path` as an admin gets it.
    async fn fetch(path: &str, query: &str, lang: Lang) -> (HeaderMap, String) {
        let actor = Viewer {
            id: "1".to_owned(),
            email: "ana@example.org".to_owned(),
            is_admin: true,
        };
        let page = PageContext {
            actor: Some(actor),
            lang,
            path: path.to_owned(),
            debug: true,
            ..context(query)
        };
        // Listing the routes is also what starts the executor, as in the server.
        let _routes = generate_route_list(App);
        let handler = render_app_async_with_context(move || page.clone().provide(), shell);
        let request = Request::get(format!("{path}?{query}"))
            .body(Body::empty())
            .unwrap();
        let (head, body) = handler(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        (head.headers, String::from_utf8(bytes.to_vec()).unwrap())
    }

    fn attribute_values<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
        let start = format!(" {name}=\"");
        html.split(start.as_str())
            .skip(1)
            .filter_map(|rest| rest.split_once('"'))
            .map(|(value, _)| value)
            .collect()
    }

    #[tokio::test]
    async fn ids_are_unique_and_every_reference_finds_one() {
        let (_, html) = fetch("/admin/styleguide", "error=invalid&field=email", Lang::Es).await;
        let listed = attribute_values(&html, "id");
        let ids: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(ids.len(), listed.len(), "{listed:?}");
        assert!(ids.contains("field-email-error"));
        let references = ["for", "aria-describedby", "aria-labelledby"]
            .map(|name| attribute_values(&html, name));
        for reference in references
            .iter()
            .flatten()
            .flat_map(|value| value.split(' '))
        {
            assert!(ids.contains(reference), "{reference}");
        }
    }

    #[tokio::test]
    async fn scripts_run_by_the_nonce_of_this_answer_only() {
        let (headers, html) = fetch("/admin/styleguide", "", Lang::En).await;
        let (other_headers, _) = fetch("/admin/styleguide", "", Lang::En).await;
        let policy = headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert_ne!(
            policy,
            other_headers[CONTENT_SECURITY_POLICY].to_str().unwrap()
        );
        let nonces = attribute_values(&html, "nonce");
        assert_eq!(nonces.len(), html.matches("<script").count());
        assert!(!nonces.is_empty());
        for nonce in nonces {
            assert!(
                policy.contains(&format!(
                    "script-src 'self' 'nonce-{nonce}' 'wasm-unsafe-eval';"
                )),
                "{policy}"
            );
        }
    }

    #[tokio::test]
    async fn nothing_in_the_document_needs_inline_style_or_a_foreign_host() {
        let (_, html) = fetch("/admin/styleguide", "", Lang::En).await;
        assert!(html.contains("<html lang=\"en\">") && html.contains("leptos-island"));
        assert!(!html.contains(" style=") && !html.contains("<style"));
        assert!(!html.contains("src=\"http") && !html.contains("href=\"http"));
    }

    #[tokio::test]
    async fn a_page_without_islands_loads_no_wasm() {
        let (_, html) = fetch("/nowhere", "", Lang::Es).await;
        assert!(html.contains("Esta página no existe"), "{html}");
        assert!(
            !html.contains("type=\"module\"")
                && !html.contains("modulepreload")
                && !html.contains(".wasm")
        );
    }
}
