//! Forms and calls that another site makes in a reader's name are refused.

use axum::response::{IntoResponse, Response};
use gatehouse_types::codes;
use http::StatusCode;
use tower_http::csrf::{CsrfLayer, ProtectionError};

use super::problem::Problem;
use crate::{config::Config, refusal::Refusal};

/// The layer, with our own words for what it refuses.
pub type OwnOrigins = CsrfLayer<fn(ProtectionError) -> Response>;

/// Lets pass what comes from the portal's own pages, also behind a proxy that changes `Host`: the
/// addresses that people type still count as ours.
///
/// # Errors
/// A sentence when one of the addresses is no origin.
pub fn layer(public_url: &str, config: &Config) -> Result<OwnOrigins, Refusal> {
    let own = [("public_url", public_url)]
        .into_iter()
        .chain(config.family_urls());
    let trusting = own
        .into_iter()
        .try_fold(CsrfLayer::new(), |csrf, (key, url)| {
            let trusting = csrf.add_trusted_origin(url);
            trusting.map_err(|error| Refusal::new(format!("{key} {url} is no origin ({error}).")))
        });
    Ok(trusting?.with_rejection_response(refuse as fn(ProtectionError) -> Response))
}

fn refuse(_: ProtectionError) -> Response {
    Problem::new(
        StatusCode::FORBIDDEN,
        codes::CSRF,
        "The request came from another site and was refused.",
    )
    .into_response()
}
