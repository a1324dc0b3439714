//! `gatehouse-device` with keys on the command line: in a file, and against a portal.

use std::fs;
use std::path::Path;
use std::process::Output;

use crate::command_line::{complaint, run, said};
use crate::support::{OLD_VERSION, Stage, TOKEN, start};
use crate::vendor::{HARDWARE, PROJECT_ID, RELEASE_COUNTER, Vendor};
use gatehouse_manifest::Claims;
use serde_json::json;
use tempfile::TempDir;

/// A folder with a manifest, the keys it is checked with, and the image it is for.
struct Desk(TempDir);

impl Desk {
    async fn with(change: impl FnOnce(&mut Claims)) -> Self {
        let (stage, _) = start(Stage::signing([])).await;
        let vendor = Vendor::default();
        let mut claims = vendor.claims(&stage);
        change(&mut claims);
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("manifest.json"), vendor.sign(&claims)).unwrap();
        fs::write(folder.path().join("keys.json"), vendor.bundle()).unwrap();
        fs::write(folder.path().join("lamp.bin"), &stage.image).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    async fn verify(&self, more: &[&str]) -> Output {
        let (manifest, keys) = (self.path("manifest.json"), self.path("keys.json"));
        let mut arguments = vec!["verify", manifest.as_str(), "--keys", keys.as_str()];
        arguments.extend(more);
        run(&arguments, None).await
    }

    /// The check exits with 1 and says this.
    async fn refuses(&self, more: &[&str], words: &str) {
        let output = self.verify(more).await;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(complaint(&output).contains(words), "{output:?}");
        assert_eq!(said(&output), "");
    }
}

#[tokio::test]
async fn a_good_manifest_is_told_claim_by_claim() {
    let desk = Desk::with(|_| ()).await;
    let image = desk.path("lamp.bin");
    for _ in 0..2 {
        let output = desk
            .verify(&["--hardware", HARDWARE, "--image", &image])
            .await;
        assert!(output.status.success(), "{output:?}");
        for line in [
            "both signatures hold\n",
            "project      lamp\n",
            "version      1.1.0\n",
            "release      7\n",
            "hardware     esp32, esp32s3\n",
            "the image is the signed one\n",
        ] {
            assert!(said(&output).contains(line), "{line:?} in {output:?}");
        }
    }
}

#[tokio::test]
async fn a_manifest_for_other_hardware_is_refused_with_its_code() {
    let desk = Desk::with(|_| ()).await;
    desk.refuses(&["--hardware", "esp8266"], "(other_hardware)")
        .await;
    desk.refuses(&[], "(other_hardware)").await;
}

#[tokio::test]
async fn the_version_that_runs_counts_where_the_manifest_asks_for_one() {
    let desk = Desk::with(|claims| claims.min_version = Some("1.0.5".to_owned())).await;
    let at = |version| ["--hardware", HARDWARE, "--current-fw", version];
    desk.refuses(&at("1.0.4"), "(version_too_low)").await;
    assert!(desk.verify(&at("1.0.5")).await.status.success());
}

#[tokio::test]
async fn another_image_is_refused() {
    let desk = Desk::with(|_| ()).await;
    let image = desk.path("lamp.bin");
    let good = fs::read(&image).unwrap();
    let longer = [good.as_slice(), b"!"].concat();
    let mut other = good.clone();
    other[5_000] ^= 1;
    for (bytes, code) in [
        (&longer[..], "(image_too_long)"),
        (&good[1..], "(image_too_short)"),
        (&other[..], "(image_differs)"),
    ] {
        fs::write(&image, bytes).unwrap();
        desk.refuses(&["--hardware", HARDWARE, "--image", &image], code)
            .await;
    }
}

#[tokio::test]
async fn what_a_device_remembers_counts_and_stays() {
    let desk = Desk::with(|_| ()).await;
    let state = desk.path("lamp.state");
    let arguments = ["--hardware", HARDWARE, "--state", &state];
    assert!(desk.verify(&arguments).await.status.success());
    assert!(!Path::new(&state).exists(), "checking remembers nothing");
    let later = json!({
        "project_id": PROJECT_ID,
        "release_counter": RELEASE_COUNTER + 1,
        "seen": {},
        "installing": null,
    });
    fs::write(&state, later.to_string()).unwrap();
    desk.refuses(&arguments, "(counter_too_low)").await;
    fs::write(&state, "damaged").unwrap();
    desk.refuses(&arguments, "is damaged").await;
}

#[tokio::test]
async fn a_file_that_is_no_manifest_or_no_bundle_is_named() {
    let desk = Desk::with(|_| ()).await;
    fs::write(desk.path("manifest.json"), " ".repeat(17 * 1024)).unwrap();
    desk.refuses(&[], "(too_long)").await;
    fs::write(desk.path("manifest.json"), [0xFF]).unwrap();
    desk.refuses(&[], "(malformed)").await;
    fs::remove_file(desk.path("manifest.json")).unwrap();
    desk.refuses(&[], "manifest.json").await;
    for bundle in ["{}", &Vendor::with_keys([3; 32], [3; 32]).bundle()] {
        fs::write(desk.path("keys.json"), bundle).unwrap();
        desk.refuses(&[], "cannot use the keys in").await;
    }
}

/// The arguments of a command that is told the portal, the version and the keys.
fn against<'a>(command: &'a str, url: &'a str, keys: &'a str) -> Vec<&'a str> {
    let mut arguments = vec![command, "--url", url, "--current-fw", OLD_VERSION];
    arguments.extend(["--keys", keys, "--hardware", HARDWARE]);
    arguments
}

#[tokio::test]
async fn update_with_keys_installs_and_remembers_where_it_is_told() {
    let (stage, _) = start(Stage::signing([])).await;
    let desk = Desk::with(|_| ()).await;
    let (url, keys) = (stage.url(), desk.path("keys.json"));
    let (target, state) = (desk.path("new.bin"), desk.path("memory"));
    let mut arguments = against("update", &url, &keys);
    arguments.extend(["--file", &target, "--state", &state]);
    let output = run(&arguments, Some(TOKEN)).await;
    assert_eq!(said(&output), format!("installed 1.1.0 to {target}\n"));
    assert_eq!(complaint(&output), "");
    assert_eq!(fs::read(&target).unwrap(), stage.image);
    let remembered = fs::read_to_string(&state).unwrap();
    assert!(
        remembered.contains("\"release_counter\": 7"),
        "{remembered}"
    );
    assert!(!Path::new(&desk.path("new.bin.state")).exists());
}

#[tokio::test]
async fn check_with_keys_says_that_both_signatures_hold() {
    let (stage, _) = start(Stage::signing([])).await;
    let desk = Desk::with(|_| ()).await;
    let (url, keys) = (stage.url(), desk.path("keys.json"));
    let arguments = against("check", &url, &keys);
    let output = run(&arguments, Some(TOKEN)).await;
    assert!(
        said(&output).ends_with("both signatures hold\n"),
        "{output:?}"
    );
    let mut of_others = stage.vendor.as_ref().unwrap().claims(&stage);
    of_others.project = "kettle".to_owned();
    let manifest = stage.vendor.as_ref().unwrap().sign(&of_others);
    let served = axum::response::IntoResponse::into_response(manifest);
    stage.manifest_orders.lock().unwrap().push_back(served);
    let output = run(&arguments, Some(TOKEN)).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(complaint(&output).contains("(other_project)"), "{output:?}");
}

#[tokio::test]
async fn hardware_and_state_without_keys_are_wrong_usage() {
    for more in [["--hardware", HARDWARE], ["--state", "memory"]] {
        let mut arguments = vec!["check", "--url", "http://127.0.0.1:1", "--current-fw"];
        arguments.push("1.0.0");
        arguments.extend(more);
        let output = run(&arguments, Some(TOKEN)).await;
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}
