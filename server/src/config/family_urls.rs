//! Second host names that lead to the portal over one family only.

use std::net::IpAddr;

use gatehouse_core::access::FamilyUrls;

use super::{Config, layers::Layers, values};
use crate::refusal::Refusal;

const IPV4: &str = "public_url_ipv4";
const IPV6: &str = "public_url_ipv6";

pub(super) fn read(layers: &Layers) -> Result<FamilyUrls, Refusal> {
    Ok(FamilyUrls {
        ipv4: layers.parsed(IPV4, values::public_url)?,
        ipv6: layers.parsed(IPV6, values::public_url)?,
    })
}

impl Config {
    /// Gives each that is set, with the name of its key.
    pub fn family_urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let both = [
            (IPV4, self.family_urls.ipv4.as_deref()),
            (IPV6, self.family_urls.ipv6.as_deref()),
        ];
        both.into_iter().filter_map(|(key, url)| Some((key, url?)))
    }

    /// Cookies are made for one scheme, and one address cannot be of each family only.
    pub(super) fn refuse_family_urls_that_lead_nowhere(&self) -> Result<(), Refusal> {
        let public_url = self.public_url(self.listen);
        for (key, url) in self.family_urls() {
            let scheme = |url: &str| url.split_once("://").map(|(scheme, _)| scheme.to_owned());
            if scheme(url) != scheme(&public_url) {
                return Err(Refusal::new(format!(
                    "{key} {url} must begin like public_url, which is {public_url}."
                )));
            }
            let wants_ipv4 = key == IPV4;
            if host(url)
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_ipv4() != wants_ipv4)
            {
                return Err(Refusal::new(format!(
                    "{key} {url} is an address of the other family."
                )));
            }
        }
        let both = &self.family_urls;
        if both.ipv4.is_some() && both.ipv4 == both.ipv6 {
            return Err(Refusal::new(format!(
                "{IPV4} and {IPV6} are one address. Give each a name that leads to addresses of its family only."
            )));
        }
        Ok(())
    }
}

/// The host in an origin, without the brackets of an IPv6 address.
fn host(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, rest)| rest);
    if let Some((address, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return address;
    }
    authority
        .split_once(':')
        .map_or(authority, |(host, _)| host)
}
