//! Opening services through the API: from the request to the rule that the daemon has accepted.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::json;
use ureq::http::Method;

use super::report::Row;
use super::times::Times;
use crate::portal::Portal;

const OPENINGS: usize = 200;

/// Opens and closes one service over and over, and measures the opening only; `daemon` says in words
/// what takes the rule.
///
/// # Errors
/// When it is refused.
pub(super) fn opening(portal: &Portal, service_id: &str, daemon: &str) -> Result<Row> {
    let mut times_ms = Vec::with_capacity(OPENINGS);
    for _ in 0..OPENINGS {
        let start = Instant::now();
        let session_id = open(portal, service_id)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1000.0);
        close(portal, &session_id)?;
    }
    Ok(Row::alone(
        format!(
            "opening an access session, API call to rule accepted by {daemon}, {OPENINGS} times, one after the other"
        ),
        Times::of(times_ms).to_string(),
    ))
}

/// Opens a service and returns the session's id.
///
/// # Errors
/// When the daemon did not let it in.
pub(super) fn open(portal: &Portal, service_id: &str) -> Result<String> {
    let session = portal.post("/api/v1/sessions", &json!({ "service_id": service_id }))?;
    if session["state"] != "open" {
        bail!("the router daemon did not open the service: {session}");
    }
    let id = session["id"].as_str().context("the session has no id")?;
    Ok(id.to_owned())
}

/// Closes a session.
///
/// # Errors
/// When the daemon did not take the rule away.
pub(super) fn close(portal: &Portal, session_id: &str) -> Result<()> {
    let path = format!("/api/v1/sessions/{session_id}");
    let answer = portal.exchange(&Method::DELETE, &path, &[], Vec::new())?;
    if answer.status != 200 || !answer.body.contains("\"closed\"") {
        bail!("closing answered {}: {}", answer.status, answer.body);
    }
    Ok(())
}
