//! Requests in JSON.

use super::{need, nonce_text, require_version};
use crate::VERSION;
use crate::mac::MacAddress;
use crate::message::{Command, Envelope, InvalidMessage, Protocol, Request, RequestNonce, Route};
use crate::secret::Secret;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use uuid::Uuid;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Action {
    Add,
    Del,
    Extend,
    List,
    Flush,
    Probe,
    Wake,
    Ping,
}

/// A request as it stands in JSON: every member of every action, present or not.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RequestWire {
    v: u8,
    id: Uuid,
    ts_ms: u64,
    #[serde(with = "nonce_text")]
    nonce: RequestNonce,
    api_key: Secret,
    action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip_src: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_dst: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ip_dst_lan: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port_dst_lan: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    protocol: Option<Protocol>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<MacAddress>,
}

#[derive(Deserialize)]
struct EnvelopeWire {
    v: u8,
    id: Uuid,
    ts_ms: u64,
    #[serde(with = "nonce_text")]
    nonce: RequestNonce,
    api_key: Secret,
}

pub(crate) fn parse_envelope(json: &[u8]) -> Result<Envelope, InvalidMessage> {
    let wire: EnvelopeWire = serde_json::from_slice(json).map_err(InvalidMessage::new)?;
    require_version(wire.v)?;
    Ok(Envelope {
        id: wire.id,
        ts_ms: wire.ts_ms,
        nonce: wire.nonce,
        api_key: wire.api_key,
    })
}

impl RequestWire {
    pub(crate) fn parse(json: &[u8]) -> Result<Self, InvalidMessage> {
        let wire: Self = serde_json::from_slice(json).map_err(InvalidMessage::new)?;
        require_version(wire.v)?;
        Ok(wire)
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("plain members always have a JSON form")
    }

    /// Moves each member that the action has into the command; one that is left over is an error.
    pub(crate) fn into_request(mut self) -> Result<Request, InvalidMessage> {
        let command = match self.action {
            Action::Add => Command::Add {
                session_id: need(&mut self.session_id, "session_id")?,
                route: self.take_route()?,
                duration_s: self.take_duration()?,
            },
            Action::Extend => Command::Extend {
                session_id: need(&mut self.session_id, "session_id")?,
                duration_s: self.take_duration()?,
            },
            Action::Del => Command::Del {
                session_id: need(&mut self.session_id, "session_id")?,
            },
            Action::List => Command::List {
                after: self.session_id.take(),
            },
            Action::Probe => Command::Probe {
                target: self.take_target()?,
            },
            Action::Flush => Command::Flush,
            Action::Wake => Command::Wake {
                mac: need(&mut self.mac, "mac")?,
            },
            Action::Ping => Command::Ping,
        };
        self.refuse_leftovers()?;
        let Self {
            id,
            ts_ms,
            nonce,
            api_key,
            ..
        } = self;
        Ok(Request {
            envelope: Envelope {
                id,
                ts_ms,
                nonce,
                api_key,
            },
            command,
        })
    }

    fn take_route(&mut self) -> Result<Route, InvalidMessage> {
        let ip_src = plain_address(need(&mut self.ip_src, "ip_src")?, "ip_src")?;
        let port_dst = real_port(need(&mut self.port_dst, "port_dst")?, "port_dst")?;
        let target = self.take_target()?;
        Ok(Route {
            ip_src,
            port_dst,
            ip_dst_lan: target.ip(),
            port_dst_lan: target.port(),
            protocol: need(&mut self.protocol, "protocol")?,
        })
    }

    fn take_target(&mut self) -> Result<SocketAddr, InvalidMessage> {
        let ip = plain_address(need(&mut self.ip_dst_lan, "ip_dst_lan")?, "ip_dst_lan")?;
        let port = real_port(
            need(&mut self.port_dst_lan, "port_dst_lan")?,
            "port_dst_lan",
        )?;
        Ok(SocketAddr::new(ip, port))
    }

    fn take_duration(&mut self) -> Result<u32, InvalidMessage> {
        match need(&mut self.duration_s, "duration_s")? {
            0 => Err(InvalidMessage::new("duration_s must be at least 1")),
            duration_s => Ok(duration_s),
        }
    }

    fn refuse_leftovers(&self) -> Result<(), InvalidMessage> {
        let leftovers = [
            ("session_id", self.session_id.is_some()),
            ("ip_src", self.ip_src.is_some()),
            ("port_dst", self.port_dst.is_some()),
            ("ip_dst_lan", self.ip_dst_lan.is_some()),
            ("port_dst_lan", self.port_dst_lan.is_some()),
            ("protocol", self.protocol.is_some()),
            ("duration_s", self.duration_s.is_some()),
            ("mac", self.mac.is_some()),
        ];
        match leftovers.iter().find(|(_, present)| *present) {
            Some((name, _)) => Err(InvalidMessage::new(format_args!(
                "{name} does not belong to this action"
            ))),
            None => Ok(()),
        }
    }

    pub(crate) fn from_request(request: &Request) -> Self {
        let envelope = &request.envelope;
        let mut wire = Self {
            v: VERSION,
            id: envelope.id,
            ts_ms: envelope.ts_ms,
            nonce: envelope.nonce,
            api_key: envelope.api_key.clone(),
            action: Action::Ping,
            session_id: None,
            ip_src: None,
            port_dst: None,
            ip_dst_lan: None,
            port_dst_lan: None,
            protocol: None,
            duration_s: None,
            mac: None,
        };
        wire.put_command(&request.command);
        wire
    }

    fn put_command(&mut self, command: &Command) {
        match command {
            Command::Add {
                session_id,
                route,
                duration_s,
            } => {
                self.action = Action::Add;
                self.session_id = Some(*session_id);
                self.ip_src = Some(route.ip_src);
                self.port_dst = Some(route.port_dst);
                self.put_target(route.target());
                self.protocol = Some(route.protocol);
                self.duration_s = Some(*duration_s);
            }
            Command::Extend {
                session_id,
                duration_s,
            } => {
                self.action = Action::Extend;
                self.session_id = Some(*session_id);
                self.duration_s = Some(*duration_s);
            }
            Command::Del { session_id } => {
                self.action = Action::Del;
                self.session_id = Some(*session_id);
            }
            Command::List { after } => {
                self.action = Action::List;
                self.session_id = *after;
            }
            Command::Probe { target } => {
                self.action = Action::Probe;
                self.put_target(*target);
            }
            Command::Flush => self.action = Action::Flush,
            Command::Wake { mac } => {
                self.action = Action::Wake;
                self.mac = Some(*mac);
            }
            Command::Ping => self.action = Action::Ping,
        }
    }

    fn put_target(&mut self, target: SocketAddr) {
        self.ip_dst_lan = Some(target.ip());
        self.port_dst_lan = Some(target.port());
    }
}

pub(crate) fn real_port(port: u16, name: &str) -> Result<u16, InvalidMessage> {
    if port == 0 {
        Err(InvalidMessage::new(format_args!("{name} must not be 0")))
    } else {
        Ok(port)
    }
}

/// Refuses `::ffff:a.b.c.d`: it would slip past rules that are written for IPv4.
fn plain_address(address: IpAddr, name: &str) -> Result<IpAddr, InvalidMessage> {
    if address.to_canonical() == address {
        Ok(address)
    } else {
        Err(InvalidMessage::new(format_args!(
            "{name} must be written as an IPv4 address"
        )))
    }
}
