//! The dashboard's speed beside the smallest Leptos page, and what pages make a browser load.

use anyhow::{Result, bail};
use ureq::http::Method;

use super::load::{Load, Wrk};
use super::peer::Peer;
use super::report::Row;
use super::stage::{SERVICES, Stage};
use super::{page_weight, rust_peers, sessions};
use crate::portal::Portal;
use crate::process::Managed;

/// What is open when a dashboard is measured.
const NOTHING_OPEN: &str = "nothing open";
const ONE_OPEN: &str = "one service open";

/// Measures the dashboard and weighs pages, first with nothing open, then with one service open.
///
/// # Errors
/// When the peer does not start, the service cannot be opened, or a page is not answered.
pub(super) fn rows(
    stage: &Stage,
    process: &Managed,
    portal: &Portal,
    service_id: &str,
    seconds: u32,
) -> Result<Vec<Row>> {
    let hello = rust_peers::hello_leptos()?;
    let cookie = browser_cookie(stage, portal)?;
    let visit = Visit {
        process,
        portal,
        hello: &hello,
        cookie: &cookie,
        wrk: Wrk::crowd(seconds),
    };
    let speed_at_rest = visit.dashboard_speed(NOTHING_OPEN)?;
    let weight_at_rest = visit.dashboard_weight(NOTHING_OPEN)?;
    let session_id = sessions::open(portal, service_id)?;
    let rows = vec![
        speed_at_rest,
        visit.dashboard_speed(ONE_OPEN)?,
        visit.weight("sign-in page", "/login", "")?,
        visit.weight("projects page", "/admin/projects", &cookie)?,
        weight_at_rest,
        visit.dashboard_weight(ONE_OPEN)?,
    ];
    sessions::close(portal, &session_id)?;
    Ok(rows)
}

/// A signed-in browser, and the peer.
struct Visit<'a> {
    process: &'a Managed,
    portal: &'a Portal,
    hello: &'a Peer,
    cookie: &'a str,
    wrk: Wrk,
}

impl Visit<'_> {
    fn dashboard_speed(&self, open: &str) -> Result<Row> {
        let url = format!("{}/", self.portal.url);
        let header = format!("Cookie: {}", self.cookie);
        let ours = Load::of(&self.wrk, &url, Some(&header), self.process)?;
        let theirs = self.hello.load(&self.wrk, "/")?;
        Ok(Row::compared(
            format!("dashboard, signed in, {SERVICES} services, {open}, 32 connections"),
            &ours,
            &[(self.hello.name, theirs)],
        ))
    }

    fn dashboard_weight(&self, open: &str) -> Result<Row> {
        self.weight(&format!("dashboard, {open}"), "/", self.cookie)
    }

    fn weight(&self, name: &str, path: &str, cookie: &str) -> Result<Row> {
        let headers = [("cookie", cookie)];
        let page = self
            .portal
            .as_nobody()
            .exchange(&Method::GET, path, &headers, Vec::new())?;
        if page.status != 200 {
            bail!("{path} answered {}", page.status);
        }
        Ok(Row::alone(
            format!("{name}: scripts and WebAssembly, brotli"),
            page_weight::of(&page.body)?,
        ))
    }
}

/// Signs in as a browser does and returns what it would send as `Cookie`.
fn browser_cookie(stage: &Stage, portal: &Portal) -> Result<String> {
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let form = stage.sign_in_form().into_bytes();
    let answer = portal
        .as_nobody()
        .exchange(&Method::POST, "/login", &headers, form)?;
    let pairs: Vec<&str> = answer
        .cookies
        .iter()
        .filter_map(|cookie| cookie.split(';').next())
        .collect();
    if pairs.is_empty() {
        bail!(
            "signing in through the page answered {} and set no cookie",
            answer.status
        );
    }
    Ok(pairs.join("; "))
}
