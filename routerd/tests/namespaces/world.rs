//! A router between the internet and a LAN. The test itself runs in the router's namespace.

use crate::place::{Place, echoed, echoed_udp};
use gatehouse_router_protocol::message::{Protocol, Route};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// What clients dial, by family.
pub(crate) const PUBLIC_V4: &str = "203.0.113.1";
pub(crate) const PUBLIC_V6: &str = "2001:db8:1::1";
pub(crate) const CLIENT_V4: &str = "203.0.113.2";
pub(crate) const CLIENT_V6: &str = "2001:db8:1::2";
pub(crate) const STRANGER_V4: &str = "203.0.113.6";
pub(crate) const SERVER_V4: &str = "192.168.50.10";
pub(crate) const SERVER_V6: &str = "fd00:50::10";

/// Where the LAN server listens.
pub(crate) const FIRST_SERVICE: u16 = 80;
pub(crate) const SECOND_SERVICE: u16 = 81;
/// A port of the LAN server that nobody listens on.
pub(crate) const NO_SERVICE: u16 = 82;

const PUBLIC_PORT: u16 = 7890;

/// No test takes this long; one that does must not hang a whole run.
const DEADLINE: Duration = Duration::from_secs(100);

/// What the daemon is run with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Nft,
    Iptables,
}

impl Backend {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nft => "nft",
            Self::Iptables => "iptables",
        }
    }
}

/// A test's name and what it does.
pub(crate) type Scenario = (&'static str, fn(Backend));

/// The hosts around the router.
pub(crate) struct World {
    pub(crate) client: Place,
    pub(crate) stranger: Place,
    _server: Place,
}

impl World {
    pub(crate) fn make() -> Self {
        let [client, stranger, server] = [(); 3].map(|()| Place::make());
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
        take_addresses_at_once();
        for place in [&client, &stranger, &server] {
            place.inside(take_addresses_at_once);
        }
        ip(&format!(
            "link set lo up\n\
             link add wan0 type veth peer name eth0 netns {client}\n\
             link add wan1 type veth peer name eth0 netns {stranger}\n\
             link add lan0 type veth peer name eth0 netns {server}\n\
             addr add {PUBLIC_V4}/30 dev wan0\n\
             addr add {PUBLIC_V6}/64 dev wan0 nodad\n\
             addr add 203.0.113.5/30 dev wan1\n\
             addr add 2001:db8:2::1/64 dev wan1 nodad\n\
             addr add 192.168.50.1/24 dev lan0\n\
             addr add fd00:50::1/64 dev lan0 nodad\n\
             link set wan0 up\n\
             link set wan1 up\n\
             link set lan0 up\n",
            client = client.process_id(),
            stranger = stranger.process_id(),
            server = server.process_id(),
        ));
        std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
        std::fs::write("/proc/sys/net/ipv6/conf/all/forwarding", "1").unwrap();
        host(
            &client,
            &[(CLIENT_V4, 30, PUBLIC_V4), (CLIENT_V6, 64, PUBLIC_V6)],
        );
        host(
            &stranger,
            &[
                (STRANGER_V4, 30, "203.0.113.5"),
                ("2001:db8:2::2", 64, "2001:db8:2::1"),
            ],
        );
        host(
            &server,
            &[
                (SERVER_V4, 24, "192.168.50.1"),
                (SERVER_V6, 64, "fd00:50::1"),
            ],
        );
        server.echo(FIRST_SERVICE);
        server.echo(SECOND_SERVICE);
        Self {
            client,
            stranger,
            _server: server,
        }
    }

    /// Connects the client through a public port and checks that the LAN server answers.
    pub(crate) fn live(&self, route: &Route) -> TcpStream {
        let stream = self
            .client
            .connect(dialled(route))
            .expect("the client gets in");
        echoed(&stream).expect("the LAN server answers");
        stream
    }
}

/// Tells whether a host gets an answer of the LAN server over a fresh connection.
pub(crate) fn gets_in(host: &Place, route: &Route) -> bool {
    match route.protocol {
        Protocol::Tcp => host
            .connect(dialled(route))
            .is_ok_and(|stream| echoed(&stream).is_ok()),
        Protocol::Udp => echoed_udp(&host.udp(dialled(route))).is_ok(),
    }
}

/// An IPv6 address is not used before nobody objected to it, which takes a second or two.
fn take_addresses_at_once() {
    std::fs::write("/proc/sys/net/ipv6/conf/default/accept_dad", "0").unwrap();
}

fn host(place: &Place, addresses: &[(&str, u8, &str)]) {
    let mut lines = String::from("link set lo up\nlink set eth0 up\n");
    for (address, prefix, gateway) in addresses {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        let _ = writeln!(lines, "addr add {address}/{prefix} dev eth0 {nodad}");
        let _ = writeln!(lines, "route add default via {gateway}");
    }
    place.inside(|| ip(&lines));
}

/// The client's way to the LAN server, by protocol and family.
pub(crate) fn route(protocol: Protocol, client: &str) -> Route {
    let client: IpAddr = client.parse().unwrap();
    let server = if client.is_ipv4() {
        SERVER_V4
    } else {
        SERVER_V6
    };
    Route {
        ip_src: client,
        port_dst: PUBLIC_PORT,
        ip_dst_lan: server.parse().unwrap(),
        port_dst_lan: FIRST_SERVICE,
        protocol,
    }
}

/// The client's way over TCP and IPv4.
pub(crate) fn plain_route() -> Route {
    route(Protocol::Tcp, CLIENT_V4)
}

/// Where somebody who uses a route connects to.
pub(crate) fn dialled(route: &Route) -> SocketAddr {
    let public = if route.ip_src.is_ipv4() {
        PUBLIC_V4
    } else {
        PUBLIC_V6
    };
    SocketAddr::new(public.parse().unwrap(), route.port_dst)
}

/// Runs a program and gives what it printed.
pub(crate) fn run(program: &str, arguments: &[&str]) -> String {
    feed(program, arguments, "")
}

/// Runs a program with an input and gives what it printed.
pub(crate) fn feed(program: &str, arguments: &[&str], input: &str) -> String {
    let path = gatehouse_routerd::backend::find_tool(program).expect(program);
    let mut child = Command::new(path)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn ip(lines: &str) {
    feed("ip", &["-batch", "-"], lines);
}

/// Waits until something is so, and fails if that takes longer than allowed.
pub(crate) fn until(what: &str, allowed: Duration, mut is_so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < allowed, "not within {allowed:?}: {what}");
        thread::sleep(Duration::from_millis(20));
    }
    begun.elapsed()
}

/// Ends this process when a test hangs.
pub(crate) fn end_at_a_deadline() {
    thread::spawn(|| {
        thread::sleep(DEADLINE);
        eprintln!("the test took longer than {DEADLINE:?}");
        std::process::exit(101);
    });
}
