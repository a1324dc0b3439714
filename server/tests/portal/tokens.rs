//! Tokens: one kind never passes for another, and a revoked one is dead at once.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::{
    furnish::{ADMIN, DEVICE, PASSWORD, PROJECT, text_of},
    harness::{Portal, ask, get, post},
};

const IMAGE: &str = "/firmware/lamp/lamp-1.0.0.bin";

pub(crate) fn signed(portal: &Portal, header: &Value, claims: &Value) -> String {
    let secret = std::fs::read(portal.folder.path().join("data/keys/secret.bin")).expect("reads");
    let mut key = [0; 32];
    Hkdf::<Sha256>::new(Some(b"gatehouse"), &secret)
        .expand(b"device token", &mut key)
        .expect("a key");
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key of any length");
    mac.update(message.as_bytes());
    format!(
        "{message}.{}",
        URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
    )
}

/// The claims of a fresh token, with members replaced or (by null) taken out.
pub(crate) async fn claims(portal: &Portal, changes: Value) -> Value {
    let mut claims = portal.device_token(PROJECT).await["payload"].clone();
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), value.clone());
        }
    }
    claims
}

#[tokio::test]
async fn tokens_with_the_right_mac_but_strange_words_are_refused() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let ours = json!({ "alg": "HS256", "typ": "JWT" });
    let good = signed(&portal, &ours, &claims(&portal, json!({})).await);
    assert_eq!(
        portal.send(get(IMAGE).bearer(&good)).await.status,
        200,
        "the forge works"
    );

    let iat = claims(&portal, json!({})).await["iat"]
        .as_i64()
        .expect("a time");
    for changes in [
        json!({ "exp": null }),
        json!({ "exp": (iat + 60).to_string() }),
        json!({ "exp": 1e30 }),
        json!({ "exp": -1 }),
        json!({ "iat": iat + 3600 }),
        json!({ "nbf": iat + 3600 }),
        json!({ "project": [PROJECT] }),
        json!({ "project": "Lamp" }),
        json!({ "project": "lamp " }),
        json!({ "project": "l%61mp" }),
        json!({ "project": "ｌａｍｐ" }),
        json!({ "roles": [] }),
        json!({ "roles": ["device"] }),
        json!({ "sub": "../admin" }),
        json!({ "jti": "1" }),
    ] {
        let token = signed(&portal, &ours, &claims(&portal, changes.clone()).await);
        let answer = portal.send(get(IMAGE).bearer(&token)).await;
        assert_eq!(answer.status, 401, "{changes}: {}", answer.text());
    }
    let plain = claims(&portal, json!({})).await;
    for header in [
        json!({ "alg": "none", "typ": "JWT" }),
        json!({ "alg": "NONE", "typ": "JWT" }),
        json!({ "alg": "HS384", "typ": "JWT" }),
        json!({ "alg": "RS256", "typ": "JWT" }),
        json!({ "typ": "JWT" }),
        json!({ "alg": "HS256" }),
        json!({ "alg": "HS256", "typ": "gatehouse-api+jwt" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "../../keys/secret.bin" }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": "' OR 1=1 --" }),
        json!({ "alg": "HS256", "typ": "JWT", "jku": "https://evil.example/keys" }),
        json!({ "alg": "HS256", "typ": "JWT", "crit": ["exp"] }),
    ] {
        let token = signed(&portal, &header, &plain);
        let answer = portal.send(get(IMAGE).bearer(&token)).await;
        assert_eq!(
            answer.refused(401, "unauthenticated")["detail"],
            "Invalid token",
            "{header}"
        );
    }
}

#[tokio::test]
async fn cut_stretched_and_doubled_tokens_are_refused() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let token = portal.device_token(PROJECT).await;
    let token = text_of(&token, "token");
    let unsigned = token.rsplit_once('.').expect("three parts").0;
    for bad in [
        &token[..token.len() - 1],
        &format!("{unsigned}."),
        unsigned,
        &format!("{token}.x.y"),
        &format!("{token}="),
        &"a".repeat(60_000),
        "null",
        "",
    ] {
        let answer = portal.send(get(IMAGE).bearer(bad)).await;
        assert_eq!(
            answer.refused(401, "unauthenticated")["detail"],
            "Invalid token",
            "{bad:.40}"
        );
        let api = portal.send(get("/api/v1/me").bearer(bad)).await;
        api.refused(401, "unauthenticated");
    }
    let huge = get(&format!("{IMAGE}?token={}", "a".repeat(60_000)));
    portal.send(huge).await.refused(401, "unauthenticated");
    let twice = get(IMAGE).bearer(token).bearer(token);
    portal.send(twice).await.refused(401, "unauthenticated");
    let lower = get(IMAGE).header("authorization", &format!("bearer {token}"));
    assert_eq!(
        portal.send(lower).await.status,
        200,
        "the scheme has no case"
    );
}

#[tokio::test]
async fn no_kind_of_token_passes_for_another() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let account = portal.api_token(ADMIN).await;
    let device = portal.device_token(PROJECT).await;
    let device = text_of(&device, "token");
    let new = post(&format!("/api/v1/projects/{PROJECT}/devices")).json(&json!({}));
    let target = portal.send(new.cookie(&admin.cookie)).await.expect(201);
    let target = text_of(&target, "target_token");
    assert_eq!(target.len(), 32);
    let cookie_secret = admin.cookie.split_once('=').expect("a pair").1;

    for (path, bad) in [
        (IMAGE, account.as_str()),
        (IMAGE, target),
        (IMAGE, cookie_secret),
        ("/api/v1/device/update", account.as_str()),
        ("/api/v1/me", device),
        ("/api/v1/me", target),
        ("/api/v1/me", cookie_secret),
        ("/api/v1/users", device),
    ] {
        portal
            .send(get(path).bearer(bad))
            .await
            .refused(401, "unauthenticated");
    }
    let jwt_as_cookie = get("/api/v1/me").cookie(&format!("gatehouse={account}"));
    portal
        .send(jwt_as_cookie)
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_revoked_token_downloads_nothing_from_that_moment_on() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let made = portal.device_token(PROJECT).await;
    let (token, jti) = (text_of(&made, "token"), text_of(&made["payload"], "jti"));
    assert_eq!(portal.send(get(IMAGE).bearer(token)).await.status, 200);
    let path = format!("/api/v1/tokens/{jti}");
    assert_eq!(
        portal
            .send(ask("DELETE", &path).cookie(&admin.cookie))
            .await
            .status,
        204
    );
    for request in [
        get(IMAGE).bearer(token),
        get(&format!("{IMAGE}?token={token}")),
        get("/api/v1/device/update").bearer(token),
    ] {
        assert_eq!(
            portal.send(request).await.refused(401, "unauthenticated")["detail"],
            "Invalid token"
        );
    }
    assert_eq!(
        portal
            .send(ask("DELETE", &path).cookie(&admin.cookie))
            .await
            .status,
        204,
        "twice is once"
    );
    let list =
        get(&format!("/api/v1/tokens?project={PROJECT}&device={DEVICE}")).cookie(&admin.cookie);
    let list = portal.send(list).await.expect(200);
    assert_eq!(list["items"][0]["jti"], jti);
    assert!(list["items"][0]["revoked_at"].is_string(), "{list}");
    assert!(
        !list.to_string().contains(token),
        "a list never shows the token"
    );
}

#[tokio::test]
async fn removing_a_device_or_its_project_revokes_its_tokens() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    for path in [
        format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}"),
        format!("/api/v1/projects/{PROJECT}"),
    ] {
        let made = portal.device_token(PROJECT).await;
        let token = text_of(&made, "token");
        assert_eq!(portal.send(get(IMAGE).bearer(token)).await.status, 200);
        assert_eq!(
            portal
                .send(ask("DELETE", &path).cookie(&admin.cookie))
                .await
                .status,
            204,
            "{path}"
        );
        portal
            .send(get(IMAGE).bearer(token))
            .await
            .refused(401, "unauthenticated");
    }
    portal.project(&admin, PROJECT).await;
    let answer = portal.send(get("/api/v1/device/update")).await;
    answer.refused(401, "unauthenticated");
}

#[tokio::test]
async fn a_token_of_a_project_that_was_removed_is_no_good_for_its_namesake() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let old = portal.device_token(PROJECT).await;
    let path = format!("/api/v1/projects/{PROJECT}");
    assert_eq!(
        portal
            .send(ask("DELETE", &path).cookie(&admin.cookie))
            .await
            .status,
        204
    );
    portal.release(&admin, "1.0.0").await;
    let answer = portal.send(get(IMAGE).bearer(text_of(&old, "token"))).await;
    answer.refused(401, "unauthenticated");
}

#[tokio::test]
async fn deleting_the_secret_makes_every_token_invalid() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.0").await;
    let account = portal.api_token(ADMIN).await;
    let device = portal.device_token(PROJECT).await;
    let secret = portal.folder.path().join("data/keys/secret.bin");
    let before = std::fs::read(&secret).expect("reads");
    assert_eq!(before.len(), 32);

    let config = portal.installation.config.clone();
    let folder = portal.folder;
    portal.installation.store.close().await;
    drop(portal.installation);
    std::fs::remove_file(&secret).expect("removes");
    let installation = gatehouse_server::composition::Installation::open(config)
        .await
        .expect("opens again");
    assert_ne!(std::fs::read(&secret).expect("a new one"), before);
    let origin = gatehouse_core::Actor::nobody(None, None);
    let rooms = &installation.portal;
    assert!(
        rooms
            .identity
            .authenticate_api_token(&origin, &account)
            .await
            .is_err()
    );
    assert!(
        rooms
            .firmware
            .authenticate_device(&origin, text_of(&device, "token"))
            .is_err()
    );
    drop(folder);
}

#[tokio::test]
async fn an_account_token_is_listed_and_closed_like_a_sign_in() {
    let portal = Portal::open().await;
    portal.admin().await;
    let token = portal.api_token(ADMIN).await;
    let list = portal
        .send(get("/api/v1/me/logins").bearer(&token))
        .await
        .expect(200);
    let own = list["items"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|login| login["current"] == true);
    let own = own.expect("the one that asks");
    assert_eq!(own["kind"], "api");
    let path = format!("/api/v1/me/logins/{}", text_of(own, "id"));
    assert_eq!(
        portal
            .send(ask("DELETE", &path).bearer(&token))
            .await
            .status,
        204
    );
    portal
        .send(get("/api/v1/me").bearer(&token))
        .await
        .refused(401, "unauthenticated");
    assert!(!list.to_string().contains(PASSWORD));
}
