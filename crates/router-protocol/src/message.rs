//! The messages: what a portal may ask, what a daemon may answer.
//!
//! Nothing here is a free text that could reach a firewall command: addresses, ports, protocols and
//! times are parsed into types, and a message with a member that its action does not have is refused.

use crate::mac::MacAddress;
use crate::secret::Secret;
use crate::wire::{AnswerWire, RequestWire};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use uuid::Uuid;

/// How many sessions one answer to `list` holds at most, so that it fits into one frame.
pub const LIST_PAGE_SESSIONS: usize = 32;

/// A transport protocol that can be let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        })
    }
}

/// Who is let through to what: one client address, one public port, one LAN target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The client's public address.
    pub ip_src: IpAddr,
    /// The public port on the router.
    pub port_dst: u16,
    /// The LAN host.
    pub ip_dst_lan: IpAddr,
    /// The port on the LAN host.
    pub port_dst_lan: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
}

impl Route {
    /// Gives the LAN host and port.
    pub fn target(&self) -> SocketAddr {
        SocketAddr::new(self.ip_dst_lan, self.port_dst_lan)
    }
}

/// What the portal asks for; all of it can be repeated without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Opens a session, or puts it anew with this route and end if the daemon knows the id.
    Add {
        /// The session's id in the portal.
        session_id: Uuid,
        /// Who is let through to what.
        route: Route,
        /// Seconds from now until it ends, at least 1.
        duration_s: u32,
    },
    /// Replaces the end of an open session.
    Extend {
        /// The session's id in the portal.
        session_id: Uuid,
        /// Seconds from now until it ends, at least 1.
        duration_s: u32,
    },
    /// Ends a session; succeeds as well when there is none.
    Del {
        /// The session's id in the portal.
        session_id: Uuid,
    },
    /// Lists open sessions by id, at most [`LIST_PAGE_SESSIONS`] after the one named.
    List {
        /// The last id of the page before; `None` for the first page.
        after: Option<Uuid>,
    },
    /// Ends all sessions.
    Flush,
    /// Connects to a LAN target over TCP and hangs up.
    Probe {
        /// The LAN host and port.
        target: SocketAddr,
    },
    /// Sends Wake-on-LAN packets into the LAN. Whether the host wakes, a probe tells.
    Wake {
        /// The hardware address of the host.
        mac: MacAddress,
    },
    /// Asks for the daemon's state.
    Ping,
}

/// A one-time number that keeps a request from being played again; 32 hexadecimal digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestNonce(pub [u8; 16]);

impl fmt::Display for RequestNonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for RequestNonce {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl std::str::FromStr for RequestNonce {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 16];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| "a nonce is 32 hexadecimal digits")?;
        Ok(Self(bytes))
    }
}

/// What a request says about itself; looked at before the rest of it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The request's id, which its answer repeats.
    pub id: Uuid,
    /// The portal's clock, in milliseconds since the Unix epoch.
    pub ts_ms: u64,
    /// The one-time number.
    pub nonce: RequestNonce,
    /// The key that the portal and the daemon share.
    pub api_key: Secret,
}

impl Envelope {
    /// Reads only the envelope out of a JSON request, whatever else is in it.
    ///
    /// With it a daemon can authenticate the sender first and tell only a known one what is wrong
    /// with the rest.
    ///
    /// # Errors
    /// [`InvalidMessage`] if one of its members is missing, double or of the wrong kind.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        crate::wire::parse_envelope(json)
    }
}

/// One request of the portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who asks, and when.
    pub envelope: Envelope,
    /// What is asked for.
    pub command: Command,
}

impl Request {
    /// Reads a JSON request.
    ///
    /// # Errors
    /// [`InvalidMessage`] with the member that is missing, unknown, out of place or out of range.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        RequestWire::parse(json)?.into_request()
    }

    /// Writes the JSON text.
    pub fn to_json(&self) -> Vec<u8> {
        RequestWire::from_request(self).to_json()
    }
}

/// A message that this protocol version does not know, with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMessage(String);

impl InvalidMessage {
    const MAX_CHARS: usize = 200;

    /// Keeps a reason that may quote the peer short and free of control characters and of marks
    /// that turn the reading order.
    pub(crate) fn new(reason: impl fmt::Display) -> Self {
        let printable = |symbol: char| match symbol {
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '?',
            control if control.is_control() => '?',
            plain => plain,
        };
        Self(
            reason
                .to_string()
                .chars()
                .take(Self::MAX_CHARS)
                .map(printable)
                .collect(),
        )
    }
}

/// A session that the daemon keeps open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenSession {
    /// The session's id in the portal.
    pub session_id: Uuid,
    /// Who is let through to what.
    #[serde(flatten)]
    pub route: Route,
    /// Milliseconds until it ends by itself.
    pub remaining_ms: u64,
    /// Bytes in both directions since it was opened; `None` where the daemon does not count them.
    /// Sessions of one client to the same LAN port share a count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// What a daemon says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// The daemon's version.
    pub version: String,
    /// The daemon's clock, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// What enforces the sessions, such as `dry-run`.
    pub backend: String,
    /// How many sessions are open.
    pub sessions: u32,
    /// How many may be open at once.
    pub max_sessions: u32,
    /// The longest duration granted, in minutes.
    pub max_minutes: u32,
}

/// What a daemon answers when it did what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is done and there is nothing to tell (`del`, `wake`).
    Done,
    /// The session is over, and so much went through it (`del`, where the daemon counted it).
    Closed {
        /// Bytes in both directions, as in [`OpenSession`].
        bytes: u64,
    },
    /// The session as it is now (`add`, `extend`).
    Session(OpenSession),
    /// One page of the open sessions (`list`).
    Sessions {
        /// The page, ordered by session id.
        sessions: Vec<OpenSession>,
        /// What to list after for the next page; `None` on the last.
        next: Option<Uuid>,
    },
    /// How many sessions ended (`flush`).
    Flushed {
        /// The number of sessions.
        removed: u32,
    },
    /// The target took a connection (`probe`).
    Reachable {
        /// Milliseconds until it did.
        latency_ms: u32,
    },
    /// The daemon's state (`ping`).
    Status(DaemonStatus),
}

/// Why a daemon did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// The daemon does not accept the sender: key, clock or replay; its log says which.
    NotAccepted,
    /// The message breaks the protocol.
    InvalidRequest,
    /// This daemon cannot do that.
    Unsupported,
    /// The client's address may not be let through.
    SourceNotAllowed,
    /// The LAN target is outside what the daemon may open.
    TargetNotAllowed,
    /// The public port may not be used.
    PortNotAllowed,
    /// The public port leads to another target at the moment.
    PortInUse,
    /// The duration is over the daemon's own limit.
    DurationNotAllowed,
    /// The daemon's limit of open sessions is reached.
    TooManySessions,
    /// There is no such session, or it has ended.
    UnknownSession,
    /// The probed target did not take a connection.
    Unreachable,
    /// The daemon has too much of this kind to do at the moment.
    Busy,
    /// Something failed inside the daemon; its log says what.
    Internal,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(formatter)
    }
}

/// A refusal with its reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason for programs.
    pub code: ErrorCode,
    /// The reason for people.
    pub reason: String,
    /// The daemon's clock in milliseconds since the Unix epoch, so that a portal can tell a clock
    /// difference from a wrong key.
    pub now_ms: u64,
}

/// One answer of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// The id of the request that it answers.
    pub id: Uuid,
    /// What was done, or why not.
    pub outcome: Result<Answer, Refusal>,
}

impl Response {
    /// Reads a JSON answer; members that this version does not know are passed over, so that a
    /// newer daemon can say more.
    ///
    /// # Errors
    /// [`InvalidMessage`] if a member is missing or of the wrong kind.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        AnswerWire::parse(json)?.into_response()
    }

    /// Writes the JSON text.
    pub fn to_json(&self) -> Vec<u8> {
        AnswerWire::from_response(self).to_json()
    }
}
