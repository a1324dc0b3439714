//! Uploads that outlive their connections, in the words of the tus protocol.

use std::fs;

use axum::body::{Body, Bytes};
use base64::{Engine, engine::general_purpose::STANDARD};
use futures_util::stream;
use sha2::{Digest, Sha256};

use crate::{
    furnish::{PROJECT, Person, image},
    harness::{Ask, Portal, ask, get},
};

const UPLOADS: &str = "/api/v1/projects/lamp/uploads";
pub(crate) const CHUNK: &str = "application/offset+octet-stream";
pub(crate) const LIMIT_BYTES: u32 = 20_000;

pub(crate) async fn limited() -> (Portal, Person) {
    let portal = Portal::with(&[("GATEHOUSE_MAX_UPLOAD_BYTES", "20000")]).await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    (portal, admin)
}

pub(crate) fn tus(admin: &Person, method: &str, path: &str) -> Ask {
    ask(method, path)
        .header("tus-resumable", "1.0.0")
        .cookie(&admin.cookie)
}

fn metadata(version: &str, sha256: Option<&str>) -> String {
    let mut line = format!("version {}", STANDARD.encode(version));
    if let Some(sha256) = sha256 {
        line = format!("{line},sha256 {}", STANDARD.encode(sha256));
    }
    line
}

pub(crate) fn creation(admin: &Person, version: &str, size_bytes: usize) -> Ask {
    tus(admin, "POST", UPLOADS)
        .header("upload-length", &size_bytes.to_string())
        .header("upload-metadata", &metadata(version, None))
}

/// Begins an upload and answers where it is.
pub(crate) async fn begin(
    portal: &Portal,
    admin: &Person,
    version: &str,
    size_bytes: usize,
) -> String {
    let begun = portal.send(creation(admin, version, size_bytes)).await;
    assert_eq!(begun.status, 201, "{}", begun.text());
    begun.header("location").to_owned()
}

pub(crate) fn patch(admin: &Person, url: &str, offset: usize, bytes: impl Into<Body>) -> Ask {
    tus(admin, "PATCH", url)
        .header("content-type", CHUNK)
        .header("upload-offset", &offset.to_string())
        .body(bytes)
}

pub(crate) async fn offset(portal: &Portal, admin: &Person, url: &str) -> usize {
    let looked = portal.send(tus(admin, "HEAD", url)).await;
    assert_eq!(looked.status, 200, "{}", looked.text());
    assert_eq!(looked.header("cache-control"), "no-store");
    looked.header("upload-offset").parse().expect("a number")
}

pub(crate) async fn releases(portal: &Portal, admin: &Person) -> Vec<String> {
    let list = get("/api/v1/projects/lamp/releases").cookie(&admin.cookie);
    let page = portal.send(list).await.expect(200);
    let items = page["items"].as_array().expect("a list").iter();
    items
        .map(|release| release["version"].as_str().expect("text").to_owned())
        .collect()
}

/// How many files of uploads lie there.
pub(crate) fn parts(portal: &Portal) -> usize {
    let folder = portal.folder.path().join("data/blobs/tmp");
    fs::read_dir(folder).expect("lists").count()
}

fn broken_off(part: Bytes) -> Body {
    let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    Body::from_stream(stream::iter([Ok(part), Err(broken)]))
}

#[tokio::test]
async fn an_upload_in_pieces_becomes_the_release_that_one_request_makes() {
    let (portal, admin) = limited().await;
    let whole = image(LIMIT_BYTES);
    let url = begin(&portal, &admin, "1.0.0", whole.len()).await;
    for start in (0..whole.len()).step_by(7000) {
        let piece = whole.slice(start..whole.len().min(start + 7000));
        let end = start + piece.len();
        let answer = portal.send(patch(&admin, &url, start, piece)).await;
        assert_eq!(answer.status, 204, "{}", answer.text());
        assert_eq!(answer.header("tus-resumable"), "1.0.0");
        assert_eq!(answer.header("upload-offset"), end.to_string());
        assert!(answer.header("upload-expires").ends_with(" GMT"));
        let release = if end == whole.len() {
            "/api/v1/projects/lamp/releases/1.0.0"
        } else {
            ""
        };
        assert_eq!(answer.header("location"), release);
    }
    let shown = get("/api/v1/projects/lamp/releases/1.0.0").cookie(&admin.cookie);
    let release = portal.send(shown).await.expect(200);
    assert_eq!(release["sha256"], hex::encode(Sha256::digest(&whole)));
    assert_eq!(release["state"], "draft");
    let again = portal
        .upload(&admin, "1.0.0", whole.clone())
        .await
        .expect(200);
    assert_eq!(again, release, "both ways make the same");
    assert_eq!(parts(&portal), 0);
    assert_eq!(
        offset(&portal, &admin, &url).await,
        whole.len(),
        "whose answer got lost can ask"
    );
    portal
        .send(patch(&admin, &url, whole.len(), Body::empty()))
        .await
        .refused(409, "finished");
}

#[tokio::test]
async fn what_came_before_a_cut_at_any_tenth_is_kept() {
    let (portal, admin) = limited().await;
    let whole = image(LIMIT_BYTES);
    let url = begin(&portal, &admin, "1.0.0", whole.len()).await;
    let mut there = 0;
    for tenth in 1..10 {
        let end = whole.len() * tenth / 10;
        let part = broken_off(whole.slice(there..end));
        let broken = portal.send(patch(&admin, &url, there, part)).await;
        broken.refused(400, "bad_request");
        assert_eq!(offset(&portal, &admin, &url).await, end);
        there = end;
    }
    let last = portal
        .send(patch(&admin, &url, there, whole.slice(there..)))
        .await;
    assert_eq!(last.status, 204);
    assert_eq!(releases(&portal, &admin).await, ["1.0.0"]);
}

#[tokio::test]
async fn the_first_bytes_may_come_with_the_creation() {
    let (portal, admin) = limited().await;
    let whole = image(100);
    let create = |version: &str, part: Bytes| {
        let request = creation(&admin, version, 100).header("content-type", CHUNK);
        portal.send(request.body(part))
    };
    let begun = create("1.0.0", whole.slice(..40)).await;
    assert_eq!(
        (begun.status.as_u16(), begun.header("upload-offset")),
        (201, "40")
    );
    assert_eq!(offset(&portal, &admin, begun.header("location")).await, 40);
    let at_once = create("1.0.1", whole).await;
    assert_eq!(
        (at_once.status.as_u16(), at_once.header("upload-offset")),
        (201, "100")
    );
    assert!(at_once.header("location").starts_with(UPLOADS));
    assert_eq!(releases(&portal, &admin).await, ["1.0.1"]);
}

#[tokio::test]
async fn the_limit_is_exact() {
    let (portal, admin) = limited().await;
    let over = usize::try_from(LIMIT_BYTES).expect("fits") + 1;
    portal
        .send(creation(&admin, "1.0.0", over))
        .await
        .refused(413, "too_large");
    portal
        .send(creation(&admin, "1.0.0", 0))
        .await
        .refused(422, "invalid");
    let url = begin(&portal, &admin, "1.0.0", over - 1).await;
    let announced =
        patch(&admin, &url, 0, image(LIMIT_BYTES + 1)).header("content-length", "20001");
    portal.send(announced).await.refused(413, "too_large");
    let unannounced = Body::from_stream(stream::iter(
        image(LIMIT_BYTES + 1)
            .chunks(3000)
            .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
            .collect::<Vec<_>>(),
    ));
    portal
        .send(patch(&admin, &url, 0, unannounced))
        .await
        .refused(413, "too_large");
    assert_eq!(
        offset(&portal, &admin, &url).await,
        0,
        "what was refused is not kept"
    );
    let fits = portal
        .send(patch(&admin, &url, 0, image(LIMIT_BYTES)))
        .await;
    assert_eq!(fits.status, 204);
}

#[tokio::test]
async fn what_cannot_be_a_release_is_refused_with_its_last_byte_and_gone() {
    let (portal, admin) = limited().await;
    let promise = |sha256: String| {
        tus(&admin, "POST", UPLOADS)
            .header("upload-length", "50")
            .header("upload-metadata", &metadata("1.0.0", Some(&sha256)))
    };
    let begun = portal.send(promise("ab".repeat(32))).await;
    let url = begun.header("location");
    let wrong = portal.send(patch(&admin, url, 0, image(50))).await;
    wrong.refused(422, "invalid");
    assert_eq!(wrong.header("tus-resumable"), "1.0.0");
    assert_eq!(portal.send(tus(&admin, "HEAD", url)).await.status, 404);
    let right = hex::encode(Sha256::digest(image(50)));
    let url = portal
        .send(promise(right))
        .await
        .header("location")
        .to_owned();
    assert_eq!(
        portal.send(patch(&admin, &url, 0, image(50))).await.status,
        204
    );

    portal
        .send(creation(&admin, "1.0.0", 51))
        .await
        .refused(409, "other_bytes");
    portal
        .send(promise("cd".repeat(32)))
        .await
        .refused(409, "other_bytes");
    portal
        .send(creation(&admin, "01.00.00", 50))
        .await
        .refused(409, "taken");
    let same_length = begin(&portal, &admin, "1.0.0", 50).await;
    let others = image(51).slice(1..);
    portal
        .send(patch(&admin, &same_length, 0, others))
        .await
        .refused(409, "other_bytes");
    assert_eq!(
        portal.send(tus(&admin, "HEAD", &same_length)).await.status,
        404
    );
    let same_again = begin(&portal, &admin, "1.0.0", 50).await;
    assert_eq!(
        portal
            .send(patch(&admin, &same_again, 0, image(50)))
            .await
            .status,
        204
    );
    assert_eq!(
        (releases(&portal, &admin).await.len(), parts(&portal)),
        (1, 0)
    );
}

#[tokio::test]
async fn a_piece_that_does_not_fit_its_checksum_is_not_taken() {
    let (portal, admin) = limited().await;
    let url = begin(&portal, &admin, "1.0.0", 100).await;
    let checksum = format!("sha256 {}", STANDARD.encode(Sha256::digest(image(60))));
    let send =
        |body: Body| portal.send(patch(&admin, &url, 0, body).header("upload-checksum", &checksum));
    let other = send(image(61).slice(1..).into()).await;
    other.refused(460, "checksum_mismatch");
    assert_eq!(offset(&portal, &admin, &url).await, 0);
    send(broken_off(image(60)))
        .await
        .refused(400, "bad_request");
    assert_eq!(
        offset(&portal, &admin, &url).await,
        0,
        "it was never told whole"
    );
    assert_eq!(send(image(60).into()).await.status, 204);
    let odd = patch(&admin, &url, 60, image(40)).header("upload-checksum", "crc32 AAAA");
    portal.send(odd).await.refused(400, "bad_request");
    assert_eq!(offset(&portal, &admin, &url).await, 60);
}

#[tokio::test]
async fn nobody_but_its_admin_reaches_an_upload() {
    let (portal, admin) = limited().await;
    let owner = portal.owner().await;
    let other = portal
        .person("cy@example.com", gatehouse_types::account::Role::Admin)
        .await;
    portal
        .send(creation(&owner, "1.0.0", 10))
        .await
        .refused(403, "forbidden");
    let url = begin(&portal, &admin, "1.0.0", 10).await;
    portal
        .send(patch(&owner, &url, 0, image(10)))
        .await
        .refused(403, "forbidden");
    portal
        .send(patch(&other, &url, 0, image(10)))
        .await
        .refused(404, "not_found");
    portal
        .send(tus(&other, "DELETE", &url))
        .await
        .refused(404, "not_found");
    assert_eq!(portal.send(tus(&other, "HEAD", &url)).await.status, 404);
    portal.project(&admin, "other").await;
    let elsewhere = url.replace("/lamp/", "/other/");
    portal
        .send(tus(&admin, "DELETE", &elsewhere))
        .await
        .refused(404, "not_found");
    let from_outside = patch(&admin, &url, 0, image(10)).header("sec-fetch-site", "cross-site");
    portal.send(from_outside).await.refused(403, "csrf");
    let nobody = ask("PATCH", &url).header("tus-resumable", "1.0.0");
    portal.send(nobody).await.refused(401, "unauthenticated");
    assert_eq!(offset(&portal, &admin, &url).await, 0);
    assert_eq!(portal.send(tus(&admin, "DELETE", &url)).await.status, 204);
    portal
        .send(tus(&admin, "DELETE", &url))
        .await
        .refused(404, "not_found");
}

#[tokio::test]
async fn what_is_not_said_in_tus_is_refused_in_words() {
    let (portal, admin) = limited().await;
    let url = begin(&portal, &admin, "1.0.0", 10).await;
    let older = ask("PATCH", &url)
        .header("tus-resumable", "0.2.2")
        .cookie(&admin.cookie);
    let refused = portal.send(older).await;
    refused.refused(412, "precondition_failed");
    assert_eq!(refused.header("tus-version"), "1.0.0");
    for (name, value) in [
        ("upload-offset", "-1"),
        ("upload-offset", "x"),
        ("upload-offset", "+1"),
    ] {
        let odd = tus(&admin, "PATCH", &url)
            .header("content-type", CHUNK)
            .header(name, value);
        portal.send(odd).await.refused(400, "bad_request");
    }
    let ahead = patch(&admin, &url, 5, image(5));
    portal.send(ahead).await.refused(409, "upload_offset");
    let raw = tus(&admin, "PATCH", &url)
        .header("upload-offset", "0")
        .header("content-type", "application/octet-stream");
    portal
        .send(raw)
        .await
        .refused(415, "unsupported_media_type");
    let later = tus(&admin, "POST", UPLOADS).header("upload-defer-length", "1");
    portal.send(later).await.refused(400, "bad_request");
    for version in ["1.0", "v1.0.0", "9999999999.0.0", "\u{1f980}", ""] {
        portal
            .send(creation(&admin, version, 5))
            .await
            .refused(422, "invalid");
    }
    let abilities = portal.send(ask("OPTIONS", UPLOADS)).await;
    assert_eq!(abilities.status, 204);
    assert_eq!(abilities.header("tus-max-size"), "20000");
    assert!(
        abilities
            .header("tus-extension")
            .contains("creation-with-upload")
    );
}
