//! A small portal with faults to order, and what it saw.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use crate::vendor::Vendor;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::stream::{self, StreamExt};
use gatehouse_device::{Portal, Token, portal_url};
use gatehouse_types::firmware::{Report, Update};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;

pub(crate) const OLD_VERSION: &str = "1.0.0";
pub(crate) const NEW_VERSION: &str = "1.1.0";
pub(crate) const TOKEN: &str = "a-token-for-tests";

/// How one request for the image goes.
pub(crate) enum Image {
    /// By the rules: a 206 when the range and its condition hold, else a 200.
    Served,
    /// By the rules, but the connection is cut after so many bytes of the body.
    CutAfter(usize),
    /// A 200 with the whole image, as when the condition of the range does not hold.
    Whole,
    /// A 200 with these bytes instead, and their length.
    Other(Vec<u8>),
    /// A 200 without a length that repeats these bytes for ever.
    Endless(Vec<u8>),
    /// This status and nothing else.
    Status(StatusCode),
    /// A 206 that starts at the first byte, whatever was asked for.
    WrongPart,
}

/// The portal's state; a test orders faults here and reads what was asked.
#[derive(Default)]
pub(crate) struct Stage {
    pub(crate) image: Vec<u8>,
    /// One for each request for the image; [`Image::Served`] when none is left.
    pub(crate) orders: Mutex<VecDeque<Image>>,
    /// Answers every check with this status instead.
    pub(crate) check_status: Option<StatusCode>,
    /// Signs its releases; without it the portal names no manifest.
    pub(crate) vendor: Option<Vendor>,
    /// One for each request for the manifest; a good one of its own when none is left.
    pub(crate) manifest_orders: Mutex<VecDeque<Response>>,
    /// The query of each request for the manifest.
    pub(crate) manifest_requests: Mutex<Vec<String>>,
    /// Whether the answer to a check tells another image than the manifest.
    pub(crate) lies: bool,
    /// `Range` and `If-Range` of each request for the image.
    pub(crate) image_requests: Mutex<Vec<(Option<String>, Option<String>)>>,
    pub(crate) reports: Mutex<Vec<(String, String)>>,
    pub(crate) reported_versions: Mutex<Vec<String>>,
    pub(crate) checked_versions: Mutex<Vec<String>>,
    pub(crate) address: Mutex<Option<SocketAddr>>,
}

impl Stage {
    /// A portal with 10,000 bytes of firmware and these faults.
    pub(crate) fn with(orders: impl IntoIterator<Item = Image>) -> Self {
        Self {
            image: (0..10_000_u32).map(|number| (number % 251) as u8).collect(),
            orders: Mutex::new(orders.into_iter().collect()),
            ..Self::default()
        }
    }

    /// The same, with two keys that sign its releases.
    pub(crate) fn signing(orders: impl IntoIterator<Item = Image>) -> Self {
        Self {
            vendor: Some(Vendor::default()),
            ..Self::with(orders)
        }
    }

    pub(crate) fn sha256(&self) -> String {
        hex::encode(Sha256::digest(&self.image))
    }

    /// The states reported so far.
    pub(crate) fn reported(&self) -> Vec<String> {
        let reports = self.reports.lock().unwrap();
        reports.iter().map(|(state, _)| state.clone()).collect()
    }

    /// The `Range` of each request for the image so far, empty where there was none.
    pub(crate) fn ranges(&self) -> Vec<String> {
        let requests = self.image_requests.lock().unwrap();
        let ranges = requests
            .iter()
            .map(|(range, _)| range.clone().unwrap_or_default());
        ranges.collect()
    }

    pub(crate) fn manifest_url(&self) -> String {
        format!("{}/api/v1/device/manifest", self.url())
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address.lock().unwrap().unwrap())
    }
}

/// The routes of a portal, for any listener.
pub(crate) fn routes(stage: &Arc<Stage>) -> Router {
    Router::new()
        .route("/api/v1/device/update", get(check))
        .route("/api/v1/device/manifest", get(manifest))
        .route("/api/v1/device/report", post(report))
        .route("/firmware/lamp/lamp.bin", get(image))
        .with_state(Arc::clone(stage))
}

/// Starts a portal on a free port; it lives as long as the test.
pub(crate) async fn start(stage: Stage) -> (Arc<Stage>, Portal) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    *stage.address.lock().unwrap() = Some(listener.local_addr().unwrap());
    let stage = Arc::new(stage);
    let routes = routes(&stage);
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let portal = portal_at(&stage.url());
    (stage, portal)
}

pub(crate) fn portal_at(url: &str) -> Portal {
    Portal::new(portal_url(url).unwrap(), &Token::new(TOKEN).unwrap(), None).unwrap()
}

#[derive(Deserialize)]
struct Current {
    current_fw: String,
}

async fn check(
    State(stage): State<Arc<Stage>>,
    Query(current): Query<Current>,
    headers: HeaderMap,
) -> Response {
    let is_newest = current.current_fw == NEW_VERSION;
    stage
        .checked_versions
        .lock()
        .unwrap()
        .push(current.current_fw);
    if let Some(status) = stage.check_status {
        let problem = r#"{"detail":"Token expired"}"#;
        return (status, [("location", "/elsewhere")], problem).into_response();
    }
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    if is_newest {
        return (StatusCode::NO_CONTENT, [("retry-after", "3412")]).into_response();
    }
    let update = Update {
        version: NEW_VERSION.to_owned(),
        file_name: "lamp.bin".to_owned(),
        url: format!("{}/firmware/lamp/lamp.bin", stage.url()),
        size_bytes: i64::try_from(stage.image.len()).unwrap(),
        sha256: stage.sha256(),
        md5: "0".repeat(32),
        manifest_url: stage.vendor.as_ref().map(|_| stage.manifest_url()),
        next_poll_s: 3_600,
    };
    if stage.lies {
        return axum::Json(Update {
            url: format!("{}/firmware/lamp/other.bin", stage.url()),
            size_bytes: 7,
            sha256: "ab".repeat(32),
            ..update
        })
        .into_response();
    }
    axum::Json(update).into_response()
}

async fn manifest(
    State(stage): State<Arc<Stage>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    stage
        .manifest_requests
        .lock()
        .unwrap()
        .push(query.unwrap_or_default());
    if let Some(order) = stage.manifest_orders.lock().unwrap().pop_front() {
        return order;
    }
    let vendor = stage.vendor.as_ref().unwrap();
    vendor.sign(&vendor.claims(&stage)).into_response()
}

async fn report(
    State(stage): State<Arc<Stage>>,
    axum::Json(report): axum::Json<Report>,
) -> StatusCode {
    stage.reported_versions.lock().unwrap().push(report.version);
    let report = (report.state.as_str().to_owned(), report.detail);
    stage.reports.lock().unwrap().push(report);
    StatusCode::NO_CONTENT
}

async fn image(State(stage): State<Arc<Stage>>, headers: HeaderMap) -> Response {
    let text = |name| {
        headers
            .get(name)
            .map(|value| value.to_str().unwrap().to_owned())
    };
    let (range, condition) = (text("range"), text("if-range"));
    stage
        .image_requests
        .lock()
        .unwrap()
        .push((range.clone(), condition.clone()));
    let holds = condition == Some(format!("\"{}\"", stage.sha256()));
    let start = range.filter(|_| holds).map_or(0, |range| {
        let start = range
            .strip_prefix("bytes=")
            .and_then(|range| range.strip_suffix('-'));
        start.unwrap().parse().unwrap()
    });
    let order = stage
        .orders
        .lock()
        .unwrap()
        .pop_front()
        .unwrap_or(Image::Served);
    match order {
        Image::Served => part(&stage, start, None),
        Image::CutAfter(length) => part(&stage, start, Some(length)),
        Image::Whole => part(&stage, 0, None),
        Image::Other(bytes) => bytes.into_response(),
        Image::Endless(bytes) => {
            let chunks = stream::repeat(Bytes::from(bytes)).map(Ok::<_, std::io::Error>);
            Body::from_stream(chunks).into_response()
        }
        Image::Status(status) => status.into_response(),
        Image::WrongPart => {
            let whole = format!("bytes 0-{}/{}", stage.image.len() - 1, stage.image.len());
            let head = [("content-range", whole)];
            (StatusCode::PARTIAL_CONTENT, head, stage.image.clone()).into_response()
        }
    }
}

fn part(stage: &Stage, start: usize, cut_after: Option<usize>) -> Response {
    let size = stage.image.len();
    let bytes = Bytes::copy_from_slice(&stage.image[start..]);
    let status = if start > 0 {
        StatusCode::PARTIAL_CONTENT
    } else {
        StatusCode::OK
    };
    let head = [
        ("content-length", bytes.len().to_string()),
        (
            "content-range",
            format!("bytes {start}-{}/{size}", size - 1),
        ),
        ("etag", format!("\"{}\"", stage.sha256())),
    ];
    let body = match cut_after {
        Some(length) => cut_body(bytes.slice(..length)),
        None => Body::from(bytes),
    };
    (status, head, body).into_response()
}

/// Sends `bytes`, gives the connection a turn to write them out, and breaks off.
fn cut_body(bytes: Bytes) -> Body {
    let sent = stream::once(async { Ok(bytes) });
    let broken = stream::once(async {
        tokio::task::yield_now().await;
        Err(std::io::Error::other("cut on purpose"))
    });
    Body::from_stream(sent.chain(broken))
}

/// An address where nothing answers: the port was free a moment ago.
pub(crate) async fn dead_url() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
