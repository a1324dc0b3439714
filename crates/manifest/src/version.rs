//! The order of versions (SemVer 2.0.0, section 11), where `01.00.02` counts as `1.0.2`.

use core::cmp::Ordering;

/// Whether a version is the other or comes after it; what is no version reaches nothing.
pub(crate) fn reaches(version: &str, least: &str) -> bool {
    match (Version::read(version), Version::read(least)) {
        (Some(version), Some(least)) => version.compare(&least) != Ordering::Less,
        _ => false,
    }
}

struct Version<'a> {
    numbers: [u32; 3],
    pre_release: Option<&'a str>,
}

impl<'a> Version<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let (text, _build) = text.split_once('+').unwrap_or((text, ""));
        let (core, pre_release) = match text.split_once('-') {
            Some((core, pre_release)) => (core, Some(pre_release)),
            None => (text, None),
        };
        let mut parts = core.split('.').map(|part| part.parse().ok());
        let numbers = [parts.next()??, parts.next()??, parts.next()??];
        parts.next().is_none().then_some(Self {
            numbers,
            pre_release,
        })
    }

    fn compare(&self, other: &Self) -> Ordering {
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| match (self.pre_release, other.pre_release) {
                (None, None) => Ordering::Equal,
                (None, Some(_)) => Ordering::Greater,
                (Some(_), None) => Ordering::Less,
                (Some(one), Some(other)) => {
                    let identifiers = other.split('.').map(Identifier::read);
                    one.split('.').map(Identifier::read).cmp(identifiers)
                }
            })
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Identifier<'a> {
    Number(u64),
    Word(&'a str),
}

impl<'a> Identifier<'a> {
    fn read(text: &'a str) -> Self {
        text.parse().map_or(Self::Word(text), Self::Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_semver() {
        let ascending = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0",
            "1.0.2",
            "1.0.10",
            "2.0.0",
        ];
        for pair in ascending.windows(2) {
            assert!(reaches(pair[1], pair[0]), "{pair:?}");
            assert!(!reaches(pair[0], pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn spellings_of_one_version_are_equal() {
        for (one, other) in [("01.00.02", "1.0.2"), ("1.0.0+a", "1.0.0+b")] {
            assert!(reaches(one, other) && reaches(other, one));
        }
    }

    #[test]
    fn what_is_no_version_reaches_nothing() {
        for text in [
            "",
            "1",
            "1.0",
            "1.0.0.0",
            "v1.0.0",
            "1.0.x",
            "9999999999.0.0",
        ] {
            assert!(!reaches(text, "0.0.0") && !reaches("1.0.0", text), "{text}");
        }
    }
}
