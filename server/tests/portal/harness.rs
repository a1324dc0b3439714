//! A whole portal on a temporary folder, asked without a socket.

use std::net::SocketAddr;

use axum::body::{Body, Bytes};
use gatehouse_server::{
    cli::Flags,
    composition::Installation,
    config::{Config, Environment},
    http::{client_address::ConnInfo, front::Front},
};
use http::{
    HeaderMap, HeaderValue, Method, Request, Response, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const PUBLIC_URL: &str = "http://127.0.0.1:3000";
pub(crate) const ADMIN_SECRET: &str = "only the operator knows this";
/// Where requests come from unless a test says otherwise.
pub(crate) const CLIENT_IP: &str = "203.0.113.7";

/// A portal with its data in a folder that goes away with it.
pub(crate) struct Portal {
    pub(crate) installation: Installation,
    front: Front,
    pub(crate) folder: TempDir,
}

impl Portal {
    pub(crate) async fn open() -> Self {
        Self::with(&[]).await
    }

    /// Opens a portal with more variables of its environment; an empty one is not set.
    pub(crate) async fn with(variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self::in_folder(folder, variables).await
    }

    /// Stops the portal and opens another one on its data.
    pub(crate) async fn again(self, variables: &[(&str, &str)]) -> Self {
        let Self {
            installation,
            front,
            folder,
        } = self;
        drop(front);
        installation.store.close().await;
        drop(installation);
        Self::in_folder(folder, variables).await
    }

    async fn in_folder(folder: TempDir, variables: &[(&str, &str)]) -> Self {
        let data_dir = folder.path().join("data").display().to_string();
        let own = [
            ("GATEHOUSE_DATA_DIR", data_dir.as_str()),
            ("GATEHOUSE_ADMIN_SECRET", ADMIN_SECRET),
        ];
        let mut environment: Environment = own
            .iter()
            .chain(variables)
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        environment.retain(|_, value| !value.is_empty());
        let config = Config::load(&Flags::default(), &environment, |path| {
            std::fs::read_to_string(path)
        })
        .expect("a configuration that holds together");
        let installation = Installation::open(config).await.expect("opens");
        let front = installation
            .front(PUBLIC_URL)
            .expect("the public URL is an origin");
        Self {
            installation,
            front,
            folder,
        }
    }

    /// Sends a request and leaves the body of the answer to come.
    pub(crate) async fn begin(&self, ask: Ask) -> Response<Body> {
        self.front.answer(ask.conn, ask.request).await
    }

    pub(crate) async fn send(&self, ask: Ask) -> Answer {
        let (parts, body) = self.begin(ask).await.into_parts();
        let is_endless = parts
            .headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let body = if is_endless { Body::empty() } else { body };
        let (body, cut) = match body.collect().await {
            Ok(whole) => (whole.to_bytes(), false),
            Err(_broken_off) => (Bytes::new(), true),
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
            cut,
        }
    }
}

/// A request on its way.
pub(crate) struct Ask {
    conn: ConnInfo,
    request: Request<Body>,
}

pub(crate) fn ask(method: &str, path: &str) -> Ask {
    let request = Request::builder()
        .method(Method::from_bytes(method.as_bytes()).expect("a method"))
        .uri(path)
        .header(HOST, "127.0.0.1:3000")
        .body(Body::empty())
        .expect("a request");
    let peer = SocketAddr::new(CLIENT_IP.parse().expect("an address"), 40_000);
    Ask {
        conn: ConnInfo { peer, tls: false },
        request,
    }
}

pub(crate) fn get(path: &str) -> Ask {
    ask("GET", path)
}

pub(crate) fn post(path: &str) -> Ask {
    ask("POST", path)
}

impl Ask {
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        let value = HeaderValue::from_bytes(value.as_bytes()).expect("a header value");
        self.request.headers_mut().append(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    pub(crate) fn cookie(self, cookie: &str) -> Self {
        self.header(COOKIE.as_str(), cookie)
    }

    pub(crate) fn peer(mut self, ip: &str) -> Self {
        self.conn.peer.set_ip(ip.parse().expect("an address"));
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self
    }

    pub(crate) fn json(self, value: &Value) -> Self {
        self.header(CONTENT_TYPE.as_str(), "application/json")
            .body(value.to_string())
    }

    /// Sends fields as a form of a page does.
    pub(crate) fn form(self, fields: &[(&str, &str)]) -> Self {
        let encoded: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        self.header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
            .body(encoded.join("&"))
    }
}

pub(crate) fn percent_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body broke off before its end.
    pub(crate) cut: bool,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| {
            panic!(
                "{} with a body that is no JSON: {}",
                self.status,
                self.text()
            )
        })
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Insists on a status and answers the JSON body.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        self.json()
    }

    /// Insists on a problem document with this status and code.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        body
    }
}
