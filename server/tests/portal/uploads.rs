//! Uploads: all of an image or nothing of it.

use std::{fs, path::Path};

use axum::body::{Body, Bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::{future::join_all, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use crate::{
    furnish::{PROJECT, Person, image, text_of},
    harness::{Answer, Portal, ask, get, post},
};

const LIMIT_BYTES: u32 = 20_000;

async fn limited() -> (Portal, Person) {
    let portal = Portal::with(&[("GATEHOUSE_MAX_UPLOAD_BYTES", "20000")]).await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    (portal, admin)
}

/// Every file under the blob store.
pub(crate) fn stored(portal: &Portal) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).expect("lists") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, found);
            } else if !path.ends_with("lock") {
                found.push(path.display().to_string());
            }
        }
    }
    let mut found = Vec::new();
    walk(&portal.folder.path().join("data/blobs"), &mut found);
    found
}

async fn releases(portal: &Portal, admin: &Person) -> usize {
    let list = get(&format!("/api/v1/projects/{PROJECT}/releases")).cookie(&admin.cookie);
    portal.send(list).await.expect(200)["items"]
        .as_array()
        .map_or(0, Vec::len)
}

fn put(admin: &Person, version: &str) -> crate::harness::Ask {
    let path = format!("/api/v1/projects/{PROJECT}/releases/{version}");
    ask("PUT", &path).cookie(&admin.cookie)
}

fn in_pieces(bytes: &Bytes) -> Body {
    let pieces: Vec<_> = bytes
        .chunks(4096)
        .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
        .collect();
    Body::from_stream(stream::iter(pieces))
}

#[tokio::test]
async fn the_limit_is_exact_with_and_without_a_length() {
    let (portal, admin) = limited().await;
    let (fits, over) = (image(LIMIT_BYTES), image(LIMIT_BYTES + 1));
    let send = |version: &'static str, length: Option<&str>, bytes: &Bytes| {
        let request = put(&admin, version).body(in_pieces(bytes));
        portal.send(match length {
            Some(length) => request.header("content-length", length),
            None => request,
        })
    };
    send("1.0.0", Some("20001"), &over)
        .await
        .refused(413, "too_large");
    send("1.0.0", None, &over).await.refused(413, "too_large");
    assert_eq!(
        (stored(&portal), releases(&portal, &admin).await),
        (Vec::new(), 0),
        "nothing is left"
    );
    let release = send("1.0.0", None, &fits).await.expect(201);
    assert_eq!(release["size_bytes"], LIMIT_BYTES);
    send("1.0.1", Some("20000"), &fits).await.expect(201);
    assert_eq!(stored(&portal).len(), 1, "the same bytes are kept once");
}

#[tokio::test]
async fn a_promised_digest_is_kept_to() {
    let (portal, admin) = limited().await;
    let bytes = image(500);
    let send = |digest: String| {
        portal.send(
            put(&admin, "1.0.0")
                .header("content-digest", &digest)
                .body(bytes.clone()),
        )
    };
    let of = |bytes: &[u8]| format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(bytes)));
    let wrong = send(of(b"other bytes")).await;
    assert_eq!(wrong.refused(422, "invalid")["field"], "Content-Digest");
    send("sha-256=:x:".into()).await.refused(422, "invalid");
    assert_eq!(stored(&portal), [""; 0]);
    let release = send(of(&bytes)).await.expect(201);
    assert_eq!(text_of(&release, "sha256").len(), 64);
}

#[tokio::test]
async fn an_upload_that_breaks_off_at_any_tenth_leaves_nothing() {
    let (portal, admin) = limited().await;
    let whole = image(LIMIT_BYTES);
    for tenth in 0..10 {
        let part = whole.slice(..whole.len() * tenth / 10);
        let pieces = [
            Ok(part),
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset)),
        ];
        let request = put(&admin, "1.0.0").body(Body::from_stream(stream::iter(pieces)));
        portal.send(request).await.refused(400, "bad_request");
        assert_eq!(stored(&portal), [""; 0], "after {tenth} tenths");
    }
    assert_eq!(releases(&portal, &admin).await, 0);
    portal.upload(&admin, "1.0.0", whole).await.expect(201);
}

#[tokio::test]
async fn a_browser_that_hangs_up_leaves_nothing() {
    let (portal, admin) = limited().await;
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let head = format!(
        "PUT /api/v1/projects/{PROJECT}/releases/1.0.0 HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nCookie: {}\r\nContent-Length: 5000\r\n\r\n",
        admin.cookie
    );
    stream.write_all(head.as_bytes()).await.expect("sends");
    stream.write_all(&image(2500)).await.expect("sends");
    while stored(&portal).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    drop(stream);
    while !stored(&portal).is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(releases(&portal, &admin).await, 0);
    served.stop().await;
}

#[tokio::test]
async fn a_version_never_changes_its_bytes() {
    let (portal, admin) = limited().await;
    let first = portal.upload(&admin, "1.0.2", image(100)).await.expect(201);
    let again = portal.upload(&admin, "1.0.2", image(100)).await.expect(200);
    assert_eq!(again, first);
    portal
        .upload(&admin, "1.0.2", image(101))
        .await
        .refused(409, "other_bytes");
    for second_spelling in ["01.00.02", "1.0.2+build.7"] {
        for bytes in [image(100), image(101)] {
            portal
                .upload(&admin, second_spelling, bytes)
                .await
                .refused(409, "taken");
        }
    }
    let named = put(&admin, "1.0.3")
        .header("x-file-name", "lamp-1.0.2.bin")
        .body(image(7));
    portal.send(named).await.refused(409, "taken");
    assert_eq!(
        (stored(&portal).len(), releases(&portal, &admin).await),
        (1, 1),
        "refused bytes are not kept"
    );
}

#[tokio::test]
async fn twenty_uploads_of_one_version_at_once_make_one_release() {
    let (portal, admin) = limited().await;
    let same = join_all((0..20).map(|_| portal.upload(&admin, "1.0.0", image(9000)))).await;
    let statuses = |answers: &[Answer], status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((statuses(&same, 201), statuses(&same, 200)), (1, 19));
    let different =
        join_all((0..20).map(|number| portal.upload(&admin, "2.0.0", image(100 + number)))).await;
    assert_eq!(
        (statuses(&different, 201), statuses(&different, 409)),
        (1, 19)
    );
    assert_eq!(releases(&portal, &admin).await, 2);
    portal.installation.sweep().await.expect("sweeps");
    assert_eq!(stored(&portal).len(), 2, "one file a release");
}

#[tokio::test]
async fn odd_versions_names_and_empty_images_are_refused_in_words() {
    let (portal, admin) = limited().await;
    for version in [
        "1.0",
        "v1.0.0",
        "1.0.0.0",
        "9999999999.0.0",
        "1.0.-1",
        "%F0%9F%A6%80",
        "1.0.0%20",
        "..",
        "1.0.0-",
        "latest",
        "1,0,0",
        "0x1.0.0",
    ] {
        let answer = portal.upload(&admin, version, image(5)).await;
        assert!(
            matches!(answer.status.as_u16(), 404 | 422),
            "{version}: {}",
            answer.status
        );
        assert_eq!(
            answer.header("content-type"),
            "application/problem+json",
            "{version}"
        );
    }
    for name in [
        "../x.bin",
        "%2e%2e%2fx.bin",
        ".hidden",
        "a/b",
        "a\\b",
        "a b",
        "x\".bin",
        "latest",
        "versions",
        "",
        "%ff",
        "<svg onload=1>.bin",
        "x%00.bin",
        &"a".repeat(97),
    ] {
        let request = put(&admin, "1.0.0")
            .header("x-file-name", name)
            .body(image(5));
        assert_eq!(
            portal.send(request).await.refused(422, "invalid")["field"],
            "file_name",
            "{name:?}"
        );
    }
    portal
        .upload(&admin, "1.0.0", Bytes::new())
        .await
        .refused(422, "invalid");
    let packed = put(&admin, "1.0.0")
        .header("content-encoding", "gzip")
        .body(image(5));
    portal
        .send(packed)
        .await
        .refused(415, "unsupported_media_type");
    let elsewhere = ask("PUT", "/api/v1/projects/unknown/releases/1.0.0")
        .cookie(&admin.cookie)
        .body(image(5));
    portal.send(elsewhere).await.refused(404, "not_found");
    assert_eq!(stored(&portal), [""; 0]);
}

#[tokio::test]
async fn a_form_without_scripts_uploads_too_and_leaves_nothing_of_what_is_refused() {
    let (portal, admin) = limited().await;
    let send = |version: &str, bytes: &Bytes| {
        let mut body = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"version\"\r\n\r\n{version}\r\n--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"lamp.bin\"\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--cut--\r\n");
        let request = post("/admin/projects/lamp/upload")
            .header("content-type", "multipart/form-data; boundary=cut");
        portal.send(request.cookie(&admin.cookie).body(body))
    };
    let over = send("1.0.0", &image(LIMIT_BYTES + 1)).await;
    assert_eq!(
        over.header("location"),
        "/admin/projects/lamp/upload?version=1.0.0&error=too_large"
    );
    let elsewhere = post("/admin/projects/a%2F%3Fb%0D/upload")
        .header("content-type", "multipart/form-data; boundary=cut")
        .cookie(&admin.cookie)
        .body("--cut--\r\n");
    assert_eq!(
        portal.send(elsewhere).await.header("location"),
        "/admin/projects/a%2F%3Fb%0D/upload?version=&error=invalid&field=upload.file"
    );
    let odd = send("one", &image(5)).await;
    assert_eq!(
        odd.header("location"),
        "/admin/projects/lamp/upload?version=one&error=invalid&field=upload.version"
    );
    assert_eq!(stored(&portal), [""; 0]);
    let done = send("1.0.0", &image(LIMIT_BYTES)).await;
    assert_eq!(
        done.header("location"),
        "/admin/projects/lamp/releases/1.0.0?ok=uploaded"
    );
    assert_eq!(stored(&portal).len(), 1);
}

#[tokio::test]
async fn a_published_release_stays_on_record_and_a_draft_can_go() {
    let (portal, admin) = limited().await;
    portal.upload(&admin, "1.0.0", image(50)).await.expect(201);
    let path = format!("/api/v1/projects/{PROJECT}/releases/1.0.0");
    let withdraw = post(&format!("{path}/withdraw")).cookie(&admin.cookie);
    portal.send(withdraw).await.refused(409, "conflict");
    portal.publish(&admin, "1.0.0").await;
    portal
        .send(ask("DELETE", &path).cookie(&admin.cookie))
        .await
        .refused(409, "conflict");
    let notes = ask("PATCH", &path)
        .json(&json!({ "notes": "Lamp \u{202e}" }))
        .cookie(&admin.cookie);
    portal.send(notes).await.refused(422, "invalid");
    portal.upload(&admin, "1.0.1", image(51)).await.expect(201);
    let draft = ask("DELETE", "/api/v1/projects/lamp/releases/1.0.1").cookie(&admin.cookie);
    assert_eq!(portal.send(draft).await.status, 204);
    assert_eq!(releases(&portal, &admin).await, 1);
}
