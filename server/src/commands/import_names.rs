//! Versions as people write them into file names.

use gatehouse_types::Version;

/// Finds the version in a file's name, spelled as it stands there.
///
/// `lamp-01.00.02.bin` has `01.00.02`; `firmware_v1.bin` has `1.0.0`, since a release has three numbers.
pub(super) fn version_in(file_name: &str) -> Option<String> {
    let stem = file_name
        .rsplit_once('.')
        .filter(|(_, kind)| !kind.bytes().all(|byte| byte.is_ascii_digit()))
        .map_or(file_name, |(stem, _)| stem);
    let starts = || starts_of_numbers(stem).map(|start| &stem[start..]);
    let whole = starts().map(version_text).find(|text| is_version(text));
    let three = || starts().map(numbers).find(|text| is_version(text));
    whole
        .or_else(three)
        .map(str::to_owned)
        .or_else(|| starts().filter_map(padded).last())
}

fn starts_of_numbers(stem: &str) -> impl Iterator<Item = usize> {
    let bytes = stem.as_bytes();
    let is_start = |place: usize| {
        let before = place.checked_sub(1).map(|before| bytes[before]);
        bytes[place].is_ascii_digit()
            && before.is_none_or(|byte| matches!(byte, b'-' | b'_' | b'v' | b'V' | b' '))
    };
    (0..bytes.len()).filter(move |place| is_start(*place))
}

/// As much of it as a version may hold.
fn version_text(text: &str) -> &str {
    let end = text.find(|letter: char| {
        !(letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '+'))
    });
    &text[..end.unwrap_or(text.len())]
}

fn numbers(text: &str) -> &str {
    let end = text.find(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    text[..end.unwrap_or(text.len())].trim_end_matches('.')
}

/// One or two numbers with zeros for those that are missing.
fn padded(text: &str) -> Option<String> {
    let short = numbers(text);
    let missing = ".0".repeat(2_usize.checked_sub(short.matches('.').count())?);
    Some(format!("{short}{missing}")).filter(|text| is_version(text))
}

fn is_version(text: &str) -> bool {
    text.parse::<Version>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::version_in;

    #[test]
    fn a_version_is_found_where_people_put_it() {
        for (name, expected) in [
            ("projectA-01.00.02.bin", Some("01.00.02")),
            ("firmware_v1.bin", Some("1.0.0")),
            ("firmware_v2.5.bin", Some("2.5.0")),
            ("lamp-1.2.3-beta.1.bin", Some("1.2.3-beta.1")),
            ("lamp-1.2.3_debug.bin", Some("1.2.3")),
            ("lamp-1.2.3.signed.bin", Some("1.2.3")),
            ("esp32-2-1.2.3.bin", Some("1.2.3")),
            ("v1.2.3.swu", Some("1.2.3")),
            ("1.2.3", Some("1.2.3")),
            ("lamp-0.9", Some("0.9.0")),
            ("esp32.bin", None),
            ("lamp.bin", None),
            ("lamp-.bin", None),
            ("", None),
            ("lampe-é1.bin", None),
        ] {
            assert_eq!(version_in(name).as_deref(), expected, "{name}");
        }
    }
}
