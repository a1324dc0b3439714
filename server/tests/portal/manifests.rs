//! What a device can check by itself of a release, from the upload to the last byte, and who has
//! to agree to it.

mod cosigner_host;
mod elsewhere;
mod exports;
mod impostor;
mod pages;
mod reaching;

use std::collections::HashSet;

use axum::body::Bytes;
use gatehouse_core::ports::Clock;
use gatehouse_manifest::{Claims, DeviceState, ImageCheck, Manifest, Refusal, Trusted, verify};
use gatehouse_server::system::SystemClock;
use serde_json::{Value, json};

use crate::{
    field::{Field, bytes_of},
    furnish::{PROJECT, image, text_of},
    harness::{Answer, PUBLIC_URL, ask, get, post},
};

const MANIFEST: &str = "/api/v1/device/manifest";
const KEYS: &str = "/api/v1/projects/lamp/keys";

/// Checks a manifest as a device does that runs 1.0.0 and never installed anything.
fn check(manifest: &str, keys: &Value) -> Result<Claims, Refusal> {
    let trusted = Trusted::from_bundle_json(&keys.to_string())?;
    verify(
        manifest,
        &trusted,
        &DeviceState {
            now_s: SystemClock.now_ms() / 1000,
            project: PROJECT,
            hardware: None,
            version: Some("1.0.0"),
            release_counter: 0,
            has_seen: &|_| false,
        },
    )
}

impl Field {
    /// What a device of the project trusts.
    async fn keys(&self) -> Value {
        self.get(KEYS).await.expect(200)
    }

    /// Insists on a manifest and answers it.
    async fn manifest(&self, query: &str) -> String {
        let answer = self.get(&format!("{MANIFEST}{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/jose+json");
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.text()
    }

    async fn by_admin(&self, method: &str, path: &str) -> Answer {
        let asked = ask(method, path).cookie(&self.admin.cookie);
        self.portal.send(asked).await
    }
}

fn local(url: &str) -> &str {
    url.strip_prefix(PUBLIC_URL).expect("an address of ours")
}

fn check_image(claims: &Claims, image: &[u8]) -> Result<(), Refusal> {
    let mut check = ImageCheck::new(claims);
    for chunk in image.chunks(1000) {
        check.push(chunk)?;
    }
    check.finish()
}

#[tokio::test]
async fn a_device_checks_a_release_with_two_keys_and_nobody_elses_help() {
    let field = Field::with(&[], &["1.0.0", "1.1.0"]).await;
    let keys = field.keys().await;
    let update = field
        .get("/api/v1/device/update?current_fw=1.0.0")
        .await
        .expect(200);
    let link = text_of(&update, "manifest_url");
    assert_eq!(
        link,
        format!("{PUBLIC_URL}{MANIFEST}?current_fw=1%2E0%2E0"),
        "it asks the same question again"
    );
    let answer = field.get(local(link)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let claims = check(&answer.text(), &keys).expect("both signed it");
    assert_eq!(
        (claims.project.as_str(), claims.version.as_str()),
        (PROJECT, "1.1.0")
    );
    assert_eq!(claims.iss, PUBLIC_URL);
    assert_eq!(claims.sha256, text_of(&update, "sha256"));
    assert_eq!(claims.exp - claims.nbf, 15 * 60);

    let image = field.get(local(&claims.download_url)).await.body;
    assert_eq!(image, bytes_of("1.1.0"));
    check_image(&claims, &image).expect("the signed bytes");
    let longer = [&image[..], b"x"].concat();
    assert_eq!(check_image(&claims, &longer), Err(Refusal::ImageTooLong));

    let newest = field.get(&format!("{MANIFEST}?current_fw=1.1.0")).await;
    assert_eq!(newest.status, 204, "{}", newest.text());
    let wait_s: u64 = newest.header("retry-after").parse().expect("seconds");
    assert!(wait_s > 0);
}

#[tokio::test]
async fn every_fetch_has_an_id_of_its_own_and_counters_rise() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let keys = field.keys().await;
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let claims = check(&field.manifest("").await, &keys).expect("holds");
        assert!(seen.insert(claims.jti), "an id came twice");
        assert_eq!(claims.release_counter, 1);
    }
    field.release("1.2.0", bytes_of("1.2.0")).await;
    let newer = check(&field.manifest("").await, &keys).expect("holds");
    assert_eq!(newer.release_counter, 2);
}

#[tokio::test]
async fn what_is_withdrawn_or_paused_is_signed_no_more() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field.manifest("").await;
    let release = "/api/v1/projects/lamp/releases/1.1.0";
    let plan = |paused: bool| {
        let plan = json!({ "percent": 100, "paused": paused });
        let put = ask("PUT", &format!("{release}/rollout")).json(&plan);
        field.portal.send(put.cookie(&field.admin.cookie))
    };
    plan(true).await.expect(200);
    assert_eq!(field.get(MANIFEST).await.status, 204);
    plan(false).await.expect(200);
    field.manifest("").await;
    field
        .by_admin("POST", &format!("{release}/withdraw"))
        .await
        .expect(200);
    assert_eq!(field.get(MANIFEST).await.status, 204);
}

#[tokio::test]
async fn a_new_key_overlaps_with_the_old_one_until_that_is_retired() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let before = field.keys().await;
    let rotated = field
        .by_admin("POST", &format!("{KEYS}/rotate"))
        .await
        .expect(200);
    let made = rotated["keys"].as_array().expect("a list");
    assert_eq!(made.len(), 2, "{rotated}");
    assert_eq!(
        (&made[0]["is_signing"], &made[1]["is_signing"]),
        (&json!(true), &json!(false))
    );
    field
        .by_admin("POST", &format!("{KEYS}/rotate"))
        .await
        .refused(409, "conflict");
    let during = field.keys().await;
    assert_eq!(during["project_pem"], before["project_pem"]);

    let old = field.manifest("").await;
    check(&old, &before).expect("the old key signs while both stand");
    check(&old, &during).expect("a device that knows both takes it");
    let by_next = format!("?key={}", text_of(&made[1], "thumbprint"));
    let new = field.manifest(&by_next).await;
    check(&new, &during).expect("the new key signs when asked to");
    assert_eq!(check(&new, &before), Err(Refusal::BadSignature));

    field
        .by_admin("POST", &format!("{KEYS}/retire"))
        .await
        .expect(200);
    let after = field.keys().await;
    assert_eq!(after["project_pem"], during["next_project_pem"]);
    assert_eq!(after["next_project_pem"], Value::Null);
    let new = field.manifest("").await;
    check(&new, &after).expect("the new key signs alone");
    check(&new, &during).expect("who knew both needs nothing new");
    let gone = format!("{MANIFEST}?key={}", text_of(&made[0], "thumbprint"));
    field.get(&gone).await.refused(404, "not_found");
    field
        .by_admin("POST", &format!("{KEYS}/retire"))
        .await
        .refused(409, "conflict");
}

#[tokio::test]
async fn only_a_device_of_the_project_and_admins_learn_its_keys() {
    let field = Field::with(&[], &[]).await;
    field.portal.project(&field.admin, "fan").await;
    let others = "/api/v1/projects/fan/keys";
    let unknown = "/api/v1/projects/nothing/keys";
    field.by_admin("GET", others).await.expect(200);
    let answer = field.by_admin("GET", unknown).await;
    answer.refused(404, "not_found");
    // A device cannot tell the projects of others from none.
    for path in [others, unknown] {
        field.get(path).await.refused(403, "forbidden");
    }
    let owner = field.portal.owner().await;
    let owners = field.portal.send(get(KEYS).cookie(&owner.cookie)).await;
    owners.refused(403, "forbidden");
    let forged = field.portal.send(get(KEYS).bearer("a.b.c")).await;
    forged.refused(401, "unauthenticated");

    let by_token = field.keys().await;
    let token = field.portal.api_token(&field.admin.email).await;
    let by_admin = field.portal.send(get(KEYS).bearer(&token)).await;
    assert_eq!(by_admin.expect(200), by_token);
}

#[tokio::test]
async fn a_manifest_of_one_project_is_nothing_to_another() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field.portal.project(&field.admin, "fan").await;
    let others = field
        .by_admin("GET", "/api/v1/projects/fan/keys")
        .await
        .expect(200);
    let manifest = field.manifest("").await;
    assert_eq!(check(&manifest, &others), Err(Refusal::OtherProject));
    let mut renamed = field.keys().await;
    renamed["project_pem"] = others["project_pem"].clone();
    assert_eq!(check(&manifest, &renamed), Err(Refusal::BadSignature));
}

#[tokio::test]
async fn a_device_of_hawkbits_kind_finds_its_manifest_too() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let new = post("/api/v1/projects/lamp/devices")
        .json(&json!({ "name": "Kitchen", "controller_id": "lamp-7" }));
    let made = field
        .portal
        .send(new.cookie(&field.admin.cookie))
        .await
        .expect(201);
    let authorization = format!("TargetToken {}", text_of(&made, "target_token"));
    let send = |path: String| {
        let asked = get(&path).header("authorization", &authorization);
        field.portal.send(asked)
    };
    let base = "/lamp/controller/v1/lamp-7";
    let told = send(base.to_owned()).await.expect(200);
    let href = text_of(&told["_links"]["deploymentBase"], "href");
    let deployment = send(local(href).to_owned()).await.expect(200);
    let metadata = &deployment["deployment"]["chunks"][0]["metadata"];
    assert_eq!(metadata[0]["key"], "manifest_url", "{deployment}");
    let manifest = send(local(text_of(&metadata[0], "value")).to_owned()).await;
    assert_eq!(manifest.status, 200, "{}", manifest.text());
    let claims = check(&manifest.text(), &field.keys().await).expect("both signed it");
    assert_eq!(claims.version, "1.1.0");
    let stranger = get(&format!("{base}/manifest"));
    assert_eq!(field.portal.send(stranger).await.status, 401);
}

#[tokio::test]
async fn a_token_that_was_revoked_gets_no_manifest() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field.manifest("").await;
    field.revoke().await;
    field.get(MANIFEST).await.refused(401, "unauthenticated");
    field.get(KEYS).await.refused(401, "unauthenticated");
}

/// A manifest with one letter of one part changed.
fn changed(manifest: &str, part: &str) -> String {
    let mut document: Value = serde_json::from_str(manifest).expect("JSON");
    let place = match part {
        "payload" => &mut document["payload"],
        _ => &mut document["signatures"][0][part],
    };
    let text = place.as_str().expect("a text");
    let other = if &text[10..11] == "A" { "B" } else { "A" };
    *place = format!("{}{other}{}", &text[..10], &text[11..]).into();
    document.to_string()
}

#[tokio::test]
async fn a_changed_letter_is_noticed_wherever_it_is() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let (manifest, keys) = (field.manifest("").await, field.keys().await);
    for part in ["payload", "protected", "signature"] {
        check(&changed(&manifest, part), &keys).expect_err(part);
    }
    let signed = Manifest::parse(&manifest).expect("a manifest");
    let signers: Vec<&str> = signed.signers().collect();
    let id = text_of(&keys, "project_id");
    assert_eq!(signers, [id.to_owned(), format!("project/{id}")]);
}

#[tokio::test]
async fn an_image_from_before_checksums_were_kept_gets_its_own_once() {
    let field = Field::with(&[], &[]).await;
    let bytes: Bytes = image(300_000);
    field.release("1.1.0", bytes.clone()).await;
    let database = field.portal.folder.path().join("data/gatehouse.db");
    let url = format!("sqlite://{}", database.display());
    let other = sqlx::SqlitePool::connect(&url).await.expect("opens");
    let forgotten = sqlx::query("UPDATE artifacts SET crc32 = NULL");
    forgotten.execute(&other).await.expect("forgets");
    other.close().await;
    let field = field.again(&[]).await;
    let claims = check(&field.manifest("").await, &field.keys().await).expect("holds");
    check_image(&claims, &bytes).expect("length, CRC-32 and SHA-256");
}
