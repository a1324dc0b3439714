//! Each thing that a device with keys refuses: in its own words, and with nothing written.

use std::fs;

use crate::signed::{Bench, OLD_CONTENT};
use crate::support::{Image, Stage};
use crate::vendor::{OTHER_PROJECT_ID, PROJECT_ID, RELEASE_COUNTER, Vendor, now_s};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use gatehouse_device::Kind;
use gatehouse_manifest::{Claims, Manifest, cosigner_kid, jti, project_kid};
use serde_json::{Value, json};

impl Bench {
    /// The update fails with this code before anything is fetched, and the portal hears why.
    #[track_caller]
    fn refuses(&self, code: &str) -> impl Future<Output = ()> {
        let caller = std::panic::Location::caller();
        async move {
            let failure = self.update().await.unwrap_err();
            let said = failure.to_string();
            assert!(said.contains(&format!("({code})")), "{said}, at {caller}");
            assert_eq!(failure.kind(), Kind::Refused);
            assert_eq!(self.stage.reported(), ["failed"]);
            assert_eq!(self.stage.reports.lock().unwrap()[0].1, said);
            assert!(self.stage.ranges().is_empty());
            assert_eq!(fs::read(self.target()).unwrap(), OLD_CONTENT);
            assert_eq!(self.files(), ["lamp.bin", "lamp.bin.state.lock"]);
        }
    }
}

/// A device meets a portal that serves these claims, well signed.
async fn refuses_claims(code: &str, change: impl FnOnce(&mut Claims)) {
    let bench = Bench::with([]).await;
    bench.signs_next(change);
    bench.refuses(code).await;
}

/// A device meets a portal that serves a good manifest after somebody had it in their hands.
async fn refuses_tampered(code: &str, tamper: impl FnOnce(&mut Value)) {
    let bench = Bench::with([]).await;
    let good = bench.vendor().sign(&bench.vendor().claims(&bench.stage));
    let mut manifest = serde_json::from_str(&good).unwrap();
    tamper(&mut manifest);
    bench.serves_next(manifest.to_string());
    bench.refuses(code).await;
}

/// Turns one bit of the first byte that a base64url text stands for.
fn flip(text: &mut Value) {
    let old = text.as_str().unwrap();
    let other = if old.starts_with('Y') { "Z" } else { "Y" };
    *text = json!(format!("{other}{}", &old[1..]));
}

#[tokio::test]
async fn a_turned_bit_in_the_claims() {
    refuses_tampered("bad_signature", |manifest| flip(&mut manifest["payload"])).await;
}

#[tokio::test]
async fn a_turned_bit_in_either_signature() {
    for signer in [0, 1] {
        refuses_tampered("bad_signature", |manifest| {
            flip(&mut manifest["signatures"][signer]["signature"]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_turned_bit_in_a_header() {
    for signer in [0, 1] {
        refuses_tampered("malformed", |manifest| {
            flip(&mut manifest["signatures"][signer]["protected"]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_missing_signature() {
    for signer in [0, 1] {
        refuses_tampered("signature_missing", |manifest| {
            let signatures = manifest["signatures"].as_array_mut().unwrap();
            signatures.remove(signer);
        })
        .await;
    }
}

#[tokio::test]
async fn a_doubled_signature() {
    refuses_tampered("signature_doubled", |manifest| {
        manifest["signatures"][1] = manifest["signatures"][0].clone();
    })
    .await;
}

#[tokio::test]
async fn both_signatures_by_one_key() {
    for one in [[1; 32], [2; 32]] {
        let bench = Bench::with([]).await;
        let claims = bench.vendor().claims(&bench.stage);
        bench.serves_next(Vendor::with_keys(one, one).sign(&claims));
        bench.refuses("same_key_twice").await;
    }
}

#[tokio::test]
async fn a_signature_by_a_strangers_key() {
    for (project, cosigner) in [([9; 32], [2; 32]), ([1; 32], [9; 32])] {
        let bench = Bench::with([]).await;
        let claims = bench.vendor().claims(&bench.stage);
        bench.serves_next(Vendor::with_keys(project, cosigner).sign(&claims));
        bench.refuses("bad_signature").await;
    }
}

#[tokio::test]
async fn a_third_signature() {
    let bench = Bench::with([]).await;
    let vendor = bench.vendor();
    let good = vendor.sign(&vendor.claims(&bench.stage));
    let mut manifest = Manifest::parse(&good).unwrap();
    manifest.add_signature("somebody", &Vendor::with_keys([9; 32], [9; 32]).project);
    bench.serves_next(manifest.to_string());
    bench.refuses("unknown_signer").await;
}

#[tokio::test]
async fn an_expired_manifest() {
    refuses_claims("expired", |claims| {
        claims.nbf = now_s() - 1_000;
        claims.exp = now_s() - 100;
        claims.jti = jti(claims.exp, [1; 6]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_of_the_future() {
    refuses_claims("not_yet_valid", |claims| {
        claims.nbf = now_s() + 600;
        claims.exp = now_s() + 1_200;
        claims.jti = jti(claims.exp, [1; 6]);
    })
    .await;
}

#[tokio::test]
async fn a_manifest_that_was_used_before() {
    let bench = Bench::with([]).await;
    let manifest = bench.signs_next(|_| ());
    bench.update().await.unwrap();
    bench.serves_next(manifest);
    let failure = bench.update().await.unwrap_err();
    assert!(failure.to_string().contains("(already_seen)"), "{failure}");
    assert_eq!(bench.stage.ranges().len(), 1, "it was fetched once");
}

#[tokio::test]
async fn a_manifest_that_was_used_for_an_update_that_failed() {
    let bench = Bench::with([Image::Status(StatusCode::NOT_FOUND)]).await;
    let manifest = bench.signs_next(|_| ());
    bench.update().await.unwrap_err();
    bench.serves_next(manifest);
    let failure = bench.update().await.unwrap_err();
    assert!(failure.to_string().contains("(already_seen)"), "{failure}");
}

#[tokio::test]
async fn another_project_by_its_name() {
    refuses_claims("other_project", |claims| {
        claims.project = "kettle".to_owned();
    })
    .await;
}

#[tokio::test]
async fn another_project_by_its_signers() {
    let bench = Bench::with([]).await;
    let vendor = bench.vendor();
    let claims = vendor.claims(&bench.stage);
    let mut manifest = Manifest::sign(&claims, &project_kid(OTHER_PROJECT_ID), &vendor.project);
    manifest.add_signature(&cosigner_kid(OTHER_PROJECT_ID), &vendor.cosigner);
    bench.serves_next(manifest.to_string());
    bench.refuses("other_project").await;
}

#[tokio::test]
async fn other_hardware() {
    refuses_claims("other_hardware", |claims| {
        claims.hardware = vec!["esp8266".to_owned()];
    })
    .await;
}

#[tokio::test]
async fn a_lower_counter_than_the_devices() {
    let bench = Bench::with([]).await;
    let state = json!({
        "project_id": PROJECT_ID,
        "release_counter": RELEASE_COUNTER + 1,
        "seen": {},
        "installing": null,
    });
    fs::write(bench.state(), state.to_string()).unwrap();
    let failure = bench.update().await.unwrap_err();
    assert!(
        failure.to_string().contains("(counter_too_low)"),
        "{failure}"
    );
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    assert_eq!(
        fs::read_to_string(bench.state()).unwrap(),
        state.to_string()
    );
}

#[tokio::test]
async fn a_step_that_is_too_wide() {
    refuses_claims("version_too_low", |claims| {
        claims.min_version = Some("1.0.5".to_owned());
    })
    .await;
}

#[tokio::test]
async fn a_manifest_over_16_kib() {
    let bench = Bench::with([]).await;
    let good = bench.vendor().sign(&bench.vendor().claims(&bench.stage));
    bench.serves_next(format!("{good}{}", " ".repeat(16 * 1024)));
    bench.refuses("too_long").await;
}

#[tokio::test]
async fn something_that_is_no_manifest() {
    for answer in ["", "not JSON", "{}", "\u{fffd}"] {
        let bench = Bench::with([]).await;
        bench.serves_next(answer);
        bench.refuses("malformed").await;
    }
    let bench = Bench::with([]).await;
    bench.serves_next(vec![0xFF_u8, 0xFE]);
    bench.refuses("malformed").await;
}

#[tokio::test]
async fn a_manifest_from_somewhere_else() {
    let bench = Bench::with([]).await;
    let elsewhere = [("location", "http://127.0.0.1:1/manifest")];
    bench.serves_next((StatusCode::FOUND, elsewhere).into_response());
    let failure = bench.update().await.unwrap_err();
    assert!(failure.to_string().contains("redirect"), "{failure}");
    assert_eq!(bench.stage.reported(), ["failed"]);
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
}

#[tokio::test]
async fn a_release_that_is_signed_no_longer() {
    let bench = Bench::with([]).await;
    bench.serves_next(StatusCode::NO_CONTENT);
    let failure = bench.update().await.unwrap_err();
    assert!(
        failure.to_string().contains("withdrawn or halted"),
        "{failure}"
    );
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
}

/// The image is fetched and refused with this code, and the device stays as it was.
async fn refuses_image(code: &str, image: Image) {
    let bench = Bench::with([image]).await;
    refuses_fetched(&bench, code).await;
}

async fn refuses_fetched(bench: &Bench, code: &str) {
    let failure = bench.update().await.unwrap_err();
    let said = failure.to_string();
    assert!(said.contains(&format!("({code})")), "{said}");
    assert_eq!(failure.kind(), Kind::BadImage);
    assert_eq!(bench.stage.reported(), ["downloading", "failed"]);
    assert_eq!(bench.stage.reports.lock().unwrap()[1].1, said);
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    let files = ["lamp.bin", "lamp.bin.state", "lamp.bin.state.lock"];
    assert_eq!(bench.files(), files);
}

#[tokio::test]
async fn an_image_that_is_longer_than_signed() {
    refuses_image("image_too_long", Image::Other(vec![7; 10_001])).await;
}

#[tokio::test]
async fn an_image_that_never_ends() {
    refuses_image("image_too_long", Image::Endless(vec![7; 4_096])).await;
}

#[tokio::test]
async fn an_image_that_is_shorter_than_signed() {
    refuses_image("image_too_short", Image::Other(vec![7; 9_999])).await;
}

#[tokio::test]
async fn an_image_that_is_another_than_signed() {
    refuses_image("image_differs", Image::Other(vec![7; 10_000])).await;
}

#[tokio::test]
async fn an_image_whose_checksum_alone_is_another() {
    let bench = Bench::on(Stage::signing([])).await;
    bench.signs_next(|claims| claims.checksum ^= 1);
    refuses_fetched(&bench, "image_differs").await;
}

#[tokio::test]
async fn a_device_whose_project_key_was_retired_is_told_to_get_the_new_bundle() {
    let bench = Bench::with([]).await;
    let problem = r#"{"code":"not_found","detail":"There is no such project key."}"#;
    bench.serves_next((StatusCode::NOT_FOUND, problem));
    let failure = bench.update().await.unwrap_err();
    assert_eq!(failure.kind(), Kind::NotFound);
    let sentence = failure.to_string();
    assert!(sentence.contains("key was replaced"), "{sentence}");
    assert!(sentence.contains("new bundle"), "{sentence}");
    assert!(!sentence.contains("--url"), "{sentence}");
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
}
