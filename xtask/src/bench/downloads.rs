//! Images with a token, over plain HTTP and over TLS, and the update check.

use anyhow::{Context, Result};

use super::load::Load;
use super::peer::Peer;
use super::report::Row;
use super::stage::{ANY_PORT, IMAGES, PROJECT, Stage};
use super::{flask, nginx, rust_peers};
use crate::demo::{OLD_VERSION, device_token};
use crate::portal::{self, Portal};
use crate::process;

/// What both groups of downloads need.
pub(super) struct Downloads<'a> {
    stage: &'a Stage,
    flask: Peer,
    /// The header with which the portal serves a device.
    header: String,
    seconds: u32,
}

impl<'a> Downloads<'a> {
    /// Gets a token from the portal and another from Flask, which idles until this value goes.
    ///
    /// # Errors
    /// When one of them gives none.
    pub(super) fn prepare(stage: &'a Stage, portal: &Portal, seconds: u32) -> Result<Self> {
        Ok(Self {
            stage,
            flask: flask::start(stage)?,
            header: format!("Authorization: Bearer {}", device_token(portal, PROJECT)?),
            seconds,
        })
    }

    /// The images beside nginx, bare axum and Flask, and the update check, which has no peer.
    ///
    /// # Errors
    /// When a peer does not start, serves strangers, or somebody answers wrongly under load.
    pub(super) fn plain(&self, portal: &Portal) -> Result<Vec<Row>> {
        let nginx = nginx::start(self.stage, None)?;
        let axum = rust_peers::bare_axum(self.stage, self.peer_header()?, None)?;
        let peers = [&nginx, &axum, &self.flask];
        for peer in peers {
            peer.refuses_strangers(&IMAGES[0].path())?;
        }
        let mut rows = self.images(&portal.url, "", &peers)?;
        rows.push(self.update_check(portal)?);
        Ok(rows)
    }

    /// The images over TLS beside nginx and bare axum, from a portal that is started for it.
    ///
    /// # Errors
    /// As [`plain`](Self::plain).
    pub(super) fn over_tls(&self) -> Result<Vec<Row>> {
        let pair = self.stage.certificate();
        let mut serve = portal::serve(&self.stage.data_dir(), ANY_PORT);
        serve.arg("--tls-cert").arg(&pair.cert);
        serve.arg("--tls-key").arg(&pair.key);
        let (_portal, url) = process::start_listening(serve, false)?;
        let nginx = nginx::start(self.stage, Some(&pair))?;
        let axum = rust_peers::bare_axum(self.stage, self.peer_header()?, Some(&pair))?;
        self.images(&url, " over TLS", &[&nginx, &axum])
    }

    fn peer_header(&self) -> Result<&str> {
        self.flask.header.as_deref().context("Flask gave no token")
    }

    fn images(&self, portal_url: &str, how: &str, peers: &[&Peer]) -> Result<Vec<Row>> {
        IMAGES
            .iter()
            .map(|image| {
                let url = format!("{portal_url}{}", image.path());
                let ours = Load::run(&url, Some(&self.header), self.seconds)?;
                let theirs = peers
                    .iter()
                    .map(|peer| Ok((peer.name, peer.load(&image.path(), self.seconds)?)))
                    .collect::<Result<Vec<_>>>()?;
                let bytes = image.to_bytes().len();
                let what = format!("image of {bytes} bytes with token{how}, 32 connections");
                Ok(Row::compared(what, &ours, &theirs))
            })
            .collect()
    }

    fn update_check(&self, portal: &Portal) -> Result<Row> {
        let url = format!(
            "{}/api/v1/device/update?current_fw={OLD_VERSION}",
            portal.url
        );
        let load = Load::run(&url, Some(&self.header), self.seconds)?;
        Ok(Row::alone(
            "update check with token, 32 connections",
            load.to_string(),
        ))
    }
}
