//! `HTTPUpdate` of Arduino, as its sources for ESP32 and ESP8266 ask and understand.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    field::{Field, bytes_of},
    furnish::text_of,
    harness::{Ask, ask, get},
    socket::{halves, header_in},
};

const PATH: &str = "/ota/arduino/lamp";

/// What the ESP32's client sends beside the token.
fn esp32(version: &str, md5: &str) -> Ask {
    get(PATH)
        .header("user-agent", "ESP32-http-Update")
        .header("x-esp32-sta-mac", "02:00:5E:10:00:01")
        .header("x-esp32-mode", "sketch")
        .header("x-esp32-version", version)
        .header("x-esp32-sketch-md5", md5)
}

#[tokio::test]
async fn a_sketch_gets_the_newest_image_and_confirms_it_when_it_comes_back() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let answer = field.send(esp32("1.0.0", "")).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body),
        (200, &bytes_of("1.1.0"))
    );
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    let md5 = answer.header("x-md5").to_owned();
    assert_eq!(md5.len(), 32);
    Field::insist(&field.device().await, "1.1.0", "downloading");

    // The new image knows its own MD5; which version it calls itself does not matter then.
    let back = field.send(esp32("whatever", &md5)).await;
    assert_eq!((back.status.as_u16(), back.body.len()), (304, 0));
    assert!(back.header("retry-after").parse::<u64>().is_ok());
    let device = field.device().await;
    Field::insist(&device, "1.1.0", "succeeded");
    assert_eq!(device["current_version"], "1.1.0");
}

#[tokio::test]
async fn whoever_has_the_version_or_the_bytes_is_told_so() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let md5 = field
        .send(esp32("1.0.0", ""))
        .await
        .header("x-md5")
        .to_owned();
    for (version, md5) in [
        ("1.1.0", ""),
        ("01.01.00", "00000000000000000000000000000000"),
        ("1.0.0", &md5),
        ("", &md5),
        ("", &md5.to_uppercase()),
        ("2.0.0", ""),
    ] {
        let answer = field.send(esp32(version, md5)).await;
        assert_eq!(answer.status, 304, "{version} {md5}");
    }
    for (version, md5) in [("0.9.0", ""), ("1.0.0", "x"), ("unknown", ""), ("", "")] {
        let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
        let answer = field.send(esp32(version, md5)).await;
        assert_eq!(answer.body, bytes_of("1.1.0"), "{version} {md5}");
    }
}

#[tokio::test]
async fn the_same_bytes_under_two_versions_are_not_installed_for_ever() {
    let field = Field::with(&[], &["1.0.0"]).await;
    field.release("1.1.0", bytes_of("1.0.0")).await;
    let all = field.send(get(PATH)).await;
    let answer = field.send(esp32("1.0.0", all.header("x-md5"))).await;
    assert_eq!(answer.status, 304);
    // A draft with these bytes is nothing that a device could run.
    let draft = field
        .portal
        .upload(&field.admin, "3.0.0", bytes_of("1.0.0"));
    draft.await.expect(201);
    field.release("2.0.0", bytes_of("2.0.0")).await;
    let answer = field.send(esp32("1.0.0", all.header("x-md5"))).await;
    assert_eq!(answer.body, bytes_of("2.0.0"));
}

#[tokio::test]
async fn the_esp8266_says_the_same_under_names_of_its_own() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let esp8266 = |version: &str| {
        get(PATH)
            .header("user-agent", "ESP8266-http-Update")
            .header("x-esp8266-mode", "sketch")
            .header("x-esp8266-version", version)
    };
    assert_eq!(field.send(esp8266("1.0.0")).await.body, bytes_of("1.1.0"));
    assert_eq!(field.send(esp8266("1.1.0")).await.status, 304);
    let files = get(PATH).header("x-esp8266-mode", "spiffs");
    field.send(files).await.refused(404, "not_found");
}

#[tokio::test]
async fn a_file_system_is_never_overwritten_with_a_sketch() {
    let field = Field::with(&[], &["1.1.0"]).await;
    for mode in ["spiffs", "SPIFFS", "littlefs", ""] {
        let asked = get(PATH).header("x-esp32-mode", mode);
        let answer = field.send(asked).await;
        answer.refused(404, "not_found");
        assert_eq!(answer.header("x-md5"), "");
    }
    assert_eq!(
        field.device().await["action"],
        json!(null),
        "and nothing began"
    );
}

#[tokio::test]
async fn each_refusal_has_the_code_that_the_client_tells_apart() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let portal = &field.portal;
    portal.send(get(PATH)).await.refused(401, "unauthenticated");
    let made_up = get(PATH).bearer("x.y.z");
    portal.send(made_up).await.refused(401, "unauthenticated");
    let cookie = get(PATH).cookie(&field.admin.cookie);
    portal.send(cookie).await.refused(401, "unauthenticated");
    field
        .get("/ota/arduino/fan")
        .await
        .refused(403, "forbidden");
    let posted = field.send(ask("POST", PATH)).await;
    posted.refused(405, "method_not_allowed");
    let in_query = format!("{PATH}?token={}", field.token);
    assert_eq!(portal.send(get(&in_query)).await.status, 200);
    field.revoke().await;
    for revoked in [get(PATH).bearer(&field.token), get(&in_query)] {
        portal.send(revoked).await.refused(403, "forbidden");
    }
}

#[tokio::test]
async fn a_query_token_is_refused_here_too_where_the_operator_says_so() {
    let field = Field::with(&[("GATEHOUSE_QUERY_TOKEN", "deny")], &["1.1.0"]).await;
    for path in [
        "arduino/lamp",
        "esp-idf/lamp",
        "esphome/lamp.json",
        "rauc/lamp",
    ] {
        let in_query = format!("/ota/{path}?token={}", field.token);
        let answer = field.portal.send(get(&in_query)).await;
        answer.refused(401, "unauthenticated");
    }
}

#[tokio::test]
async fn without_tokens_for_downloads_a_device_still_says_who_it_is() {
    let field = Field::with(&[("GATEHOUSE_NO_JWT", "true")], &["1.1.0"]).await;
    field
        .portal
        .send(get(PATH))
        .await
        .refused(401, "unauthenticated");
    assert_eq!(field.get(PATH).await.body, bytes_of("1.1.0"));
    field
        .get("/ota/arduino/fan")
        .await
        .refused(403, "forbidden");
}

#[tokio::test]
async fn a_paused_or_withdrawn_release_is_nothing_new() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let path = "/api/v1/projects/lamp/releases/1.1.0";
    let plan =
        ask("PUT", &format!("{path}/rollout")).json(&json!({ "percent": 100, "paused": true }));
    field
        .portal
        .send(plan.cookie(&field.admin.cookie))
        .await
        .expect(200);
    assert_eq!(field.send(esp32("1.0.0", "")).await.status, 304);
    let withdraw = ask("POST", &format!("{path}/withdraw")).cookie(&field.admin.cookie);
    let withdrawn = field.portal.send(withdraw).await.expect(200);
    assert_eq!(text_of(&withdrawn, "state"), "withdrawn");
    assert_eq!(field.send(esp32("1.0.0", "")).await.status, 304);
}

/// `HTTPClient::useHTTP10`, as `HTTPUpdate` does it, over a real socket.
#[tokio::test]
async fn over_http_1_0_comes_a_length_and_a_head_that_fits() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let served = field.portal.listen().await;
    let mut stream = served.connect().await;
    let request = format!(
        "GET {PATH}?token={} HTTP/1.0\r\nHost: x\r\nUser-Agent: ESP32-http-Update\r\nConnection: close\r\nx-ESP32-mode: sketch\r\nx-ESP32-version: 1.0.0\r\n\r\n",
        field.token
    );
    stream.write_all(request.as_bytes()).await.expect("sends");
    let mut answer = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer)
        .await
        .expect("reads");
    let (head, body) = halves(&answer);
    assert!(head.starts_with("HTTP/1.0 200 "), "{head}");
    assert_eq!(header_in(&head, "content-length"), body.len().to_string());
    assert_eq!(body, bytes_of("1.1.0"));
    assert!(head.len() < 512, "{} bytes: {head}", head.len());
    assert!(served.stop().await);
}
