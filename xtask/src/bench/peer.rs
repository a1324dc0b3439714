//! A server that does the same work as the portal, for comparison.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ureq::http::Method;

use super::load::{Load, Wrk};
use crate::portal::Portal;
use crate::process::Managed;

const START_LIMIT: Duration = Duration::from_secs(10);

/// A running peer; it stops when this value goes.
pub(super) struct Peer {
    /// What it is called in the table.
    pub(super) name: &'static str,
    /// Where it is, such as `http://127.0.0.1:4000`.
    pub(super) url: String,
    /// The header that it wants to see, if any.
    pub(super) header: Option<String>,
    /// What stops it.
    pub(super) process: Managed,
}

impl Peer {
    /// Puts the load on one of its paths.
    ///
    /// # Errors
    /// As [`Load::of`].
    pub(super) fn load(&self, wrk: &Wrk, path: &str) -> Result<Load> {
        let url = format!("{}{path}", self.url);
        Load::of(wrk, &url, self.header.as_deref(), &self.process)
    }

    /// Makes sure that a peer with a token serves nobody without one: it would do less work than the portal.
    ///
    /// # Errors
    /// When it does.
    pub(super) fn refuses_strangers(&self, path: &str) -> Result<()> {
        let asked = Portal::at(self.url.clone()).exchange(&Method::GET, path, &[], Vec::new())?;
        if self.header.is_some() && asked.status != 401 {
            bail!("{} answered {} without a token", self.name, asked.status);
        }
        Ok(())
    }

    /// Waits until it takes connections, which a server that opens its port last does when it is ready.
    ///
    /// # Errors
    /// When it has ended, or takes none within ten seconds.
    pub(super) fn wait(mut self, port: u16) -> Result<Self> {
        let deadline = Instant::now() + START_LIMIT;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            self.process.still_runs()?;
            if Instant::now() > deadline {
                bail!("{} does not answer", self.name);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(self)
    }
}
