//! What the kernel holds, from the JSON of `nft -j list`.

use super::script::ends_by_flow;
use super::{Repairs, Traffic};
use crate::table::{Flow, Passage};
use gatehouse_router_protocol::message::Protocol;
use serde::de::{self, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// `nft` tells whole seconds, and a moment passes between our look at the clock and the kernel's.
const TOLERANCE_MS: u64 = 1500;

type Door = (IpAddr, Protocol, u16);

/// Our table as the kernel has it.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Everything but the elements, one text each, without what changes by itself.
    pub(super) rules: Vec<String>,
    doors: BTreeMap<Door, Found<(IpAddr, u16)>>,
    live: BTreeMap<Flow, Found<u64>>,
}

#[derive(Debug, Clone, Copy)]
struct Found<T> {
    /// `None` for an element that never ends.
    expires_s: Option<u64>,
    content: T,
}

impl<T> Found<T> {
    fn ends_in(&self, remaining_ms: u64) -> bool {
        self.expires_s.is_some_and(|expires_s| {
            let (earliest_ms, latest_ms) = (expires_s * 1000, (expires_s + 1) * 1000);
            earliest_ms <= remaining_ms + TOLERANCE_MS && remaining_ms <= latest_ms + TOLERANCE_MS
        })
    }

    fn is_ending(&self) -> bool {
        self.ends_in(0)
    }
}

impl Listing {
    /// Reads the answer of `nft -j list`, which may be megabytes and is given back early.
    pub(super) fn parse(json: Vec<u8>) -> Result<Self, Unreadable> {
        let wire: ListingWire =
            serde_json::from_slice(&json).map_err(|error| Unreadable(error.to_string()))?;
        drop(json);
        let mut listing = Self::default();
        for item in wire.nftables {
            listing.take(item)?;
        }
        Ok(listing)
    }

    /// Counts what is otherwise than `wanted`; what ends at this very moment may be there or not.
    pub(super) fn compare(&self, wanted: &[Passage], now_ms: u64) -> Repairs {
        let left_ms = |ends_at_ms: u64| ends_at_ms.saturating_sub(now_ms);
        let ends = ends_by_flow(wanted);
        let doors: BTreeMap<Door, &Passage> = wanted
            .iter()
            .map(|passage| (passage.door(), passage))
            .collect();
        let mut repairs = Repairs::default();
        for (door, Passage { route, ends_at_ms }) in &doors {
            let target = (route.ip_dst_lan, route.port_dst_lan);
            let remaining_ms = left_ms(*ends_at_ms);
            let found = self.doors.get(door);
            let as_wanted =
                found.map(|found| found.content == target && found.ends_in(remaining_ms));
            repairs.count(as_wanted, remaining_ms);
        }
        for (flow, ends_at_ms) in &ends {
            let remaining_ms = left_ms(*ends_at_ms);
            let found = self.live.get(flow);
            let as_wanted = found.map(|found| found.ends_in(remaining_ms));
            repairs.count(as_wanted, remaining_ms);
        }
        repairs.strangers = strangers(&self.doors, &doors) + strangers(&self.live, &ends);
        repairs
    }

    /// Gives the bytes that were counted.
    pub(super) fn traffic(&self) -> Traffic {
        self.live
            .iter()
            .map(|(flow, found)| (*flow, found.content))
            .collect()
    }

    fn take(&mut self, item: Item) -> Result<(), Unreadable> {
        match item {
            Item::Metainfo(_) => {}
            Item::Map(map) => {
                self.rules.push(map.definition());
                for (key, target) in map.elem {
                    let (key, expires_s, _) = key.into_parts();
                    let door = (
                        key.at(0)?.address()?,
                        key.at(1)?.protocol()?,
                        key.at(2)?.port()?,
                    );
                    let content = (target.at(0)?.address()?, target.at(1)?.port()?);
                    self.doors.insert(door, Found { expires_s, content });
                }
            }
            Item::Set(set) => {
                self.rules.push(set.definition());
                for element in set.elem {
                    let (key, expires_s, content) = element.into_parts();
                    let flow = (
                        key.at(0)?.address()?,
                        key.at(1)?.protocol()?,
                        key.at(2)?.address()?,
                        key.at(3)?.port()?,
                    );
                    self.live.insert(flow, Found { expires_s, content });
                }
            }
            Item::Table(other) | Item::Chain(other) | Item::Rule(other) => {
                self.rules.push(without_handle(other));
            }
        }
        Ok(())
    }
}

impl Repairs {
    fn count(&mut self, as_wanted: Option<bool>, remaining_ms: u64) {
        match as_wanted {
            Some(true) => {}
            Some(false) => self.different += 1,
            None if remaining_ms <= TOLERANCE_MS => {}
            None => self.missing += 1,
        }
    }
}

fn strangers<K: Ord, F, W>(found: &BTreeMap<K, Found<F>>, wanted: &BTreeMap<K, W>) -> usize {
    found
        .iter()
        .filter(|(key, element)| !wanted.contains_key(key) && !element.is_ending())
        .count()
}

/// A handle is another number after each time the table is set.
fn without_handle(mut object: serde_json::Value) -> String {
    if let Some(members) = object.as_object_mut() {
        members.remove("handle");
    }
    object.to_string()
}

/// Why a listing is not one of our table.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Unreadable(String);

#[derive(Deserialize)]
struct ListingWire {
    nftables: Vec<Item>,
}

/// An object of a kind that we never make is an error, and then the table is set anew.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Item {
    Metainfo(IgnoredAny),
    Table(serde_json::Value),
    Chain(serde_json::Value),
    Rule(serde_json::Value),
    Map(SetWire<(ElementWire, Concat)>),
    Set(SetWire<ElementWire>),
}

/// Without `flatten`, which would keep thousands of elements in memory twice.
#[derive(Deserialize)]
struct SetWire<E> {
    name: String,
    #[serde(rename = "type")]
    key: serde_json::Value,
    map: Option<serde_json::Value>,
    size: Option<u64>,
    flags: Option<serde_json::Value>,
    stmt: Option<serde_json::Value>,
    #[serde(default = "Vec::new")]
    elem: Vec<E>,
}

impl<E> SetWire<E> {
    fn definition(&self) -> String {
        let Self {
            name,
            key,
            map,
            size,
            flags,
            stmt,
            elem: _,
        } = self;
        format!("set {name} {key} {map:?} {size:?} {flags:?} {stmt:?}")
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ElementWire {
    Timed { elem: TimedWire },
    Bare(Concat),
}

#[derive(Deserialize)]
struct TimedWire {
    val: Concat,
    timeout: Option<u64>,
    expires: Option<u64>,
    counter: Option<CounterWire>,
}

#[derive(Deserialize)]
struct CounterWire {
    bytes: u64,
}

impl ElementWire {
    /// Gives the key, the seconds left if it ends at all, and the bytes counted.
    fn into_parts(self) -> (Concat, Option<u64>, u64) {
        match self {
            Self::Bare(key) => (key, None, 0),
            Self::Timed { elem } => {
                let expires_s = elem.timeout.map(|_| elem.expires.unwrap_or_default());
                let bytes = elem.counter.map(|counter| counter.bytes);
                (elem.val, expires_s, bytes.unwrap_or_default())
            }
        }
    }
}

#[derive(Deserialize)]
struct Concat {
    concat: Parts,
}

impl Concat {
    fn at(&self, index: usize) -> Result<Part, Unreadable> {
        self.concat
            .0
            .get(index)
            .copied()
            .flatten()
            .ok_or_else(|| Unreadable(format!("an element has no part {index}")))
    }
}

const MAX_PARTS: usize = 4;

/// The parts of a key or a target, read without a piece of memory for each.
struct Parts([Option<Part>; MAX_PARTS]);

#[derive(Debug, Clone, Copy)]
enum Part {
    Address(IpAddr),
    Protocol(Protocol),
    Number(u16),
}

impl Part {
    fn address(self) -> Result<IpAddr, Unreadable> {
        match self {
            Self::Address(address) => Ok(address),
            other => Err(other.unreadable("an address")),
        }
    }

    fn protocol(self) -> Result<Protocol, Unreadable> {
        match self {
            Self::Protocol(protocol) => Ok(protocol),
            other => Err(other.unreadable("a protocol")),
        }
    }

    fn port(self) -> Result<u16, Unreadable> {
        match self {
            Self::Number(port) => Ok(port),
            other => Err(other.unreadable("a port")),
        }
    }

    fn unreadable(self, expected: &str) -> Unreadable {
        Unreadable(format!("{self:?} is not {expected}"))
    }
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("at most four parts")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Parts, A::Error> {
        let mut read = [None; MAX_PARTS];
        for place in &mut read {
            *place = parts.next_element()?;
        }
        match parts.next_element::<IgnoredAny>()? {
            None => Ok(Parts(read)),
            Some(_) => Err(A::Error::custom("a fifth part")),
        }
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PartVisitor)
    }
}

struct PartVisitor;

impl Visitor<'_> for PartVisitor {
    type Value = Part;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an address, tcp, udp or a port")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Part, E> {
        let port = u16::try_from(number).map_err(|_| E::custom("no port"))?;
        Ok(Part::Number(port))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Part, E> {
        match text {
            "tcp" => Ok(Part::Protocol(Protocol::Tcp)),
            "udp" => Ok(Part::Protocol(Protocol::Udp)),
            _ => {
                let address = text.parse().map_err(|_| E::custom("no address"))?;
                Ok(Part::Address(address))
            }
        }
    }
}

#[cfg(test)]
mod tests;
