//! The pages and the server functions behind their forms, handed over to Leptos.

use axum::{
    body::{Body, Bytes},
    extract::{Request, State, rejection::BytesRejection},
    response::{IntoResponse, Redirect, Response},
};
use gatehouse_app::{
    context::{PageContext, Theme, Viewer},
    forms::Way,
    i18n::Lang,
    shell::shell,
    visit::Visit,
};
use gatehouse_core::{Actor, Error};
use http::{
    HeaderMap, Method, StatusCode,
    header::{ACCEPT_LANGUAGE, RETRY_AFTER},
    request::Parts,
};

use super::{cookie::values, form::unreadable, preferences};
use crate::{
    api::auth::Visitor,
    http::{
        problem::{self, Problem},
        request_id,
    },
    state::AppState,
};

/// No form of a page is longer than this.
pub(super) const MAX_UI_BYTES: usize = 128 * 1024;

/// GET of any path: the page, the sign-in page first for strangers, or the not-found page.
pub(super) async fn render(
    State(app): State<AppState>,
    visitor: Result<Visitor, Problem>,
    request: Request,
) -> Result<Response, Problem> {
    let path = request.uri().path();
    let for_programs = ["/api/", "/firmware/", "/ota/", "/pkg/"];
    if for_programs.iter().any(|start| path.starts_with(start)) {
        return Err(problem::not_found());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Err(problem::method_not_allowed());
    }
    let Visitor(actor) = visitor?;
    let is_public = matches!(path, "/login" | "/setup" | "/guest");
    if actor.account().is_err() && !is_public {
        let wanted = request
            .uri()
            .path_and_query()
            .map_or("/", |wanted| wanted.as_str());
        let way = if wanted == "/" {
            Way::to("/login")
        } else {
            Way::to("/login").with("next", wanted)
        };
        return Ok(Redirect::to(way.path()).into_response());
    }
    Ok(draw(&app, actor, request).await)
}

/// Draws the page of a GET as this actor may see it.
pub(super) async fn draw(app: &AppState, actor: Actor, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let page = page_context(app, &actor, &parts);
    let visit = Visit {
        portal: app.portal.clone(),
        actor,
        public_url: app.public_url.clone(),
    };
    let provide = move || {
        page.clone().provide();
        visit.clone().provide();
    };
    let handler = leptos_axum::render_app_async_with_context(provide, shell);
    handler(Request::from_parts(parts, body)).await
}

/// Shows the page under the status of `error`, so that programs and proxies see it too.
pub(super) async fn refuse(
    app: &AppState,
    actor: Actor,
    headers: HeaderMap,
    page: &Way,
    error: Error,
) -> Response {
    let refusal = Problem::from(error).into_response();
    let mut request = Request::new(Body::empty());
    match page.path().parse() {
        Ok(uri) => *request.uri_mut() = uri,
        Err(_unparsable) => return refusal,
    }
    *request.headers_mut() = headers;
    let mut response = draw(app, actor, request).await;
    *response.status_mut() = refusal.status();
    if let Some(wait) = refusal.headers().get(RETRY_AFTER) {
        response.headers_mut().insert(RETRY_AFTER, wait.clone());
    }
    response
}

/// POST `/api/ui/…`: a plain form. Whoever is not signed in is sent to sign in.
pub(super) async fn run_form(
    State(app): State<AppState>,
    Visitor(actor): Visitor,
    parts: Parts,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    if actor.account().is_err() {
        let error = Error::Unauthenticated("Sign in first.");
        let wants_page = parts
            .headers
            .get(http::header::ACCEPT)
            .is_some_and(|accept| accept.as_bytes().starts_with(b"text/html"));
        return if wants_page {
            Ok(Redirect::to("/login?error=unauthenticated").into_response())
        } else {
            Err(error.into())
        };
    }
    let body = body.map_err(|refused| unreadable(refused.status(), MAX_UI_BYTES))?;
    let request = Request::from_parts(parts, Body::from(body));
    let visit = Visit {
        portal: app.portal.clone(),
        actor,
        public_url: app.public_url.clone(),
    };
    let response =
        leptos_axum::handle_server_fns_with_context(move || visit.clone().provide(), request)
            .await
            .into_response();
    Ok(refuse_garbage(response))
}

/// A form that could not even be decoded comes back from Leptos as 5xx or with its error in the URL.
fn refuse_garbage(response: Response) -> Response {
    let names_error = response
        .headers()
        .get(http::header::LOCATION)
        .is_some_and(|location| location.as_bytes().windows(6).any(|part| part == b"__err="));
    if response.status().is_server_error()
        || response.status() == StatusCode::BAD_REQUEST
        || names_error
    {
        return unreadable(StatusCode::BAD_REQUEST, MAX_UI_BYTES).into_response();
    }
    response
}

fn page_context(app: &AppState, actor: &Actor, parts: &Parts) -> PageContext {
    let taste = |name| values(&parts.headers, name).next();
    let accepted = parts
        .headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let viewer = actor.account().ok().map(|account| Viewer {
        id: account.id.to_string(),
        email: account.email.clone(),
        is_admin: actor.is_admin(),
    });
    PageContext {
        actor: viewer,
        lang: taste(preferences::LANG)
            .as_deref()
            .and_then(Lang::from_code)
            .unwrap_or_else(|| Lang::from_accept_language(accepted)),
        theme: taste(preferences::THEME)
            .as_deref()
            .and_then(Theme::from_code)
            .unwrap_or_default(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        pkg_path: app.pkg_path.clone(),
        request_id: request_id::current()
            .map(|id| id.to_string())
            .unwrap_or_default(),
        now_ms: app.clock.now_ms(),
        client_ip: actor.ip,
        no_jwt: app.config.no_jwt,
        debug: cfg!(debug_assertions),
        forbidden: parts.uri.path().starts_with("/admin") && !actor.is_admin(),
    }
}
