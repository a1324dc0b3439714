//! The router's namespace, in which this program runs, with a client outside and a server in the LAN.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{self, Managed};

/// What the client dials; an address for documentation, as is the client's own.
pub(super) const ROUTER: &str = "203.0.113.1";
/// The host in the LAN that all services lead to.
pub(super) const LAN_SERVER: &str = "192.168.50.10";
/// Where that host echoes what comes.
const LAN_PORT: u16 = 80;
const HOLDER_LIMIT: Duration = Duration::from_secs(10);

/// The hosts around the router; they go away with this value.
pub(super) struct Network {
    /// The one that sessions let in.
    pub(super) client: Host,
    _server: Host,
}

impl Network {
    /// Makes the hosts, connects them with this namespace and lets the server echo.
    ///
    /// # Errors
    /// When a namespace, a link or an address cannot be made.
    pub(super) fn make() -> Result<Self> {
        let (client, server) = (Host::make()?, Host::make()?);
        ip("link set lo up")?;
        connect("wan0", &format!("{ROUTER}/30"), &client)?;
        connect("lan0", "192.168.50.1/24", &server)?;
        fs::write("/proc/sys/net/ipv4/ip_forward", "1")?;
        client.set_up("203.0.113.2/30", ROUTER)?;
        server.set_up(&format!("{LAN_SERVER}/24"), "192.168.50.1")?;
        let listener = server.inside(|| TcpListener::bind((LAN_SERVER, LAN_PORT)))??;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || echo(&stream));
            }
        });
        Ok(Self {
            client,
            _server: server,
        })
    }
}

fn echo(stream: &TcpStream) {
    stream.set_nodelay(true).ok();
    let (mut from, mut to) = (stream, stream);
    // The measurement is of how this ends: with an error, once the router cuts it.
    std::io::copy(&mut from, &mut to).ok();
}

/// Puts one end of a cable into this namespace and the other, `eth0`, into a host's.
fn connect(interface: &str, address: &str, host: &Host) -> Result<()> {
    let far = host.holder.id();
    ip(&format!(
        "link add {interface} type veth peer name eth0 netns {far}"
    ))?;
    ip(&format!("addr add {address} dev {interface}"))?;
    ip(&format!("link set {interface} up"))
}

fn ip(words: &str) -> Result<()> {
    process::output(process::command("ip").args(words.split(' '))).map(drop)
}

/// A network namespace of its own, held by a program that does nothing.
pub(super) struct Host {
    holder: Managed,
}

impl Host {
    fn make() -> Result<Self> {
        let mut holder = process::command("unshare");
        holder.args(["--net", "--", "sleep", "infinity"]);
        let host = Self {
            holder: Managed::start(&mut holder)?,
        };
        let ours = fs::read_link("/proc/self/ns/net")?;
        let deadline = Instant::now() + HOLDER_LIMIT;
        while fs::read_link(host.namespace())? == ours {
            if Instant::now() > deadline {
                bail!("`unshare --net` makes no namespace");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(host)
    }

    fn namespace(&self) -> PathBuf {
        Path::new("/proc")
            .join(self.holder.id().to_string())
            .join("ns/net")
    }

    fn set_up(&self, address: &str, gateway: &str) -> Result<()> {
        self.inside(|| {
            ip("link set lo up")?;
            ip("link set eth0 up")?;
            ip(&format!("addr add {address} dev eth0"))?;
            ip(&format!("route add default via {gateway}"))
        })?
    }

    /// Does something in this namespace; sockets, programs and threads that it starts stay there.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub(super) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let namespace = File::open(self.namespace())?;
        thread::scope(|scope| {
            let worker = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            worker
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}
