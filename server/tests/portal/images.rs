//! What an uploaded image says of itself, and which images are refused or need a second look.

use gatehouse_esp_image::{Chip, EspImage};
use serde_json::{Value, json};

use crate::{
    furnish::{PROJECT, Person, text_of},
    harness::{Answer, Portal, get, post},
    uploads::stored,
};

const HASH_AND_CHECKSUM_BYTES: usize = 33;

async fn with_hardware() -> (Portal, Person) {
    let portal = Portal::with(&[]).await;
    let admin = portal.admin().await;
    let new = json!({ "name": PROJECT, "hardware": ["esp32s3"] });
    let new = post("/api/v1/projects").json(&new).cookie(&admin.cookie);
    portal.send(new).await.expect(201);
    (portal, admin)
}

fn lamp(version: &str) -> EspImage<'_> {
    EspImage {
        project: "lamp-firmware",
        secure_version: 3,
        payload_bytes: 2_000,
        ..EspImage::demo(version)
    }
}

async fn upload(portal: &Portal, admin: &Person, version: &str, image: EspImage<'_>) -> Answer {
    portal.upload(admin, version, image.to_bytes().into()).await
}

async fn publish(portal: &Portal, admin: &Person, version: &str, wish: Value) -> Answer {
    let path = format!("/api/v1/projects/{PROJECT}/releases/{version}/publish");
    portal
        .send(post(&path).cookie(&admin.cookie).json(&wish))
        .await
}

fn codes(release: &Value) -> Vec<&str> {
    let objections = release["objections"].as_array().expect("a list");
    objections.iter().map(|one| text_of(one, "code")).collect()
}

#[tokio::test]
async fn a_release_tells_what_its_image_says() {
    let (portal, admin) = with_hardware().await;
    let image = lamp("1.0.0");
    let release = upload(&portal, &admin, "1.0.0", image).await.expect(201);
    let facts = &release["image"];
    assert_eq!(facts["kind"], "esp32");
    let esp = &facts["esp"];
    assert_eq!(
        (&esp["chip"], &esp["hash_ok"]),
        (&json!("esp32s3"), &json!(true))
    );
    assert_eq!(esp["app"]["project_name"], "lamp-firmware");
    assert_eq!(
        (&esp["app"]["version"], &esp["app"]["secure_version"]),
        (&json!("1.0.0"), &json!(3))
    );
    assert_eq!(codes(&release), [""; 0]);
    let path = format!("/api/v1/projects/{PROJECT}/releases/1.0.0");
    let again = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    assert_eq!(again["image"], *facts);
}

#[tokio::test]
async fn an_image_that_no_device_could_start_leaves_nothing() {
    let (portal, admin) = with_hardware().await;
    let whole = lamp("1.0.0").to_bytes();
    let flipped = |position: usize| {
        let mut image = whole.clone();
        image[position] ^= 1;
        image
    };
    let other_chip = EspImage {
        chip: Chip::ESP32C6,
        ..lamp("1.0.0")
    };
    let checksum = whole.len() - HASH_AND_CHECKSUM_BYTES;
    let cases = [
        (flipped(checksum), "image_checksum"),
        (flipped(whole.len() - 1), "image_hash"),
        (whole[..whole.len() - 1].to_vec(), "image_truncated"),
        (whole[..whole.len() / 2].to_vec(), "image_truncated"),
        (other_chip.to_bytes(), "image_chip"),
    ];
    for (image, code) in cases {
        let refused = portal.upload(&admin, "1.0.0", image.into()).await;
        let problem = refused.refused(422, code);
        assert!(text_of(&problem, "detail").ends_with('.'), "{problem}");
    }
    assert_eq!(stored(&portal), [""; 0]);
    portal
        .upload(&admin, "1.0.0", whole.into())
        .await
        .expect(201);
}

#[tokio::test]
async fn a_lower_security_version_than_a_published_one_is_refused() {
    let (portal, admin) = with_hardware().await;
    let lower = |version| EspImage {
        secure_version: 2,
        ..lamp(version)
    };
    // Both are drafts, so nothing is published that the lower one could fall behind.
    upload(&portal, &admin, "1.0.0", lamp("1.0.0"))
        .await
        .expect(201);
    upload(&portal, &admin, "1.1.0", lower("1.1.0"))
        .await
        .expect(201);
    publish(&portal, &admin, "1.0.0", json!({}))
        .await
        .expect(200);
    let late = upload(&portal, &admin, "1.2.0", lower("1.2.0")).await;
    late.refused(422, "image_secure_version");
    let draft = publish(&portal, &admin, "1.1.0", json!({ "anyway": true })).await;
    draft.refused(422, "image_secure_version");
}

#[tokio::test]
async fn another_name_or_version_waits_until_an_admin_overrules() {
    let (portal, admin) = with_hardware().await;
    upload(&portal, &admin, "1.0.0", lamp("1.0.0"))
        .await
        .expect(201);
    publish(&portal, &admin, "1.0.0", json!({}))
        .await
        .expect(200);

    let kettle = EspImage {
        project: "kettle-firmware",
        ..lamp("7.7.7")
    };
    let draft = upload(&portal, &admin, "1.1.0", kettle).await.expect(201);
    assert_eq!(codes(&draft), ["image_name", "image_version"]);
    for wish in [json!({}), json!({ "anyway": false })] {
        let refused = publish(&portal, &admin, "1.1.0", wish).await;
        let problem = refused.refused(409, "image_name");
        let words = text_of(&problem, "detail");
        assert!(
            words.contains("kettle-firmware") && words.contains("7.7.7"),
            "{words}"
        );
    }
    let published = publish(&portal, &admin, "1.1.0", json!({ "anyway": true })).await;
    assert_eq!(published.expect(200)["state"], "published");
    let trail = get("/api/v1/audit?action=release.publish").cookie(&admin.cookie);
    let trail = portal.send(trail).await.expect(200);
    let details = [0, 1].map(|line| text_of(&trail["items"][line], "detail"));
    assert_eq!(details, ["anyway: image_name, image_version", ""]);
}

#[tokio::test]
async fn the_page_asks_before_it_publishes_such_an_image() {
    let (portal, admin) = with_hardware().await;
    upload(&portal, &admin, "1.1.0", lamp("1.2.0"))
        .await
        .expect(201);
    let page = format!("/admin/projects/{PROJECT}/releases/1.1.0");
    let html = portal.send(get(&page).cookie(&admin.cookie)).await.text();
    assert!(html.contains("name=\"anyway\""), "{html}");
    let form = [("project", PROJECT), ("version", "1.1.0")];
    let post_form = |fields: &[(&str, &str)]| {
        portal.send(
            post("/api/ui/publish_release")
                .form(fields)
                .cookie(&admin.cookie),
        )
    };
    let refused = post_form(&form).await;
    assert!(refused.header("location").contains("error=image_version"));
    let overruled = post_form(&[form[0], form[1], ("anyway", "true")]).await;
    assert!(overruled.header("location").contains("ok=published"));
}

#[tokio::test]
async fn a_publishing_request_is_read_strictly() {
    let (portal, admin) = with_hardware().await;
    upload(&portal, &admin, "1.0.0", lamp("1.0.0"))
        .await
        .expect(201);
    let wrong = publish(&portal, &admin, "1.0.0", json!({ "any_way": true })).await;
    wrong.refused(422, "invalid");
    let path = format!("/api/v1/projects/{PROJECT}/releases/1.0.0/publish");
    portal
        .send(post(&path).cookie(&admin.cookie))
        .await
        .expect(200);
}
