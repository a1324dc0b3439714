//! The one code path on which the bytes of an image leave, whatever dialect its client speaks.

use std::{convert::Infallible, ops::Range, sync::Arc};

use axum::{
    body::Body,
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt, future, stream};
use gatehouse_core::{Actor, Error, firmware::CatalogRelease};
use gatehouse_types::codes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts};

use super::{
    conditions::{self, Verdict},
    images::Image,
    range::{self, Wanted},
    sendfile,
};
use crate::{
    http::{client_address::ConnInfo, headers::ForDevice, problem::Problem},
    state::AppState,
};

/// Larger answers go out in slices of this, so that whoever notes them sees how far they are.
const AT_ONCE_BYTES: u64 = 64 * 1024;
/// Longer file names do not fit into the 512 bytes that a small device has for a whole head.
const SHORT_NAME_BYTES: usize = 24;

/// Which bytes go out with an answer.
enum Sent {
    /// As good as when the answer begins.
    AtOnce(Range<u64>),
    /// As the client takes them.
    ByAndBy(Range<u64>),
}

/// How an image is asked for.
pub(crate) struct Fetch {
    method: Method,
    headers: HeaderMap,
    /// Whether the proxy in front would send the file itself.
    proxy_sends: bool,
}

impl FromRequestParts<AppState> for Fetch {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Infallible> {
        let conn = parts.extensions.get::<ConnInfo>();
        Ok(Self {
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            proxy_sends: conn.is_some_and(|conn| sendfile::is_for(&app.config, conn.peer.ip())),
        })
    }
}

impl Fetch {
    /// The request's headers.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Whether the client says that it has this image.
    pub(crate) fn knows(&self, release: &CatalogRelease) -> bool {
        let etag = conditions::etag(&release.record.artifact.sha256);
        conditions::know(&self.headers, &etag)
    }

    /// Answers with the image, a part of it, or that the client has it.
    ///
    /// # Errors
    /// When the conditions fail or the file is damaged.
    pub(crate) async fn answer(
        &self,
        app: &AppState,
        actor: &Actor,
        release: &Arc<CatalogRelease>,
    ) -> Result<Response, Problem> {
        let (response, sent) = self.respond(app, actor, release).await?;
        let firmware = &app.portal.firmware;
        match sent {
            None => Ok(response),
            Some(Sent::AtOnce(part)) => {
                firmware.note_fetch(actor, release, part.end);
                Ok(response)
            }
            Some(Sent::ByAndBy(part)) => {
                let attempt = firmware.note_fetch(actor, release, part.start);
                Ok(match attempt {
                    None => response,
                    Some(attempt) => response
                        .map(|body| noted_at_its_end(body, (app, actor, release), attempt, part)),
                })
            }
        }
    }

    /// As [`Fetch::answer`], for clients whose windows come in any order and so tell no progress.
    ///
    /// # Errors
    /// As [`Fetch::answer`].
    pub(crate) async fn answer_in_any_order(
        &self,
        app: &AppState,
        actor: &Actor,
        release: &Arc<CatalogRelease>,
    ) -> Result<Response, Problem> {
        let (response, sent) = self.respond(app, actor, release).await?;
        if sent.is_some() {
            app.portal.firmware.note_fetch(actor, release, 0);
        }
        Ok(response)
    }

    /// The answer, and what goes out with it.
    async fn respond(
        &self,
        app: &AppState,
        actor: &Actor,
        release: &Arc<CatalogRelease>,
    ) -> Result<(Response, Option<Sent>), Problem> {
        let image = app.images.get(release).await?;
        let mut headers = image.headers.clone();
        let is_device = actor.account().is_err();
        if is_device && release.record.file_name.len() > SHORT_NAME_BYTES {
            let nameless = HeaderValue::from_static("attachment");
            headers.insert(header::CONTENT_DISPOSITION, nameless);
        }
        let (mut response, sent) = match conditions::judge(&self.headers, image.validators()) {
            Verdict::Send => self.send(app, &image, headers).await?,
            Verdict::NotModified => ((StatusCode::NOT_MODIFIED, headers).into_response(), None),
            Verdict::Failed => return Err(not_the_named_one()),
        };
        if is_device {
            response.extensions_mut().insert(ForDevice);
        }
        Ok((response, sent))
    }

    async fn send(
        &self,
        app: &AppState,
        image: &Arc<Image>,
        mut headers: HeaderMap,
    ) -> Result<(Response, Option<Sent>), Problem> {
        let (status, part) = match self.wanted(image) {
            Wanted::Whole => (StatusCode::OK, 0..image.size_bytes),
            Wanted::Part(part) => (StatusCode::PARTIAL_CONTENT, part),
            Wanted::Nothing => return Ok((unsatisfiable(image.size_bytes), None)),
        };
        let is_get = self.method == Method::GET;
        if is_get && self.is_for_the_proxy() {
            app.images.check_file(image).await?;
            sendfile::name_file(&app.config, &image.sha256, &mut headers)?;
            let response = (status, headers, Body::empty()).into_response();
            // The proxy does not say when it is through.
            return Ok((response, Some(Sent::AtOnce(part))));
        }
        let length = HeaderValue::from(part.end - part.start);
        headers.insert(header::CONTENT_LENGTH, length);
        if status == StatusCode::PARTIAL_CONTENT {
            let place = format!("bytes {}-{}/{}", part.start, part.end - 1, image.size_bytes);
            let place = HeaderValue::try_from(place).map_err(Error::internal)?;
            headers.insert(header::CONTENT_RANGE, place);
        }
        if !is_get {
            return Ok(((status, headers, Body::empty()).into_response(), None));
        }
        let body = app.images.body(image, part.clone()).await?;
        let sent = if part.end - part.start <= AT_ONCE_BYTES {
            Sent::AtOnce(part)
        } else {
            Sent::ByAndBy(part)
        };
        Ok(((status, headers, body).into_response(), Some(sent)))
    }

    fn wanted(&self, image: &Image) -> Wanted {
        let asked = self.headers.get(header::RANGE);
        let asked = asked.and_then(|value| value.to_str().ok());
        let applies = |_: &&str| conditions::range_applies(&self.headers, image.validators());
        range::wanted(asked.filter(applies), image.size_bytes)
    }

    /// Proxies read ranges and conditions in ways of their own, so only what has none is theirs.
    fn is_for_the_proxy(&self) -> bool {
        self.proxy_sends
            && !self.headers.contains_key(header::RANGE)
            && !conditions::are_in(&self.headers)
    }
}

/// Notes when the last bytes of an answer are taken. A device whose download broke off before has
/// not got them, and must not look like one that runs its old image again.
///
/// Breaks off when the device is to stop: to one that fetches the whole image with one request
/// nothing else can say so.
fn noted_at_its_end(
    body: Body,
    (app, actor, release): (&AppState, &Actor, &Arc<CatalogRelease>),
    attempt: i64,
    part: Range<u64>,
) -> Body {
    let (app, actor, release) = (app.clone(), actor.clone(), Arc::clone(release));
    let mut left_bytes = part.end - part.start;
    let slices = body.into_data_stream().map_ok(in_slices).try_flatten();
    let bytes = slices.and_then(move |slice| {
        let firmware = &app.portal.firmware;
        if firmware.is_stopped(&actor, &release) {
            return future::err(axum::Error::new("the device was told to stop"));
        }
        left_bytes = left_bytes.saturating_sub(slice.len() as u64);
        if left_bytes == 0 {
            firmware.note_handed_out(&actor, &release, attempt, part.end);
        }
        future::ok(slice)
    });
    Body::from_stream(bytes)
}

fn in_slices(mut bytes: Bytes) -> impl Stream<Item = Result<Bytes, axum::Error>> {
    let slice_bytes = usize::try_from(AT_ONCE_BYTES).unwrap_or(usize::MAX);
    let slices = std::iter::from_fn(move || {
        let slice = bytes.split_to(bytes.len().min(slice_bytes));
        (!slice.is_empty()).then_some(Ok(slice))
    });
    stream::iter(slices)
}

fn not_the_named_one() -> Problem {
    Problem::new(
        StatusCode::PRECONDITION_FAILED,
        codes::PRECONDITION_FAILED,
        "The image is not the one that the request names.",
    )
}

fn unsatisfiable(size_bytes: u64) -> Response {
    let problem = Problem::new(
        StatusCode::RANGE_NOT_SATISFIABLE,
        codes::RANGE_NOT_SATISFIABLE,
        format!("The image has {size_bytes} bytes; the range lies outside."),
    );
    let mut response = problem.into_response();
    if let Ok(value) = HeaderValue::try_from(format!("bytes */{size_bytes}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    response
}
