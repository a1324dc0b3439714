//! Resumable uploads in crowds, within a quota, and after the portal was gone for a while.

use std::{fs, time::Duration};

use axum::body::Body;
use futures_util::{future::join_all, stream};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, time::sleep};

use crate::{
    furnish::image,
    harness::{Answer, ask, get},
    resumable::{
        CHUNK, LIMIT_BYTES, begin, creation, limited, offset, parts, patch, releases, tus,
    },
};

#[tokio::test]
async fn a_browser_that_hangs_up_finds_what_it_sent() {
    let (portal, admin) = limited().await;
    let url = begin(&portal, &admin, "1.0.0", 5000).await;
    let served = portal.listen().await;
    let mut stream = served.connect().await;
    let head = format!(
        "PATCH {url} HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nCookie: {}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Type: {CHUNK}\r\nContent-Length: 5000\r\n\r\n",
        admin.cookie
    );
    stream.write_all(head.as_bytes()).await.expect("sends");
    stream.write_all(&image(2500)).await.expect("sends");
    while parts(&portal) == 0 {
        sleep(Duration::from_millis(5)).await;
    }
    let busy = portal.send(patch(&admin, &url, 0, image(5000))).await;
    busy.refused(423, "upload_busy");
    drop(stream);
    while offset(&portal, &admin, &url).await < 2500 {
        sleep(Duration::from_millis(5)).await;
    }
    served.stop().await;
}

#[tokio::test]
async fn twenty_uploads_of_one_version_at_once_make_one_release() {
    let (portal, admin) = limited().await;
    let whole = |number: u32| image(9000 + number).slice(usize::try_from(number).expect("fits")..);
    let send = async |number: u32| -> Answer {
        let url = begin(&portal, &admin, "1.0.0", 9000).await;
        let bytes = whole(number);
        portal
            .send(patch(&admin, &url, 0, bytes.slice(..4000)))
            .await;
        portal
            .send(patch(&admin, &url, 4000, bytes.slice(4000..)))
            .await
    };
    let answers = join_all((0..20).map(send)).await;
    let count = |status: u16| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!((count(204), count(409)), (1, 19));
    let same = join_all((0..20).map(|_| async {
        let url = begin(&portal, &admin, "2.0.0", 9000).await;
        portal.send(patch(&admin, &url, 0, whole(1))).await.status
    }));
    assert!(same.await.iter().all(|status| *status == 204));
    assert_eq!(
        (releases(&portal, &admin).await.len(), parts(&portal)),
        (2, 0)
    );
}

#[tokio::test]
async fn twenty_requests_for_one_upload_add_each_byte_once() {
    let (portal, admin) = limited().await;
    let whole = image(LIMIT_BYTES);
    let url = begin(&portal, &admin, "1.0.0", whole.len()).await;
    let answers =
        join_all((0..20).map(|_| portal.send(patch(&admin, &url, 0, whole.clone())))).await;
    let done = answers.iter().filter(|answer| answer.status == 204).count();
    assert_eq!(done, 1);
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer.status.as_u16(), 204 | 409 | 423))
    );
    assert_eq!(releases(&portal, &admin).await, ["1.0.0"]);
}

#[tokio::test]
async fn a_quota_holds_for_images_and_uploads_together() {
    let (portal, admin) = limited().await;
    let quota = ask("PATCH", "/api/v1/projects/lamp").json(&json!({ "quota_bytes": 1000 }));
    let project = portal.send(quota.cookie(&admin.cookie)).await.expect(200);
    assert_eq!(project["quota_bytes"], 1000);
    portal.upload(&admin, "1.0.0", image(400)).await.expect(201);
    portal
        .send(creation(&admin, "1.0.1", 601))
        .await
        .refused(413, "quota_exceeded");
    let url = begin(&portal, &admin, "1.0.1", 500).await;
    portal
        .upload(&admin, "1.0.2", image(101))
        .await
        .refused(413, "quota_exceeded");
    let unknown_length = Body::from_stream(stream::iter([Ok::<_, std::io::Error>(image(101))]));
    let put = ask("PUT", "/api/v1/projects/lamp/releases/1.0.2").cookie(&admin.cookie);
    portal
        .send(put.body(unknown_length))
        .await
        .refused(413, "quota_exceeded");
    portal.upload(&admin, "1.0.0", image(400)).await.expect(200);
    assert_eq!(
        portal.send(patch(&admin, &url, 0, image(500))).await.status,
        204
    );
    portal.upload(&admin, "1.0.2", image(100)).await.expect(201);
    portal
        .upload(&admin, "1.0.3", image(1))
        .await
        .refused(413, "quota_exceeded");
    let without = ask("PATCH", "/api/v1/projects/lamp").json(&json!({ "quota_bytes": null }));
    portal.send(without.cookie(&admin.cookie)).await.expect(200);
    portal.upload(&admin, "1.0.3", image(1)).await.expect(201);
}

#[tokio::test]
async fn a_restart_keeps_uploads_and_sweeps_what_belongs_to_none() {
    let (portal, admin) = limited().await;
    portal.upload(&admin, "0.1.0", image(10)).await.expect(201);
    let url = begin(&portal, &admin, "1.0.0", 100).await;
    portal.send(patch(&admin, &url, 0, image(60))).await;
    let tmp = portal.folder.path().join("data/blobs/tmp");
    let stray = uuid::Uuid::from_u128(5).to_string();
    fs::write(tmp.join(stray), "of an upload that is gone").expect("writes");
    fs::write(tmp.join("17-0"), "of a process that is gone").expect("writes");
    portal.installation.sweep().await.expect("sweeps");
    assert_eq!(
        (parts(&portal), offset(&portal, &admin, &url).await),
        (1, 60)
    );
    let rest = image(100).slice(60..);
    assert_eq!(portal.send(patch(&admin, &url, 60, rest)).await.status, 204);
}

#[tokio::test]
async fn an_upload_whose_last_byte_came_before_a_crash_becomes_its_release() {
    let (portal, admin) = limited().await;
    let url = begin(&portal, &admin, "1.0.0", 100).await;
    portal.send(patch(&admin, &url, 0, image(60))).await;
    let id = url.rsplit('/').next().expect("an id");
    let part = portal.folder.path().join("data/blobs/tmp").join(id);
    fs::write(part, image(100)).expect("writes");
    let store = portal.installation.store.store();
    let id = id.parse().expect("an id");
    assert!(store.advance_upload(id, 100, 0).await.expect("notes"));
    assert!(releases(&portal, &admin).await.is_empty());
    let looked = portal.send(tus(&admin, "HEAD", &url)).await;
    assert_eq!(
        looked.header("location"),
        "/api/v1/projects/lamp/releases/1.0.0"
    );
    assert_eq!(looked.header("upload-offset"), "100");
    assert_eq!(
        (releases(&portal, &admin).await.len(), parts(&portal)),
        (1, 0)
    );
}

#[tokio::test]
async fn bytes_beyond_what_was_acknowledged_are_cut_away() {
    let (portal, admin) = limited().await;
    let url = begin(&portal, &admin, "1.0.0", 100).await;
    portal.send(patch(&admin, &url, 0, image(60))).await;
    let tail = portal
        .folder
        .path()
        .join("data/blobs/tmp")
        .join(url.rsplit('/').next().expect("an id"));
    let torn = [&image(60)[..], b"torn by a power cut"].concat();
    fs::write(tail, torn).expect("writes");
    assert_eq!(offset(&portal, &admin, &url).await, 60);
    portal
        .send(patch(&admin, &url, 60, image(100).slice(60..)))
        .await;
    let shown = get("/api/v1/projects/lamp/releases/1.0.0").cookie(&admin.cookie);
    let sha256 = portal.send(shown).await.expect(200)["sha256"].clone();
    assert_eq!(sha256, hex::encode(Sha256::digest(image(100))));
}
