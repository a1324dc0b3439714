//! What every answer tells the browser to refuse.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, Entry, HeaderName, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderValue};

/// `same-origin` and not `no-referrer`: forms without scripts find their way back by it.
const ALWAYS: [(HeaderName, HeaderValue); 6] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// For everything that is no page; pages bring their own policy with a nonce.
const STRICT_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

const TWO_YEARS: HeaderValue = HeaderValue::from_static("max-age=63072000");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Marks an answer for a device, which may have 512 bytes for a whole head: it carries no rules
/// for pages.
#[derive(Debug, Clone, Copy)]
pub struct ForDevice;

/// Adds what also an answer to a device tells a browser that got hold of it.
pub fn secure_briefly(headers: &mut HeaderMap) {
    add(
        headers,
        X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    if is_personal(headers) {
        add(headers, CACHE_CONTROL, NO_STORE);
    }
}

/// Adds the security headers that the answer does not carry yet.
///
/// `over_tls` is whether the portal itself ended the TLS: only then does it promise HTTPS.
pub fn secure(headers: &mut HeaderMap, over_tls: bool) {
    headers.reserve(ALWAYS.len() + 4);
    for (name, value) in ALWAYS {
        add(headers, name, value);
    }
    add(headers, CONTENT_SECURITY_POLICY, STRICT_POLICY);
    if over_tls {
        add(headers, STRICT_TRANSPORT_SECURITY, TWO_YEARS);
    }
    if is_personal(headers) {
        add(headers, CACHE_CONTROL, NO_STORE);
    }
}

fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if let Entry::Vacant(place) = headers.entry(name) {
        place.insert(value);
    }
}

/// Tells whether the body is of a kind that is made for one visitor.
fn is_personal(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| {
        [
            b"text/html".as_slice(),
            b"application/json",
            b"application/problem+json",
        ]
        .iter()
        .any(|personal| kind.as_bytes().starts_with(personal))
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::secure;

    fn secured(before: &[(&'static str, &'static str)], over_tls: bool) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.insert(*name, value.parse().expect("a header value"));
        }
        secure(&mut headers, over_tls);
        headers
    }

    #[test]
    fn a_bare_answer_gets_the_strict_policy() {
        let headers = secured(&[], false);
        assert_eq!(
            headers["content-security-policy"],
            "default-src 'none'; frame-ancestors 'none'"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        assert!(!headers.contains_key("cache-control"));
    }

    #[test]
    fn what_the_page_said_stays() {
        let page = [
            ("content-security-policy", "script-src 'nonce-x'"),
            ("cache-control", "max-age=5"),
            ("content-type", "text/html"),
        ];
        let headers = secured(&page, false);
        assert_eq!(headers["content-security-policy"], "script-src 'nonce-x'");
        assert_eq!(headers["cache-control"], "max-age=5");
        assert_eq!(headers.get_all("content-security-policy").iter().count(), 1);
    }

    #[test]
    fn pages_and_json_are_not_stored() {
        for kind in [
            "text/html; charset=utf-8",
            "application/json",
            "application/problem+json",
        ] {
            assert_eq!(
                secured(&[("content-type", kind)], false)["cache-control"],
                "no-store"
            );
        }
        assert!(
            !secured(&[("content-type", "application/octet-stream")], false)
                .contains_key("cache-control")
        );
    }

    #[test]
    fn https_is_promised_over_tls_only() {
        assert!(!secured(&[], false).contains_key("strict-transport-security"));
        assert!(secured(&[], true).contains_key("strict-transport-security"));
    }
}
