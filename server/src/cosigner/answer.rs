//! What a co-signer on another host answers, and what its refusals mean here.

use gatehouse_core::ports::{
    Clock,
    cosigner::{CoSignFailure, CoSignerKeys},
};
use gatehouse_manifest::{MAX_MANIFEST_BYTES, PublicKey};
use gatehouse_types::Timestamp;
use http::{
    HeaderMap, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use reqwest::Response;
use serde::Deserialize;
use time::{PrimitiveDateTime, macros::format_description};

/// The co-signer takes a token for that long before and after its time.
const MAX_CLOCK_DIFFERENCE_S: i64 = 120;
const MAX_WORDS_CHARS: usize = 300;

/// An answer with as much of its body as one may have.
pub(super) struct Answer {
    status: StatusCode,
    retry_after_s: Option<u64>,
    /// How far the co-signer's clock is ahead of ours, if it says.
    ahead_by_s: Option<i64>,
    /// `None` if it was too long or no text.
    body: Option<String>,
}

/// Reads an answer to its end, but no more of it than a manifest may have.
pub(super) async fn read(
    mut response: Response,
    clock: &dyn Clock,
) -> Result<Answer, reqwest::Error> {
    let headers = response.headers();
    let (retry_after_s, date_s) = (number(headers), date_s(headers));
    let now_s = clock.now_ms().div_euclid(1000);
    let (status, mut body) = (response.status(), Vec::new());
    while body.len() <= MAX_MANIFEST_BYTES {
        let Some(chunk) = response.chunk().await? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    let is_whole = body.len() <= MAX_MANIFEST_BYTES;
    Ok(Answer {
        status,
        retry_after_s,
        ahead_by_s: date_s.map(|date_s| date_s - now_s),
        body: is_whole.then(|| String::from_utf8(body).ok()).flatten(),
    })
}

impl Answer {
    /// The body of a success; anything else in words.
    pub(super) fn successful(self) -> Result<String, CoSignFailure> {
        let Self { status, .. } = self;
        if status == StatusCode::OK {
            return self.body.ok_or_else(|| bad("which is too long or no text"));
        }
        same_time(self.ahead_by_s.unwrap_or_default())?;
        let problem: Option<ProblemDocument> = self
            .body
            .as_deref()
            .and_then(|body| serde_json::from_str(body).ok());
        match problem {
            Some(ProblemDocument {
                off_by_s: Some(portal_ahead_s),
                ..
            }) => Err(CoSignFailure::Clock {
                off_by_s: -portal_ahead_s,
            }),
            Some(problem) if status.is_client_error() => Err(CoSignFailure::Refused {
                code: problem.code,
                detail: plain(&problem.detail),
                retry_after_s: self.retry_after_s,
            }),
            _ => Err(CoSignFailure::Unreachable {
                detail: format!("Where the co-signer should be, something answered {status}."),
            }),
        }
    }
}

/// What `GET /status` answers: whether the co-signer trusts this portal and has the same time.
pub(super) fn status(body: &str, now_s: i64) -> Result<(), CoSignFailure> {
    #[derive(Deserialize)]
    struct Standing {
        name: String,
        revoked_at_ms: Option<i64>,
        now_s: i64,
    }
    let found: Standing = serde_json::from_str(body).map_err(|_| bad("without its status"))?;
    if let Some(revoked_at_ms) = found.revoked_at_ms {
        let (name, since) = (plain(&found.name), Timestamp(revoked_at_ms).rfc3339());
        return Err(CoSignFailure::Refused {
            code: "revoked".into(),
            detail: format!(
                "This co-signer no longer trusts the portal, which it knows as {name}: it was revoked on {since}."
            ),
            retry_after_s: None,
        });
    }
    same_time(found.now_s - now_s)
}

/// What `GET /projects/{project_id}/keys` answers.
pub(super) fn keys(body: &str) -> Result<CoSignerKeys, CoSignFailure> {
    #[derive(Deserialize)]
    struct Keys {
        cosigner_pem: String,
        next_cosigner_pem: Option<String>,
    }
    let key = |pem: &str| PublicKey::from_pem(pem).map_err(|_| bad("with a key that is none"));
    let keys: Keys = serde_json::from_str(body).map_err(|_| bad("without its keys"))?;
    Ok(CoSignerKeys {
        current: key(&keys.cosigner_pem)?,
        next: keys.next_cosigner_pem.as_deref().map(key).transpose()?,
    })
}

/// The co-signer answered something that no co-signer answers.
pub(super) fn bad(how: &str) -> CoSignFailure {
    let detail = format!("The co-signer gave an answer {how}.");
    CoSignFailure::Unreachable { detail }
}

#[derive(Deserialize)]
struct ProblemDocument {
    code: String,
    detail: String,
    /// Of one that is about the clocks: ours less the co-signer's.
    off_by_s: Option<i64>,
}

fn same_time(ahead_by_s: i64) -> Result<(), CoSignFailure> {
    if ahead_by_s.abs() <= MAX_CLOCK_DIFFERENCE_S {
        return Ok(());
    }
    Err(CoSignFailure::Clock {
        off_by_s: ahead_by_s,
    })
}

fn number(headers: &HeaderMap) -> Option<u64> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

/// The moment of the `Date` header, in seconds since 1970.
fn date_s(headers: &HeaderMap) -> Option<i64> {
    let format = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let text = headers.get(DATE)?.to_str().ok()?;
    let moment = PrimitiveDateTime::parse(text, format).ok()?;
    Some(moment.assume_utc().unix_timestamp())
}

/// Another program's words, as they may stand on a page and in a log.
fn plain(words: &str) -> String {
    let plain = words.chars().filter(|letter| !letter.is_control());
    plain.take(MAX_WORDS_CHARS).collect()
}
