//! What programs written for the original servers rely on, to the letter.
//!
//! Long file: the contract of the original server, row by row of its table.

use serde_json::{Value, json};

use crate::{
    field::{Field, bytes_of},
    furnish::{ADMIN, DEVICE, PROJECT, text_of},
    harness::{ADMIN_SECRET, Portal, ask, get, post},
    log::Log,
};

#[tokio::test]
async fn a_token_comes_in_the_shape_of_the_original() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let wish = json!({ "device_id": DEVICE, "project": PROJECT, "expires_minutes": 30, "current_fw": "1.0.3" });
    let made = portal.generate_token(&wish).await.expect(200);
    let payload = &made["payload"];
    assert_eq!(payload["sub"], DEVICE);
    assert_eq!(payload["project"], PROJECT);
    assert_eq!(payload["roles"], json!(["device", "ota_client"]));
    assert_eq!(payload["fw_version"], "1.0.3");
    let (iat, exp) = (payload["iat"].as_i64(), payload["exp"].as_i64());
    assert_eq!(exp.zip(iat).map(|(exp, iat)| exp - iat), Some(30 * 60));
    assert_eq!(
        made.as_object().map(serde_json::Map::len),
        Some(3),
        "{made}"
    );
    assert_eq!(
        payload.as_object().map(serde_json::Map::len),
        Some(7),
        "{payload}"
    );
    assert_eq!(text_of(&made, "token").split('.').count(), 3);

    let again = portal.generate_token(&wish).await.expect(200);
    assert_ne!(
        again["payload"]["jti"], payload["jti"],
        "two tokens of one second differ"
    );
    let path = format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}");
    let device = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    assert_eq!(
        device["device_id"], DEVICE,
        "a device not yet known was registered"
    );
    let plain = portal.device_token(PROJECT).await;
    assert_eq!(plain["payload"]["fw_version"], "1.0.0");
}

/// Such a client says what it runs when it asks for its next token, and nowhere else.
#[tokio::test]
async fn a_client_of_the_original_confirms_its_update_with_its_next_token() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let update = field.get("/firmware/lamp/latest").await.expect(200);
    assert_eq!(update["version"], "1.1.0");
    let image = field.get("/firmware/lamp/lamp-1.1.0.bin").await;
    assert_eq!(image.body, bytes_of("1.1.0"));
    Field::insist(&field.device().await, "1.1.0", "downloading");
    let wish = json!({ "device_id": DEVICE, "project": PROJECT, "current_fw": "1.1.0" });
    field.portal.generate_token(&wish).await.expect(200);
    let device = field.device().await;
    assert_eq!(device["current_version"], "1.1.0");
    Field::insist(&device, "1.1.0", "succeeded");

    field.release("1.2.0", bytes_of("1.2.0")).await;
    let update = field.get("/firmware/lamp/latest?current_fw=1.1.0").await;
    assert_eq!(update.expect(200)["version"], "1.2.0");
    field
        .get("/firmware/lamp/latest?current_fw=1.2.0")
        .await
        .expect(200);
    Field::insist(&field.device().await, "1.2.0", "succeeded");
}

/// The original server writes 1.0.0 into such a token, which would be a device's first release.
#[tokio::test]
async fn a_version_that_nobody_named_is_not_taken_for_the_devices_own() {
    let field = Field::with(&[], &["1.0.0"]).await;
    let update = field.get("/api/v1/device/update").await.expect(200);
    assert_eq!(update["version"], "1.0.0");
    assert_eq!(field.device().await["current_version"], Value::Null);
}

#[tokio::test]
async fn each_wrong_request_for_a_token_has_the_originals_answer() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let wish = json!({ "device_id": DEVICE, "project": PROJECT });
    for secret in [
        None,
        Some(""),
        Some("wrong"),
        Some(&ADMIN_SECRET[1..]),
        Some("only the operator knows this "),
    ] {
        let request = post("/admin/generate_token").json(&wish);
        let request = match secret {
            Some(secret) => request.header("x-admin-secret", secret),
            None => request,
        };
        portal.send(request).await.refused(403, "forbidden");
    }
    let send = |body: &str| {
        let request = post("/admin/generate_token").header("x-admin-secret", ADMIN_SECRET);
        portal.send(
            request
                .header("content-type", "application/json")
                .body(body.to_owned()),
        )
    };
    for body in ["", "{}", "null", "[]", "x", "\"a\"", "{\"device_id\":"] {
        assert_eq!(
            send(body).await.refused(400, "bad_request")["detail"],
            "Missing JSON body",
            "{body:?}"
        );
    }
    for body in [
        json!({ "device_id": DEVICE }),
        json!({ "project": PROJECT }),
        json!({ "device_id": null, "project": PROJECT }),
    ] {
        let answer = send(&body.to_string()).await;
        assert_eq!(
            answer.refused(400, "bad_request")["detail"],
            "Missing 'device_id' or 'project'",
            "{body}"
        );
    }
    for minutes in [
        json!(0),
        json!(-1),
        json!(1441),
        json!(1.5),
        json!("30"),
        json!(1e9),
        json!(null),
        json!([30]),
    ] {
        let body = json!({ "device_id": DEVICE, "project": PROJECT, "expires_minutes": minutes });
        let answer = portal.generate_token(&body).await;
        assert_eq!(
            answer.refused(422, "invalid")["field"],
            "expires_minutes",
            "{minutes}"
        );
    }
    for minutes in [1, 1440] {
        let body = json!({ "device_id": DEVICE, "project": PROJECT, "expires_minutes": minutes });
        portal.generate_token(&body).await.expect(200);
    }
    let odd_id = json!({ "device_id": "lamp-1", "project": PROJECT });
    portal.generate_token(&odd_id).await.refused(422, "invalid");
    for project in ["unknown", "LAMP", "lamp/", "", "../lamp"] {
        let body = json!({ "device_id": DEVICE, "project": project });
        portal.generate_token(&body).await.refused(404, "not_found");
    }
    let typed = post("/admin/generate_token").header("x-admin-secret", ADMIN_SECRET);
    let typed = typed
        .header("content-type", "text/plain")
        .body(wish.to_string());
    portal
        .send(typed)
        .await
        .refused(415, "unsupported_media_type");
}

#[tokio::test]
async fn without_a_secret_there_is_no_such_path() {
    let portal = Portal::with(&[("GATEHOUSE_ADMIN_SECRET", "")]).await;
    for secret in ["", "x"] {
        let wish = json!({ "device_id": DEVICE, "project": PROJECT });
        let request = post("/admin/generate_token")
            .header("x-admin-secret", secret)
            .json(&wish);
        portal.send(request).await.refused(404, "not_found");
    }
}

#[tokio::test]
async fn who_made_a_token_and_from_where_is_on_record() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    portal.device_token(PROJECT).await;
    let trail = portal
        .send(get("/api/v1/audit?action=token.create").cookie(&admin.cookie))
        .await
        .expect(200);
    let entry = &trail["items"][0];
    assert_eq!(entry["actor_kind"], "admin_secret");
    assert_eq!(entry["ip"], "203.0.113.7");
    assert_eq!(entry["target_id"], DEVICE);
}

#[tokio::test]
async fn the_documents_beside_the_images_list_what_is_published() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.9.0").await;
    for version in ["01.10.00", "1.2.0-beta.1"] {
        portal
            .upload(&admin, version, version.into())
            .await
            .expect(201);
        portal.publish(&admin, version).await;
    }
    portal
        .upload(&admin, "2.0.0", "a draft".into())
        .await
        .expect(201);
    let made = portal.device_token(PROJECT).await;
    let token = text_of(&made, "token");
    let versions = portal
        .send(get("/firmware/lamp/versions").bearer(token))
        .await
        .expect(200);
    assert_eq!(
        versions,
        json!({ "versions": ["1.2.0-beta.1", "1.9.0", "1.10.0"], "count": 3, "latest": "1.10.0" })
    );
    let latest = portal
        .send(get("/firmware/lamp/latest").bearer(token))
        .await
        .expect(200);
    assert_eq!(latest["version"], "01.10.00");
    assert_eq!(
        latest["url"],
        "http://127.0.0.1:3000/firmware/lamp/lamp-01.10.00.bin"
    );
    for path in ["/firmware/lamp/versions", "/firmware/lamp/latest"] {
        let answer = portal.send(get(path)).await;
        assert!(
            text_of(&answer.refused(401, "unauthenticated"), "detail").starts_with("Missing token")
        );
        let by_query = portal.send(get(&format!("{path}?token={token}"))).await;
        assert_eq!(by_query.status, 200, "{path}");
    }
}

#[tokio::test]
async fn the_portal_says_that_it_lives_in_the_originals_words() {
    let portal = Portal::open().await;
    let status = portal.send(get("/status")).await.expect(200);
    assert_eq!(status["status"], "ok");
    let time = text_of(&status, "time");
    assert!(time.ends_with('Z') && time.len() == 24, "{time}");
    assert_eq!(portal.send(get("/livez")).await.text(), "ok\n");
    assert_eq!(portal.send(get("/readyz")).await.text(), "ok\n");
    assert_eq!(portal.send(get("/favicon.ico")).await.status, 200);
    assert_eq!(
        portal.send(get("/.well-known/jwks.json")).await.expect(200),
        json!({ "keys": [] })
    );
}

#[tokio::test]
async fn a_phone_signs_in_and_acknowledges_as_it_always_did() {
    let portal = Portal::open().await;
    portal.admin().await;
    let token = portal.api_token(ADMIN).await;
    let ack = |body: &str| {
        let request = post("/api/ack")
            .bearer(&token)
            .header("content-type", "application/json");
        portal.send(request.body(body.to_owned()))
    };
    assert_eq!(
        ack("{\"count\":3}").await.expect(200),
        json!({ "ok": true, "user": ADMIN })
    );
    assert_eq!(
        ack("{}").await.refused(400, "bad_request")["detail"],
        "missing count"
    );
    ack("{\"count\":\"3\"}").await.refused(422, "invalid");
    ack("{\"count\":null}").await.refused(422, "invalid");
    let without_token = post("/api/ack").json(&json!({ "count": 1 }));
    portal
        .send(without_token)
        .await
        .refused(401, "unauthenticated");
    for body in [json!({ "user": ADMIN }), json!({ "pass": "x" })] {
        portal
            .send(post("/api/login").json(&body))
            .await
            .refused(422, "invalid");
    }
}

#[tokio::test]
async fn a_device_hears_of_a_newer_version_only() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.release(&admin, "1.0.2").await;
    let made = portal.device_token(PROJECT).await;
    let token = text_of(&made, "token");
    let offered = async |current: &str| {
        let path = format!("/api/v1/device/update?current_fw={current}");
        portal.send(get(&path).bearer(token)).await
    };
    let offer = offered("1.0.1").await.expect(200);
    assert_eq!(
        offer["url"],
        "http://127.0.0.1:3000/firmware/lamp/lamp-1.0.2.bin"
    );
    assert!(text_of(&offer, "url").len() < 200);
    for current in ["1.0.2", "01.00.02", "1.0.3", "2.0.0"] {
        let answer = offered(current).await;
        assert_eq!(answer.status, 204, "{current}");
        let wait_s: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!((3240..=3960).contains(&wait_s), "{wait_s}");
    }
    offered("1.0").await.refused(422, "invalid");
    portal
        .upload(&admin, "1.0.4", "a draft".into())
        .await
        .expect(201);
    assert_eq!(offered("1.0.3").await.status, 204, "a draft is not offered");
    let withdraw = post("/api/v1/projects/lamp/releases/1.0.2/withdraw").cookie(&admin.cookie);
    portal.send(withdraw).await.expect(200);
    assert_eq!(
        offered("1.0.1").await.status,
        204,
        "what was withdrawn is gone"
    );
    portal
        .send(get("/firmware/lamp/lamp-1.0.2.bin").bearer(token))
        .await
        .refused(404, "not_found");

    let report = |body: Value| portal.send(post("/api/v1/device/report").bearer(token).json(&body));
    assert_eq!(
        report(json!({ "version": "1.0.2", "state": "succeeded" }))
            .await
            .status,
        204
    );
    report(json!({ "version": "1.0.2", "state": "flying" }))
        .await
        .refused(422, "invalid");
    let path = format!("/api/v1/projects/{PROJECT}/devices/{DEVICE}");
    let device = portal
        .send(get(&path).cookie(&admin.cookie))
        .await
        .expect(200);
    assert_eq!(
        (&device["current_version"], &device["last_state"]),
        (&json!("1.0.2"), &json!("succeeded"))
    );
    let removed = portal
        .send(ask("DELETE", &path).cookie(&admin.cookie))
        .await;
    assert_eq!(removed.status, 204);
    report(json!({ "version": "1.0.2", "state": "failed" }))
        .await
        .refused(401, "unauthenticated");
}

#[tokio::test]
async fn the_log_says_who_had_a_token_made_in_the_originals_fields() {
    let portal = Portal::open().await;
    let admin = portal.admin().await;
    portal.project(&admin, PROJECT).await;
    let (log, guard) = Log::listen();
    let made = portal.device_token(PROJECT).await;
    drop(guard);
    let log = log.text();
    let line = log.lines().find(|line| line.contains("generate_token"));
    let line = line.unwrap_or_else(|| panic!("a line in {log}"));
    for field in [
        "action=\"generate_token\"",
        "ip=203.0.113.7",
        &format!("device={DEVICE}"),
        &format!("project=\"{PROJECT}\""),
        &format!("exp={}", made["payload"]["exp"]),
    ] {
        assert!(line.contains(field), "{field} in {line}");
    }
    assert!(!log.contains(text_of(&made, "token")));
}

#[tokio::test]
async fn latest_is_the_newest_release_that_this_device_may_have() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let admin = &field.admin.cookie;
    let latest = async || {
        let answer = field.get("/firmware/lamp/latest").await;
        text_of(&answer.expect(200), "version").to_owned()
    };
    assert_eq!(latest().await, "1.1.0");
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let rollout = "/api/v1/projects/lamp/releases/1.2.0/rollout";
    let to = async |percent: u8| {
        let plan = ask("PUT", rollout).json(&json!({ "percent": percent }));
        field.portal.send(plan.cookie(admin)).await.expect(200)
    };
    to(0).await;
    assert_eq!(latest().await, "1.1.0", "it is not this device's turn");
    let by_admin = get("/firmware/lamp/latest").cookie(admin);
    let by_admin = field.portal.send(by_admin).await.expect(200);
    assert_eq!(
        by_admin["version"], "1.2.0",
        "an admin sees the newest of all"
    );
    to(100).await;
    assert_eq!(latest().await, "1.2.0");
    let current = "/api/v1/device/update?current_fw=1.2.0";
    assert_eq!(field.get(current).await.status, 204);
    assert_eq!(latest().await, "1.2.0", "also when it has that already");
    let answer = field.get("/firmware/lamp/latest").await.expect(200);
    assert!(
        answer["next_poll_s"]
            .as_u64()
            .is_some_and(|wait_s| wait_s > 0)
    );
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        let path = format!("/api/v1/projects/lamp/releases/{version}/withdraw");
        field
            .portal
            .send(post(&path).cookie(admin))
            .await
            .expect(200);
    }
    field
        .get("/firmware/lamp/latest")
        .await
        .refused(404, "not_found");
}
