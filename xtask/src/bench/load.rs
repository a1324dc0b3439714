//! One run of the load generator wrk.

use std::fmt;

use anyhow::{Context, Result, bail};

use crate::process;

/// What wrk found.
#[derive(Debug, PartialEq)]
pub(super) struct Load {
    /// Answers per second, all of them successful.
    pub(super) requests_per_s: f64,
    /// As wrk prints them, with their unit.
    transfer_per_s: String,
    p99: String,
}

impl Load {
    /// Asks for one address from 32 kept-alive connections for some seconds.
    ///
    /// # Errors
    /// When wrk fails or any answer is not a success: such a figure would mean nothing.
    pub(super) fn run(url: &str, header: Option<&str>, seconds: u32) -> Result<Self> {
        let mut wrk = process::command("wrk");
        wrk.args([
            "--threads",
            "2",
            "--connections",
            "32",
            "--latency",
            "--duration",
            &format!("{seconds}s"),
        ]);
        if let Some(header) = header {
            wrk.args(["--header", header]);
        }
        let printed = process::output(wrk.arg(url))?;
        Self::parse(&printed).with_context(|| format!("measuring {url}"))
    }

    fn parse(printed: &str) -> Result<Self> {
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
            p99: value("99%").context("wrk printed no latency")?.to_owned(),
        })
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:.0}/s ({}/s, p99 {})",
            self.requests_per_s, self.transfer_per_s, self.p99
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
            p99: "1.00ms".to_owned(),
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
        let load = Load::parse(PRINTED).unwrap();
        assert_eq!(load.to_string(), "25000/s (30.00MB/s, p99 1.20ms)");
    }

    #[test]
    fn a_run_with_refused_requests_is_no_measurement() {
        assert!(Load::parse(&format!("{PRINTED}  Non-2xx or 3xx responses: 7\n")).is_err());
    }
}
