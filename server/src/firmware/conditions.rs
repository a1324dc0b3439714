//! Conditional requests on an image that never changes (RFC 9110 §13).

use http::{HeaderMap, HeaderName, header};
use time::{
    OffsetDateTime, PrimitiveDateTime, format_description::BorrowedFormatItem,
    macros::format_description,
};

const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What the conditions of a request come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Send it.
    Send,
    /// The client has it: 304.
    NotModified,
    /// The client wanted another one: 412.
    Failed,
}

/// What conditions are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Validators<'a> {
    /// The strong tag with its quotes.
    pub(super) etag: &'a str,
    /// Seconds since 1970.
    pub(super) modified_s: i64,
}

/// The strong tag of an image, with its quotes.
pub(super) fn etag(sha256: &str) -> String {
    format!("\"{sha256}\"")
}

/// Whether the request carries any condition.
pub(super) fn are_in(headers: &HeaderMap) -> bool {
    [
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ]
    .iter()
    .any(|name| headers.contains_key(name))
}

/// Whether the request names this image as one that the client has.
pub(super) fn know(headers: &HeaderMap, etag: &str) -> bool {
    text(headers, &header::IF_NONE_MATCH).is_some_and(|tags| lists(tags, etag, is_weak_match))
}

/// Judges the conditions in the order of RFC 9110 §13.2.2.
pub(super) fn judge(headers: &HeaderMap, validators: Validators<'_>) -> Verdict {
    if let Some(tags) = text(headers, &header::IF_MATCH) {
        if !lists(tags, validators.etag, is_strong_match) {
            return Verdict::Failed;
        }
    } else if date(headers, &header::IF_UNMODIFIED_SINCE)
        .is_some_and(|since_s| validators.modified_s > since_s)
    {
        return Verdict::Failed;
    }
    if let Some(tags) = text(headers, &header::IF_NONE_MATCH) {
        return if lists(tags, validators.etag, is_weak_match) {
            Verdict::NotModified
        } else {
            Verdict::Send
        };
    }
    match date(headers, &header::IF_MODIFIED_SINCE) {
        Some(since_s) if validators.modified_s <= since_s => Verdict::NotModified,
        _ => Verdict::Send,
    }
}

/// Whether a `Range` still fits what the client has: no `If-Range`, its strong tag, or its exact date.
pub(super) fn range_applies(headers: &HeaderMap, validators: Validators<'_>) -> bool {
    match text(headers, &header::IF_RANGE) {
        None => !headers.contains_key(header::IF_RANGE),
        Some(tag) if tag.starts_with('"') => tag == validators.etag,
        Some(_) => date(headers, &header::IF_RANGE) == Some(validators.modified_s),
    }
}

/// Writes a moment as HTTP wants it, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(crate) fn http_date(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|moment| moment.format(HTTP_DATE).ok())
        .unwrap_or_default()
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn date(headers: &HeaderMap, name: &HeaderName) -> Option<i64> {
    let moment = PrimitiveDateTime::parse(text(headers, name)?, HTTP_DATE).ok()?;
    Some(moment.assume_utc().unix_timestamp())
}

fn lists(tags: &str, etag: &str, matches: fn(&str, &str) -> bool) -> bool {
    tags == "*" || tags.split(',').any(|tag| matches(tag.trim(), etag))
}

fn is_strong_match(tag: &str, etag: &str) -> bool {
    tag == etag
}

fn is_weak_match(tag: &str, etag: &str) -> bool {
    tag.strip_prefix("W/").unwrap_or(tag) == etag
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINE: Validators<'_> = Validators {
        etag: "\"abc\"",
        modified_s: 784_111_777,
    };

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    value.parse().expect("a value"),
                )
            })
            .collect()
    }

    #[test]
    fn dates_are_those_of_rfc_9110() {
        assert_eq!(http_date(784_111_777), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(
            date(
                &headers(&[("if-range", "Sun, 06 Nov 1994 08:49:37 GMT")]),
                &header::IF_RANGE
            ),
            Some(784_111_777)
        );
    }

    #[test]
    fn each_condition_has_its_verdict() {
        for (lines, expected) in [
            (&[][..], Verdict::Send),
            (&[("if-none-match", "\"abc\"")], Verdict::NotModified),
            (
                &[("if-none-match", "W/\"x\", W/\"abc\"")],
                Verdict::NotModified,
            ),
            (&[("if-none-match", "*")], Verdict::NotModified),
            (&[("if-none-match", "\"abcd\"")], Verdict::Send),
            (&[("if-match", "\"abc\"")], Verdict::Send),
            (&[("if-match", "W/\"abc\"")], Verdict::Failed),
            (&[("if-match", "\"x\"")], Verdict::Failed),
            (
                &[("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT")],
                Verdict::NotModified,
            ),
            (
                &[("if-modified-since", "Sun, 06 Nov 1994 08:49:36 GMT")],
                Verdict::Send,
            ),
            (&[("if-modified-since", "yesterday")], Verdict::Send),
            (
                &[("if-unmodified-since", "Sun, 06 Nov 1994 08:49:36 GMT")],
                Verdict::Failed,
            ),
        ] {
            assert_eq!(judge(&headers(lines), MINE), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_resumed_download_never_mixes_two_images() {
        assert!(range_applies(&headers(&[]), MINE));
        assert!(range_applies(&headers(&[("if-range", "\"abc\"")]), MINE));
        assert!(range_applies(
            &headers(&[("if-range", "Sun, 06 Nov 1994 08:49:37 GMT")]),
            MINE
        ));
        for old in [
            "\"old\"",
            "W/\"abc\"",
            "Sun, 06 Nov 1994 08:49:36 GMT",
            "nonsense",
        ] {
            assert!(
                !range_applies(&headers(&[("if-range", old)]), MINE),
                "{old}"
            );
        }
    }
}
