//! What pages share on the way from a URL to what they show.

use std::str::FromStr;

use gatehouse_core::{Error, Result};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;

use super::{error::ErrorPage, not_found::NotFound};
use crate::{
    context::PageContext,
    forms::{log_internal, problem},
};

/// Waits for what a page shows and shows it; an error becomes the error page with its status.
///
/// Take contexts before calling it; `view` runs in the page's own scope, so components work there.
pub fn loaded<T, V>(
    load: impl Future<Output = Result<T>> + Send + 'static,
    view: impl FnOnce(T) -> V + Send + 'static,
) -> impl IntoView
where
    T: Send + 'static,
    V: IntoView + 'static,
{
    let shown = async move {
        match load.await {
            Ok(found) => view(found).into_any(),
            Err(Error::NotFound(_)) => view! { <NotFound /> }.into_any(),
            Err(error) => {
                log_internal(&error);
                view! { <ErrorPage problem=problem(&error) /> }.into_any()
            }
        }
    };
    view! { <Suspense>{Suspend::new(shown)}</Suspense> }
}

/// Reads a part of the page's own path, such as the id in `/sessions/{id}`.
///
/// # Errors
/// [`Error::NotFound`] when it cannot be read: then nothing is behind this URL.
pub fn path_value<T: FromStr>(name: &str) -> Result<T> {
    let text = use_params_map().with_untracked(|params| params.get(name));
    text.and_then(|text| text.parse().ok())
        .ok_or(Error::NotFound("page"))
}

/// What a field starts with: what was typed before an error, else what is kept.
pub fn typed(page: &PageContext, name: &str, kept: &str) -> String {
    let refused = page.problem().and_then(|_| page.query_value(name));
    refused.unwrap_or_else(|| kept.to_owned())
}
