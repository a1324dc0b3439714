//! A portal that is trusted, and with what.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use gatehouse_manifest::PublicKey;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::moment::minute_of_day;

/// What the owner of the co-signer lets one portal do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Portal {
    /// What people call it.
    pub name: String,
    /// Its identity key: PEM, SubjectPublicKeyInfo, P-256.
    pub key_pem: String,
    /// The projects it may ask for.
    pub projects: Projects,
    /// When it may ask; `None` means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Hours>,
    /// How many signatures it gets in an hour; `None` sets no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_hour: Option<u32>,
    /// Whether a second person has to agree to each release.
    #[serde(default)]
    pub needs_approval: bool,
    /// Whether a release that was signed before stays signable after a newer one.
    #[serde(default)]
    pub older_releases: bool,
    /// Whether messages that are no release manifests are signed, too.
    #[serde(default)]
    pub plain_messages: bool,
    /// When it was trusted, in milliseconds since the Unix epoch.
    pub trusted_at_ms: i64,
    /// When it was revoked, in milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at_ms: Option<i64>,
}

/// Which projects a portal is trusted for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Projects {
    /// Any, written `"*"`.
    Any(Star),
    /// These.
    These(BTreeSet<Uuid>),
}

/// The text `*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Star {
    /// The one that there is.
    #[serde(rename = "*")]
    Star,
}

impl Projects {
    pub(crate) fn contain(&self, project_id: Uuid) -> bool {
        match self {
            Self::Any(Star::Star) => true,
            Self::These(ids) => ids.contains(&project_id),
        }
    }
}

impl fmt::Display for Projects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(Star::Star) => f.write_str("any project"),
            Self::These(ids) => {
                let ids: Vec<String> = ids.iter().map(Uuid::to_string).collect();
                f.write_str(&ids.join(", "))
            }
        }
    }
}

/// A part of each day in UTC, such as `08:00-18:00`; `22:00-06:00` goes over midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hours {
    from_minute: i64,
    until_minute: i64,
}

impl Hours {
    /// Says whether a moment lies in them, the end excluded.
    pub fn contain(&self, at_ms: i64) -> bool {
        let minute = minute_of_day(at_ms);
        if self.from_minute < self.until_minute {
            (self.from_minute..self.until_minute).contains(&minute)
        } else {
            !(self.until_minute..self.from_minute).contains(&minute)
        }
    }
}

impl FromStr for Hours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hours = text.split_once('-').and_then(|(from, until)| {
            Some(Self {
                from_minute: minute_in(from)?,
                until_minute: minute_in(until)?,
            })
        });
        hours
            .filter(|hours| hours.from_minute != hours.until_minute)
            .ok_or_else(|| "hours look like 08:00-18:00, in UTC".to_owned())
    }
}

fn minute_in(text: &str) -> Option<i64> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str, below: i64| {
        let is_spelled_so = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: i64 = text.parse().ok()?;
        (is_spelled_so && number < below).then_some(number)
    };
    Some(number(hour, 24)? * 60 + number(minute, 60)?)
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from_minute, self.until_minute);
        let [(from_h, from_m), (until_h, until_m)] = [from, until].map(|at| (at / 60, at % 60));
        write!(f, "{from_h:02}:{from_m:02}-{until_h:02}:{until_m:02}")
    }
}

impl TryFrom<String> for Hours {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Hours> for String {
    fn from(hours: Hours) -> Self {
        hours.to_string()
    }
}

/// A portal as it is held in memory: with its key read and its id known.
pub(crate) struct KnownPortal {
    pub(crate) portal: Portal,
    pub(crate) key: PublicKey,
    pub(crate) server_id: Uuid,
}

impl KnownPortal {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let portal: Portal = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let key = identity_key(&portal.key_pem)?;
        Ok(Self {
            server_id: server_id(&key)?,
            portal,
            key,
        })
    }
}

/// Reads a portal's identity key, which is a P-256 key because its bearers are signed with ES256.
pub(crate) fn identity_key(pem: &str) -> Result<PublicKey, String> {
    let key = PublicKey::from_pem(pem).map_err(|refusal| refusal.to_string())?;
    if key.to_jwk("").crv == "P-256" {
        Ok(key)
    } else {
        Err("the identity key of a portal is a P-256 key".to_owned())
    }
}

/// Gives the id that belongs to a portal's key.
pub(crate) fn server_id(key: &PublicKey) -> Result<Uuid, String> {
    key.server_id()
        .parse()
        .map_err(|_| "the key has no server id".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Hours, Projects};

    const HOUR_MS: i64 = 3_600_000;

    fn hours(text: &str) -> Hours {
        text.parse().expect(text)
    }

    #[test]
    fn hours_begin_with_their_first_minute_and_end_before_their_last() {
        let office = hours("08:00-18:00");
        let inside = [8 * HOUR_MS, 18 * HOUR_MS - 1, 24 * HOUR_MS + 8 * HOUR_MS];
        assert!(inside.iter().all(|at_ms| office.contain(*at_ms)));
        let outside = [0, 8 * HOUR_MS - 1, 18 * HOUR_MS, 23 * HOUR_MS];
        assert!(!outside.iter().any(|at_ms| office.contain(*at_ms)));
    }

    #[test]
    fn hours_may_go_over_midnight() {
        let night = hours("22:30-06:00");
        let inside = [0, 6 * HOUR_MS - 1, 22 * HOUR_MS + HOUR_MS / 2];
        assert!(inside.iter().all(|at_ms| night.contain(*at_ms)));
        let outside = [6 * HOUR_MS, 12 * HOUR_MS, 22 * HOUR_MS];
        assert!(!outside.iter().any(|at_ms| night.contain(*at_ms)));
        assert_eq!(night.to_string(), "22:30-06:00");
    }

    #[test]
    fn what_is_no_part_of_a_day_is_refused() {
        let wrong = [
            "",
            "8:00-18:00",
            "08:00",
            "24:00-01:00",
            "08:60-09:00",
            "08:00-08:00",
            "+1:00-02:00",
        ];
        for text in wrong {
            assert!(text.parse::<Hours>().is_err(), "{text}");
        }
    }

    #[test]
    fn projects_are_a_star_or_a_list() {
        let any: Projects = serde_json::from_str(r#""*""#).expect("a star");
        let id = "2c1a7bd0-8f0e-7c3b-9d55-0d7f2f4a9a11";
        let these: Projects = serde_json::from_str(&format!("[\"{id}\"]")).expect("a list");
        let (ours, other) = (id.parse().expect("an id"), uuid::Uuid::nil());
        assert!(any.contain(ours) && any.contain(other));
        assert!(these.contain(ours) && !these.contain(other));
        assert_eq!(serde_json::to_string(&any).expect("text"), r#""*""#);
        assert!(serde_json::from_str::<Projects>(r#""all""#).is_err());
    }
}
