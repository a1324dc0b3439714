//! Where Wake-on-LAN packets are sent to.

use crate::Failure;
use ipnet::IpNet;
use std::net::SocketAddrV4;

/// Where packets go when no port is named; network cards look at any.
const DEFAULT_PORT: u16 = 9;

/// Takes the addresses that were named, or finds those of the networks.
///
/// # Errors
/// [`Failure`] with the first text that is no IPv4 address.
pub(super) fn broadcasts(
    named: Option<&[String]>,
    lan_cidrs: &[IpNet],
) -> Result<Vec<SocketAddrV4>, Failure> {
    match named {
        Some(texts) => texts.iter().map(|text| parse(text)).collect(),
        None => Ok(lan_cidrs.iter().filter_map(broadcast_of).collect()),
    }
}

/// Networks of one or two addresses have no broadcast address, and IPv6 has none at all.
fn broadcast_of(network: &IpNet) -> Option<SocketAddrV4> {
    match network {
        IpNet::V4(v4) if v4.prefix_len() < 31 => {
            Some(SocketAddrV4::new(v4.broadcast(), DEFAULT_PORT))
        }
        _ => None,
    }
}

fn parse(text: &str) -> Result<SocketAddrV4, Failure> {
    let without_port = || text.parse().map(|ip| SocketAddrV4::new(ip, DEFAULT_PORT));
    text.parse().or_else(|_| without_port()).map_err(|_| {
        Failure::new(format!(
            "wake_broadcasts holds \"{text}\", which is no IPv4 address such as \"192.168.50.255\" or \"192.168.50.255:9\""
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::broadcasts;

    #[test]
    fn they_come_from_the_networks_unless_they_are_named() {
        let networks = ["192.168.50.0/24", "10.1.2.0/30", "10.9.9.9/32", "fd00::/64"];
        let networks = networks.map(|network| network.parse().unwrap());
        let texts = |named: Option<&[String]>| -> Vec<String> {
            let found = broadcasts(named, &networks).unwrap();
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(texts(None), ["192.168.50.255:9", "10.1.2.3:9"]);
        let named = ["192.168.50.127".to_owned(), "10.0.0.255:7".to_owned()];
        assert_eq!(texts(Some(&named)), ["192.168.50.127:9", "10.0.0.255:7"]);
        assert!(texts(Some(&[])).is_empty());
    }
}
