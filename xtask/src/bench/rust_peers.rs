//! The programs of `bench/peers`: what Rust, axum and Leptos can do when nothing else is asked of them.

use anyhow::Result;

use super::peer::Peer;
use super::stage::{Certificate, Stage};
use crate::process;
use crate::project;

/// The handler that checks a token and answers from memory.
///
/// # Errors
/// When it does not start.
pub(super) fn bare_axum(stage: &Stage, header: &str, tls: Option<&Certificate>) -> Result<Peer> {
    let mut program = process::command(project::binary("release", "bare-axum"));
    program
        .env("FIRMWARE_DIR", stage.firmware_dir())
        .env("TOKEN_SECRET", &stage.token_secret);
    if let Some(pair) = tls {
        program
            .env("TLS_CERT", &pair.cert)
            .env("TLS_KEY", &pair.key);
    }
    let (process, url) = process::start_listening(program, false)?;
    Ok(Peer {
        name: "bare axum, with token, from memory",
        url,
        header: Some(header.to_owned()),
        process,
    })
}

/// The hello-world page.
///
/// # Errors
/// When it does not start.
pub(super) fn hello_leptos() -> Result<Peer> {
    let program = process::command(project::binary("release", "hello-leptos"));
    let (process, url) = process::start_listening(program, false)?;
    Ok(Peer {
        name: "hello-world Leptos page",
        url,
        header: None,
        process,
    })
}
