use axum::{
    Form,
    extract::{State, rejection::FormRejection},
    response::{IntoResponse, Redirect, Response},
};
use gatehouse_app::forms::{Way, problem};
use gatehouse_core::identity::SignIn;
use http::{HeaderMap, header::SET_COOKIE};
use serde::Deserialize;

use super::own_path;
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
    form: Result<Form<LoginForm>, FormRejection>,
) -> Result<Response, Problem> {
    let Form(form) =
        form.map_err(|_| Problem::bad_request("The sign-in form could not be read."))?;
    let user_agent = user_agent(&headers);
    let request = SignIn {
        email: &form.email,
        password: &form.password,
        user_agent: &user_agent,
    };
    let next = own_path(&form.next);
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
            Ok(([(SET_COOKIE, cookie)], Redirect::to(next)).into_response())
        }
        Err(error) => {
            let code = match &error {
                gatehouse_core::Error::Unauthenticated(_) => "credentials",
                other => problem(other).code(),
            };
            let back = Way::to("/login")
                .with("error", code)
                .with("email", &form.email)
                .with("next", next);
            Ok(Redirect::to(back.path()).into_response())
        }
    }
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
