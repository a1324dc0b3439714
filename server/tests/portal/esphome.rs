//! ESPHome's `update: http_request`: the manifest, and the path that it leads to.

use serde_json::json;

use crate::{
    field::{Field, bytes_of},
    furnish::text_of,
    harness::{ask, get},
};

const PATH: &str = "/ota/esphome/lamp.json";

/// How ESPHome joins `path` with the address of the manifest: from the host when it begins with a
/// slash, else from the last slash of that address, query and all.
fn joined(source: &str, path: &str) -> String {
    let host_end = source[8..].find('/').expect("a path") + 8;
    if path.starts_with('/') {
        return format!("{}{path}", &source[..host_end]);
    }
    let folder_end = source.rfind('/').expect("a folder") + 1;
    format!("{}{path}", &source[..folder_end])
}

#[tokio::test]
async fn the_manifest_leads_to_the_image_with_the_nodes_own_token() {
    let field = Field::with(&[], &["1.0.0"]).await;
    let bytes = gatehouse_esp_image::EspImage::demo("1.1.0").to_bytes();
    field.release("1.1.0", bytes.clone().into()).await;
    let change =
        ask("PATCH", "/api/v1/projects/lamp/releases/1.1.0").json(&json!({ "notes": "Brighter" }));
    field
        .portal
        .send(change.cookie(&field.admin.cookie))
        .await
        .expect(200);

    let with_token = format!("{PATH}?token={}", field.token);
    let manifest = field.portal.send(get(&with_token)).await.expect(200);
    let builds = manifest["builds"].as_array().expect("a list");
    let ota = &builds[0]["ota"];
    assert_eq!(builds.len(), 1, "{manifest}");
    assert_eq!(
        (
            &manifest["name"],
            &manifest["version"],
            &builds[0]["chipFamily"],
            &ota["summary"]
        ),
        (
            &json!("lamp"),
            &json!("1.1.0"),
            &json!("ESP32-S3"),
            &json!("Brighter")
        )
    );
    assert_eq!(
        ota["release_url"],
        "http://127.0.0.1:3000/admin/projects/lamp/releases/1.1.0"
    );

    let source = format!("http://127.0.0.1:3000{with_token}");
    let url = joined(&source, text_of(ota, "path"));
    let path = url
        .strip_prefix("http://127.0.0.1:3000")
        .expect("the same host");
    let image = field.portal.send(get(path)).await;
    assert_eq!((image.status.as_u16(), &image.body[..]), (200, &bytes[..]));
    assert_eq!(image.header("x-md5"), text_of(ota, "md5"));
    Field::insist(&field.device().await, "1.1.0", "downloading");

    let by_header = field.get(PATH).await.expect(200);
    let path = text_of(&by_header["builds"][0]["ota"], "path").to_owned();
    assert_eq!(path, "/firmware/lamp/lamp-1.1.0.bin");
    assert_eq!(field.get(&path).await.body, bytes);
}

#[tokio::test]
async fn an_opaque_image_is_for_the_chips_of_its_project() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let families = async || {
        let manifest = field.get(PATH).await.expect(200);
        let builds = manifest["builds"].as_array().expect("a list").clone();
        let families = builds
            .iter()
            .map(|build| text_of(build, "chipFamily").to_owned());
        families.collect::<Vec<_>>()
    };
    assert_eq!(families().await, [""; 0]);
    let change = json!({ "hardware": ["esp32c3", "ESP8266"] });
    let change = ask("PATCH", "/api/v1/projects/lamp").json(&change);
    field
        .portal
        .send(change.cookie(&field.admin.cookie))
        .await
        .expect(200);
    assert_eq!(families().await, ["ESP32-C3", "ESP8266"]);
}

#[tokio::test]
async fn a_node_that_has_the_newest_still_gets_its_manifest() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let version = async |current: &str| {
        let manifest = field.get(&format!("{PATH}?current_fw={current}")).await;
        text_of(&manifest.expect(200), "version").to_owned()
    };
    assert_eq!(version("1.0.0").await, "1.1.0");
    assert_eq!(version("1.1.0").await, "1.1.0");
    Field::insist(&field.device().await, "1.1.0", "succeeded");
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let plan = ask("PUT", "/api/v1/projects/lamp/releases/1.2.0/rollout");
    let plan = plan
        .json(&json!({ "percent": 0 }))
        .cookie(&field.admin.cookie);
    field.portal.send(plan).await.expect(200);
    assert_eq!(version("1.1.0").await, "1.1.0", "not yet its turn");
}

#[tokio::test]
async fn where_there_is_nothing_the_node_learns_so() {
    let field = Field::with(&[], &[]).await;
    field.get(PATH).await.refused(404, "not_found");
    field
        .get("/ota/esphome/lamp")
        .await
        .refused(404, "not_found");
    field
        .get("/ota/esphome/fan.json")
        .await
        .refused(403, "forbidden");
    field
        .portal
        .send(get(PATH))
        .await
        .refused(401, "unauthenticated");
}
