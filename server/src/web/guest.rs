use axum::{
    extract::{Request, State},
    response::{Redirect, Response},
};
use gatehouse_app::{forms::Way, i18n::Notice};
use gatehouse_core::Error;
use gatehouse_types::{access::SessionState, codes};
use http::{HeaderValue, header::REFERRER_POLICY};
use serde::Deserialize;

use super::{form::PlainForm, pages};
use crate::{
    api::auth::{Origin, Visitor},
    http::problem::Problem,
    state::AppState,
};

/// GET `/guest`: the page of an invitation.
///
/// Its URL is a secret: requests that the page leads to name the portal, never the whole URL.
/// Without any referrer, browsers would send `Origin: null` with its forms.
pub(super) async fn page(
    app: State<AppState>,
    visitor: Result<Visitor, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let mut page = pages::render(app, visitor, request).await?;
    let policy = HeaderValue::from_static("strict-origin");
    page.headers_mut().insert(REFERRER_POLICY, policy);
    Ok(page)
}

#[derive(Deserialize)]
pub(super) struct OpenForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    minutes: String,
}

/// POST `/guest`: opens the service of an invitation to the address that asks.
pub(super) async fn open(
    State(app): State<AppState>,
    Origin(actor): Origin,
    PlainForm(form): PlainForm<OpenForm>,
) -> Redirect {
    let back = guest_page(&form.token);
    // What is no number of minutes is none that can be taken.
    let minutes = form.minutes.trim().parse().unwrap_or(0);
    let opened = app
        .portal
        .access
        .open_as_guest(&actor, &form.token, minutes);
    let way = match opened.await {
        Ok(opened) => {
            let way = back.with("pass", &opened.pass);
            if opened.session.state == SessionState::Open {
                way.with("ok", Notice::SessionOpened.code())
            } else {
                way
            }
        }
        // The page itself says what became of the link.
        Err(
            Error::NotFound(_)
            | Error::Conflict {
                code: codes::FINISHED,
                ..
            },
        ) => back,
        Err(error) => back.refused("", &error),
    };
    Redirect::to(way.path())
}

#[derive(Deserialize)]
pub(super) struct CloseForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    pass: String,
}

/// POST `/guest/close`: closes what was opened with an invitation.
pub(super) async fn close(
    State(app): State<AppState>,
    Origin(actor): Origin,
    PlainForm(form): PlainForm<CloseForm>,
) -> Redirect {
    let back = guest_page(&form.token).typed([("pass", &*form.pass)]);
    let way = match app.portal.access.close_as_guest(&actor, &form.pass).await {
        Ok(session) if session.finished_at.is_some() => {
            back.with("ok", Notice::SessionClosed.code())
        }
        Ok(_) | Err(Error::NotFound(_)) => back,
        Err(error) => back.refused("", &error),
    };
    Redirect::to(way.path())
}

fn guest_page(token: &str) -> Way {
    Way::to("/guest").typed([("token", token)])
}
