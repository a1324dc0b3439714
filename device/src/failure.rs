//! The one error of this program, and the sentences for what the network does.

use std::error::Error;
use std::io;
use std::iter;
use std::path::Path;
use std::time::Duration;

use gatehouse_manifest::Refusal;
use http::StatusCode;
use reqwest::Url;

/// A portal that asks for more patience than this is asked again all the same.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// What sort of trouble it is, for counting and for deciding whether another try makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The command line is wrong.
    Usage,
    /// The portal does not take the token.
    Unauthorized,
    /// The token is good, but not for this.
    Forbidden,
    /// The portal does not know the path.
    NotFound,
    /// The portal asks to come back later.
    Busy,
    /// The portal itself failed.
    PortalFault,
    /// No connection came about.
    Unreachable,
    /// The TLS handshake failed.
    Untrusted,
    /// The connection broke off.
    Interrupted,
    /// The portal's answer makes no sense.
    BadAnswer,
    /// The manifest is not one that this device may follow.
    Refused,
    /// The image is not the one that was promised.
    BadImage,
    /// This machine's own files are in the way.
    Local,
}

impl Kind {
    /// The words for a summary.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Usage => "wrong usage",
            Self::Unauthorized => "token refused (401)",
            Self::Forbidden => "forbidden (403)",
            Self::NotFound => "not found (404)",
            Self::Busy => "portal busy (429, 503)",
            Self::PortalFault => "portal failed (5xx)",
            Self::Unreachable => "unreachable",
            Self::Untrusted => "TLS handshake failed",
            Self::Interrupted => "connection broke off",
            Self::BadAnswer => "bad answer",
            Self::Refused => "manifest refused",
            Self::BadImage => "bad image",
            Self::Local => "local file trouble",
        }
    }

    /// Whether it may be gone at the next try.
    pub const fn is_passing(self) -> bool {
        matches!(
            self,
            Self::Busy | Self::PortalFault | Self::Unreachable | Self::Interrupted
        )
    }
}

/// A plain sentence for the person at the terminal: what is wrong and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct Failure {
    kind: Kind,
    sentence: String,
    retry_after: Option<Duration>,
}

impl Failure {
    /// Makes a failure from its kind and its sentence.
    pub fn new(kind: Kind, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            sentence: sentence.into(),
            retry_after: None,
        }
    }

    /// What sort of trouble it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The wait before another try: `planned`, or longer when the portal asked for it.
    pub(crate) fn wait(&self, planned: Duration) -> Duration {
        let asked = self.retry_after.unwrap_or_default();
        asked.min(LONGEST_WAIT).max(planned)
    }

    /// Says why a manifest is not followed, with the code that a portal and a script look for.
    pub fn refused(refusal: Refusal) -> Self {
        let sentence = format!("the manifest is refused ({}): {refusal}", refusal.code());
        Self::new(Kind::Refused, sentence)
    }

    /// Says that a file of this machine cannot be used.
    pub(crate) fn local(doing: &str, path: &Path, cause: &io::Error) -> Self {
        let path = path.display();
        let sentence = format!(
            "cannot {doing} {path} ({cause}): choose a file in a folder that this user may write \
             to, with room for the image"
        );
        Self::new(Kind::Local, sentence)
    }

    /// Says what a status other than the wanted ones means; `detail` is the portal's own sentence.
    pub(crate) fn status(status: StatusCode, detail: &str, retry_after: Option<Duration>) -> Self {
        let said = match legible(detail) {
            said if said.is_empty() => format!("HTTP {}", status.as_u16()),
            said => said,
        };
        let (kind, sentence) = explain(status, &said);
        Self {
            retry_after,
            ..Self::new(kind, sentence)
        }
    }

    /// Says why a request to `url` got no whole answer.
    pub(crate) fn transport(error: &reqwest::Error, url: &Url) -> Self {
        let origin = url.origin().ascii_serialization();
        if let Some(cause) = tls_cause(error) {
            let sentence = format!(
                "the TLS handshake with {origin} failed ({cause}): if its certificate comes from a \
                 private authority, pass that with --ca-file"
            );
            return Self::new(Kind::Untrusted, sentence);
        }
        if error.is_connect() && is_refused(error) {
            let sentence =
                format!("nothing listens at {origin}: start the portal or correct --url");
            return Self::new(Kind::Unreachable, sentence);
        }
        if error.is_connect() || error.is_timeout() {
            let sentence = format!(
                "{origin} cannot be reached ({}): check --url and the network, then try again",
                deepest_cause(error)
            );
            return Self::new(Kind::Unreachable, sentence);
        }
        let sentence = format!("the connection to {origin} broke off: try again");
        Self::new(Kind::Interrupted, sentence)
    }
}

fn explain(status: StatusCode, said: &str) -> (Kind, String) {
    match status {
        StatusCode::UNAUTHORIZED => (
            Kind::Unauthorized,
            format!("the portal does not take this token ({said}): get a new one for this device"),
        ),
        StatusCode::FORBIDDEN => (
            Kind::Forbidden,
            format!("this token may not do that ({said}): get one for the project of this device"),
        ),
        // The portal's own words when it is asked for a key that it no longer signs with.
        StatusCode::NOT_FOUND if said.contains("no such project key") => (
            Kind::NotFound,
            "the project's key was replaced, and this device knows only the old one: give it the \
             new bundle, which `gatehouse project keys PROJECT` writes, with --keys"
                .to_owned(),
        ),
        StatusCode::NOT_FOUND => (
            Kind::NotFound,
            format!(
                "the portal does not have this ({said}): check --url, and that the release is \
                 still published"
            ),
        ),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => (
            Kind::Busy,
            format!("the portal is busy ({said}): try again later"),
        ),
        _ if status.is_server_error() => (
            Kind::PortalFault,
            format!("the portal failed ({said}): try again, and look into its log if it stays so"),
        ),
        _ if status.is_redirection() => (
            Kind::BadAnswer,
            "the portal answers with a redirect, which a device does not follow: pass the final \
             address with --url"
                .to_owned(),
        ),
        _ => (
            Kind::BadAnswer,
            format!("the portal refuses the request ({said}): check the arguments and --url"),
        ),
    }
}

/// One line without control characters, so that a portal cannot steer the terminal.
fn legible(text: &str) -> String {
    const MOST_CHARS: usize = 200;
    text.chars()
        .filter(|character| !character.is_control())
        .take(MOST_CHARS)
        .collect::<String>()
        .trim_end_matches('.')
        .to_owned()
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&cause| next_cause(cause))
}

/// An `io::Error` names as its source that of its content; here its content comes first.
fn next_cause<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        Some(content) => Some(content),
        None => error.source(),
    }
}

fn tls_cause(error: &reqwest::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

fn is_refused(error: &reqwest::Error) -> bool {
    causes(error)
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::ConnectionRefused)
}

fn deepest_cause(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_cannot_steer_the_terminal() {
        let failure = Failure::status(StatusCode::FORBIDDEN, "\u{1b}[2Jno\r\n", None);
        assert_eq!(
            failure.to_string(),
            "this token may not do that ([2Jno): get one for the project of this device"
        );
    }

    #[test]
    fn the_portal_may_ask_for_patience_within_reason() {
        let [planned, asked, absurd] = [2, 30, 86_400].map(Duration::from_secs);
        let wait = |asked| Failure::status(StatusCode::TOO_MANY_REQUESTS, "", asked).wait(planned);
        assert_eq!(wait(None), planned);
        assert_eq!(wait(Some(asked)), asked);
        assert_eq!(wait(Some(absurd)), LONGEST_WAIT);
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let kind = |status| Failure::status(status, "", None).kind();
        for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY] {
            assert!(kind(status).is_passing(), "{status}");
        }
        for status in [
            StatusCode::UNAUTHORIZED,
            StatusCode::NOT_FOUND,
            StatusCode::FOUND,
            StatusCode::UNPROCESSABLE_ENTITY,
        ] {
            assert!(!kind(status).is_passing(), "{status}");
        }
    }
}
