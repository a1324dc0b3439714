//! Images that rot on the disk are found before a device meets them.

use std::{fs, num::NonZeroU32, path::PathBuf, time::Duration};

use gatehouse_core::Actor;
use tokio::time::{Instant, sleep};

use crate::{
    furnish::{PROJECT, image, text_of},
    harness::{Portal, get},
};

const AT_ONCE: NonZeroU32 = NonZeroU32::MAX;

fn blob(portal: &Portal, sha256: &str) -> PathBuf {
    let blobs = portal.folder.path().join("data/blobs");
    blobs.join(&sha256[..2]).join(sha256)
}

async fn scrub(portal: &Portal) -> (u64, u64) {
    let firmware = &portal.installation.portal.firmware;
    let scrubbed = firmware.scrub(AT_ONCE).await.expect("reads");
    (scrubbed.images, scrubbed.damaged)
}

fn damaged(portal: &Portal) -> Vec<String> {
    let firmware = &portal.installation.portal.firmware;
    let found = firmware.damaged_images(&Actor::system()).expect("lists");
    found.into_iter().map(|image| image.version).collect()
}

#[tokio::test]
async fn what_rots_is_cut_or_gone_is_found_and_what_is_mended_is_forgotten() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let mut kept = Vec::new();
    for (version, size_bytes) in [
        ("1.0.0", 700_000),
        ("1.0.1", 10),
        ("1.0.2", 11),
        ("1.0.3", 12),
    ] {
        let release = portal
            .upload(&admin, version, image(size_bytes))
            .await
            .expect(201);
        kept.push(blob(&portal, text_of(&release, "sha256")));
    }
    assert_eq!(scrub(&portal).await, (4, 0));
    let mut rotten = fs::read(&kept[0]).expect("reads");
    rotten[600_000] ^= 1;
    fs::write(&kept[0], rotten).expect("writes");
    fs::write(&kept[1], "cut").expect("writes");
    fs::remove_file(&kept[2]).expect("removes");
    assert_eq!(scrub(&portal).await, (4, 3));
    assert_eq!(damaged(&portal), ["1.0.0", "1.0.1", "1.0.2"]);
    assert_eq!(scrub(&portal).await, (4, 3));

    let lines = get("/api/v1/audit?action=image.damaged").cookie(&admin.cookie);
    let lines = portal.send(lines).await.expect(200)["items"].clone();
    let lines = lines.as_array().expect("a list");
    assert_eq!(lines.len(), 3, "each damage is noted once");
    assert!(lines.iter().all(|line| line["result"] == "failed"));

    portal
        .upload(&admin, "1.0.0", image(700_000))
        .await
        .expect(200);
    assert_eq!(
        damaged(&portal),
        ["1.0.1", "1.0.2"],
        "the same bytes again mend it"
    );
    fs::write(&kept[1], image(10)).expect("writes");
    assert_eq!(scrub(&portal).await, (4, 1));
    assert_eq!(damaged(&portal), ["1.0.2"], "a backup mends it, too");
}

#[tokio::test]
async fn the_pages_of_a_damaged_image_say_so_and_what_to_do() {
    const ALARM: &str = "role=\"alert\"";
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let upload = async |version| portal.upload(&admin, version, image(900)).await;
    let release = upload("1.0.0").await.expect(201);
    portal.upload(&admin, "1.0.1", image(901)).await.expect(201);
    let page = async |rest: &str| {
        let path = format!("/admin/projects/{PROJECT}{rest}");
        let page = portal.send(get(&path).cookie(&admin.cookie)).await;
        assert_eq!(page.status, 200, "{path}");
        page.text()
    };
    scrub(&portal).await;
    assert!(!page("").await.contains(ALARM));
    fs::write(blob(&portal, text_of(&release, "sha256")), "rotten").expect("writes");
    scrub(&portal).await;
    for rest in ["", "/releases/1.0.0"] {
        let html = page(rest).await;
        let (_, alarm) = html.split_once(ALARM).expect("an alarm");
        let (alarm, _) = alarm.split_once("</div>").expect("its end");
        assert!(
            alarm.contains("1.0.0") && !alarm.contains("1.0.1"),
            "{alarm}"
        );
        assert!(alarm.contains(&format!("href=\"/admin/projects/{PROJECT}/upload\"")));
    }
    assert!(!page("/releases/1.0.1").await.contains(ALARM));
    upload("1.0.0").await.expect(200);
    assert!(!page("").await.contains(ALARM), "it is whole again");
}

#[tokio::test]
async fn a_damaged_image_that_somebody_asks_for_is_on_the_pages_at_once() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let release = portal.upload(&admin, "1.0.0", image(900)).await.expect(201);
    let file = blob(&portal, text_of(&release, "sha256"));
    let fetch = async || {
        let path = format!("/firmware/{PROJECT}/{PROJECT}-1.0.0.bin");
        let answer = portal.send(get(&path).cookie(&admin.cookie)).await;
        answer.status.as_u16()
    };
    fs::write(&file, vec![7; 900]).expect("rots it");
    assert_eq!(fetch().await, 500);
    let deadline = Instant::now() + Duration::from_secs(30);
    while damaged(&portal) != ["1.0.0"] {
        assert!(Instant::now() < deadline, "nobody is told");
        sleep(Duration::from_millis(10)).await;
    }
    fs::write(&file, image(900)).expect("mends it");
    assert_eq!(fetch().await, 200);
    assert_eq!(damaged(&portal), [""; 0]);
}
