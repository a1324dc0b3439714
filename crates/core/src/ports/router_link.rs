//! The way to a router daemon.

use std::net::IpAddr;

use async_trait::async_trait;
use gatehouse_types::access::Transport;
use uuid::Uuid;

/// How to reach a daemon and prove who we are.
#[derive(Clone)]
pub struct RouterTarget {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RouterReply {
    /// How long the exchange took.
    pub latency_ms: i64,
    /// How far its clock is ahead of ours, where it said so.
    pub clock_difference_ms: Option<i64>,
    /// Sessions it holds, where it said so.
    pub sessions: Option<i64>,
}

/// Why a daemon did not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouterFailure {
    /// It could not be reached or not be trusted; the sentence says which.
    Unreachable(String),
    /// It answered and refused; the sentence says why.
    Refused(String),
    /// It took the command and gave no answer: it may have done it.
    Unsure(String),
}

impl RouterFailure {
    /// The sentence for people.
    pub fn detail(&self) -> &str {
        match self {
            Self::Unreachable(detail) | Self::Refused(detail) | Self::Unsure(detail) => detail,
        }
    }
}

/// Sends commands to router daemons.
#[async_trait]
pub trait RouterLink: Send + Sync {
    /// Sends one command and waits for the answer, 10 s at the most.
    async fn send(
        &self,
        router: &RouterTarget,
        command: RouterCommand,
    ) -> Result<RouterReply, RouterFailure>;
}
