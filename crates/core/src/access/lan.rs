//! Who sits in the same LAN as a service needs no session.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_types::access::{Service, ServiceKind};

use super::checks::scheme_and_path;

/// The way to a service inside its LAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectWay {
    /// The link of a web service.
    pub url: Option<String>,
    /// The host in the LAN.
    pub host: String,
    /// The port on it.
    pub port: u16,
}

/// Gives the way that needs no router, to a client that is in the service's LAN already.
///
/// The portal does not know how large that LAN is. It takes the /24 of a private IPv4 address and
/// the /64 of an IPv6 one, as nearly every home has them.
pub fn direct_way(service: &Service, client_ip: IpAddr) -> Option<DirectWay> {
    let lan_ip: IpAddr = service.lan_ip.parse().ok()?;
    if !are_neighbours(client_ip, lan_ip) {
        return None;
    }
    let host = match lan_ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    };
    let url = (service.kind == ServiceKind::Web).then(|| {
        let (scheme, path) = scheme_and_path(&service.url_path);
        format!("{scheme}://{host}:{}{path}", service.lan_port)
    });
    Some(DirectWay {
        url,
        host,
        port: service.lan_port,
    })
}

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
