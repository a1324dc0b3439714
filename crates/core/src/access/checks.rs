//! What a field of a router or service must look like before it may reach a daemon.

use std::net::IpAddr;

use gatehouse_types::{
    access::{ICONS, Transport, Wake},
    limits::{PUBLIC_PORTS, SESSION_MAX_MINUTES},
};

use crate::{
    Error, Result,
    ports::{access::ServiceRecord, router_link::LinkProtocol},
};

/// What the original daemon takes, by `access.md`.
const LEGACY_MAX_MINUTES: i64 = 998;
const KEY_MIN_CHARS: usize = 16;
const KEY_MAX_CHARS: usize = 256;
const ADDRESS_MAX_BYTES: usize = 255;
const URL_PATH_MAX_BYTES: usize = 200;

/// Checks `host:port`, where the host is a name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn router_address(address: &str) -> Result<()> {
    let wrong = || {
        Error::invalid(
            "address",
            "The address of a daemon looks like router.example.org:9999, 192.0.2.1:9999 or [2001:db8::1]:9999.",
        )
    };
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port_fits = port.bytes().all(|digit| digit.is_ascii_digit())
        && port.parse::<u16>().is_ok_and(|port| port > 0);
    if !port_fits || address.len() > ADDRESS_MAX_BYTES {
        return Err(wrong());
    }
    if let Some(v6) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        return v6
            .parse::<std::net::Ipv6Addr>()
            .map_err(|_| wrong())
            .and_then(|ip| not_reserved(ip.into()));
    }
    // Some resolvers read a name that ends in a number as an address: `127.1`, `0x7f.1`, `1.0X7F`.
    if host.rsplit('.').next().is_some_and(is_number) {
        return host
            .parse::<std::net::Ipv4Addr>()
            .map_err(|_| wrong())
            .and_then(|ip| not_reserved(ip.into()));
    }
    if host.split('.').all(is_host_label) {
        Ok(())
    } else {
        Err(wrong())
    }
}

fn is_number(label: &str) -> bool {
    let hex = label.strip_prefix("0x").or(label.strip_prefix("0X"));
    hex.map_or_else(
        || label.bytes().all(|byte| byte.is_ascii_digit()),
        |digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
    )
}

fn is_host_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A daemon lives on a router: never on a link-local, multicast or unspecified address, where
/// cloud metadata services answer.
fn not_reserved(ip: IpAddr) -> Result<()> {
    let reserved = match ip.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_multicast() || v4.is_unspecified() || v4.is_broadcast()
        }
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified(),
    };
    if reserved {
        return Err(Error::invalid(
            "address",
            "A daemon cannot live on a link-local, multicast or unspecified address.",
        ));
    }
    Ok(())
}

/// Checks a key that is shared with the daemon.
pub(super) fn shared_key(field: &'static str, key: &str) -> Result<()> {
    let length = key.chars().count();
    if !(KEY_MIN_CHARS..=KEY_MAX_CHARS).contains(&length) || key.chars().any(char::is_control) {
        return Err(Error::invalid(
            field,
            "A key has between 16 and 256 characters; `gatehouse-routerd keygen` makes one.",
        ));
    }
    Ok(())
}

/// Reads a certificate's SHA-256: 64 hex digits, colons allowed between pairs.
pub(super) fn cert_sha256(text: &str) -> Result<[u8; 32]> {
    let digits: String = text.trim().chars().filter(|mark| *mark != ':').collect();
    let mut pin = [0; 32];
    hex::decode_to_slice(&digits, &mut pin)
        .map_err(|_| Error::invalid("cert_sha256", "The pin is the SHA-256 of the daemon's certificate: 64 hex digits, as `gatehouse-routerd keygen` prints it."))?;
    Ok(pin)
}

/// Checks the protocol version of a router.
pub(super) fn protocol(version: i64) -> Result<()> {
    match version {
        1 | 2 => Ok(()),
        _ => Err(Error::invalid(
            "protocol",
            "The protocol is 2, or 1 for the original daemon.",
        )),
    }
}

/// Checks that a router of this protocol can let anybody through to a service: the original
/// daemon knows TCP over IPv4 only, counts to 998 minutes and wakes nobody.
pub(super) fn carries(protocol: LinkProtocol, service: &ServiceRecord) -> Result<()> {
    if protocol == LinkProtocol::Gatehouse {
        return Ok(());
    }
    let refuse = |field, why| Err(Error::invalid(field, why));
    match service {
        _ if service.transport != Transport::Tcp => refuse(
            "protocol",
            "The router's original daemon lets TCP through only.",
        ),
        _ if !service.lan_ip.is_ipv4() => refuse(
            "lan_ip",
            "The router's original daemon knows IPv4 addresses only.",
        ),
        _ if service.max_minutes > LEGACY_MAX_MINUTES => refuse(
            "max_minutes",
            "The router's original daemon opens for 998 minutes at most.",
        ),
        _ if matches!(service.wake, Some(Wake::Wol { .. })) => refuse(
            "wake",
            "The router's original daemon sends no Wake-on-LAN. Use a home backend, or wake nothing.",
        ),
        _ => Ok(()),
    }
}

/// Reads a LAN address: one host, in the usual spelling only.
pub(super) fn lan_ip(text: &str) -> Result<IpAddr> {
    let wrong = || {
        Error::invalid(
            "lan_ip",
            "The address of a host in your LAN looks like 192.168.1.50 or fd00::50.",
        )
    };
    let ip: IpAddr = text.trim().parse().map_err(|_| wrong())?;
    // `::ffff:192.168.1.50` would count as IPv6 here and is refused by the daemon.
    let unusable = ip.to_canonical() != ip
        || ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_loopback()
        || ip == IpAddr::from([255, 255, 255, 255]);
    if unusable { Err(wrong()) } else { Ok(ip) }
}

/// Reads the hardware address of one network card: six pairs of hex digits between colons or dashes.
pub(super) fn mac(text: &str) -> Result<[u8; 6]> {
    let wrong = || {
        Error::invalid(
            "wake.mac",
            "A hardware address looks like 02:00:5e:10:00:01 and is not one of a group.",
        )
    };
    let pairs: Vec<&str> = text.trim().split([':', '-']).collect();
    let has_pairs = pairs.len() == 6 && pairs.iter().all(|pair| pair.len() == 2);
    let mut mac = [0; 6];
    if !has_pairs || hex::decode_to_slice(pairs.concat(), &mut mac).is_err() {
        return Err(wrong());
    }
    let is_group = mac[0] & 1 == 1;
    if is_group || mac == [0; 6] {
        Err(wrong())
    } else {
        Ok(mac)
    }
}

/// Checks the port of a service inside the LAN.
pub(super) fn lan_port(port: u16) -> Result<()> {
    if port == 0 {
        return Err(Error::invalid(
            "lan_port",
            "A port lies between 1 and 65535.",
        ));
    }
    Ok(())
}

/// Checks the port that is opened on the router.
pub(super) fn public_port(port: u16) -> Result<()> {
    if !PUBLIC_PORTS.contains(&port) {
        return Err(Error::invalid(
            "public_port",
            "A public port lies between 1024 and 65534.",
        ));
    }
    Ok(())
}

/// Checks the icon's name.
pub(super) fn icon(name: &str) -> Result<()> {
    if !ICONS.contains(&name) {
        return Err(Error::invalid(
            "icon",
            format!("An icon is one of: {}.", ICONS.join(", ")),
        ));
    }
    Ok(())
}

/// Checks the path of a web service's link: `/path`, `http:/path` or `https:/path`.
pub(super) fn url_path(path: &str) -> Result<()> {
    let (_, path) = scheme_and_path(path);
    let plain = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'`'));
    if !path.starts_with('/') || path.starts_with("//") || !plain || path.len() > URL_PATH_MAX_BYTES
    {
        return Err(Error::invalid(
            "url_path",
            "A path starts with one slash, such as /web; write https:/web for a service that speaks TLS.",
        ));
    }
    Ok(())
}

/// Splits `https:/web` into its scheme and path; `http` when no scheme is named.
pub(super) fn scheme_and_path(path: &str) -> (&'static str, &str) {
    match (path.strip_prefix("https:"), path.strip_prefix("http:")) {
        (Some(rest), _) => ("https", rest),
        (None, Some(rest)) => ("http", rest),
        (None, None) => ("http", path),
    }
}

/// Checks the default and the maximum of a service's minutes.
pub(super) fn minutes(default_minutes: i64, max_minutes: i64) -> Result<()> {
    if !(1..=SESSION_MAX_MINUTES).contains(&max_minutes) {
        return Err(Error::invalid(
            "max_minutes",
            format!("The maximum lies between 1 and {SESSION_MAX_MINUTES} minutes."),
        ));
    }
    if !(1..=max_minutes).contains(&default_minutes) {
        return Err(Error::invalid(
            "default_minutes",
            "The default lies between 1 minute and the maximum.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_daemon_cannot_be_looked_for_where_metadata_services_answer() {
        for bad in [
            "169.254.169.254:80",
            "[fe80::1]:9999",
            "0.0.0.0:9999",
            "127.1:9999",
            "0x7f.1:9999",
            "0177.0.0.1:99999",
            "0X7F.1:9999",
            "169.254.0xa9fe:80",
            "169.0xfea9fe:80",
            "[::ffff:169.254.169.254]:80",
            "router",
            "router:",
            "router:0",
            "router:+80",
            "http://router:9999",
            "ro uter:9999",
            "router/x:9999",
            "user@router:9999",
            "[::]:9999",
            "224.0.0.1:1",
            "-a.b:1",
        ] {
            assert!(router_address(bad).is_err(), "{bad}");
        }
        for good in [
            "router.example.org:9999",
            "192.0.2.1:9999",
            "[2001:db8::1]:9999",
            "127.0.0.1:9999",
            "localhost:9999",
            "0x7f.example.org:9999",
        ] {
            assert!(router_address(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn shell_option_and_mask_tricks_never_become_an_address() {
        for bad in [
            "1.1.1.1; reboot",
            "1.2.3.4/00",
            "-j ACCEPT",
            "192.168.1.50\n",
            "0xC0.168.1.50",
            "192.168.050.1",
            "",
            "::",
            "127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:192.168.1.50",
        ] {
            let taken = lan_ip(bad);
            // A trailing line break is trimmed like any blank at the end of a form field.
            assert!(taken.is_err() || bad == "192.168.1.50\n", "{bad:?}");
        }
    }

    #[test]
    fn a_link_cannot_leave_the_router() {
        for bad in [
            "javascript:alert(1)",
            "//evil.example",
            "web",
            "https://evil.example",
            "/\"onload=",
            "/a b",
            "/\\evil",
            "https:web",
        ] {
            assert!(url_path(bad).is_err(), "{bad}");
        }
        assert_eq!(scheme_and_path("https:/web"), ("https", "/web"));
        assert!(url_path("https:/web?a=b#c").is_ok());
    }

    #[test]
    fn a_hardware_address_is_one_cards() {
        let mac_of_card = [2, 0, 0x5e, 0x10, 0, 0xff];
        for good in [
            "02:00:5e:10:00:ff",
            "02-00-5E-10-00-FF",
            " 02:00:5e:10:00:ff ",
        ] {
            assert_eq!(mac(good).unwrap(), mac_of_card, "{good}");
        }
        for bad in [
            "",
            "02:00:5e:10:00",
            "02:00:5e:10:00:ff:00",
            "2:00:5e:10:00:0ff",
            "02005e1000ff",
            "ff:ff:ff:ff:ff:ff",
            "01:00:5e:00:00:01",
            "00:00:00:00:00:00",
            "02:00:5e:10:00:0g",
            "02:00:5e:10:00:ff; reboot",
        ] {
            assert!(mac(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn pins_come_with_or_without_colons() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        assert_eq!(cert_sha256(&plain).unwrap(), cert_sha256(&colons).unwrap());
        assert!(cert_sha256("abcd").is_err());
    }
}
