//! Whether the names that are meant for one family lead there over no other.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::lookup_host, time::timeout};

use super::doctor::{Finding, Grade};
use crate::config::Config;

/// A name server that says nothing must not hold up everything else.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn family_names(config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, url) in config.family_urls() {
        findings.push(family_name(key, url).await);
    }
    findings
}

async fn family_name(key: &str, url: &str) -> Finding {
    let (_, authority) = url.split_once("://").unwrap_or_default();
    let wants_ipv4 = key.ends_with("ipv4");
    match addresses_of(authority).await {
        Err(error) => Finding::new(
            Grade::Warning,
            format!(
                "{key} {url} cannot be found from here ({error}). Owners who are sent there may not find it either."
            ),
        ),
        Ok(found) if found.iter().any(|at| at.is_ipv4() != wants_ipv4) => {
            let (its, other) = if wants_ipv4 {
                ("IPv4", "IPv6")
            } else {
                ("IPv6", "IPv4")
            };
            Finding::new(
                Grade::Warning,
                format!(
                    "{key} {url} has {other} addresses too, so browsers may come over these and still not reach what is {its}. Give it a name without them."
                ),
            )
        }
        Ok(_) => Finding::new(
            Grade::Ok,
            format!("{key} {url} leads there over one family."),
        ),
    }
}

async fn addresses_of(authority: &str) -> io::Result<Vec<SocketAddr>> {
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let with_port = if has_port {
        authority.to_owned()
    } else {
        format!("{authority}:443")
    };
    let found: Vec<SocketAddr> = timeout(PATIENCE, lookup_host(with_port)).await??.collect();
    if found.is_empty() {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_of_both_families_is_told() {
        let graded = async |key, url| family_name(key, url).await.grade;
        assert_eq!(
            graded("public_url_ipv4", "https://127.0.0.1").await,
            Grade::Ok
        );
        assert_eq!(
            graded("public_url_ipv6", "https://[::1]:8443").await,
            Grade::Ok
        );
        assert_eq!(
            graded("public_url_ipv4", "https://[::1]").await,
            Grade::Warning
        );
        assert_eq!(
            graded("public_url_ipv6", "http://127.0.0.1:3000").await,
            Grade::Warning
        );
        assert_eq!(
            graded("public_url_ipv4", "https://gate.invalid").await,
            Grade::Warning
        );
    }
}
