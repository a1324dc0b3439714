//! What clients in the field speak, unmodified: Arduino, ESP-IDF, ESPHome and RAUC.
//!
//! Each file translates a question into [`Firmware::check_update`] and the answer into what its
//! client understands. The bytes leave by [`Fetch`](crate::firmware::Fetch), like all others.
//! To add a dialect: a file with one handler, a line in [`router`], a page in `docs/devices`.
//!
//! [`Firmware::check_update`]: gatehouse_core::firmware::Firmware::check_update

mod arduino;
mod esp_idf;
mod esphome;
mod rauc;

use std::sync::Arc;

use axum::{
    Router,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::get,
};
use gatehouse_core::{Actor, firmware::CatalogRelease};
use http::{
    HeaderMap, StatusCode,
    header::{RANGE, RETRY_AFTER},
};

use crate::{http::headers::ForDevice, state::AppState};

/// The paths that devices are pointed to once and for ever.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/ota/arduino/{project}", get(arduino::sketch))
        .route("/ota/esp-idf/{project}", get(esp_idf::image))
        .route("/ota/esphome/{file}", get(esphome::manifest))
        .route("/ota/rauc/{project}", get(rauc::bundle))
        .layer(map_response(for_device))
}

async fn for_device(mut response: Response) -> Response {
    response.extensions_mut().insert(ForDevice);
    response
}

/// There is nothing for the device; ask again after a while.
fn nothing(status: StatusCode, next_poll_s: u64) -> Response {
    (status, [(RETRY_AFTER, next_poll_s.to_string())]).into_response()
}

/// The image in whose middle a device is, by the range that it asks for.
///
/// A release that is published meanwhile must not follow the beginning of another one.
fn begun(app: &AppState, actor: &Actor, headers: &HeaderMap) -> Option<Arc<CatalogRelease>> {
    let goes_on = !range(headers)?.starts_with("bytes=0-");
    goes_on.then(|| app.portal.firmware.fetching(actor))?
}

/// The part of the image that a device asks for; `None` where it wants the whole.
fn range(headers: &HeaderMap) -> Option<&str> {
    let range = headers.get(RANGE)?.to_str().ok()?;
    Some(range.trim())
}
