//! Paths and ranges at the doors where images leave.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::Watch;
use crate::{
    field::{Field, bytes_of},
    furnish::{image, text_of},
    harness::get,
};

const DOORS: [&str; 4] = [
    "/firmware/lamp/lamp-1.1.0.bin",
    "/ota/arduino/lamp",
    "/ota/esp-idf/lamp",
    "/ota/rauc/lamp",
];

#[tokio::test]
async fn no_path_of_a_dialect_leads_elsewhere() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let watch = Watch::begin();
    let long = "a".repeat(5000);
    for dialect in ["arduino", "esp-idf", "esphome", "rauc"] {
        for tail in [
            "",
            "..",
            ".",
            "%2e%2e%2f%2e%2e%2fgatehouse.db",
            "..%5c..%5cx",
            "%252e%252e%252f",
            "lamp%00",
            "%00",
            "%c0%ae%c0%ae",
            "%ff",
            ".git",
            "gatehouse.db",
            "x.tmp",
            "lamp/",
            "lamp/..",
            "lamp%2f..",
            "*",
            "..json",
            ".json",
            &long,
        ] {
            let path = format!("/ota/{dialect}/{tail}");
            let answer = field.get(&path).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 403 | 404), "{path:.80}: {status}");
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{path:.80}"
            );
        }
        field
            .get(&format!("/ota/{dialect}"))
            .await
            .refused(404, "not_found");
    }
    field.get("/ota/").await.refused(404, "not_found");
    field.get("/ota/tftp/lamp").await.refused(404, "not_found");
    watch.end(&field.portal, &[&field.token]).await;
}

#[tokio::test]
async fn every_form_of_a_range_is_understood_alike_at_every_door() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let watch = Watch::begin();
    let bytes = bytes_of("1.1.0");
    let size = bytes.len();
    let thousand = format!("bytes={}", vec!["0-1"; 1000].join(","));
    let overlapping = format!("bytes={}", vec!["0-"; 15_000].join(","));
    let past = format!("bytes=0-{size}");
    let huge = format!("bytes=-{}", size + 1);
    for (range, expected) in [
        ("bytes=0-3", Some(&bytes[..4])),
        (past.as_str(), Some(&bytes[..])),
        (huge.as_str(), Some(&bytes[..])),
        ("bytes=-3", Some(&bytes[size - 3..])),
        ("bytes=-0", None),
        ("bytes=10-5", None),
        ("bytes=99999999999999999999-", None),
    ] {
        for door in DOORS {
            let answer = field.send(get(door).header("range", range)).await;
            if let Some(part) = expected {
                assert_eq!(
                    (answer.status.as_u16(), &answer.body[..]),
                    (206, part),
                    "{door} {range}"
                );
            } else {
                answer.refused(416, "range_not_satisfiable");
                assert_eq!(
                    answer.header("content-range"),
                    format!("bytes */{size}"),
                    "{door} {range}"
                );
            }
        }
    }
    for range in [
        thousand.as_str(),
        &overlapping,
        "bytes=a-b",
        "bytes=",
        "bytes=--1",
        "bytes=0-1,",
        "octets=0-1",
        "bytes=0 - 1",
    ] {
        for door in DOORS {
            let answer = field.send(get(door).header("range", range)).await;
            assert_eq!(
                (answer.status.as_u16(), &answer.body),
                (200, &bytes),
                "{door} {range:.40}"
            );
        }
    }
    for door in DOORS {
        let old = get(door)
            .header("range", "bytes=0-3")
            .header("if-range", "\"old\"");
        assert_eq!(field.send(old).await.status, 200, "{door}");
    }
    watch.end(&field.portal, &[&field.token]).await;
}

/// The file behind the one release, opened up for writing.
fn blob(field: &Field, sha256: &str) -> PathBuf {
    let blobs = field.portal.folder.path().join("data/blobs");
    let path = blobs.join(&sha256[..2]).join(sha256);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("is there");
    path
}

#[tokio::test]
async fn a_link_in_place_of_an_image_and_a_rotten_one_are_errors_at_every_door() {
    let spoil: [fn(&PathBuf, &[u8]); 4] = [
        |file, bytes| fs::write(file, &bytes[..bytes.len() / 2]).expect("cuts it"),
        |file, bytes| {
            let mut rotten = bytes.to_vec();
            rotten[0] ^= 1;
            fs::write(file, rotten).expect("rots it");
        },
        |file, _| fs::remove_file(file).expect("removes it"),
        |file, _| {
            fs::remove_file(file).expect("removes it");
            symlink("/etc/passwd", file).expect("links");
        },
    ];
    for size_bytes in [3000, 5 * 1024 * 1024] {
        for spoil in spoil {
            for proxy in [
                &[][..],
                &[
                    ("GATEHOUSE_SENDFILE", "x-sendfile"),
                    ("GATEHOUSE_TRUSTED_PROXIES", "203.0.113.7"),
                ],
            ] {
                let field = Field::with(proxy, &[]).await;
                let bytes = image(size_bytes);
                let release = field.release("1.1.0", bytes.clone()).await;
                spoil(&blob(&field, text_of(&release, "sha256")), &bytes);
                for door in DOORS {
                    for range in [None, Some("bytes=0-3")] {
                        let asked = get(door).header("x-forwarded-for", "198.51.100.1");
                        let asked = range.map_or_else(
                            || get(door).header("x-forwarded-for", "198.51.100.1"),
                            |range| asked.header("range", range),
                        );
                        let answer = field.send(asked).await;
                        answer.refused(500, "internal");
                        assert!(!answer.text().contains("root:"), "{door}");
                        assert_eq!(answer.header("x-sendfile"), "", "{door}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn an_image_that_rots_while_the_proxy_sends_it_is_handed_over_no_more() {
    let proxy = [
        ("GATEHOUSE_SENDFILE", "x-accel-redirect"),
        ("GATEHOUSE_TRUSTED_PROXIES", "203.0.113.7"),
    ];
    let field = Field::with(&proxy, &[]).await;
    for (version, size_bytes) in [("1.0.0", 3000), ("1.1.0", 5 * 1024 * 1024)] {
        let release = field.release(version, image(size_bytes)).await;
        let sha256 = text_of(&release, "sha256");
        let path = format!("/firmware/lamp/lamp-{version}.bin");
        let ask = || get(&path).header("x-forwarded-for", "198.51.100.1");
        let handed_over = field.send(ask()).await;
        let place = format!("/gatehouse-images/{}/{sha256}", &sha256[..2]);
        assert_eq!(
            (
                handed_over.header("x-accel-redirect"),
                handed_over.body.len()
            ),
            (place.as_str(), 0)
        );
        assert_eq!(handed_over.header("x-md5").len(), 32);
        for own in [
            ("range", "bytes=0-3"),
            ("if-none-match", "\"x\""),
            ("if-match", "*"),
        ] {
            let answer = field.send(ask().header(own.0, own.1)).await;
            assert_eq!(answer.header("x-accel-redirect"), "", "{own:?}");
            assert!(!answer.body.is_empty(), "{own:?}");
        }
        let stranger = field.send(ask().peer("203.0.113.8")).await;
        assert_eq!(
            (stranger.header("x-accel-redirect"), &stranger.body),
            ("", &image(size_bytes))
        );
        let mut rotten = image(size_bytes).to_vec();
        rotten[7] ^= 1;
        fs::write(blob(&field, sha256), rotten).expect("rots it");
        field.send(ask()).await.refused(500, "internal");
    }
}

/// Each reads a byte and then nothing more for the time of the test.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_readers_at_a_crawl_hold_up_nobody() {
    let field = Field::with(&[], &[]).await;
    field.release("1.1.0", image(6_000_000)).await;
    let served = field.portal.listen().await;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        DOORS[0], field.token
    );
    let mut readers = Vec::new();
    for _ in 0..2000 {
        let mut stream = served.connect().await;
        stream.write_all(request.as_bytes()).await.expect("sends");
        readers.push(stream);
    }
    for reader in &mut readers {
        let byte = timeout(Duration::from_mins(1), reader.read_u8()).await;
        assert_eq!(byte.expect("in time").expect("a byte"), b'H');
    }
    let started = Instant::now();
    let window = request.replace("\r\n\r\n", "\r\nRange: bytes=0-1023\r\n\r\n");
    for _ in 0..20 {
        let mut stream = served.connect().await;
        stream.write_all(window.as_bytes()).await.expect("sends");
        let (head, body) = crate::socket::read_answer(&mut stream).await;
        assert!(
            head.starts_with("HTTP/1.1 206") && body.len() == 1024,
            "{head}"
        );
    }
    // Generous for a busy machine; whoever waited for a reader would wait a minute.
    assert!(
        started.elapsed() < Duration::from_secs(20),
        "{:?}",
        started.elapsed()
    );
    drop(readers);
    assert!(served.stop().await);
}
