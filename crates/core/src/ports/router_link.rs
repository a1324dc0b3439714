//! The way to a router daemon.

use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use gatehouse_types::access::Transport;
use uuid::Uuid;

/// What a daemon speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProtocol {
    /// The original daemon's: it opens and closes IPv4 TCP ports and tells nothing about itself.
    Original,
    /// Ours.
    Gatehouse,
}

impl LinkProtocol {
    /// Reads the number in a router's row; every number but 1 means ours.
    pub const fn of_version(version: i64) -> Self {
        match version {
            1 => Self::Original,
            _ => Self::Gatehouse,
        }
    }
}

/// How to reach a daemon and prove who we are.
#[derive(Clone)]
pub struct RouterTarget {
    /// What it speaks.
    pub protocol: LinkProtocol,
    /// `host:port`.
    pub address: String,
    /// SHA-256 of its certificate.
    pub cert_sha256: [u8; 32],
    /// Shared with the daemon.
    pub api_key: String,
    /// Shared with the daemon.
    pub aes_key: String,
}

/// What a rule lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Names the rule; everything is idempotent by it.
    pub session_id: Uuid,
    /// The address that is let in.
    pub client_ip: IpAddr,
    /// The port on the router.
    pub public_port: u16,
    /// Where it leads.
    pub lan_ip: IpAddr,
    /// Where it leads.
    pub lan_port: u16,
    /// TCP or UDP.
    pub transport: Transport,
}

/// What the daemon shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouterCommand {
    /// Let it through for so many seconds.
    Add(Rule, u32),
    /// Let it end so many seconds from now.
    Extend(Rule, u32),
    /// End it now.
    Del(Rule),
    /// Say how you are.
    Ping,
}

/// What a daemon says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RouterReply {
    /// How long the exchange took.
    pub latency_ms: i64,
    /// How far its clock is ahead of ours, where it said so.
    pub clock_difference_ms: Option<i64>,
    /// Sessions it holds, where it said so.
    pub sessions: Option<i64>,
    /// Its version, where it said so.
    pub version: Option<String>,
    /// What enforces its sessions, where it said so.
    pub backend: Option<String>,
    /// What went through the session that it closed, in both directions, where it said so.
    pub traffic_bytes: Option<i64>,
    /// The address it was reached at, of all those that its name has.
    pub reached_ip: Option<IpAddr>,
    /// Whether the answer proves that both keys are right. A ping to an original daemon goes no
    /// further than its certificate.
    pub proves_keys: bool,
}

/// A session that a daemon holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldSession {
    /// What it lets through.
    pub rule: Rule,
    /// Until it ends by itself.
    pub remaining_ms: i64,
    /// What went through it in both directions, where that is counted.
    pub traffic_bytes: Option<i64>,
}

/// What a connection from the router to a LAN port came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// The port took it.
    Up {
        /// How long that took.
        latency_ms: i64,
    },
    /// It was refused, or nothing came back within 2 s.
    Down,
}

/// Why a daemon did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterFailure {
    /// It could not be reached or not be trusted; the sentence says which.
    Unreachable(String),
    /// It answered and refused; the sentence says why.
    Refused(String),
    /// It answered that it is too busy, which passes. Nothing was done.
    NotNow(String),
    /// It answered that something failed inside it, which passes: it may have done it all the same.
    Failed(String),
    /// It took the command and gave no answer: it may have done it.
    Unsure(String),
}

impl RouterFailure {
    /// The sentence for people.
    pub fn detail(&self) -> &str {
        match self {
            Self::Unreachable(detail)
            | Self::Refused(detail)
            | Self::NotNow(detail)
            | Self::Failed(detail)
            | Self::Unsure(detail) => detail,
        }
    }
}

/// Sends commands to router daemons.
#[async_trait]
pub trait RouterLink: Send + Sync {
    /// Sends one command and waits for the answer, 15 s at the most.
    async fn send(
        &self,
        router: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure>;

    /// Lists every session that the daemon holds, by id; `None` when it speaks a protocol that
    /// cannot tell.
    async fn list(&self, router: &RouterTarget) -> Result<Option<Vec<HeldSession>>, RouterFailure>;

    /// Lets the daemon connect to a TCP port of its LAN; `None` when it speaks a protocol that
    /// cannot.
    async fn probe(
        &self,
        router: &RouterTarget,
        lan_port: SocketAddr,
    ) -> Result<Option<Probed>, RouterFailure>;

    /// Lets the daemon send Wake-on-LAN packets for this hardware address into its LAN. Success
    /// means sent; whether the host wakes, a probe tells. An original daemon refuses.
    async fn wake(&self, router: &RouterTarget, mac: [u8; 6]) -> Result<(), RouterFailure>;
}
