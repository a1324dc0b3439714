use axum::{
    extract::{Request, State},
    response::{IntoResponse, Redirect, Response},
};
use gatehouse_app::{
    forms::{Way, check_shown_ip},
    i18n::Notice,
};
use gatehouse_core::Error;
use gatehouse_types::{access::SessionState, codes};
use http::{HeaderMap, HeaderValue, header::REFERRER_POLICY};
use serde::Deserialize;

use super::{form::PlainForm, pages};
use crate::{
    api::auth::{Origin, Visitor},
    http::problem::Problem,
    state::AppState,
};

/// GET `/guest`: the page of an invitation.
pub(super) async fn page(
    app: State<AppState>,
    visitor: Result<Visitor, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    Ok(keep_link(pages::render(app, visitor, request).await?))
}

#[derive(Deserialize)]
pub(super) struct OpenForm {
    #[serde(default)]
    token: String,
    #[serde(default)]
    minutes: String,
    /// The address that the page showed; another one than that is not let in.
    #[serde(default)]
    shown_ip: String,
}

/// POST `/guest`: opens the service of an invitation to the address that asks.
pub(super) async fn open(
    State(app): State<AppState>,
    Origin(actor): Origin,
    headers: HeaderMap,
    PlainForm(form): PlainForm<OpenForm>,
) -> Response {
    let back = guest_page(&form.token);
    // What is no number of minutes is none that can be taken.
    let minutes = form.minutes.trim().parse().unwrap_or(0);
    let opened = async {
        check_shown_ip(&actor, &form.shown_ip)?;
        let access = &app.portal.access;
        access.open_as_guest(&actor, &form.token, minutes).await
    };
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
        Err(
            error @ (Error::TooMany { .. }
            | Error::Conflict {
                code: codes::ADDRESS_CHANGED,
                ..
            }),
        ) => {
            let way = back.refused("", &error);
            return keep_link(pages::refuse(&app, actor, headers, &way, error).await);
        }
        Err(error) => back.refused("", &error),
    };
    Redirect::to(way.path()).into_response()
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

/// The page's URL is a secret: requests that it leads to name the portal, never the whole URL.
/// Without any referrer, browsers would send `Origin: null` with its forms.
fn keep_link(mut page: Response) -> Response {
    let policy = HeaderValue::from_static("strict-origin");
    page.headers_mut().insert(REFERRER_POLICY, policy);
    page
}

fn guest_page(token: &str) -> Way {
    Way::to("/guest").typed([("token", token)])
}
