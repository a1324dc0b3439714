use axum::{
    extract::State,
    response::{IntoResponse, Redirect, Response},
};
use gatehouse_app::forms::{Way, problem};
use gatehouse_core::{Error, identity::SignIn};
use gatehouse_types::limits::EMAIL_MAX_CHARS;
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use super::{form::PlainForm, own_path, pages};
use crate::{
    api::{
        auth::{Origin, Visitor},
        login::user_agent,
    },
    http::problem::Problem,
    state::AppState,
};

#[derive(Deserialize)]
pub(super) struct LoginForm {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    remember: Option<String>,
    #[serde(default)]
    next: String,
}

/// POST `/login`: begins a sign-in session and goes where the visitor wanted to.
pub(super) async fn sign_in(
    State(app): State<AppState>,
    Origin(actor): Origin,
    headers: HeaderMap,
    PlainForm(form): PlainForm<LoginForm>,
) -> Result<Response, Problem> {
    let user_agent = user_agent(&headers);
    let request = SignIn {
        email: &form.email,
        password: &form.password,
        user_agent: &user_agent,
    };
    match app
        .portal
        .identity
        .sign_in(&actor, request, form.remember.is_some())
        .await
    {
        Ok(signed_in) => {
            let cookie = app
                .sign_in_cookie
                .set(signed_in.secret, signed_in.cookie_lives_ms);
            Ok(([(SET_COOKIE, cookie)], Redirect::to(own_path(&form.next))).into_response())
        }
        Err(Error::Unauthenticated(_)) => {
            Ok(Redirect::to(back("credentials", &form).path()).into_response())
        }
        Err(error) => {
            let page = back(problem(&error).code(), &form);
            Ok(pages::refuse(&app, actor, headers, &page, error).await)
        }
    }
}

/// The sign-in page with what went wrong and what was typed, save for the password.
fn back(code: &str, form: &LoginForm) -> Way {
    let is_plausible = form.email.chars().count() <= EMAIL_MAX_CHARS;
    Way::to("/login").with("error", code).typed([
        ("email", if is_plausible { &*form.email } else { "" }),
        ("next", own_path(&form.next)),
    ])
}

/// POST `/logout`: ends the sign-in session and takes the cookie away.
pub(super) async fn sign_out(
    State(app): State<AppState>,
    Visitor(actor): Visitor,
) -> Result<Response, Problem> {
    if actor.account().is_ok() {
        app.portal.identity.sign_out(&actor).await?;
    }
    let cookie = app.sign_in_cookie.clear();
    Ok(([(SET_COOKIE, cookie)], Redirect::to("/login?ok=signed_out")).into_response())
}
