//! The switches that an operator may turn: downloads without tokens, tokens in URLs.

use crate::{
    furnish::{PROJECT, text_of},
    harness::{Portal, get, post},
};

const IMAGE: &str = "/firmware/lamp/lamp-1.0.0.bin";

#[tokio::test]
async fn without_tokens_everybody_downloads_what_is_published_and_nothing_else() {
    let portal = Portal::with(&[("GATEHOUSE_NO_JWT", "true")]).await;
    let admin = portal.admin().await;
    let bytes = portal.release(&admin, "1.0.0").await;
    portal
        .upload(&admin, "1.0.1", "a draft".into())
        .await
        .expect(201);
    assert_eq!(portal.send(get(IMAGE)).await.body, bytes);
    assert_eq!(
        portal.send(get(IMAGE).bearer("not.a.token")).await.status,
        200
    );
    assert_eq!(
        portal.send(get(&format!("{IMAGE}?token=x"))).await.status,
        200
    );
    portal
        .send(get("/firmware/lamp/lamp-1.0.1.bin"))
        .await
        .refused(404, "not_found");
    portal
        .send(get("/firmware/fan/fan-1.0.0.bin"))
        .await
        .refused(404, "not_found");
    portal
        .send(get("/api/v1/device/update"))
        .await
        .refused(401, "unauthenticated");
    let page = portal
        .send(get("/admin/projects").cookie(&admin.cookie))
        .await
        .text();
    assert!(
        page.contains("without a token")
            || page.contains("without token")
            || page.contains("no token"),
        "a banner says so"
    );
}

#[tokio::test]
async fn tokens_in_urls_can_be_forbidden() {
    let portal = Portal::with(&[("GATEHOUSE_QUERY_TOKEN", "deny")]).await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let made = portal.device_token(PROJECT).await;
    let token = text_of(&made, "token");
    portal
        .send(get(&format!("{IMAGE}?token={token}")))
        .await
        .refused(401, "unauthenticated");
    assert_eq!(portal.send(get(IMAGE).bearer(token)).await.status, 200);
}

#[tokio::test]
async fn how_long_a_token_lasts_by_itself_is_the_operators_choice() {
    let portal = Portal::with(&[("GATEHOUSE_JWT_DEFAULT_EXPIRY_MINUTES", "5")]).await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let made = portal.device_token(PROJECT).await;
    let payload = &made["payload"];
    let lasts_s = payload["exp"]
        .as_i64()
        .zip(payload["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lasts_s, Some(300));
    let path = format!(
        "/api/v1/projects/{PROJECT}/devices/{}/tokens",
        crate::furnish::DEVICE
    );
    let by_admin = post(&path)
        .json(&serde_json::json!({ "expires_minutes": 7 }))
        .cookie(&admin.cookie);
    let payload = &portal.send(by_admin).await.expect(201)["payload"];
    let lasts_s = payload["exp"]
        .as_i64()
        .zip(payload["iat"].as_i64())
        .map(|(exp, iat)| exp - iat);
    assert_eq!(lasts_s, Some(420));
}
