use std::{cmp::Ordering, fmt, str::FromStr};

use crate::Invalid;

/// A release's version: SemVer, where `01.00.02` counts as `1.0.2`.
///
/// Two spellings with the same [`Version::key`] are one version. Build metadata (`+…`)
/// carries no order in SemVer 2.0.0 §10 and so none here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    numbers: [u32; 3],
    pre: Vec<Identifier>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

const WANTED: &str = "A version looks like 1.2.3, 01.02.03 or 1.2.3-beta.1.";
const MAX_NUMBER: u32 = 999_999_999;
const MAX_LENGTH: usize = 64;

impl Version {
    /// The one canonical spelling, without leading zeros and build metadata.
    pub fn key(&self) -> String {
        self.to_string()
    }

    fn invalid() -> Invalid {
        Invalid::new("version", WANTED)
    }
}

impl FromStr for Version {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.len() > MAX_LENGTH {
            return Err(Self::invalid());
        }
        let (text, build) = split_once_or_all(text, '+');
        if let Some(build) = build {
            identifiers(build)?;
        }
        let (core, pre) = split_once_or_all(text, '-');
        let numbers: Vec<u32> = core.split('.').map(number).collect::<Result<_, _>>()?;
        Ok(Self {
            numbers: numbers.try_into().map_err(|_| Self::invalid())?,
            pre: pre.map(identifiers).transpose()?.unwrap_or_default(),
        })
    }
}

fn split_once_or_all(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at)
        .map_or((text, None), |(head, tail)| (head, Some(tail)))
}

fn number(text: &str) -> Result<u32, Invalid> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Version::invalid());
    }
    text.parse()
        .ok()
        .filter(|number| *number <= MAX_NUMBER)
        .ok_or_else(Version::invalid)
}

fn identifiers(text: &str) -> Result<Vec<Identifier>, Invalid> {
    text.split('.').map(identifier).collect()
}

fn identifier(text: &str) -> Result<Identifier, Invalid> {
    if text.is_empty()
        || !text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        return Err(Version::invalid());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text
            .parse()
            .map(Identifier::Number)
            .map_err(|_| Version::invalid());
    }
    Ok(Identifier::Word(text.to_owned()))
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.numbers;
        write!(f, "{major}.{minor}.{patch}")?;
        for (position, identifier) in self.pre.iter().enumerate() {
            f.write_str(if position == 0 { "-" } else { "." })?;
            match identifier {
                Identifier::Number(number) => write!(f, "{number}")?,
                Identifier::Word(word) => f.write_str(word)?,
            }
        }
        Ok(())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // SemVer 2.0.0 §11: a version without a pre-release part comes after those with one.
        self.numbers.cmp(&other.numbers).then_with(|| {
            match (self.pre.is_empty(), other.pre.is_empty()) {
                (true, true) => Ordering::Equal,
                (true, false) => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => self.pre.cmp(&other.pre),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        text.parse().unwrap()
    }

    #[test]
    fn the_original_servers_spelling_is_the_same_version() {
        assert_eq!(version("01.00.02").key(), "1.0.2");
        assert_eq!(version("01.00.02").cmp(&version("1.0.2")), Ordering::Equal);
    }

    #[test]
    fn the_order_is_that_of_semver() {
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.2",
            "1.0.10",
            "1.2.0",
            "2.0.0",
        ];
        for pair in ascending.windows(2) {
            assert!(version(pair[0]) < version(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn what_is_no_version_is_refused() {
        for text in [
            "",
            "1",
            "1.0",
            "v1.0.0",
            "1.0.0.0",
            "9999999999.0.0",
            "1.0.x",
            "1.0.0-",
            "1.0.0+",
            "1..0",
            " 1.0.0",
            "1.0.0 ",
            "🦀.0.0",
            "1.0.-1",
            "٣.0.0",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn build_metadata_is_no_second_version() {
        assert_eq!(version("1.0.0+a").key(), version("1.0.0+b").key());
    }
}
