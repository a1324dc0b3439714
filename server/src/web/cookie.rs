//! The cookies of the portal: one that signs in, two that remember a taste.

use cookie::{Cookie, SameSite, time::Duration};
use http::{HeaderMap, HeaderValue, header};

/// The cookie that carries a sign-in session's secret.
///
/// `__Host-` with `Secure` wherever people come over https; plain-HTTP loopback has neither,
/// since a browser would drop the cookie there (RFC 6265bis §4.1.3).
#[derive(Debug, Clone, Copy)]
pub struct SignInCookie {
    secure: bool,
}

impl SignInCookie {
    /// Fits the address that people type.
    pub fn for_url(public_url: &str) -> Self {
        Self {
            secure: public_url.starts_with("https://"),
        }
    }

    const fn name(self) -> &'static str {
        if self.secure {
            "__Host-gatehouse"
        } else {
            "gatehouse"
        }
    }

    /// The secret that a request shows; two different ones are none.
    pub fn read(self, headers: &HeaderMap) -> Option<String> {
        let mut own = values(headers, self.name());
        let first = own.next()?;
        own.all(|other| other == first).then_some(first)
    }

    /// Sets the cookie for so many milliseconds, or until the browser is closed.
    pub fn set(self, secret: String, lives_ms: Option<i64>) -> HeaderValue {
        let mut cookie = self.base(secret);
        if let Some(lives_ms) = lives_ms {
            cookie.set_max_age(Duration::milliseconds(lives_ms));
        }
        header_value(&cookie)
    }

    /// Takes the cookie away.
    pub fn clear(self) -> HeaderValue {
        let mut cookie = self.base(String::new());
        cookie.make_removal();
        header_value(&cookie)
    }

    fn base(self, value: String) -> Cookie<'static> {
        Cookie::build((self.name(), value))
            .path("/")
            .http_only(true)
            .secure(self.secure)
            .same_site(SameSite::Lax)
            .build()
    }
}

/// Remembers a taste for a year; not a secret.
pub(super) fn taste(name: &'static str, value: &'static str, secure: bool) -> HeaderValue {
    let year = Duration::days(365);
    header_value(
        &Cookie::build((name, value))
            .path("/")
            .http_only(true)
            .secure(secure)
            .same_site(SameSite::Lax)
            .max_age(year)
            .build(),
    )
}

/// Every value that a request shows under a name.
pub(super) fn values<'a>(
    headers: &'a HeaderMap,
    name: &'a str,
) -> impl Iterator<Item = String> + 'a {
    let lines = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    lines
        .flat_map(|line| Cookie::split_parse(line).flatten())
        .filter(move |cookie| cookie.name() == name)
        .map(|cookie| cookie.value().to_owned())
}

fn header_value(cookie: &Cookie<'_>) -> HeaderValue {
    HeaderValue::try_from(cookie.to_string()).expect("our cookies hold visible ASCII only")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::COOKIE, line.parse().expect("a value"));
        }
        headers
    }

    #[test]
    fn over_https_the_cookie_is_bound_to_this_host() {
        let cookie = SignInCookie::for_url("https://portal.example.org");
        let line = cookie.set("secret".into(), Some(60_000));
        assert_eq!(
            line,
            "__Host-gatehouse=secret; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60"
        );
        assert_eq!(
            cookie
                .read(&request(&["gatehouse=a; __Host-gatehouse=b"]))
                .as_deref(),
            Some("b")
        );
    }

    #[test]
    fn two_different_secrets_are_none() {
        let cookie = SignInCookie::for_url("http://127.0.0.1:3000");
        assert_eq!(
            cookie
                .read(&request(&["gatehouse=a", "x=y; gatehouse=a"]))
                .as_deref(),
            Some("a")
        );
        assert_eq!(cookie.read(&request(&["gatehouse=a; gatehouse=b"])), None);
        assert_eq!(cookie.read(&request(&["gatehous=a", ";;;=", "\t"])), None);
    }
}
