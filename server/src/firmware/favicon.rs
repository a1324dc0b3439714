//! The operator's `favicon.ico`, where the original server had it: in a folder `www`.

use std::path::{Path, PathBuf};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    Method,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};

use crate::state::AppState;

const PATH: &str = "/favicon.ico";
const MAX_BYTES: u64 = 1024 * 1024;

/// Answers `/favicon.ico` with `<data_dir>/www/favicon.ico` where that is a file, else with ours.
pub(crate) async fn own_favicon(
    State(app): State<AppState>,
    request: Request,
    next: Next,
) -> Response {
    let is_asked =
        request.uri().path() == PATH && matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_asked {
        return next.run(request).await;
    }
    let file = app.config.data_dir.join("www").join("favicon.ico");
    match read(file).await {
        // Always as an icon: what else it might be is not for browsers to guess.
        Some(icon) => {
            let headers = [
                (CONTENT_TYPE, "image/x-icon"),
                (CACHE_CONTROL, "public, max-age=86400"),
            ];
            (headers, icon).into_response()
        }
        None => next.run(request).await,
    }
}

async fn read(file: PathBuf) -> Option<Vec<u8>> {
    let read = move || {
        let is_icon = |file: &Path| {
            let facts = file.symlink_metadata().ok();
            facts.is_some_and(|facts| facts.is_file() && facts.len() <= MAX_BYTES)
        };
        is_icon(&file).then(|| std::fs::read(file).ok()).flatten()
    };
    tokio::task::spawn_blocking(read).await.ok().flatten()
}
