//! The bytes of an image as every client in the field asks for them.

use axum::body::Bytes;

use crate::{
    furnish::{PROJECT, image, text_of},
    harness::{Answer, Ask, Portal, ask, get, post},
};

const IMAGE: &str = "/firmware/lamp/lamp-1.0.0.bin";
const SIZE: usize = 10_000;

struct Lamp {
    portal: Portal,
    token: String,
    bytes: Bytes,
    sha256: String,
}

impl Lamp {
    async fn new() -> Self {
        let portal = Portal::open().await;
        let admin = portal.admin().await;
        let bytes = portal.release(&admin, "1.0.0").await;
        let release = get("/api/v1/projects/lamp/releases/1.0.0").cookie(&admin.cookie);
        let release = portal.send(release).await.expect(200);
        let token = text_of(&portal.device_token(PROJECT).await, "token").to_owned();
        Self {
            portal,
            token,
            bytes,
            sha256: text_of(&release, "sha256").to_owned(),
        }
    }

    async fn send(&self, ask: Ask) -> Answer {
        self.portal.send(ask.bearer(&self.token)).await
    }

    async fn with(&self, name: &'static str, value: &str) -> Answer {
        self.send(get(IMAGE).header(name, value)).await
    }
}

#[tokio::test]
async fn the_whole_image_comes_with_every_header_that_clients_look_at() {
    let lamp = Lamp::new().await;
    let answer = lamp.with("accept-encoding", "br, gzip, deflate").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, lamp.bytes);
    for (name, value) in [
        ("content-length", "10000"),
        ("content-type", "application/octet-stream"),
        (
            "content-disposition",
            "attachment; filename=\"lamp-1.0.0.bin\"",
        ),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "private"),
        ("accept-ranges", "bytes"),
        ("etag", format!("\"{}\"", lamp.sha256).as_str()),
        ("content-encoding", ""),
        ("transfer-encoding", ""),
        ("vary", ""),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.header("x-md5").len(), 32);
    assert!(answer.header("last-modified").ends_with(" GMT"));
    let total: usize = answer
        .headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    assert!(total < 1200, "{total} bytes of headers");
    assert!(
        answer.headers.values().all(|value| value.len() < 200),
        "ESP clients cut long lines"
    );
}

#[tokio::test]
async fn a_head_says_what_a_get_would_say() {
    let lamp = Lamp::new().await;
    for range in [None, Some("bytes=5-9"), Some("bytes=10000-")] {
        let with_range = |method: &str| match range {
            Some(range) => ask(method, IMAGE).header("range", range),
            None => ask(method, IMAGE),
        };
        let (whole, head) = (
            lamp.send(with_range("GET")).await,
            lamp.send(with_range("HEAD")).await,
        );
        assert_eq!(head.status, whole.status);
        let plain = |answer: &Answer| {
            let mut headers = answer.headers.clone();
            headers.remove("x-request-id");
            headers
        };
        assert_eq!(plain(&head), plain(&whole), "{range:?}");
        assert!(head.status == 416 || head.body.is_empty());
    }
}

#[tokio::test]
async fn a_window_is_exactly_the_bytes_that_were_asked_for() {
    let lamp = Lamp::new().await;
    for (range, start, end) in [
        ("bytes=0-3", 0, 4),
        ("bytes=0-0", 0, 1),
        ("bytes=4096-8191", 4096, 8192),
        ("bytes=8192-12287", 8192, SIZE),
        ("bytes=0-10000", 0, SIZE),
        ("bytes=9999-", 9999, SIZE),
        ("bytes=1234-", 1234, SIZE),
        ("bytes=-1", 9999, SIZE),
        ("bytes=-10000", 0, SIZE),
        ("bytes=-99999999999999999999", 0, SIZE),
    ] {
        let answer = lamp.with("range", range).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, lamp.bytes[start..end], "{range}");
        assert_eq!(
            answer.header("content-range"),
            format!("bytes {start}-{}/{SIZE}", end - 1),
            "{range}"
        );
        assert_eq!(
            answer.header("content-length"),
            (end - start).to_string(),
            "{range}"
        );
        assert_eq!(answer.header("etag"), format!("\"{}\"", lamp.sha256));
    }
}

#[tokio::test]
async fn a_window_outside_the_image_is_416_with_its_size() {
    let lamp = Lamp::new().await;
    for range in [
        "bytes=10000-",
        "bytes=10000-20000",
        "bytes=-0",
        "bytes=10-5",
        "bytes=99999999999999999999-",
    ] {
        let answer = lamp.with("range", range).await;
        answer.refused(416, "range_not_satisfiable");
        assert_eq!(answer.header("content-range"), "bytes */10000", "{range}");
    }
}

#[tokio::test]
async fn what_is_no_single_range_is_answered_with_the_whole_image() {
    let lamp = Lamp::new().await;
    let thousand = format!("bytes={}", vec!["0-1"; 1000].join(","));
    for range in [
        "bytes=0-1,5-9",
        thousand.as_str(),
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes 0-5",
        "items=0-5",
        "0-5",
        "bytes=+1-5",
        "bytes=0x1-5",
        "bytes=1-5;",
    ] {
        let answer = lamp.with("range", range).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (200, SIZE),
            "{range:.40}"
        );
        assert_eq!(answer.header("content-range"), "");
    }
}

#[tokio::test]
async fn a_resumed_download_never_mixes_two_images() {
    let lamp = Lamp::new().await;
    let modified = lamp
        .send(get(IMAGE))
        .await
        .header("last-modified")
        .to_owned();
    let resumed = |if_range: String| {
        lamp.send(
            get(IMAGE)
                .header("range", "bytes=5000-")
                .header("if-range", &if_range),
        )
    };
    for fits in [format!("\"{}\"", lamp.sha256), modified] {
        assert_eq!(resumed(fits).await.status, 206);
    }
    for old in [
        "\"old\"".to_owned(),
        format!("W/\"{}\"", lamp.sha256),
        lamp.sha256.clone(),
        "Sun, 06 Nov 1994 08:49:37 GMT".to_owned(),
        "yesterday".to_owned(),
    ] {
        let answer = resumed(old.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (200, SIZE),
            "{old}"
        );
    }
}

#[tokio::test]
async fn who_has_the_image_already_downloads_nothing() {
    let lamp = Lamp::new().await;
    let modified = lamp
        .send(get(IMAGE))
        .await
        .header("last-modified")
        .to_owned();
    for (name, value) in [
        ("if-none-match", format!("\"{}\"", lamp.sha256)),
        ("if-none-match", format!("\"x\", W/\"{}\"", lamp.sha256)),
        ("if-none-match", "*".to_owned()),
        ("if-modified-since", modified),
    ] {
        let answer = lamp.with(name, &value).await;
        assert_eq!(
            (answer.status.as_u16(), answer.body.len()),
            (304, 0),
            "{name}: {value}"
        );
        assert_eq!(answer.header("etag"), format!("\"{}\"", lamp.sha256));
    }
    for (name, value) in [
        ("if-none-match", "\"x\""),
        ("if-modified-since", "Sun, 06 Nov 1994 08:49:37 GMT"),
        ("if-modified-since", "x"),
    ] {
        assert_eq!(lamp.with(name, value).await.status, 200, "{name}: {value}");
    }
    let rauc = get(IMAGE)
        .header("range", "bytes=0-3")
        .header("if-none-match", "\"old\"");
    assert_eq!(lamp.send(rauc).await.status, 206);
    lamp.with("if-match", "\"x\"")
        .await
        .refused(412, "precondition_failed");
    lamp.with("if-unmodified-since", "Sun, 06 Nov 1994 08:49:37 GMT")
        .await
        .refused(412, "precondition_failed");
    assert_eq!(
        lamp.with("if-match", &format!("\"{}\"", lamp.sha256))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_token_in_the_query_opens_get_and_head_and_nothing_else() {
    let lamp = Lamp::new().await;
    let (portal, with_token) = (&lamp.portal, format!("{IMAGE}?token={}", lamp.token));
    assert_eq!(portal.send(get(&with_token)).await.body, lamp.bytes);
    assert_eq!(portal.send(ask("HEAD", &with_token)).await.status, 200);
    assert_eq!(
        portal
            .send(get(&with_token).bearer(&lamp.token))
            .await
            .status,
        200,
        "both the same"
    );
    let differ = portal
        .send(get(&format!("{IMAGE}?token=other")).bearer(&lamp.token))
        .await;
    differ.refused(400, "bad_request");
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        let answer = portal.send(ask(method, &with_token)).await;
        answer.refused(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), "GET,HEAD", "{method}");
    }
    let elsewhere = portal
        .send(get(&format!("/api/v1/device/update?token={}", lamp.token)))
        .await;
    elsewhere.refused(401, "unauthenticated");
}

#[tokio::test]
async fn without_a_good_token_there_is_nothing_to_download() {
    let lamp = Lamp::new().await;
    let portal = &lamp.portal;
    let missing = portal
        .send(get(IMAGE))
        .await
        .refused(401, "unauthenticated");
    assert!(
        text_of(&missing, "detail").starts_with("Missing token"),
        "{missing}"
    );
    let invalid = portal
        .send(get(IMAGE).bearer("x.y.z"))
        .await
        .refused(401, "unauthenticated");
    assert_eq!(invalid["detail"], "Invalid token");
    let other = get("/firmware/fan/fan-1.0.0.bin").bearer(&lamp.token);
    let foreign = portal.send(other).await.refused(403, "forbidden");
    assert_eq!(foreign["detail"], "Token not valid for this project");
    for twin in [
        "/firmware/Lamp/lamp-1.0.0.bin",
        "/firmware/LAMP/latest",
        "/firmware/lamp%20/versions",
    ] {
        lamp.send(get(twin)).await.refused(403, "forbidden");
    }
    lamp.send(get("/firmware/lamp/LAMP-1.0.0.bin"))
        .await
        .refused(404, "not_found");
    let posted = post(IMAGE).bearer(&lamp.token);
    portal.send(posted).await.refused(405, "method_not_allowed");
}

#[tokio::test]
async fn an_admin_looks_at_a_draft_and_an_owner_at_nothing() {
    let portal = Portal::open().await;
    let (admin, owner) = (portal.admin().await, portal.owner().await);
    portal.project(&admin, PROJECT).await;
    portal.upload(&admin, "1.0.0", image(10)).await.expect(201);
    assert_eq!(
        portal.send(get(IMAGE).cookie(&admin.cookie)).await.body,
        image(10)
    );
    portal
        .send(get(IMAGE).cookie(&owner.cookie))
        .await
        .refused(401, "unauthenticated");
    let token = portal.device_token(PROJECT).await;
    let device = portal
        .send(get(IMAGE).bearer(text_of(&token, "token")))
        .await;
    device.refused(404, "not_found");
}
