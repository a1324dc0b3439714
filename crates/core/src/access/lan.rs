//! Who sits in the same LAN as a service needs no session.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_types::access::{Service, ServiceKind};

use super::{Access, checks::scheme_and_path};

/// The way to a service inside its LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectWay {
    /// The link of a web service.
    pub url: Option<String>,
    /// The host in the LAN.
    pub host: String,
    /// The port on it.
    pub port: u16,
    /// Whether the client is a neighbour of the service. One that only shares the router's public
    /// address may as well sit behind the same provider, or in another net of the house.
    pub is_certain: bool,
}

impl Access {
    /// Gives the way that needs no router, to a client that is in the service's LAN already.
    ///
    /// A portal in that LAN sees the client's own address, one elsewhere sees the router's public
    /// one. Either way the client is behind the router, whose doors open on the other side.
    pub fn direct_way(&self, service: &Service, client_ip: IpAddr) -> Option<DirectWay> {
        let lan_ip: IpAddr = service.lan_ip.parse().ok()?;
        let comes_through_router =
            is_public(client_ip) && self.healths.is_at(service.router_id, client_ip);
        let is_certain = are_neighbours(client_ip, lan_ip);
        (is_certain || comes_through_router).then(|| DirectWay {
            is_certain,
            ..uncertain_way(service, lan_ip)
        })
    }
}

fn uncertain_way(service: &Service, lan_ip: IpAddr) -> DirectWay {
    let host = match lan_ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let url = (service.kind == ServiceKind::Web).then(|| {
        let (scheme, path) = scheme_and_path(&service.url_path);
        format!("{scheme}://{host}:{}{path}", service.lan_port)
    });
    DirectWay {
        url,
        host,
        port: service.lan_port,
        is_certain: false,
    }
}

/// A router under a private address is itself a client of somebody's LAN: it hides nobody.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_private() && !ip.is_loopback() && !ip.is_link_local(),
        IpAddr::V6(_) => false,
    }
}

/// The portal does not know how large the LAN is. It takes the /24 of a private IPv4 address and
/// the /64 of an IPv6 one, as nearly every home has them.
fn are_neighbours(client_ip: IpAddr, lan_ip: IpAddr) -> bool {
    let net_v4 = |ip: Ipv4Addr| ip.to_bits() >> 8;
    let net_v6 = |ip: Ipv6Addr| ip.to_bits() >> 64;
    match (client_ip, lan_ip) {
        (IpAddr::V4(client), IpAddr::V4(lan)) => lan.is_private() && net_v4(client) == net_v4(lan),
        (IpAddr::V6(client), IpAddr::V6(lan)) => net_v6(client) == net_v6(lan),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::are_neighbours;

    #[test]
    fn neighbours_share_the_smallest_usual_net() {
        for (client, lan, neighbours) in [
            ("192.168.1.20", "192.168.1.50", true),
            ("192.168.2.20", "192.168.1.50", false),
            ("10.0.0.7", "10.0.0.9", true),
            ("203.0.113.7", "192.168.1.50", false),
            ("203.0.113.7", "203.0.113.9", false),
            ("fd00::7", "fd00::50", true),
            ("2001:db8:0:1::7", "2001:db8:0:1::50", true),
            ("2001:db8:0:2::7", "2001:db8:0:1::50", false),
            ("fd00::7", "192.168.1.50", false),
        ] {
            let found = are_neighbours(client.parse().unwrap(), lan.parse().unwrap());
            assert_eq!(found, neighbours, "{client} and {lan}");
        }
    }
}
