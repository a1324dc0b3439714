//! What this router never opens, whatever the portal says.

use gatehouse_router_protocol::message::{ErrorCode, Route};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// A refusal's code and reason, before the daemon's clock is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The reason for programs.
    pub code: ErrorCode,
    /// The reason for people.
    pub reason: String,
}

impl Denied {
    /// Makes a refusal.
    pub fn new(code: ErrorCode, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}

const PUBLIC_PORTS: std::ops::RangeInclusive<u16> = 1024..=65534;

/// The daemon's own limits.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The networks that targets must lie in.
    pub lan_cidrs: Vec<IpNet>,
    /// The longest duration, in minutes.
    pub max_minutes: u32,
    /// Whether a client may come from a private or loopback address.
    pub allow_private_sources: bool,
    /// The port that the daemon itself listens on.
    pub own_port: u16,
    /// Ports that other programs of the router are reached at from outside.
    pub reserved_ports: Vec<u16>,
    /// Whether the router's own addresses are no targets: its own services do not lie behind the
    /// guard, and a session to them would let clients at the router's administration.
    pub refuse_own_addresses: bool,
}

impl Policy {
    /// Checks everything that a session would open.
    ///
    /// # Errors
    /// [`Denied`] with the first rule that it breaks.
    pub fn check_route(&self, route: &Route) -> Result<(), Denied> {
        self.check_source(route.ip_src)?;
        self.check_public_port(route.port_dst)?;
        self.check_target(route.ip_dst_lan)?;
        self.check_not_the_router(route.ip_dst_lan)?;
        if route.ip_src.is_ipv4() == route.ip_dst_lan.is_ipv4() {
            return Ok(());
        }
        let reason = format!(
            "{} cannot be led to {}: one is IPv4 and the other IPv6",
            route.ip_src, route.ip_dst_lan
        );
        Err(Denied::new(ErrorCode::TargetNotAllowed, reason))
    }

    /// Checks that a LAN host may be reached at all.
    ///
    /// # Errors
    /// [`Denied`] if it lies outside `lan_cidrs` or is no host.
    pub fn check_target(&self, target: IpAddr) -> Result<(), Denied> {
        let no_host = target.is_multicast()
            || target.is_unspecified()
            || (target.is_loopback() && !self.allow_private_sources);
        if !no_host && self.lan_cidrs.iter().any(|cidr| is_host_of(cidr, target)) {
            return Ok(());
        }
        let reason = format!("{target} is not a host in this router's lan_cidrs");
        Err(Denied::new(ErrorCode::TargetNotAllowed, reason))
    }

    fn check_not_the_router(&self, target: IpAddr) -> Result<(), Denied> {
        if self.refuse_own_addresses && is_own_address(target) {
            let reason = format!("{target} is an address of the router itself");
            return Err(Denied::new(ErrorCode::TargetNotAllowed, reason));
        }
        Ok(())
    }

    /// Checks a duration, in seconds.
    ///
    /// # Errors
    /// [`Denied`] if it is over `max_minutes`.
    pub fn check_duration(&self, duration_s: u32) -> Result<(), Denied> {
        if u64::from(duration_s) <= u64::from(self.max_minutes) * 60 {
            return Ok(());
        }
        let reason = format!("this router grants at most {} minutes", self.max_minutes);
        Err(Denied::new(ErrorCode::DurationNotAllowed, reason))
    }

    fn check_source(&self, source: IpAddr) -> Result<(), Denied> {
        let reason = match kind_of(source) {
            AddressKind::Public => return Ok(()),
            AddressKind::Private if self.allow_private_sources => return Ok(()),
            AddressKind::Private => {
                format!("{source} is a private address and allow_private_sources is off")
            }
            AddressKind::NoClient => format!("{source} cannot be a client's address"),
        };
        Err(Denied::new(ErrorCode::SourceNotAllowed, reason))
    }

    fn check_public_port(&self, port: u16) -> Result<(), Denied> {
        let reason = if port == self.own_port {
            format!("port {port} is the router daemon's own")
        } else if self.reserved_ports.contains(&port) {
            format!("port {port} is one of this router's reserved_ports")
        } else if PUBLIC_PORTS.contains(&port) {
            return Ok(());
        } else {
            format!("public ports are 1024 to 65534, {port} is not")
        };
        Err(Denied::new(ErrorCode::PortNotAllowed, reason))
    }
}

/// Leaves out an IPv4 network's own address and its broadcast address, where it has them.
fn is_host_of(cidr: &IpNet, target: IpAddr) -> bool {
    let has_edges = cidr.addr().is_ipv4() && cidr.prefix_len() < 31;
    let is_edge = target == cidr.network() || target == cidr.broadcast();
    cidr.contains(&target) && !(has_edges && is_edge)
}

/// Only an address of this machine can be bound.
fn is_own_address(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

enum AddressKind {
    Public,
    Private,
    NoClient,
}

fn kind_of(address: IpAddr) -> AddressKind {
    match address {
        IpAddr::V4(ip) => kind_of_v4(ip),
        IpAddr::V6(ip) => kind_of_v6(ip),
    }
}

fn kind_of_v4(ip: Ipv4Addr) -> AddressKind {
    let [first, second, ..] = ip.octets();
    let is_shared_by_carrier = first == 100 && (64..128).contains(&second);
    if first == 0 || first >= 224 {
        AddressKind::NoClient
    } else if ip.is_private() || ip.is_loopback() || ip.is_link_local() || is_shared_by_carrier {
        AddressKind::Private
    } else {
        AddressKind::Public
    }
}

fn kind_of_v6(ip: Ipv6Addr) -> AddressKind {
    if ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some() {
        AddressKind::NoClient
    } else if ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() {
        AddressKind::Private
    } else {
        AddressKind::Public
    }
}

#[cfg(test)]
mod tests {
    use super::Policy;
    use gatehouse_router_protocol::message::{ErrorCode, Protocol, Route};

    fn policy() -> Policy {
        Policy {
            lan_cidrs: vec![
                "192.168.50.0/24".parse().unwrap(),
                "fd00:50::/64".parse().unwrap(),
            ],
            max_minutes: 480,
            allow_private_sources: false,
            own_port: 9999,
            reserved_ports: vec![2222],
            refuse_own_addresses: true,
        }
    }

    fn route(ip_src: &str, port_dst: u16, ip_dst_lan: &str) -> Route {
        Route {
            ip_src: ip_src.parse().unwrap(),
            port_dst,
            ip_dst_lan: ip_dst_lan.parse().unwrap(),
            port_dst_lan: 80,
            protocol: Protocol::Tcp,
        }
    }

    fn code(policy: &Policy, route: &Route) -> Option<ErrorCode> {
        policy.check_route(route).err().map(|denied| denied.code)
    }

    #[test]
    fn public_sources_of_either_family_pass_to_their_own_family() {
        assert_eq!(
            code(&policy(), &route("203.0.113.7", 7890, "192.168.50.10")),
            None
        );
        assert_eq!(
            code(&policy(), &route("2001:db8::7", 7890, "fd00:50::10")),
            None
        );
        let mixed = route("2001:db8::7", 7890, "192.168.50.10");
        assert_eq!(code(&policy(), &mixed), Some(ErrorCode::TargetNotAllowed));
    }

    #[test]
    fn private_sources_need_the_switch() {
        let generous = Policy {
            allow_private_sources: true,
            ..policy()
        };
        for source in [
            "10.0.0.1",
            "192.168.50.3",
            "172.31.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.1.1",
        ] {
            let route = route(source, 7890, "192.168.50.10");
            assert_eq!(
                code(&policy(), &route),
                Some(ErrorCode::SourceNotAllowed),
                "{source}"
            );
            assert_eq!(code(&generous, &route), None, "{source}");
        }
        for source in ["::1", "fd00::1", "fe80::1"] {
            let route = route(source, 7890, "fd00:50::10");
            assert_eq!(
                code(&policy(), &route),
                Some(ErrorCode::SourceNotAllowed),
                "{source}"
            );
            assert_eq!(code(&generous, &route), None, "{source}");
        }
    }

    #[test]
    fn addresses_that_no_client_has_never_pass() {
        let generous = Policy {
            allow_private_sources: true,
            ..policy()
        };
        for source in [
            "0.0.0.0",
            "0.1.2.3",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "ff02::1",
            "::ffff:1.1.1.1",
        ] {
            let refusal = code(&generous, &route(source, 7890, "192.168.50.10"));
            assert_eq!(refusal, Some(ErrorCode::SourceNotAllowed), "{source}");
        }
    }

    #[test]
    fn targets_are_hosts_of_the_lan() {
        for target in [
            "192.168.51.1",
            "192.168.50.0",
            "192.168.50.255",
            "8.8.8.8",
            "127.0.0.1",
            "0.0.0.0",
        ] {
            let refusal = code(&policy(), &route("203.0.113.7", 7890, target));
            assert_eq!(refusal, Some(ErrorCode::TargetNotAllowed), "{target}");
        }
    }

    #[test]
    fn the_routers_own_addresses_are_no_targets() {
        let wide = Policy {
            lan_cidrs: vec!["127.0.0.0/8".parse().unwrap()],
            allow_private_sources: true,
            ..policy()
        };
        let to_itself = route("203.0.113.7", 7890, "127.0.0.1");
        assert_eq!(code(&wide, &to_itself), Some(ErrorCode::TargetNotAllowed));
        let dry_run = Policy {
            refuse_own_addresses: false,
            ..wide
        };
        assert_eq!(code(&dry_run, &to_itself), None);
    }

    #[test]
    fn a_wide_lan_still_holds_no_multicast_or_loopback() {
        let wide = Policy {
            lan_cidrs: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
            ..policy()
        };
        for target in [
            "224.0.0.1",
            "0.0.0.0",
            "255.255.255.255",
            "127.0.0.1",
            "ff02::1",
            "::",
            "::1",
        ] {
            assert!(
                wide.check_target(target.parse().unwrap()).is_err(),
                "{target}"
            );
        }
    }

    #[test]
    fn public_ports_are_unprivileged_and_neither_the_daemons_nor_the_routers_own() {
        for port in [22, 80, 1023, 65535, 9999, 2222] {
            let refusal = code(&policy(), &route("203.0.113.7", port, "192.168.50.10"));
            assert_eq!(refusal, Some(ErrorCode::PortNotAllowed), "{port}");
        }
        for port in [1024, 65534] {
            assert_eq!(
                code(&policy(), &route("203.0.113.7", port, "192.168.50.10")),
                None
            );
        }
    }

    #[test]
    fn durations_end_at_the_limit() {
        assert!(policy().check_duration(480 * 60).is_ok());
        assert!(policy().check_duration(480 * 60 + 1).is_err());
        assert!(policy().check_duration(u32::MAX).is_err());
    }
}
