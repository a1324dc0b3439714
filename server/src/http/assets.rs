//! Scripts, styles, wasm and icons: from inside the binary, or from disk while developing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;
use std::{fs, io};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;

use super::problem;
use site::{FILES, HASH};

/// The table that `build.rs` writes.
mod site {
    use super::Embedded;

    include!(concat!(env!("OUT_DIR"), "/site.rs"));
}

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
const A_DAY: HeaderValue = HeaderValue::from_static("public, max-age=86400");

/// A file inside the binary with its compressed twins.
#[derive(Debug)]
struct Embedded {
    path: &'static str,
    tag: &'static str,
    identity: &'static [u8],
    brotli: Option<&'static [u8]>,
    gzip: Option<&'static [u8]>,
}

/// Names the folder of scripts, styles and wasm in URLs, without slashes around it.
pub fn pkg_path() -> String {
    HASH.map_or_else(|| "pkg".to_owned(), |hash| format!("pkg/{hash}"))
}

/// Routes `/pkg/…` and every public file by its own name.
///
/// `site_root` is where `cargo leptos watch` builds into (`LEPTOS_SITE_ROOT`); it counts only when
/// the binary carries nothing.
pub fn router<S: Clone + Send + Sync + 'static>(site_root: Option<PathBuf>) -> Router<S> {
    routes(match (HASH, site_root) {
        (Some(_), _) => Source::Binary(FILES),
        (None, Some(root)) => Source::Disk(root),
        (None, None) => Source::Nothing,
    })
}

fn routes<S: Clone + Send + Sync + 'static>(source: Source) -> Router<S> {
    let public = source.public_files();
    let source = Arc::new(source);
    let handler = get(move |request: Request| {
        let source = Arc::clone(&source);
        async move { source.respond(&request.into_parts().0).await }
    });
    let packaged = Router::new().route("/pkg/{*path}", handler.clone());
    public.into_iter().fold(packaged, |router, path| {
        router.route(&path, handler.clone())
    })
}

fn is_packaged(path: &str) -> bool {
    path.starts_with("/pkg/")
}

/// Lists the files right inside a folder; while it is not built yet there are none.
fn files_in(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).into_iter().flatten().flatten();
    let files = entries.filter(|entry| entry.path().is_file());
    let paths = files.filter_map(|entry| Some(format!("/{}", entry.file_name().to_str()?)));
    paths.filter(|path| is_safe(path)).collect()
}

#[derive(Debug)]
enum Source {
    Binary(&'static [Embedded]),
    Disk(PathBuf),
    Nothing,
}

impl Source {
    /// Lists the files that are served by their own name, outside `/pkg/`.
    fn public_files(&self) -> Vec<String> {
        match self {
            Self::Binary(files) => files
                .iter()
                .map(|file| file.path.to_owned())
                .filter(|path| !is_packaged(path))
                .collect(),
            Self::Disk(root) => files_in(root),
            Self::Nothing => Vec::new(),
        }
    }

    async fn respond(&self, request: &Parts) -> Response {
        let found = match percent_decode_str(request.uri.path()).decode_utf8() {
            Ok(path) if is_safe(&path) => self.find(&path, &request.headers).await,
            _ => None,
        };
        match found {
            Some(asset) => asset.respond(&request.method, &request.headers),
            None => problem::not_found().into_response(),
        }
    }

    async fn find(&self, path: &str, headers: &HeaderMap) -> Option<Asset> {
        match self {
            Self::Binary(files) => {
                let at = files.binary_search_by(|file| file.path.cmp(path)).ok()?;
                Some(Asset::embedded(&files[at], headers))
            }
            Self::Disk(root) => {
                let (root, path) = (root.clone(), path.to_owned());
                tokio::task::spawn_blocking(move || Asset::on_disk(&root, &path).ok())
                    .await
                    .ok()?
            }
            Self::Nothing => None,
        }
    }
}

/// Refuses every path that could leave its folder or name a hidden file.
fn is_safe(path: &str) -> bool {
    let Some(inside) = path.strip_prefix('/') else {
        return false;
    };
    let odd = inside.contains(['\\', '\0', ':']);
    !odd && inside
        .split('/')
        .all(|part| !part.is_empty() && !part.starts_with('.'))
}

/// One file as it goes out, in one encoding.
struct Asset {
    bytes: Bytes,
    kind: &'static str,
    tag: String,
    encoding: Option<&'static str>,
    freshness: HeaderValue,
}

impl Asset {
    fn embedded(file: &'static Embedded, headers: &HeaderMap) -> Self {
        let (encoding, bytes) = match (file.brotli, file.gzip) {
            (Some(brotli), _) if accepts(headers, "br") => (Some("br"), brotli),
            (_, Some(gzip)) if accepts(headers, "gzip") => (Some("gzip"), gzip),
            _ => (None, file.identity),
        };
        Self {
            bytes: Bytes::from_static(bytes),
            kind: kind_of(file.path),
            tag: format!(
                "\"{}{}\"",
                file.tag,
                encoding.map(|name| format!("-{name}")).unwrap_or_default()
            ),
            encoding,
            freshness: if is_packaged(file.path) {
                FOR_EVER
            } else {
                A_DAY
            },
        }
    }

    fn on_disk(root: &Path, path: &str) -> io::Result<Self> {
        let root = root.canonicalize()?;
        let file = root.join(path.trim_start_matches('/')).canonicalize()?;
        if !file.starts_with(&root) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let bytes = fs::read(&file)?;
        let changed = file
            .metadata()?
            .modified()?
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Ok(Self {
            tag: format!("\"{:x}-{:x}\"", bytes.len(), changed.as_nanos()),
            bytes: bytes.into(),
            kind: kind_of(path),
            encoding: None,
            freshness: ASK_AGAIN,
        })
    }

    fn respond(self, method: &Method, headers: &HeaderMap) -> Response {
        let known = is_known(headers, &self.tag);
        let length = self.bytes.len();
        let mut response = match (known, method) {
            (true, _) => StatusCode::NOT_MODIFIED.into_response(),
            (false, &Method::HEAD) => StatusCode::OK.into_response(),
            (false, _) => self.bytes.into_response(),
        };
        let out = response.headers_mut();
        out.insert(CACHE_CONTROL, self.freshness);
        out.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if let Ok(tag) = HeaderValue::try_from(self.tag) {
            out.insert(ETAG, tag);
        }
        if known {
            return response;
        }
        out.insert(CONTENT_TYPE, HeaderValue::from_static(self.kind));
        out.insert(CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(encoding) = self.encoding {
            out.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

fn kind_of(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "wasm" => "application/wasm",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "ico" => "image/x-icon",
        "png" => "image/png",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Tells whether the client takes `encoding`; an entry of its own counts before `*`.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let lines = headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let entries: Vec<(&str, bool)> = lines
        .flat_map(|line| line.split(','))
        .map(read_entry)
        .collect();
    let named = |wanted: &str| {
        entries
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    named(encoding)
        .or_else(|| named("*"))
        .is_some_and(|(_, wanted)| *wanted)
}

/// Reads `br;q=0.5` as a name and whether its weight is above zero.
fn read_entry(entry: &str) -> (&str, bool) {
    let (name, parameters) = entry.split_once(';').unwrap_or((entry, ""));
    let weight = parameters
        .trim()
        .strip_prefix(['q', 'Q'])
        .and_then(|rest| rest.trim_start().strip_prefix('='));
    let refused = weight.is_some_and(|weight| {
        weight
            .trim()
            .parse::<f32>()
            .is_ok_and(|weight| weight <= 0.0)
    });
    (name.trim(), !refused)
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
#[path = "assets_tests.rs"]
mod tests;
