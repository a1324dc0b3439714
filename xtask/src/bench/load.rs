//! One run of the load generator wrk.

use std::fmt;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::start;
use crate::process::{self, Managed};
use crate::project;

/// How wrk asks, again and again.
#[derive(Clone, Copy)]
pub(super) struct Wrk {
    threads: u32,
    connections: u32,
    seconds: u32,
    range: Option<&'static str>,
}

impl Wrk {
    /// From 32 kept-alive connections for some seconds.
    pub(super) const fn crowd(seconds: u32) -> Self {
        Self {
            threads: 2,
            connections: 32,
            seconds,
            range: None,
        }
    }

    /// For a part of a file, such as `bytes=0-99`, from one kept-alive connection for some seconds:
    /// the times are those of a single request.
    pub(super) const fn alone(range: &'static str, seconds: u32) -> Self {
        Self {
            threads: 1,
            connections: 1,
            seconds,
            range: Some(range),
        }
    }

    fn command(self) -> Command {
        let mut wrk = process::command("wrk");
        wrk.args(["--threads", &self.threads.to_string()])
            .args(["--connections", &self.connections.to_string()])
            .args(["--duration", &format!("{}s", self.seconds)])
            .arg("--latency");
        if let Some(range) = self.range {
            wrk.args(["--header", &format!("Range: {range}")]);
        }
        wrk
    }
}

/// What wrk found, and what the server took for it.
#[derive(Debug, PartialEq)]
pub(super) struct Load {
    /// Answers per second, all of them successful.
    pub(super) requests_per_s: f64,
    /// As wrk prints them, with their unit.
    transfer_per_s: String,
    p50: String,
    p99: String,
    /// Of the server, right after the load.
    resident_mb: f64,
}

impl Load {
    /// Asks for one address of a server.
    ///
    /// # Errors
    /// When wrk fails or any answer is not a success: such a figure would mean nothing.
    pub(super) fn of(wrk: &Wrk, url: &str, header: Option<&str>, server: &Managed) -> Result<Self> {
        let mut command = wrk.command();
        if let Some(header) = header {
            command.args(["--header", header]);
        }
        Self::measure(command.arg(url), server).with_context(|| format!("measuring {url}"))
    }

    /// Asks for what a script of `bench/fleet` draws, which finds its settings among the variables.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(super) fn drawn(
        wrk: &Wrk,
        url: &str,
        script: &str,
        settings: &[(&str, &str)],
        server: &Managed,
    ) -> Result<Self> {
        let mut command = wrk.command();
        command
            .arg("--script")
            .arg(project::root().join("bench/fleet").join(script))
            .envs(settings.iter().copied());
        Self::measure(command.arg(url), server).with_context(|| format!("measuring {url}"))
    }

    fn measure(command: &mut Command, server: &Managed) -> Result<Self> {
        let printed = process::output(command)?;
        Self::parse(&printed, start::resident_mb(server.id())?)
    }

    fn parse(printed: &str, resident_mb: f64) -> Result<Self> {
        let value = |label: &str| {
            printed
                .lines()
                .find_map(|line| line.trim().strip_prefix(label))
                .map(str::trim)
        };
        if let Some(bad) = value("Non-2xx or 3xx responses:") {
            bail!("{bad} answers were no success");
        }
        if let Some(errors) = value("Socket errors:") {
            bail!("connections broke: {errors}");
        }
        Ok(Self {
            requests_per_s: value("Requests/sec:")
                .context("wrk printed no rate")?
                .parse()?,
            transfer_per_s: value("Transfer/sec:")
                .context("wrk printed no transfer")?
                .to_owned(),
            p50: value("50%").context("wrk printed no latency")?.to_owned(),
            p99: value("99%").context("wrk printed no latency")?.to_owned(),
            resident_mb,
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s ({}/s, p50 {}, p99 {}, {:.1} MB resident)",
            self.requests_per_s, self.transfer_per_s, self.p50, self.p99, self.resident_mb
        )
    }
}

#[cfg(test)]
impl Load {
    /// A load of so many answers per second.
    pub(super) fn example(requests_per_s: f64) -> Self {
        Self {
            requests_per_s,
            transfer_per_s: "1.00MB".to_owned(),
            p50: "1.00ms".to_owned(),
            p99: "1.00ms".to_owned(),
            resident_mb: 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "  Latency Distribution\n     50%  102.00us\n     99%    1.20ms\n\
        \u{20} 250000 requests in 10.00s, 300.00MB read\nRequests/sec:  25000.50\nTransfer/sec:     30.00MB\n";

    #[test]
    fn rate_transfer_and_latency_are_read() {
        let load = Load::parse(PRINTED, 12.34).unwrap();
        assert_eq!(
            load.to_string(),
            "25000/s (30.00MB/s, p50 102.00us, p99 1.20ms, 12.3 MB resident)"
        );
    }

    #[test]
    fn a_run_with_refused_requests_is_no_measurement() {
        assert!(Load::parse(&format!("{PRINTED}  Non-2xx or 3xx responses: 7\n"), 1.0).is_err());
    }
}
