use axum::{
    extract::State,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use gatehouse_app::{context::Theme, i18n::Lang};
use http::header::SET_COOKIE;
use serde::Deserialize;

use super::{cookie::taste, form::PlainForm, own_path};
use crate::state::AppState;

pub(super) const THEME: &str = "theme";
pub(super) const LANG: &str = "lang";

#[derive(Deserialize)]
pub(super) struct PreferencesForm {
    theme: Option<String>,
    lang: Option<String>,
    #[serde(default)]
    back: String,
}

/// POST `/preferences`: remembers the colours or the language that a reader chose.
pub(super) async fn keep(
    State(app): State<AppState>,
    PlainForm(form): PlainForm<PreferencesForm>,
) -> Response {
    let secure = app.public_url.starts_with("https://");
    let theme = form
        .theme
        .as_deref()
        .and_then(Theme::from_code)
        .map(|theme| taste(THEME, theme.code(), secure));
    let lang = form
        .lang
        .as_deref()
        .and_then(Lang::from_code)
        .map(|lang| taste(LANG, lang.code(), secure));
    let cookies = theme
        .into_iter()
        .chain(lang)
        .map(|cookie| (SET_COOKIE, cookie));
    (
        AppendHeaders(cookies.collect::<Vec<_>>()),
        Redirect::to(own_path(&form.back)),
    )
        .into_response()
}
