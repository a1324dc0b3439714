//! What any HTTP client may send, over real sockets.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Duration,
};

use crate::{
    furnish::{PROJECT, text_of},
    harness::Portal,
    socket::{halves, header_in, read_answer},
};

const IMAGE: &str = "/firmware/lamp/lamp-1.0.0.bin";

#[tokio::test]
async fn an_old_client_over_http_1_0_gets_length_and_bytes_and_the_end() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let bytes = portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let answer = served
        .talk(format!("GET {IMAGE} HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n").as_bytes())
        .await;
    let (head, body) = halves(&answer);
    assert!(head.starts_with("HTTP/1.0 200"), "{head}");
    assert_eq!(
        (header_in(&head, "content-length"), body),
        ("10000", &bytes[..])
    );
    assert_eq!(header_in(&head, "transfer-encoding"), "");

    let head_only = served
        .talk(
            format!("HEAD {IMAGE}?token={token} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .as_bytes(),
        )
        .await;
    let (head, body) = halves(&head_only);
    assert_eq!(
        (header_in(&head, "content-length"), body.len()),
        ("10000", 0),
        "{head}"
    );
    assert!(served.stop().await);
}

#[tokio::test]
async fn one_connection_fetches_every_window_of_an_image() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    let bytes = portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let mut fetched = Vec::new();
    for start in (0..bytes.len()).step_by(100) {
        let request = format!(
            "GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nRange: bytes={start}-{}\r\n\r\n",
            start + 99
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        let (head, window) = read_answer(&mut stream).await;
        assert!(head.starts_with("HTTP/1.1 206"), "{head}");
        fetched.extend(window);
    }
    assert_eq!(fetched, bytes);
}

#[tokio::test]
async fn a_slow_reader_neither_holds_up_others_nor_loses_a_byte() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let bytes = crate::furnish::image(6_000_000);
    portal
        .upload(&admin, "1.0.0", bytes.clone())
        .await
        .expect(201);
    portal.publish(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = served.connect().await;
        let request = format!(
            "GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.expect("sends");
        slow.push(stream);
    }
    let quick = tokio::time::timeout(
        Duration::from_secs(20),
        served.talk(b"GET /livez HTTP/1.0\r\n\r\n"),
    )
    .await;
    assert!(
        quick
            .expect("answers beside a hundred stalled readers")
            .ends_with(b"ok\n")
    );
    let mut one = slow.pop().expect("a hundred");
    drop(slow);
    let mut whole = Vec::new();
    one.read_to_end(&mut whole).await.expect("reads on");
    assert!(halves(&whole).1 == bytes, "all of it");
}

#[tokio::test]
async fn a_file_that_is_cut_under_a_download_cuts_the_connection() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let bytes = crate::furnish::image(30_000_000);
    let release = portal
        .upload(&admin, "1.0.0", bytes.clone())
        .await
        .expect(201);
    portal.publish(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let request =
        format!("GET {IMAGE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut received = vec![0; 100_000];
    stream.read_exact(&mut received).await.expect("it begins");
    let sha256 = text_of(&release, "sha256");
    let file = portal
        .folder
        .path()
        .join("data/blobs")
        .join(&sha256[..2])
        .join(sha256);
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
        .expect("opens it up");
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .expect("opens")
        .set_len(1000)
        .expect("cuts it");
    // A reset is an end too; what must not come is the promised length.
    let _ = stream.read_to_end(&mut received).await;
    assert!(
        received.len() < bytes.len(),
        "{} bytes of a cut file",
        received.len()
    );
}

#[tokio::test]
async fn heads_and_methods_out_of_bounds_are_refused_on_the_wire() {
    let portal = Portal::open().await;
    let served = portal.listen().await;
    let huge = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "a".repeat(70_000)
    );
    assert!(
        served
            .talk(huge.as_bytes())
            .await
            .starts_with(b"HTTP/1.1 431")
    );
    let long_path = format!(
        "GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "a".repeat(70_000)
    );
    let answer = served.talk(long_path.as_bytes()).await;
    assert!(answer.starts_with(b"HTTP/1.1 414") || answer.starts_with(b"HTTP/1.1 431"));
    for method in ["TRACE", "CONNECT"] {
        let answer = served
            .talk(
                format!("{method} /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    .as_bytes(),
            )
            .await;
        assert!(answer.starts_with(b"HTTP/1.1 4"), "{method}");
    }
    let odd = served
        .talk(b"BREW /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        odd.starts_with(b"HTTP/1.1 405"),
        "{}",
        String::from_utf8_lossy(&odd)
    );
    let smuggled = served.talk(b"POST /login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /status HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(
        !String::from_utf8_lossy(&smuggled).contains("\"status\":\"ok\""),
        "no second answer to one request"
    );
    assert!(
        served
            .talk(b"GET /livez HTTP/1.0\r\n\r\n")
            .await
            .ends_with(b"ok\n")
    );
    assert!(served.stop().await);
}
