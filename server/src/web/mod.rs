//! What browsers send and get beside the JSON API: forms that set cookies, files, and the pages.

mod audit_csv;
pub mod cookie;
mod form;
mod guest;
mod login;
mod pages;
mod preferences;
mod setup;
mod upload_form;
mod well_known;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    routing::{get, post},
};

use crate::state::AppState;

/// The longest path that a form may name to go on to; three times as long when encoded in a URL.
const MAX_WAY_BYTES: usize = 2048;

/// Forms, documents and pages; everything else that is asked with GET is a page, perhaps the not-found one.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/login", post(login::sign_in).get(pages::render))
        .route("/setup", post(setup::set_up).get(pages::render))
        .route("/guest", post(guest::open).get(guest::page))
        .route("/guest/close", post(guest::close))
        .route("/preferences", post(preferences::keep))
        .layer(DefaultBodyLimit::max(form::MAX_FORM_BYTES))
        .route("/logout", post(login::sign_out))
        .route("/admin/audit.csv", get(audit_csv::download))
        .route(
            "/admin/projects/{project}/upload",
            post(upload_form::upload)
                .get(pages::render)
                .layer(DefaultBodyLimit::disable()),
        )
        .route(
            "/api/ui/{*function}",
            post(pages::run_form).layer(DefaultBodyLimit::max(pages::MAX_UI_BYTES)),
        )
        .route("/livez", get(well_known::livez))
        .route("/readyz", get(well_known::readyz))
        .route("/.well-known/jwks.json", get(well_known::jwks))
        .route("/.well-known/security.txt", get(well_known::security_txt))
        .fallback(pages::render)
}

/// A path of ours to go back to; anything overlong or that could lead elsewhere becomes `/`.
pub(crate) fn own_path(wish: &str) -> &str {
    let is_overlong = wish.len() > MAX_WAY_BYTES;
    let leads_elsewhere = wish.starts_with("//")
        || wish.contains('\\')
        || wish
            .chars()
            .any(|mark| mark.is_control() || mark.is_whitespace());
    if wish.starts_with('/') && !leads_elsewhere && !is_overlong {
        wish
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_WAY_BYTES, own_path};

    #[test]
    fn a_sign_in_never_sends_people_elsewhere() {
        for evil in [
            "//evil.example",
            "/\\evil.example",
            "javascript:alert(1)",
            "https://evil.example",
            "",
            "/\t/evil.example",
            "evil",
            "/a\r\nSet-Cookie: x",
        ] {
            assert_eq!(own_path(evil), "/", "{evil:?}");
        }
        assert_eq!(
            own_path("/admin/projects?after=a%2Fb"),
            "/admin/projects?after=a%2Fb"
        );
    }

    #[test]
    fn a_way_on_is_as_long_as_a_url_at_the_most() {
        let longest = "/".to_owned() + &"x".repeat(MAX_WAY_BYTES - 1);
        assert_eq!(own_path(&longest), longest);
        assert_eq!(own_path(&(longest + "x")), "/");
    }
}
