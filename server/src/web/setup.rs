use axum::{extract::State, response::Redirect};
use gatehouse_app::{forms::Way, i18n};
use gatehouse_core::Error;
use serde::Deserialize;

use super::form::PlainForm;
use crate::{api::auth::Origin, http::problem::Problem, state::AppState};

#[derive(Deserialize)]
pub(super) struct SetupForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    repeat: String,
}

/// POST `/setup`: makes the first admin; only success burns the link.
pub(super) async fn set_up(
    State(app): State<AppState>,
    Origin(actor): Origin,
    PlainForm(form): PlainForm<SetupForm>,
) -> Result<Redirect, Problem> {
    let back = Way::to("/setup").typed([("token", &*form.token), ("email", &*form.email)]);
    if form.password != form.repeat {
        return Ok(Redirect::to(
            back.with("error", i18n::Problem::PasswordsDiffer.code())
                .path(),
        ));
    }
    let way = match app
        .portal
        .identity
        .set_up(&actor, &form.token, &form.email, &form.password)
        .await
    {
        Ok(()) => Way::to("/login")
            .typed([("email", &*form.email)])
            .with("ok", i18n::Notice::SetUp.code()),
        Err(Error::Forbidden(_)) => {
            Way::to("/setup").with("error", i18n::Problem::SetupLink.code())
        }
        // The page itself says that it is done.
        Err(Error::Conflict { .. }) => Way::to("/setup"),
        Err(other) => back.refused("", &other),
    };
    Ok(Redirect::to(way.path()))
}
