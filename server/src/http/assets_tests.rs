use std::fs;
use std::os::unix::fs::symlink;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::{Asset, Embedded, Method, Source, accepts, files_in, is_safe, routes};

const FILES: &[Embedded] = &[
    Embedded {
        path: "/favicon.ico",
        tag: "2-a",
        identity: b"ic",
        brotli: None,
        gzip: None,
    },
    Embedded {
        path: "/pkg/h/a.js",
        tag: "5-b",
        identity: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    },
    Embedded {
        path: "/pkg/h/a.wasm",
        tag: "5-c",
        identity: b"plain",
        brotli: None,
        gzip: Some(b"gz"),
    },
];

async fn ask(
    source: &Source,
    method: Method,
    path: &str,
    headers: &[(&'static str, &str)],
) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    source
        .respond(&request.body(()).expect("a request").into_parts().0)
        .await
}

async fn from_binary(path: &str, headers: &[(&'static str, &str)]) -> Response {
    ask(&Source::Binary(FILES), Method::GET, path, headers).await
}

async fn text(response: Response) -> String {
    let bytes = response
        .into_body()
        .collect()
        .await
        .expect("a body in memory")
        .to_bytes();
    String::from_utf8(bytes.to_vec()).expect("text")
}

#[tokio::test]
async fn the_best_twin_goes_out() {
    let cases = [
        ("gzip, deflate, br", Some("br"), "br"),
        ("gzip", Some("gzip"), "gz"),
        ("br;q=0, gzip;q=0.5", Some("gzip"), "gz"),
        ("BR; q=0.1", Some("br"), "br"),
        ("*", Some("br"), "br"),
        ("*, br;q=0.000", Some("gzip"), "gz"),
        ("br;q=0, gzip; q=0", None, "plain"),
        ("", None, "plain"),
    ];
    for (accepted, encoding, body) in cases {
        let response = from_binary("/pkg/h/a.js", &[("accept-encoding", accepted)]).await;
        let sent = response
            .headers()
            .get("content-encoding")
            .map(|value| value.to_str().expect("text").to_owned());
        assert_eq!(sent.as_deref(), encoding, "{accepted}");
        assert_eq!(response.headers()["vary"], "Accept-Encoding");
        assert_eq!(
            response.headers()["content-length"],
            body.len().to_string().as_str()
        );
        assert_eq!(text(response).await, body, "{accepted}");
    }
}

#[tokio::test]
async fn hashed_files_are_kept_and_public_ones_asked_for_again() {
    let script = from_binary("/pkg/h/a.js", &[]).await;
    assert_eq!(
        script.headers()["cache-control"],
        "public, max-age=31536000, immutable"
    );
    assert_eq!(
        script.headers()["content-type"],
        "text/javascript; charset=utf-8"
    );
    let wasm = from_binary("/pkg/h/a.wasm", &[("accept-encoding", "br")]).await;
    assert_eq!(wasm.headers()["content-type"], "application/wasm");
    let icon = from_binary("/favicon.ico", &[]).await;
    assert_eq!(icon.headers()["cache-control"], "public, max-age=86400");
}

#[tokio::test]
async fn a_known_tag_is_304_for_its_own_encoding_only() {
    let br = ("accept-encoding", "br");
    for known in ["\"5-b-br\"", "W/\"5-b-br\"", "\"x\", \"5-b-br\"", "*"] {
        let response = from_binary("/pkg/h/a.js", &[br, ("if-none-match", known)]).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["etag"]),
            (304, &HeaderValue::from_static("\"5-b-br\""))
        );
        assert_eq!(text(response).await, "");
    }
    let response = from_binary("/pkg/h/a.js", &[br, ("if-none-match", "\"5-b\"")]).await;
    assert_eq!(response.status(), 200);
}

#[tokio::test]
async fn head_has_the_length_and_no_body() {
    let response = ask(&Source::Binary(FILES), Method::HEAD, "/pkg/h/a.js", &[]).await;
    assert_eq!(response.headers()["content-length"], "5");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn nothing_outside_the_table_is_served() {
    for path in [
        "/pkg",
        "/pkg/",
        "/pkg/h",
        "/pkg/h/",
        "/pkg/h/a.js/",
        "/pkg/h/a.js.br",
        "/pkg/%2e%2e/x",
        "/pkg/h/..%2fa.js",
        "/pkg/h/a.js%00",
        "/pkg/h/%ff",
    ] {
        assert_eq!(from_binary(path, &[]).await.status(), 404, "{path}");
    }
}

#[test]
fn odd_paths_are_not_safe() {
    for path in [
        "",
        "a",
        "/",
        "//a",
        "/a/../b",
        "/..",
        "/.git/config",
        "/a\\b",
        "/a\0",
        "/c:/x",
        "/a/./b",
    ] {
        assert!(!is_safe(path), "{path:?}");
    }
    assert!(is_safe("/pkg/gatehouse.js"));
}

#[tokio::test]
async fn from_disk_comes_what_lies_inside_the_root() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let site = home.path().join("site");
    fs::create_dir_all(site.join("pkg")).expect("a folder");
    fs::write(site.join("pkg/gatehouse.css"), "body{}").expect("writes");
    fs::write(site.join("favicon.ico"), "ic").expect("writes");
    fs::write(home.path().join("secret.txt"), "secret").expect("writes");
    symlink(home.path().join("secret.txt"), site.join("pkg/link.txt")).expect("links");
    assert_eq!(files_in(&site), ["/favicon.ico"]);

    let disk = Source::Disk(site);
    let css = ask(&disk, Method::GET, "/pkg/gatehouse.css", &[]).await;
    assert_eq!(css.headers()["cache-control"], "no-cache");
    assert_eq!(text(css).await, "body{}");
    for path in [
        "/pkg",
        "/pkg/link.txt",
        "/pkg/missing.js",
        "/pkg/../../secret.txt",
        "/pkg/%2e%2e/%2e%2e/secret.txt",
    ] {
        assert_eq!(
            ask(&disk, Method::GET, path, &[]).await.status(),
            404,
            "{path}"
        );
    }
}

#[tokio::test]
async fn the_router_serves_what_the_site_holds() {
    let home = tempfile::tempdir().expect("a temporary folder");
    fs::write(home.path().join("robots.txt"), "x").expect("writes");
    fs::create_dir(home.path().join("pkg")).expect("a folder");
    fs::write(home.path().join("pkg/a.css"), "y").expect("writes");
    let disk = [
        ("/robots.txt", 200),
        ("/pkg/a.css", 200),
        ("/pkg/b.css", 404),
        ("/favicon.ico", 404),
    ];
    let binary = [
        ("/favicon.ico", 200),
        ("/pkg/h/a.js", 200),
        ("/pkg/h/b.js", 404),
        ("/robots.txt", 404),
    ];
    let sources = [
        (Source::Disk(home.path().to_owned()), disk),
        (Source::Binary(FILES), binary),
    ];
    for (source, expected) in sources {
        let router: Router = routes(source);
        for (path, status) in expected {
            let request = Request::get(path).body(Body::empty()).expect("a request");
            let response = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(response.status(), status, "{path}");
        }
    }
}

#[test]
fn accept_encoding_over_two_lines_counts() {
    let mut headers = HeaderMap::new();
    headers.append("accept-encoding", HeaderValue::from_static("deflate"));
    headers.append("accept-encoding", HeaderValue::from_static("br"));
    assert!(accepts(&headers, "br"));
}

#[test]
fn a_twin_has_a_tag_of_its_own() {
    let mut headers = HeaderMap::new();
    let plain = Asset::embedded(&FILES[1], &headers);
    headers.insert("accept-encoding", HeaderValue::from_static("gzip"));
    let gzip = Asset::embedded(&FILES[1], &headers);
    assert_eq!(
        (plain.tag.as_str(), gzip.tag.as_str()),
        ("\"5-b\"", "\"5-b-gzip\"")
    );
}
