//! Opening, extending and closing access sessions.

use gatehouse_types::access::{self, SessionState};
use leptos::{prelude::ServerFnError, server};

use super::{Way, check_shown_ip, parsed};
use crate::{i18n::Notice, links, visit::Visit};

/// Opens a service to the reader's own address; `shown_ip` is the one that the page showed.
///
/// What is not open at once shows on the session's own page, with its reason.
#[server(prefix = "/api/ui", endpoint = "open_session")]
pub async fn open_session(
    service_id: String,
    #[server(default)] minutes: Option<String>,
    #[server(default)] shown_ip: String,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let opened = async {
        check_shown_ip(&actor, &shown_ip)?;
        let minutes = minutes.map(|text| parsed("minutes", &text)).transpose()?;
        let wish = access::OpenSession {
            service_id: parsed("service_id", &service_id)?,
            minutes,
        };
        portal.access.open(&actor, &wish).await
    };
    match opened.await {
        Ok((session, _)) if session.state == SessionState::Open => {
            Way::to("/").succeed(Notice::SessionOpened);
        }
        Ok((session, _)) => links::waiting(session.id).go(),
        Err(error) => Way::to("/").fail_in(&service_id, &error),
    }
    Ok(())
}

/// Moves the end of an open session to so many minutes from now.
#[server(prefix = "/api/ui", endpoint = "extend_session")]
pub async fn extend_session(
    id: String,
    #[server(default)] minutes: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let extended = async {
        portal
            .access
            .extend(&actor, parsed("id", &id)?, parsed("minutes", &minutes)?)
            .await
    };
    match extended.await {
        Ok(_) => way_back(&back, &id).succeed(Notice::SessionExtended),
        Err(error) => way_back(&back, &id).fail_in(&id, &error),
    }
    Ok(())
}

/// Moves an open session to the reader's own address; `shown_ip` is the one that the page showed.
///
/// What is not open there at once shows on the new session's own page, with its reason.
#[server(prefix = "/api/ui", endpoint = "move_session")]
pub async fn move_session(
    id: String,
    #[server(default)] back: String,
    #[server(default)] shown_ip: String,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let moved = async {
        check_shown_ip(&actor, &shown_ip)?;
        portal.access.move_session(&actor, parsed("id", &id)?).await
    };
    match moved.await {
        Ok((session, _)) if session.state == SessionState::Open => {
            way_back(&back, &session.id.to_string()).succeed(Notice::SessionMoved);
        }
        Ok((session, _)) => Way::to("/sessions").below(&session.id.to_string()).go(),
        Err(error) => way_back(&back, &id).fail_in(&id, &error),
    }
    Ok(())
}

/// Closes a session.
#[server(prefix = "/api/ui", endpoint = "close_session")]
pub async fn close_session(
    id: String,
    #[server(default)] back: String,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let closed = async { portal.access.close(&actor, parsed("id", &id)?).await };
    let way = way_back(&back, &id);
    match closed.await {
        Ok(session) if session.finished_at.is_none() => Way::to("/sessions").below(&id).go(),
        outcome => way.report(&outcome, Notice::SessionClosed),
    }
    Ok(())
}

/// The page that sent the form, from the closed set of those that have it.
fn way_back(back: &str, id: &str) -> Way {
    match back {
        "session" => Way::to("/sessions").below(id),
        "sessions" => Way::to("/sessions"),
        _ => Way::to("/"),
    }
}
