//! The portal as a device sees it: four requests.

use std::path::Path;
use std::time::Duration;

use gatehouse_manifest::{MAX_MANIFEST_BYTES, Refusal};
use gatehouse_types::firmware::{Report, ReportState, Update};
use http::header::{AUTHORIZATION, IF_RANGE, RANGE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use reqwest::{Certificate, Client, ClientBuilder, RequestBuilder, Response, Url};
use serde::Deserialize;

use crate::{Failure, Kind, Offer, Token};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence in the middle of an answer.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// Answers other than images are far smaller; whatever is longer is cut.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// What the portal says about an update.
#[derive(Debug, Clone)]
pub enum Answer {
    /// There is something to install.
    Install(Box<Offer>),
    /// The device has the newest.
    UpToDate {
        /// Ask again after this many seconds, if the portal said so.
        next_poll_s: Option<u64>,
    },
}

/// Checks that `text` is an address a portal can have: http or https, a host, nothing after the path.
///
/// # Errors
/// When it is not; the sentence does not repeat the address, which may hold a secret.
pub fn portal_url(text: &str) -> Result<Url, Failure> {
    let wrong = || {
        let sentence = "--url is no portal's address: it looks like https://portal.example or \
                        http://127.0.0.1:3000";
        Failure::new(Kind::Usage, sentence)
    };
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    let ends_with_path = url.query().is_none() && url.fragment().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_plain || !ends_with_path {
        return Err(wrong());
    }
    // Without the slash the last segment would be replaced by what is joined.
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// A portal together with the token this device shows it.
#[derive(Debug, Clone)]
pub struct Portal {
    http: Client,
    url: Url,
    token: Token,
}

impl Portal {
    /// Prepares the connection to the portal at `url`, as [`portal_url`] made it.
    ///
    /// With `ca_file` only the authorities in that PEM file are trusted, otherwise the system's.
    ///
    /// # Errors
    /// When `ca_file` is unreadable, or `url` needs authorities and the system has none.
    pub fn new(url: Url, token: &Token, ca_file: Option<&Path>) -> Result<Self, Failure> {
        // Fails only when a provider is installed already, and any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = match ca_file {
            Some(path) => client().tls_certs_only(authorities(path)?).build(),
            // A bare system has no authorities, and plain http needs none.
            None => client().build().or_else(|error| match url.scheme() {
                "http" => client().tls_certs_only([]).build(),
                _ => Err(error),
            }),
        };
        let http = http.map_err(|_| {
            let sentence = "this system has no usable certificate authorities: install \
                            ca-certificates or pass --ca-file";
            Failure::new(Kind::Local, sentence)
        })?;
        let token = token.clone();
        Ok(Self { http, url, token })
    }

    /// The same portal for another device, over the same connections.
    #[must_use]
    pub fn showing(&self, token: &Token) -> Self {
        Self {
            token: token.clone(),
            ..self.clone()
        }
    }

    /// Asks what a device that runs `current_fw` should install.
    ///
    /// # Errors
    /// When the portal cannot be reached, refuses, or answers nonsense.
    pub async fn check(&self, current_fw: &str) -> Result<Answer, Failure> {
        let mut url = self.endpoint("update");
        url.query_pairs_mut().append_pair("current_fw", current_fw);
        let request = self.http.get(url.clone()).timeout(READ_TIMEOUT);
        let response = self.send(request, &url).await?;
        match response.status() {
            StatusCode::OK => {
                let body = beginning(response, &url, ANSWER_LIMIT_BYTES).await?;
                let update: Update = serde_json::from_slice(&body).map_err(|_| no_portal())?;
                Offer::new(update, &self.url).map(|offer| Answer::Install(Box::new(offer)))
            }
            StatusCode::NO_CONTENT => Ok(Answer::UpToDate {
                next_poll_s: retry_after(response.headers()).map(|wait| wait.as_secs()),
            }),
            _ => Err(refusal(response, &url).await),
        }
    }

    /// Tells the portal how far the device is with `version`.
    ///
    /// # Errors
    /// When the portal cannot be reached or refuses.
    pub async fn report(
        &self,
        version: &str,
        state: ReportState,
        detail: &str,
    ) -> Result<(), Failure> {
        let url = self.endpoint("report");
        let report = Report {
            version: version.to_owned(),
            state,
            detail: detail.to_owned(),
        };
        let request = self.http.post(url.clone()).timeout(READ_TIMEOUT);
        let response = self.send(request.json(&report), &url).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(());
        }
        Err(refusal(response, &url).await)
    }

    /// Fetches the manifest at `url`, signed with the project key that has this thumbprint.
    ///
    /// # Errors
    /// When the portal cannot be reached, has none for this device, or sends more than a manifest.
    pub(crate) async fn manifest(
        &self,
        url: &Url,
        current_fw: &str,
        thumbprint: &str,
    ) -> Result<String, Failure> {
        let mut url = url.clone();
        if !url.query_pairs().any(|(name, _)| name == "current_fw") {
            url.query_pairs_mut().append_pair("current_fw", current_fw);
        }
        url.query_pairs_mut().append_pair("key", thumbprint);
        let request = self.http.get(url.clone()).timeout(READ_TIMEOUT);
        let response = self.send(request, &url).await?;
        match response.status() {
            StatusCode::OK => {
                let body = beginning(response, &url, MAX_MANIFEST_BYTES + 1).await?;
                if body.len() > MAX_MANIFEST_BYTES {
                    return Err(Failure::refused(Refusal::TooLong));
                }
                String::from_utf8(body).map_err(|_| Failure::refused(Refusal::Malformed))
            }
            StatusCode::NO_CONTENT => {
                let sentence = "the portal signs this release no longer: it was withdrawn or \
                                halted meanwhile, so ask for updates again later";
                Err(Failure::new(Kind::NotFound, sentence))
            }
            _ => Err(refusal(response, &url).await),
        }
    }

    /// Where the portal is.
    pub(crate) const fn url(&self) -> &Url {
        &self.url
    }

    /// Asks for the image from byte `start` on; the answer is a 200, a 206 or a 416.
    pub(crate) async fn image(&self, offer: &Offer, start: u64) -> Result<Response, Failure> {
        let mut request = self.http.get(offer.url.clone());
        if start > 0 {
            request = request
                .header(RANGE, format!("bytes={start}-"))
                .header(IF_RANGE, format!("\"{}\"", offer.sha256));
        }
        let response = self.send(request, &offer.url).await?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                Ok(response)
            }
            _ => Err(refusal(response, &offer.url).await),
        }
    }

    async fn send(&self, request: RequestBuilder, url: &Url) -> Result<Response, Failure> {
        request
            .header(AUTHORIZATION, self.token.header())
            .send()
            .await
            .map_err(|error| Failure::transport(&error, url))
    }

    fn endpoint(&self, name: &str) -> Url {
        let path = format!("api/v1/device/{name}");
        self.url
            .join(&path)
            .expect("a plain path joins any web address")
    }
}

fn client() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("gatehouse-device/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        // The token goes to the portal, not to whatever the environment names.
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, Failure> {
    let wrong = |cause: String| {
        let path = path.display();
        let sentence = format!(
            "cannot read certificates from {path} ({cause}): pass a PEM file with --ca-file"
        );
        Failure::new(Kind::Local, sentence)
    };
    let pem = std::fs::read(path).map_err(|cause| wrong(cause.to_string()))?;
    let found = Certificate::from_pem_bundle(&pem).map_err(|cause| wrong(cause.to_string()))?;
    if found.is_empty() {
        return Err(wrong("it holds none".to_owned()));
    }
    Ok(found)
}

/// Reads on until the end or until `enough_bytes` are there, perhaps a few more.
async fn beginning(
    mut response: Response,
    url: &Url,
    enough_bytes: usize,
) -> Result<Vec<u8>, Failure> {
    let mut body = Vec::new();
    while body.len() < enough_bytes {
        let chunk = response.chunk().await;
        let Some(chunk) = chunk.map_err(|error| Failure::transport(&error, url))? else {
            break;
        };
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refusal(response: Response, url: &Url) -> Failure {
    #[derive(Deserialize)]
    struct Problem {
        detail: String,
    }
    let status = response.status();
    let retry_after = retry_after(response.headers());
    // The status alone says enough when the body is lost or foreign.
    let body = beginning(response, url, ANSWER_LIMIT_BYTES)
        .await
        .unwrap_or_default();
    let detail = serde_json::from_slice::<Problem>(&body)
        .map_or_else(|_| String::new(), |problem| problem.detail);
    Failure::status(status, &detail, retry_after)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

fn no_portal() -> Failure {
    let sentence = "the answer is not that of a portal: check --url";
    Failure::new(Kind::BadAnswer, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_may_live_under_a_path() {
        let token = Token::new("t").unwrap();
        let portal =
            Portal::new(portal_url("http://127.0.0.1/gate").unwrap(), &token, None).unwrap();
        assert_eq!(
            portal.endpoint("report").path(),
            "/gate/api/v1/device/report"
        );
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for text in [
            "",
            "portal",
            "ftp://portal.example",
            "http://me:secret@portal.example",
            "http://portal.example/?token=secret",
        ] {
            let failure = portal_url(text).unwrap_err();
            assert_eq!(failure.kind(), Kind::Usage, "{text:?}");
            assert!(!failure.to_string().contains("secret"));
        }
    }
}
