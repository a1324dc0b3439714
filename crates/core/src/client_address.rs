//! Who is asking, by address: the one resolver behind access sessions, rate limits, audit and logs.
//!
//! The address decides whom a firewall lets in. So everything here fails closed: a chain that
//! cannot be read gives no address at all, and never the proxy's own.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Where the trusted proxies say for whom they ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ForwardHeader {
    /// `X-Forwarded-For`: a comma-separated list, each proxy appends its peer.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239): the same list as `for=` parameters.
    Forwarded,
    /// The PROXY protocol: in the first bytes of a connection, and in no request.
    ProxyProtocol,
}

impl ForwardHeader {
    /// Names it as the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::XForwardedFor => "x-forwarded-for",
            Self::Forwarded => "forwarded",
            Self::ProxyProtocol => "proxy-protocol",
        }
    }

    /// Names the header of requests, as the `http` crate spells it; `None` where there is none.
    pub fn of_requests(self) -> Option<&'static str> {
        (self != Self::ProxyProtocol).then(|| self.name())
    }
}

/// A trusted proxy asked, but its header does not say for whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoClientAddress;

impl fmt::Display for NoClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("The proxy in front of the portal did not say which address you come from.")
    }
}

impl std::error::Error for NoClientAddress {}

/// Finds the client's address behind the proxies that the configuration trusts.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    trusted: Vec<IpNet>,
    header: ForwardHeader,
}

impl Resolver {
    /// Trusts the `header` of peers inside the `trusted` networks, and of nobody else.
    pub fn new(trusted: Vec<IpNet>, header: ForwardHeader) -> Self {
        Self { trusted, header }
    }

    /// Names the one header that [`Resolver::resolve`] wants to see.
    pub fn header(&self) -> ForwardHeader {
        self.header
    }

    /// Resolves the client of one request from the peer and the lines of the configured header.
    ///
    /// `lines` are the header's values in the order in which they came. The work is linear in
    /// the bytes right of the answer. IPv4-mapped IPv6 comes back as IPv4.
    ///
    /// # Errors
    /// [`NoClientAddress`] when the peer is a trusted proxy and the chain is absent, malformed
    /// before the first stranger, or made of trusted hops only.
    pub fn resolve<'a>(
        &self,
        peer: IpAddr,
        lines: impl DoubleEndedIterator<Item = &'a [u8]>,
    ) -> Result<IpAddr, NoClientAddress> {
        let peer = peer.to_canonical();
        if !self.trusts(peer) {
            return Ok(peer);
        }
        // Entries are cut at commas before they are read: whatever a client wrote on the left,
        // say an open quote, cannot swallow what a proxy appended on the right.
        for entry in lines
            .rev()
            .flat_map(|line| line.rsplit(|byte| *byte == b','))
        {
            let hop = self.read_entry(entry).ok_or(NoClientAddress)?;
            if !self.trusts(hop) {
                return Ok(hop);
            }
        }
        Err(NoClientAddress)
    }

    /// Tells whether the canonical `address` is one of the trusted proxies.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted
            .iter()
            .any(|network| network.contains(&address))
    }

    fn read_entry(&self, entry: &[u8]) -> Option<IpAddr> {
        let entry = std::str::from_utf8(entry).ok()?.trim_matches([' ', '\t']);
        let address = match self.header {
            ForwardHeader::XForwardedFor => parse_node(entry).or_else(|| parse_bare_v6(entry))?,
            ForwardHeader::Forwarded => parse_node(for_parameter(entry)?)?,
            ForwardHeader::ProxyProtocol => return None,
        };
        names_one_host(address).then_some(address)
    }
}

/// Reads `1.2.3.4`, `1.2.3.4:555`, `[2001:db8::1]` and `[2001:db8::1]:555`.
fn parse_node(node: &str) -> Option<IpAddr> {
    let (host, port) = if let Some(rest) = node.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        (IpAddr::V6(host.parse().ok()?), after)
    } else {
        let end = node.find(':').unwrap_or(node.len());
        (IpAddr::V4(node[..end].parse().ok()?), &node[end..])
    };
    is_port(port).then(|| host.to_canonical())
}

/// Reads an IPv6 address without brackets, which only `X-Forwarded-For` may carry.
fn parse_bare_v6(node: &str) -> Option<IpAddr> {
    let address: Ipv6Addr = node.parse().ok()?;
    Some(IpAddr::V6(address).to_canonical())
}

fn is_port(text: &str) -> bool {
    let Some(digits) = text.strip_prefix(':') else {
        return text.is_empty();
    };
    // `u16::from_str` alone would take a sign.
    digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.parse::<u16>().is_ok()
}

/// Finds the value of the single `for` parameter of one `Forwarded` element.
fn for_parameter(element: &str) -> Option<&str> {
    let mut found = None;
    for pair in element.split(';') {
        let (name, value) = pair.split_once('=')?;
        if name.trim_matches([' ', '\t']).eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            found = Some(unquote(value.trim_matches([' ', '\t']))?);
        }
    }
    found
}

/// Takes the quotes off; an escape inside them has no business in an address.
fn unquote(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest
            .strip_suffix('"')
            .filter(|inner| !inner.contains(['"', '\\'])),
        // Colons and brackets are not token characters, so unquoted means IPv4 without a port.
        None => (!value.contains([':', '[', '"'])).then_some(value),
    }
}

/// Tells whether a firewall rule for `address` would let in one host and no crowd.
pub fn names_one_host(address: IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !(address.is_unspecified() || address.is_multicast() || broadcast)
}

#[cfg(test)]
#[path = "client_address_tests.rs"]
mod tests;
