//! Tokens that are none, at every door that takes one, in the header and in the query.

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use super::Watch;
use crate::{
    field::Field,
    furnish::{ADMIN, PROJECT},
    harness::{Answer, ask, get, post},
    tokens::{claims, signed},
};

/// Every path that a device's token opens, and whether the query may carry it.
const DOORS: [(&str, bool); 9] = [
    ("/firmware/lamp/lamp-1.1.0.bin", true),
    ("/firmware/lamp/latest", true),
    ("/firmware/lamp/versions", true),
    ("/ota/arduino/lamp", true),
    ("/ota/esp-idf/lamp", true),
    ("/ota/esphome/lamp.json", true),
    ("/ota/rauc/lamp", true),
    ("/api/v1/device/update", false),
    (
        "/lamp/controller/v1/e6f87d77-4216-4be1-ab83-b5fa6792b747",
        false,
    ),
];

async fn at_every_door(field: &Field, token: &str) -> Vec<(&'static str, Answer)> {
    let mut answers = Vec::new();
    for (path, in_query) in DOORS {
        let by_header = field.portal.send(get(path).bearer(token)).await;
        answers.push((path, by_header));
        if in_query {
            let query = format!("{path}?token={token}");
            answers.push((path, field.portal.send(get(&query)).await));
        }
    }
    answers
}

#[tokio::test]
async fn no_forged_token_opens_any_door_and_none_is_echoed() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let watch = Watch::begin();
    let ours = json!({ "alg": "HS256", "typ": "JWT" });
    let plain = claims(&field.portal, json!({})).await;
    let iat = plain["iat"].as_i64().expect("a time");
    let header = |more: Value| {
        let mut header = ours.clone();
        let members = header.as_object_mut().expect("an object");
        members.extend(more.as_object().expect("an object").clone());
        header
    };
    let mut forged = Vec::new();
    for more in [
        json!({ "alg": "none" }),
        json!({ "alg": "NoNe" }),
        json!({ "alg": "" }),
        json!({ "alg": null }),
        json!({ "alg": ["HS256"] }),
        json!({ "alg": "hs256" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "ES256" }),
        json!({ "kid": "../../../keys/secret.bin" }),
        json!({ "kid": "x' UNION SELECT 'key" }),
        json!({ "jku": "https://evil.example/jwks.json" }),
        json!({ "x5u": "https://evil.example/cert.pem" }),
        json!({ "jwk": { "kty": "oct", "k": "AAAA" } }),
        json!({ "crit": ["exp"], "exp": 1 }),
        json!({ "b64": false, "crit": ["b64"] }),
    ] {
        forged.push(signed(&field.portal, &header(more), &plain));
    }
    for changes in [
        json!({ "exp": null }),
        json!({ "exp": (iat + 600).to_string() }),
        json!({ "exp": 1e30 }),
        json!({ "exp": -1 }),
        json!({ "exp": iat - 1 }),
        json!({ "exp": [iat + 600] }),
        json!({ "nbf": iat + 3600 }),
        json!({ "iat": iat + 7200, "exp": iat + 9000 }),
        json!({ "project": ["lamp"] }),
        json!({ "project": { "lamp": 1 } }),
        json!({ "project": "LAMP" }),
        json!({ "project": "lamp\u{0}" }),
        json!({ "project": "../lamp" }),
        json!({ "project": "lam%70" }),
        json!({ "project": "l\u{430}mp" }),
        json!({ "roles": "device ota_client" }),
        json!({ "sub": "*" }),
    ] {
        let changed = claims(&field.portal, changes).await;
        forged.push(signed(&field.portal, &ours, &changed));
    }
    let good = &field.token;
    let parts: Vec<&str> = good.split('.').collect();
    let [head, body, mac] = parts[..] else {
        panic!("three parts");
    };
    forged.extend([
        format!("{head}.{body}."),
        format!("{head}.{body}"),
        format!("{head}..{mac}"),
        format!(".{body}.{mac}"),
        format!("{good}.{body}.{mac}"),
        format!("{head}.{body}.{}", mac.to_uppercase()),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        "a.b.c".to_owned(),
        "a".repeat(9000),
    ]);
    for token in &forged {
        for (path, answer) in at_every_door(&field, token).await {
            let status = answer.status.as_u16();
            assert_eq!(status, 401, "{path} {token:.80}: {}", answer.text());
            assert!(!answer.text().contains(token.as_str()), "{path} echoes it");
            let echoes = |value: &http::HeaderValue| {
                value
                    .to_str()
                    .is_ok_and(|text| text.contains(token.as_str()))
            };
            assert!(!answer.headers.values().any(echoes), "{path} echoes it");
        }
    }
    for (path, answer) in at_every_door(&field, good).await {
        let opens = !path.contains("/controller/");
        assert_eq!(
            answer.status.is_success(),
            opens,
            "{path}: {}",
            answer.status
        );
    }
    let secrets: Vec<&str> = forged
        .iter()
        .filter(|token| token.len() > 100)
        .map(String::as_str)
        .collect();
    watch
        .end(&field.portal, &[&secrets[..], &[good]].concat())
        .await;
}

#[tokio::test]
async fn tokens_of_other_kinds_open_no_door_of_a_device() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let watch = Watch::begin();
    let account = field.portal.api_token(ADMIN).await;
    let new = post(&format!("/api/v1/projects/{PROJECT}/devices")).json(&json!({}));
    let device = field
        .portal
        .send(new.cookie(&field.admin.cookie))
        .await
        .expect(201);
    let target = device["target_token"].as_str().expect("a token");
    let gateway =
        post(&format!("/api/v1/projects/{PROJECT}/gateway_token")).cookie(&field.admin.cookie);
    let gateway = field.portal.send(gateway).await.expect(201);
    let gateway = gateway["gateway_token"].as_str().expect("a token");
    let cookie = field.admin.cookie_secret();
    for token in [account.as_str(), target, gateway, cookie] {
        for (path, answer) in at_every_door(&field, token).await {
            answer.refused_or_empty_401(path);
        }
    }
    watch
        .end(&field.portal, &[&account, target, gateway, cookie])
        .await;
}

/// Its configuration is written once: a token that ends would keep it from every later release.
#[tokio::test]
async fn a_lasting_token_is_good_where_images_are_and_for_its_own_device_alone() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let new = || post(&format!("/api/v1/projects/{PROJECT}/devices")).json(&json!({}));
    let add = async || field.portal.send(new().cookie(&field.admin.cookie)).await;
    let (device, beside) = (add().await.expect(201), add().await.expect(201));
    let part = |device: &Value, name: &str| device[name].as_str().expect("a text").to_owned();
    let (id, secret) = (part(&device, "device_id"), part(&device, "target_token"));
    let watch = Watch::begin();

    let good = format!("{id}.{secret}");
    for (path, answer) in at_every_door(&field, &good).await {
        let opens = path.starts_with("/firmware/") || path.starts_with("/ota/");
        assert_eq!(
            answer.status.is_success(),
            opens,
            "{path}: {}",
            answer.status
        );
    }
    let wrong = [
        format!("{}.{secret}", part(&beside, "device_id")),
        format!("{id}.{}", part(&beside, "target_token")),
        format!("{id}.{}", secret.to_uppercase()),
        format!("{id}.{}", &secret[1..]),
        format!("{id}.0{secret}"),
        format!(".{secret}"),
        format!("{id}.{}", "0".repeat(32)),
        format!("*.{secret}"),
    ];
    for token in &wrong {
        for (path, answer) in at_every_door(&field, token).await {
            answer.refused_or_empty_401(path);
        }
    }
    field.portal.project(&field.admin, "lamp2").await;
    let elsewhere = get("/ota/esphome/lamp2.json").bearer(&good);
    field
        .portal
        .send(elsewhere)
        .await
        .refused(401, "unauthenticated");

    let path = format!("/api/v1/projects/{PROJECT}/devices/{id}");
    let removal = ask("DELETE", &path).cookie(&field.admin.cookie);
    assert_eq!(field.portal.send(removal).await.status, 204);
    for (path, answer) in at_every_door(&field, &good).await {
        answer.refused_or_empty_401(path);
    }
    watch.end(&field.portal, &[&good, &secret]).await;
}

#[tokio::test]
async fn a_token_of_one_project_opens_no_other_however_it_is_spelled() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field.portal.project(&field.admin, "lamp2").await;
    field.portal.project(&field.admin, "Lamp").await;
    for project in [
        "lamp2",
        "Lamp",
        "LAMP",
        "lam%70%32",
        "lamp%20",
        "lamp%00",
        "lamp%2f",
        "..%2flamp",
        "lämp",
    ] {
        for path in [
            format!("/firmware/{project}/lamp-1.1.0.bin"),
            format!("/firmware/{project}/latest"),
            format!("/firmware/{project}/versions"),
            format!("/ota/arduino/{project}"),
            format!("/ota/esp-idf/{project}"),
            format!("/ota/esphome/{project}.json"),
            format!("/ota/rauc/{project}"),
        ] {
            let Ok(uri) = path.parse::<http::Uri>() else {
                continue;
            };
            let answer = field.get(&uri.to_string()).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 403 | 404), "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn a_revoked_token_is_dead_at_every_door_and_twice_in_the_header_is_none() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let watch = Watch::begin();
    for (path, in_query) in DOORS {
        let twice = get(path).bearer(&field.token).bearer(&field.token);
        assert_eq!(field.portal.send(twice).await.status, 401, "{path}");
        if in_query {
            let differ = format!("{path}?token=x.y.z");
            let answer = field.portal.send(get(&differ).bearer(&field.token)).await;
            answer.refused(400, "bad_request");
        }
    }
    // The newest token in the list is the one that is revoked.
    field.revoke().await;
    for (path, answer) in at_every_door(&field, &field.token).await {
        // Arduino's client knows 403 as "refused" and 401 as nothing.
        let expected = if path.starts_with("/ota/arduino") {
            403
        } else {
            401
        };
        assert_eq!(answer.status, expected, "{path}");
    }
    watch.end(&field.portal, &[&field.token]).await;
}

#[tokio::test]
async fn a_token_of_100_kb_is_refused_on_the_wire_and_the_next_one_served() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let served = field.portal.listen().await;
    let huge = "a".repeat(100_000);
    for request in [
        format!(
            "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {huge}\r\nConnection: close\r\n\r\n",
            DOORS[0].0
        ),
        format!(
            "GET {}?token={huge} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            DOORS[3].0
        ),
    ] {
        let answer = served.talk(request.as_bytes()).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.starts_with("HTTP/1.1 431") || answer.starts_with("HTTP/1.1 414"),
            "{answer:.100}"
        );
        assert!(!answer.contains("aaaaaaaa"), "and not echoed");
    }
    let mut stream = served.connect().await;
    let good = format!(
        "GET {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        DOORS[0].0, field.token
    );
    stream.write_all(good.as_bytes()).await.expect("sends");
    let (head, _) = crate::socket::read_answer(&mut stream).await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    drop(stream);
    assert!(served.stop().await);
}

impl Answer {
    /// hawkBit's clients get 401 without a body.
    #[track_caller]
    fn refused_or_empty_401(&self, path: &str) {
        assert_eq!(self.status, 401, "{path}: {}", self.text());
        assert!(
            self.body.is_empty() || self.header("content-type") == "application/problem+json",
            "{path}"
        );
    }
}
