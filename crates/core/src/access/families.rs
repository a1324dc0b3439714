//! IPv4 and IPv6: who comes over one of them reaches no service of the other.

use std::net::IpAddr;

use gatehouse_types::codes;

use super::Access;
use crate::{Error, Result, ports::access::ServiceRecord};

/// Second addresses of the portal whose names lead there over one family only.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FamilyUrls {
    /// Scheme and host that only IPv4 leads to.
    pub ipv4: Option<String>,
    /// Scheme and host that only IPv6 leads to.
    pub ipv6: Option<String>,
}

/// What keeps a client from a service of the other family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherFamily {
    /// How the client comes: `IPv4` or `IPv6`.
    pub yours: &'static str,
    /// What the service's address is.
    pub its: &'static str,
    /// Scheme and host where the portal is reached over the service's family, where it has any.
    pub url: Option<String>,
}

impl Access {
    /// Tells what keeps a client from a LAN host of the other family; `None` where both are of one.
    pub fn other_family(&self, client_ip: IpAddr, lan_ip: IpAddr) -> Option<OtherFamily> {
        let [yours, its] = [client_ip, lan_ip].map(family);
        let url = match lan_ip {
            IpAddr::V4(_) => &self.settings.family_urls.ipv4,
            IpAddr::V6(_) => &self.settings.family_urls.ipv6,
        };
        (yours != its).then(|| OtherFamily {
            yours,
            its,
            url: url.clone(),
        })
    }

    pub(super) fn check_family(&self, client_ip: IpAddr, service: &ServiceRecord) -> Result<()> {
        let Some(OtherFamily { yours, its, url }) = self.other_family(client_ip, service.lan_ip)
        else {
            return Ok(());
        };
        let at = url.map(|url| format!(", at {url},")).unwrap_or_default();
        Err(Error::conflict(
            codes::ADDRESS_FAMILY,
            format!(
                "You reach the portal over {yours} ({client_ip}), but this service has an {its} address. Reach the portal over {its}{at} and open it there."
            ),
        ))
    }
}

const fn family(ip: IpAddr) -> &'static str {
    if ip.is_ipv4() { "IPv4" } else { "IPv6" }
}
