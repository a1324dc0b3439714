//! Paths that try to lead out of where they belong, and files that are not as they were stored.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use axum::body::Bytes;
use serde_json::Value;

use crate::{
    furnish::{PROJECT, Person, image, text_of},
    harness::{Portal, get, post},
};

/// Larger than what is kept in memory.
const LARGE_BYTES: u32 = 5 * 1024 * 1024;

#[tokio::test]
async fn no_path_leads_out_of_the_firmware() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let long = "a".repeat(5000);
    for tail in [
        "..",
        ".",
        "",
        "../lamp/lamp-1.0.0.bin",
        "%2e%2e",
        "%2e%2e%2f%2e%2e%2fgatehouse.db",
        "..%5c..%5cx",
        "%252e%252e%252f",
        "lamp-1.0.0.bin%00",
        "%00",
        "%c0%ae%c0%ae",
        "%ff%fe",
        "%e0%80%ae",
        ".git",
        ".git/config",
        "gatehouse.db",
        "secret.bin",
        "x.tmp",
        "lamp-1.0.0.bin/",
        "lamp-1.0.0.bin%2f..",
        "%2fetc%2fpasswd",
        "lamp-1.0.0.bin;x",
        "lamp-1.0.0.bin%20",
        "lamp-1%2e0%2e0.bin.",
        "%zz",
        &long,
    ] {
        for path in [
            format!("/firmware/lamp/{tail}"),
            format!("/firmware/{tail}"),
            format!("/firmware/{tail}/x.bin"),
        ] {
            let answer = portal.send(get(&path).bearer(token)).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 403 | 404), "{path:.80}: {status}");
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{path:.80}"
            );
        }
    }
    let encoded = get("/firmware/l%61mp/lamp%2D1.0.0.bin").bearer(token);
    assert_eq!(
        portal.send(encoded).await.status,
        200,
        "an encoding of the very name is the name"
    );
}

#[tokio::test]
async fn no_path_lists_or_leaks_what_lies_on_the_disk() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for path in [
        "/data",
        "/data/",
        "/blobs/",
        "/gatehouse.db",
        "/keys/secret.bin",
        "/pkg/",
        "/pkg/..%2f..%2fCargo.toml",
        "/pkg/x/../../../etc/passwd",
        "/.git/config",
        "/.env",
        "/api/",
        "/api/v1",
        "/firmware/",
        "/%2e%2e/%2e%2e/etc/passwd",
    ] {
        let answer = portal.send(get(path).cookie(&admin.cookie)).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(!answer.text().contains("root:"), "{path}");
    }
}

#[tokio::test]
async fn ids_and_queries_that_are_none_are_problems_that_programs_can_read() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    for path in [
        "/api/v1/users/x",
        "/api/v1/sessions/1",
        "/service/..",
        "/api/v1/projects/lamp/devices/%ff",
        "/api/v1/projects/%ff",
        "/api/v1/users/%00",
    ] {
        let answer = portal.send(get(path).cookie(&admin.cookie)).await;
        assert!(
            matches!(answer.status.as_u16(), 400 | 404),
            "{path}: {}",
            answer.status
        );
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{path}"
        );
    }
    for query in [
        "limit=0",
        "limit=501",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=99999999999999999999",
        "after=x",
        "after=%00",
        "after=%ff",
    ] {
        for list in [
            "/api/v1/users",
            "/api/v1/sessions",
            "/api/v1/audit",
            "/api/v1/tokens",
            "/api/v1/projects/lamp/devices",
            "/api/v1/services",
            "/service/",
            "/api/v1/routers",
            "/api/v1/me/logins",
            &format!("/api/v1/users/{}/logins", admin.id),
        ] {
            let answer = portal
                .send(get(&format!("{list}?{query}")).cookie(&admin.cookie))
                .await;
            assert!(
                matches!(answer.status.as_u16(), 400 | 422),
                "{list}?{query}: {} {}",
                answer.status,
                answer.text()
            );
            assert_eq!(
                answer.header("content-type"),
                "application/problem+json",
                "{list}?{query}"
            );
        }
    }
    let one = portal
        .send(get("/api/v1/users?limit=500").cookie(&admin.cookie))
        .await;
    assert_eq!(one.status, 200);
}

#[tokio::test]
async fn a_form_is_as_long_as_its_limit_at_the_most() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    for (path, limit_bytes) in [
        ("/login", 64 << 10),
        ("/setup", 64 << 10),
        ("/preferences", 64 << 10),
        ("/api/ui/end_other_sign_ins", 128 << 10),
    ] {
        let send = |size_bytes: usize| {
            let request = post(path)
                .header("content-type", "application/x-www-form-urlencoded")
                .header("accept", "text/html")
                .body(format!("x={}", "y".repeat(size_bytes - 2)));
            portal.send(request.cookie(&admin.cookie))
        };
        let longest = send(limit_bytes).await;
        assert!(longest.status.is_redirection(), "{path}: {longest:?}");
        send(limit_bytes + 1).await.refused(413, "too_large");
    }
}

/// The file behind a release, opened up for writing.
fn blob(portal: &Portal, release: &Value) -> PathBuf {
    let sha256 = text_of(release, "sha256");
    let path = portal
        .folder
        .path()
        .join("data/blobs")
        .join(&sha256[..2])
        .join(sha256);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("is there");
    path
}

async fn published(
    portal: &Portal,
    admin: &Person,
    version: &str,
    bytes: Bytes,
) -> (PathBuf, String) {
    let release = portal.upload(admin, version, bytes).await.expect(201);
    portal.publish(admin, version).await;
    (
        blob(portal, &release),
        format!("/firmware/lamp/lamp-{version}.bin"),
    )
}

#[tokio::test]
async fn a_cut_rotten_or_missing_file_is_an_error_and_never_a_short_answer() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let spoil: [fn(&PathBuf, &[u8]); 3] = [
        |file, bytes| fs::write(file, &bytes[..bytes.len() - 1]).expect("cuts it"),
        |file, bytes| {
            let mut rotten = bytes.to_vec();
            rotten[bytes.len() / 2] ^= 1;
            fs::write(file, rotten).expect("rots it");
        },
        |file, _| fs::remove_file(file).expect("removes it"),
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        for size_bytes in [10_000, LARGE_BYTES] {
            let bytes = image(size_bytes + u32::try_from(number).expect("few"));
            let version = format!("1.{number}.{size_bytes}");
            let (file, url) = published(&portal, &admin, &version, bytes.clone()).await;
            spoil(&file, &bytes);
            for request in [get(&url), get(&url).header("range", "bytes=0-3")] {
                let answer = portal.send(request.bearer(token)).await;
                answer.refused(500, "internal");
                assert!(
                    text_of(&answer.json(), "detail").contains("damaged"),
                    "{version}"
                );
            }
        }
    }
    assert_eq!(portal.send(get("/livez")).await.status, 200);
}

#[tokio::test]
async fn a_large_image_that_is_cut_while_it_is_sent_breaks_off() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let bytes = image(LARGE_BYTES);
    let (file, url) = published(&portal, &admin, "1.0.0", bytes.clone()).await;
    let whole = portal.send(get(&url).bearer(token)).await;
    assert_eq!((whole.status.as_u16(), whole.body == bytes), (200, true));

    fs::write(&file, &bytes[..1000]).expect("cuts it");
    let answer = portal.send(get(&url).bearer(token)).await;
    assert!(answer.cut || answer.status == 500, "{}", answer.status);
    fs::write(&file, &bytes).expect("restores it");
    assert_eq!(portal.send(get(&url).bearer(token)).await.body, bytes);
}
