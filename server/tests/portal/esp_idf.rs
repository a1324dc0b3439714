//! `esp_https_ota` of ESP-IDF: whole, resumed, and in windows after a HEAD.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    field::{Field, bytes_of},
    furnish::image,
    harness::{Answer, ask, get},
    socket::{Served, header_in, read_answer},
};

const PATH: &str = "/ota/esp-idf/lamp";
const FILE: &str = "/firmware/lamp/lamp-1.1.0.bin";
const WINDOW_BYTES: usize = 4096;

/// As the client does it with `partial_http_download`: the last window reaches past the end.
async fn fetch_in_windows(served: &Served, path: &str, token: &str) -> Vec<u8> {
    let mut stream = served.connect().await;
    let common = format!(
        "HTTP/1.1\r\nHost: x\r\nUser-Agent: ESP32 HTTP Client/1.0\r\nAuthorization: Bearer {token}"
    );
    let head = format!("HEAD {path} {common}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("sends");
    let head = read_head(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let size_bytes: usize = header_in(&head, "content-length")
        .parse()
        .expect("a length");
    let mut fetched = Vec::new();
    while fetched.len() < size_bytes {
        let start = fetched.len();
        let last = start + WINDOW_BYTES - 1;
        let request = format!("GET {path} {common}\r\nRange: bytes={start}-{last}\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sends");
        let (head, window) = read_answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 206 "), "{head}");
        assert!(head.len() < 512, "{} bytes: {head}", head.len());
        let end = (start + WINDOW_BYTES).min(size_bytes);
        let place = format!("bytes {start}-{}/{size_bytes}", end - 1);
        assert_eq!(header_in(&head, "content-range"), place);
        fetched.extend(window);
    }
    fetched
}

async fn read_head(stream: &mut tokio::net::TcpStream) -> String {
    use tokio::io::AsyncReadExt;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an open connection"));
    }
    String::from_utf8(head).expect("a head in ASCII")
}

#[tokio::test]
async fn an_image_comes_in_windows_over_one_connection_by_either_path() {
    let field = Field::with(&[], &["1.0.0"]).await;
    let bytes = image(2_000_001);
    field.release("1.1.0", bytes.clone()).await;
    let served = field.portal.listen().await;
    for path in [PATH, FILE] {
        let fetched = fetch_in_windows(&served, path, &field.token).await;
        assert!(fetched == bytes, "{path}");
    }
    let device = field.device().await;
    Field::insist(&device, "1.1.0", "downloading");
    assert_eq!(device["action"]["progress_percent"], 100);
    assert!(served.stop().await);
}

#[tokio::test]
async fn a_download_goes_on_where_it_broke_off() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let bytes = bytes_of("1.1.0");
    let resumed = field.send(get(PATH).header("range", "bytes=1000-")).await;
    assert_eq!(
        (resumed.status.as_u16(), &resumed.body[..]),
        (206, &bytes[1000..])
    );
    let past = field.send(get(PATH).header("range", "bytes=999999-")).await;
    past.refused(416, "range_not_satisfiable");
    assert_eq!(
        past.header("content-range"),
        format!("bytes */{}", bytes.len())
    );
}

#[tokio::test]
async fn whoever_runs_the_newest_is_told_not_modified() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let offered = field.get(&format!("{PATH}?current_fw=1.0.0")).await;
    assert_eq!(offered.body, bytes_of("1.1.0"));
    let etag = offered.header("etag").to_owned();
    let known = field.send(get(PATH).header("if-none-match", &etag)).await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    let back = field.get(&format!("{PATH}?current_fw=1.1.0")).await;
    assert_eq!((back.status.as_u16(), back.body.len()), (304, 0));
    Field::insist(&field.device().await, "1.1.0", "succeeded");
    let odd = field.get(&format!("{PATH}?current_fw=new")).await;
    odd.refused(422, "invalid");
}

#[tokio::test]
async fn a_release_that_is_published_meanwhile_does_not_mix_into_a_download() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let window =
        async |range: &str| -> Answer { field.send(get(PATH).header("range", range)).await };
    let old = bytes_of("1.1.0");
    assert_eq!(window("bytes=0-999").await.body, old[..1000]);
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let further = window("bytes=1000-1999").await;
    assert_eq!(further.body, old[1000..2000]);
    let whole = format!("bytes 1000-1999/{}", old.len());
    assert_eq!(further.header("content-range"), whole);
    let anew = window("bytes=0-999").await;
    assert_eq!(
        anew.body,
        bytes_of("1.2.0")[..1000],
        "who begins anew gets the newer one"
    );
}

#[tokio::test]
async fn a_device_that_was_told_to_stop_gets_nothing_more() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field.send(get(PATH).header("range", "bytes=0-999")).await;
    let path = format!(
        "/api/v1/projects/lamp/devices/{}/cancel",
        crate::furnish::DEVICE
    );
    let cancel = ask("POST", &path).cookie(&field.admin.cookie);
    assert_eq!(field.portal.send(cancel).await.status, 204);
    let further = field
        .send(get(PATH).header("range", "bytes=1000-1999"))
        .await;
    assert_eq!((further.status.as_u16(), further.body.len()), (304, 0));
    let by_name = field.get(FILE).await;
    by_name.refused(409, "finished");
}

/// The longest names and the largest size that the portal takes.
#[tokio::test]
async fn every_head_for_a_device_fits_into_512_bytes_and_every_url_into_200() {
    let field = Field::with(&[], &[]).await;
    let project = "p".repeat(64);
    field.portal.project(&field.admin, &project).await;
    let name = format!("{}.bin", "n".repeat(92));
    let path = format!("/api/v1/projects/{project}/releases/1.1.0");
    let upload = ask("PUT", &path)
        .cookie(&field.admin.cookie)
        .header("x-file-name", &name)
        .body(image(6_000_000));
    field.portal.send(upload).await.expect(201);
    let publish = ask("POST", &format!("{path}/publish")).cookie(&field.admin.cookie);
    field.portal.send(publish).await.expect(200);
    let token = field.portal.device_token(&project).await;
    let token = crate::furnish::text_of(&token, "token");
    let latest = get(&format!("/firmware/{project}/latest")).bearer(token);
    let latest = field.portal.send(latest).await.expect(200);
    let url = crate::furnish::text_of(&latest, "url");
    assert!(
        url.ends_with(&format!("/firmware/{project}/{name}")),
        "{url}"
    );
    let path = &url[url.find("/firmware").expect("a path")..];
    assert!(path.len() < 200, "{}", path.len());

    let served = field.portal.listen().await;
    for path in [
        path.to_owned(),
        format!("/ota/esp-idf/{project}"),
        format!("/ota/rauc/{project}"),
    ] {
        for range in [
            "",
            "Range: bytes=5000000-5004095\r\n",
            "If-None-Match: *\r\n",
        ] {
            let mut stream = served.connect().await;
            let request = format!(
                "HEAD {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{range}\r\n"
            );
            stream.write_all(request.as_bytes()).await.expect("sends");
            let head = read_head(&mut stream).await;
            assert!(
                head.starts_with("HTTP/1.1 20") || head.starts_with("HTTP/1.1 304"),
                "{head}"
            );
            assert!(head.len() < 512, "{} bytes: {head}", head.len());
        }
    }
    assert!(served.stop().await);
    let by_admin = field
        .portal
        .send(get(path).cookie(&field.admin.cookie))
        .await;
    assert_eq!(
        by_admin.header("content-disposition"),
        format!("attachment; filename=\"{name}\"")
    );
    assert_eq!(
        by_admin.header("x-frame-options"),
        "DENY",
        "a browser still gets its rules"
    );
}

#[tokio::test]
async fn nothing_is_there_without_a_release_and_nothing_for_strangers() {
    let field = Field::with(&[], &[]).await;
    assert_eq!(field.get(PATH).await.status, 304);
    field
        .get("/ota/esp-idf/fan")
        .await
        .refused(403, "forbidden");
    field
        .portal
        .send(get(PATH))
        .await
        .refused(401, "unauthenticated");
    assert_eq!(field.device().await["action"], json!(null));
}
