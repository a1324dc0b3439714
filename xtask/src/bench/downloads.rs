//! Images with a token, whole and in part, over plain HTTP and over TLS.

use anyhow::{Context, Result};

use super::load::{Load, Wrk};
use super::peer::Peer;
use super::report::Row;
use super::stage::{IMAGES, Image, PROJECT, Stage};
use super::{flask, nginx, rust_peers};
use crate::fleet::device_token;
use crate::portal::Portal;
use crate::process::{self, Managed};

/// From the middle of the image of 1 MiB.
const RANGE: &str = "bytes=524288-525311";

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

    /// The images beside nginx, bare axum and Flask, and a range beside nginx.
    ///
    /// # Errors
    /// When a peer does not start, serves strangers, or somebody answers wrongly under load.
    pub(super) fn plain(&self, process: &Managed, portal: &Portal) -> Result<Vec<Row>> {
        let nginx = nginx::start(self.stage, None)?;
        let axum = rust_peers::bare_axum(self.stage, self.peer_header()?, None)?;
        let peers = [&nginx, &axum, &self.flask];
        for peer in peers {
            peer.refuses_strangers(&IMAGES[0].path())?;
        }
        let ours = Ours {
            url: &portal.url,
            process,
            how: "",
        };
        self.rows(&ours, &peers)
    }

    /// The images over TLS beside nginx and bare axum, from a portal that is started for it.
    ///
    /// # Errors
    /// As [`plain`](Self::plain).
    pub(super) fn over_tls(&self) -> Result<Vec<Row>> {
        let pair = self.stage.certificate();
        let (process, url) = process::start_listening(self.stage.serve_over_tls(), false)?;
        let nginx = nginx::start(self.stage, Some(&pair))?;
        let axum = rust_peers::bare_axum(self.stage, self.peer_header()?, Some(&pair))?;
        let ours = Ours {
            url: &url,
            process: &process,
            how: " over TLS",
        };
        self.rows(&ours, &[&nginx, &axum])
    }

    fn peer_header(&self) -> Result<&str> {
        self.flask.header.as_deref().context("Flask gave no token")
    }

    /// Each image beside all peers, and a range of the large one beside the first, which is nginx.
    fn rows(&self, ours: &Ours<'_>, peers: &[&Peer]) -> Result<Vec<Row>> {
        let crowd = Wrk::crowd(self.seconds);
        let mut rows = IMAGES
            .iter()
            .map(|image| {
                let bytes = image.to_bytes().len();
                let what = format!(
                    "image of {bytes} bytes with token{}, 32 connections",
                    ours.how
                );
                self.compared(what, &crowd, image, ours, peers)
            })
            .collect::<Result<Vec<_>>>()?;
        let [_, large] = &IMAGES;
        rows.push(self.compared(
            format!(
                "range of 1024 bytes of the large image with token{}, one connection",
                ours.how
            ),
            &Wrk::alone(RANGE, self.seconds),
            large,
            ours,
            &peers[..1],
        )?);
        Ok(rows)
    }

    fn compared(
        &self,
        what: String,
        wrk: &Wrk,
        image: &Image,
        ours: &Ours<'_>,
        peers: &[&Peer],
    ) -> Result<Row> {
        let url = format!("{}{}", ours.url, image.path());
        let load = Load::of(wrk, &url, Some(&self.header), ours.process)?;
        let theirs = peers
            .iter()
            .map(|peer| Ok((peer.name, peer.load(wrk, &image.path())?)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Row::compared(what, &load, &theirs))
    }
}

/// The portal that is measured.
struct Ours<'a> {
    url: &'a str,
    process: &'a Managed,
    /// What its rows say of the way to it.
    how: &'static str,
}
