//! Requests in JSON, with the original's names, ranges and defaults.

use crate::message::{InvalidMessage, Protocol, Route};
use crate::secret::Secret;
use crate::wire::{need, real_port};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use uuid::Uuid;

/// How long a door can stay open, in minutes.
pub const TIMEOUT_MINUTES: RangeInclusive<u16> = 1..=998;

/// How long a door stays open when nothing else is said, in minutes.
pub const DEFAULT_TIMEOUT_MINUTES: u16 = 5;

const PUBLIC_PORTS: RangeInclusive<u16> = 1024..=65534;

/// What a client names to open and to close. Our own daemon knows a rule by these three; the
/// original's knows it by the port on the LAN host as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Door {
    /// The client's public address.
    pub ip_src: Ipv4Addr,
    /// The public port on the router, 1024..=65534.
    pub port_dst: u16,
    /// The LAN host.
    pub ip_dst_lan: Ipv4Addr,
}

impl Door {
    /// Finds the door of a route.
    ///
    /// # Errors
    /// [`InvalidMessage`] if this protocol has no words for it: it knows IPv4 and TCP only, and
    /// public ports from 1024 to 65534.
    pub fn of(route: &Route) -> Result<Self, InvalidMessage> {
        match (route.ip_src, route.ip_dst_lan, route.protocol) {
            (IpAddr::V4(ip_src), IpAddr::V4(ip_dst_lan), Protocol::Tcp) => Ok(Self {
                ip_src,
                port_dst: public_port(route.port_dst)?,
                ip_dst_lan,
            }),
            _ => Err(InvalidMessage::new(
                "the original protocol opens IPv4 and TCP only",
            )),
        }
    }

    /// Gives the id that the door has among sessions, which in this protocol have none: the same
    /// door always has the same, so opening it again prolongs it.
    pub fn session_id(&self) -> Uuid {
        session_id_of(self.ip_src.into(), self.port_dst, self.ip_dst_lan.into())
    }
}

/// Gives the id of a session that is known by these three only.
pub fn session_id_of(ip_src: IpAddr, port_dst: u16, ip_dst_lan: IpAddr) -> Uuid {
    let digest = Sha256::digest(format!(
        "gatehouse router v1\n{ip_src}\n{port_dst}\n{ip_dst_lan}"
    ));
    uuid::Builder::from_custom_bytes(std::array::from_fn(|index| digest[index])).into_uuid()
}

/// Tells whether an id is one of [`session_id_of`]: other sessions' ids have another version.
pub fn is_door(session_id: Uuid) -> bool {
    session_id.get_version() == Some(uuid::Version::Custom)
}

/// What a client of version 1 can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyCommand {
    /// Opens a door, or puts its end anew.
    Add {
        /// The door.
        door: Door,
        /// The port on the LAN host.
        port_dst_lan: u16,
        /// Minutes until it closes by itself, 1..=998.
        timeout_minutes: u16,
    },
    /// Closes a door.
    Del {
        /// The door.
        door: Door,
        /// The port on the LAN host. Without it the original looks for a rule that leads to the
        /// public port's number; our own daemon does not look at it.
        port_dst_lan: Option<u16>,
    },
    /// Closes every door.
    Flush,
}

/// One request of version 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyRequest {
    /// The key that client and daemon share. The original wants it from some actions only; here a
    /// request without it cannot be read.
    pub api_key: Secret,
    /// What is asked for.
    pub command: LegacyCommand,
}

/// Tells whether an opened message is a whole JSON object, and not the start of one.
pub fn is_whole_request(message: &[u8]) -> bool {
    message.trim_ascii_start().first() == Some(&b'{')
        && serde_json::from_slice::<IgnoredAny>(message).is_ok()
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Add,
    Del,
    Flush,
}

/// A request as it stands in JSON. Members that an action does not need may be there, as the
/// original's clients send them, but none that no action has.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LegacyWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip_src: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_dst: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip_dst_lan: Option<Ipv4Addr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_dst_lan: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rule_timeout: Option<u16>,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key: Option<Secret>,
}

impl LegacyRequest {
    /// Reads a JSON request.
    ///
    /// # Errors
    /// [`InvalidMessage`] with the member that is missing, unknown or out of range.
    pub fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        let mut wire: LegacyWire = serde_json::from_slice(json).map_err(InvalidMessage::new)?;
        Ok(Self {
            api_key: need(&mut wire.api_key, "api_key")?,
            command: wire.into_command()?,
        })
    }

    /// Writes the JSON text.
    ///
    /// # Panics
    /// Never: plain members always have a JSON form.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&LegacyWire::of(self)).expect("plain members always have a JSON form")
    }
}

impl LegacyWire {
    fn into_command(mut self) -> Result<LegacyCommand, InvalidMessage> {
        match self.action {
            Action::Add => self.take_add(),
            Action::Del => Ok(LegacyCommand::Del {
                door: self.take_door()?,
                port_dst_lan: self.port_dst_lan,
            }),
            Action::Flush => Ok(LegacyCommand::Flush),
        }
    }

    fn take_add(&mut self) -> Result<LegacyCommand, InvalidMessage> {
        let door = self.take_door()?;
        let port_dst_lan = self.port_dst_lan.unwrap_or(door.port_dst);
        let timeout_minutes = self.rule_timeout.unwrap_or(DEFAULT_TIMEOUT_MINUTES);
        if !TIMEOUT_MINUTES.contains(&timeout_minutes) {
            return Err(InvalidMessage::new(format_args!(
                "rule_timeout is {timeout_minutes} and must be 1 to 998 minutes"
            )));
        }
        Ok(LegacyCommand::Add {
            door,
            port_dst_lan: real_port(port_dst_lan, "port_dst_lan")?,
            timeout_minutes,
        })
    }

    fn take_door(&mut self) -> Result<Door, InvalidMessage> {
        Ok(Door {
            ip_src: need(&mut self.ip_src, "ip_src")?,
            port_dst: public_port(need(&mut self.port_dst, "port_dst")?)?,
            ip_dst_lan: need(&mut self.ip_dst_lan, "ip_dst_lan")?,
        })
    }

    fn of(request: &LegacyRequest) -> Self {
        let (action, door, port_dst_lan, rule_timeout) = match request.command {
            LegacyCommand::Add {
                door,
                port_dst_lan,
                timeout_minutes,
            } => (
                Action::Add,
                Some(door),
                Some(port_dst_lan),
                Some(timeout_minutes),
            ),
            LegacyCommand::Del { door, port_dst_lan } => {
                (Action::Del, Some(door), port_dst_lan, None)
            }
            LegacyCommand::Flush => (Action::Flush, None, None, None),
        };
        Self {
            ip_src: door.map(|door| door.ip_src),
            port_dst: door.map(|door| door.port_dst),
            ip_dst_lan: door.map(|door| door.ip_dst_lan),
            port_dst_lan,
            rule_timeout,
            action,
            api_key: Some(request.api_key.clone()),
        }
    }
}

fn public_port(port: u16) -> Result<u16, InvalidMessage> {
    if PUBLIC_PORTS.contains(&port) {
        Ok(port)
    } else {
        Err(InvalidMessage::new(format_args!(
            "port_dst is {port} and must be 1024 to 65534"
        )))
    }
}
