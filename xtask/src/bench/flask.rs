//! The original server's way, as the peer that the portal replaces: `bench/flask` under gunicorn.

use std::num::NonZero;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use ureq::http::Method;

use super::peer::Peer;
use super::stage::{PROJECT, Stage};
use crate::demo::random_secret;
use crate::portal::Portal;
use crate::postgres::free_port;
use crate::process::{self, Managed};
use crate::project;
use crate::python::Environment;

/// Workers without threads close every connection and serve half as much; between 2 and 16 threads
/// nothing was to choose.
const THREADS: usize = 8;
const TOKEN_MINUTES: u32 = 1440;

const PYTHON: Environment = Environment {
    name: "flask",
    requirements: "bench/flask/requirements.txt",
    reason: "the Flask server that the measurements compare with",
};

/// Makes its Python environment, with the versions that `requirements.txt` names.
///
/// # Errors
/// When Python or a package cannot be installed.
pub(super) fn install() -> Result<()> {
    PYTHON.install()
}

/// Starts it on a free port and asks it for a token, which its answers then need.
///
/// # Errors
/// When it does not start or gives no token.
pub(super) fn start(stage: &Stage) -> Result<Peer> {
    let port = free_port()?;
    let admin_secret = random_secret()?;
    let mut gunicorn = process::command(PYTHON.program("gunicorn"));
    gunicorn
        .current_dir(app_dir())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("FIRMWARE_DIR", stage.firmware_dir())
        .env("TOKEN_SECRET", &stage.token_secret)
        .env("ADMIN_SECRET", &admin_secret)
        .args(["--bind", &format!("127.0.0.1:{port}")])
        .args(["--workers", &workers()?.to_string()])
        .args(["--worker-class", "gthread"])
        .args(["--threads", &THREADS.to_string()])
        .args(["--log-level", "warning", "app:app"]);
    let peer = Peer {
        name: "Flask under gunicorn, with token",
        url: format!("http://127.0.0.1:{port}"),
        header: None,
        process: Managed::start(&mut gunicorn)?,
    };
    let peer = peer.wait(port)?;
    Ok(Peer {
        header: Some(bearer(&peer, &admin_secret)?),
        ..peer
    })
}

/// How gunicorn is set, in words.
///
/// # Errors
/// When the number of cores is unknown.
pub(super) fn setting() -> Result<String> {
    Ok(format!("{} workers of {THREADS} threads", workers()?))
}

fn workers() -> Result<NonZero<usize>> {
    Ok(std::thread::available_parallelism()?)
}

fn bearer(peer: &Peer, admin_secret: &str) -> Result<String> {
    let wish = json!({ "device_id": "00000000-0000-4000-8000-000000000001", "project": PROJECT, "expires_minutes": TOKEN_MINUTES });
    let headers = [
        ("content-type", "application/json"),
        ("x-admin-secret", admin_secret),
    ];
    let answer = Portal::at(peer.url.clone()).exchange(
        &Method::POST,
        "/admin/generate_token",
        &headers,
        wish.to_string().into_bytes(),
    )?;
    if answer.status != 200 {
        bail!("Flask answered {}: {}", answer.status, answer.body);
    }
    let body: Value = serde_json::from_str(&answer.body)?;
    let token = body["token"].as_str().context("Flask gave no token")?;
    Ok(format!("Authorization: Bearer {token}"))
}

fn app_dir() -> PathBuf {
    project::root().join("bench/flask")
}
