//! Updates that two keys signed: what decides, what is kept, and what a power cut leaves.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Image, NEW_VERSION, OLD_VERSION, Stage, start};
use crate::vendor::{OTHER_PROJECT_ID, PROJECT_ID, RELEASE_COUNTER, Vendor};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use gatehouse_device::update::{Outcome, update};
use gatehouse_device::{Failure, Guard, Kind, Portal, StateFile};
use gatehouse_manifest::Claims;
use tempfile::TempDir;

pub(crate) const OLD_CONTENT: &[u8] = b"the old image";

/// A device with keys, an installed image, and a portal that signs.
pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) stage: Arc<Stage>,
    portal: Portal,
    guard: Guard,
    /// Keys and other things of no concern to the device's own folder.
    _given: TempDir,
}

impl Bench {
    pub(crate) async fn with(orders: impl IntoIterator<Item = Image>) -> Self {
        Self::on(Stage::signing(orders)).await
    }

    pub(crate) async fn on(stage: Stage) -> Self {
        let (stage, portal) = start(stage).await;
        let (folder, given) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let target = folder.path().join("lamp.bin");
        fs::write(&target, OLD_CONTENT).unwrap();
        let guard = Guard {
            keys: Vendor::default().keys(given.path()),
            state: StateFile::beside(&target),
        };
        Self {
            folder,
            stage,
            portal,
            guard,
            _given: given,
        }
    }

    pub(crate) fn vendor(&self) -> &Vendor {
        self.stage.vendor.as_ref().unwrap()
    }

    pub(crate) fn target(&self) -> PathBuf {
        self.folder.path().join("lamp.bin")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("lamp.bin.state")
    }

    /// The counter in the state file, and how many manifests are remembered there.
    fn remembered(&self) -> (u64, usize) {
        let state: serde_json::Value =
            serde_json::from_slice(&fs::read(self.state()).unwrap()).unwrap();
        let seen = state["seen"].as_object().unwrap().len();
        (state["release_counter"].as_u64().unwrap(), seen)
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The portal serves these claims next, well signed.
    pub(crate) fn signs_next(&self, change: impl FnOnce(&mut Claims)) -> String {
        let mut claims = self.vendor().claims(&self.stage);
        change(&mut claims);
        let manifest = self.vendor().sign(&claims);
        self.serves_next(manifest.clone());
        manifest
    }

    pub(crate) fn serves_next(&self, answer: impl IntoResponse) {
        let mut orders = self.stage.manifest_orders.lock().unwrap();
        orders.push_back(answer.into_response());
    }

    pub(crate) async fn update(&self) -> Result<Outcome, Failure> {
        self.update_with(&|_, _| {}).await
    }

    async fn update_with(&self, progress: &(dyn Fn(u64, u64) + Sync)) -> Result<Outcome, Failure> {
        let waits = [Duration::ZERO; 4];
        let (target, guard) = (self.target(), Some(&self.guard));
        update(&self.portal, OLD_VERSION, &target, &waits, progress, guard).await
    }

    async fn installs(&self) {
        let outcome = self.update().await.unwrap();
        let told = |unreported: &Option<Failure>| unreported.is_none();
        assert!(
            matches!(&outcome, Outcome::Installed { unreported, .. } if told(unreported)),
            "{outcome:?}"
        );
        assert_eq!(fs::read(self.target()).unwrap(), self.stage.image);
    }
}

#[tokio::test]
async fn a_signed_release_is_installed_and_remembered() {
    let bench = Bench::with([]).await;
    bench.installs().await;
    let reported = ["downloading", "installing", "succeeded"];
    assert_eq!(bench.stage.reported(), reported);
    assert_eq!(bench.remembered(), (RELEASE_COUNTER, 1));
    let files = ["lamp.bin", "lamp.bin.state", "lamp.bin.state.lock"];
    assert_eq!(bench.files(), files);
    let key = bench.vendor().project.public_key().thumbprint();
    assert_eq!(
        *bench.stage.manifest_requests.lock().unwrap(),
        [format!("current_fw={OLD_VERSION}&key={key}")]
    );
}

#[tokio::test]
async fn the_manifest_decides_and_not_the_answer_to_the_check() {
    let bench = Bench::on(Stage {
        lies: true,
        ..Stage::signing([])
    })
    .await;
    bench.installs().await;
}

#[tokio::test]
async fn another_version_than_offered_is_installed_when_both_keys_signed_it() {
    let bench = Bench::with([]).await;
    bench.signs_next(|claims| claims.version = "1.2.0".to_owned());
    let outcome = bench.update().await.unwrap();
    assert!(
        matches!(&outcome, Outcome::Installed { version, .. } if version == "1.2.0"),
        "{outcome:?}"
    );
    let about = bench.stage.reported_versions.lock().unwrap();
    assert_eq!(*about, ["1.2.0"; 3]);
}

#[tokio::test]
async fn a_cut_download_is_taken_up_under_a_new_manifest() {
    let bench = Bench::with((0..5).map(|_| Image::CutAfter(800))).await;
    let failure = bench.update().await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Interrupted);
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    bench.installs().await;
    let ranges = bench.stage.ranges();
    assert_eq!(ranges.last().unwrap(), "bytes=4000-");
    assert_eq!(bench.remembered(), (RELEASE_COUNTER, 2));
}

#[tokio::test]
async fn the_counter_is_kept_across_runs_and_the_same_release_may_come_again() {
    let bench = Bench::with([]).await;
    bench.installs().await;
    bench.signs_next(|claims| claims.release_counter = RELEASE_COUNTER - 1);
    let failure = bench.update().await.unwrap_err();
    assert!(
        failure.to_string().contains("(counter_too_low)"),
        "{failure}"
    );
    bench.installs().await;
    assert_eq!(bench.remembered(), (RELEASE_COUNTER, 2));
}

#[tokio::test]
async fn a_downgrade_that_both_keys_allow_is_installed_and_lowers_no_counter() {
    let bench = Bench::with([]).await;
    bench.installs().await;
    bench.signs_next(|claims| {
        claims.release_counter = 3;
        claims.allow_downgrade = true;
    });
    bench.installs().await;
    assert_eq!(bench.remembered().0, RELEASE_COUNTER);
}

#[tokio::test]
async fn manifests_are_forgotten_some_time_after_they_expired() {
    let bench = Bench::with([]).await;
    let old = r#"{"0022001-01-01T00:00:00ZaaaaaA": 978307200}"#;
    write_state(&bench.state(), PROJECT_ID, old);
    bench.installs().await;
    assert_eq!(bench.remembered(), (RELEASE_COUNTER, 1));
}

fn write_state(path: &Path, project_id: &str, seen: &str) {
    let state = format!(
        r#"{{"project_id": "{project_id}", "release_counter": 2, "seen": {seen}, "installing": null}}"#
    );
    fs::write(path, state).unwrap();
}

#[tokio::test]
async fn a_damaged_state_is_never_taken_for_a_new_one() {
    let bench = Bench::with([]).await;
    for damaged in ["", "{", r#"{"release_counter": 2}"#, "[1]", "\u{0}\u{0}"] {
        fs::write(bench.state(), damaged).unwrap();
        let failure = bench.update().await.unwrap_err();
        assert_eq!(failure.kind(), Kind::Local);
        assert!(failure.to_string().contains("is damaged"), "{failure}");
        assert_eq!(fs::read_to_string(bench.state()).unwrap(), damaged);
    }
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    assert!(bench.stage.manifest_requests.lock().unwrap().is_empty());
    assert_eq!(bench.stage.reported(), ["failed"; 5]);
}

#[tokio::test]
async fn the_state_of_another_project_is_not_used() {
    let bench = Bench::with([]).await;
    write_state(&bench.state(), OTHER_PROJECT_ID, "{}");
    let failure = bench.update().await.unwrap_err();
    assert!(
        failure.to_string().contains("belongs to project"),
        "{failure}"
    );
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
}

#[tokio::test]
async fn a_second_update_waits_for_the_first() {
    let bench = Bench::with([]).await;
    let lock = fs::File::create(bench.folder.path().join("lamp.bin.state.lock")).unwrap();
    lock.lock().unwrap();
    let failure = bench.update().await.unwrap_err();
    assert!(failure.to_string().contains("another update"), "{failure}");
    assert_eq!(bench.files(), ["lamp.bin", "lamp.bin.state.lock"]);
    drop(lock);
    bench.installs().await;
}

/// The state cannot be written from the moment that the image is whole, as if power had failed.
async fn install_without_remembering(bench: &Bench) {
    let in_the_way = bench.folder.path().join("lamp.bin.state.new");
    let note = |so_far, all| {
        if so_far == all {
            fs::create_dir(&in_the_way).unwrap();
        }
    };
    let failure = bench.update_with(&note).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Local, "{failure}");
    fs::remove_dir(&in_the_way).unwrap();
}

#[tokio::test]
async fn power_that_fails_between_image_and_state_leaves_no_way_back() {
    let bench = Bench::with([]).await;
    install_without_remembering(&bench).await;
    assert_eq!(fs::read(bench.target()).unwrap(), bench.stage.image);
    assert_eq!(bench.remembered(), (0, 1));
    bench.signs_next(|claims| claims.release_counter = RELEASE_COUNTER - 1);
    let failure = bench.update().await.unwrap_err();
    assert!(
        failure.to_string().contains("(counter_too_low)"),
        "{failure}"
    );
    bench.installs().await;
    assert_eq!(bench.remembered().0, RELEASE_COUNTER);
}

#[tokio::test]
async fn a_release_that_was_not_installed_does_not_raise_the_counter() {
    let bench = Bench::with([Image::Other(vec![7; 10_000])]).await;
    bench.signs_next(|claims| claims.release_counter = 90);
    bench.update().await.unwrap_err();
    assert_eq!(bench.remembered(), (0, 1));
    bench.installs().await;
    assert_eq!(bench.remembered().0, RELEASE_COUNTER);
}

pub(crate) fn later() -> Response {
    let problem = r#"{"detail":"The co-signer does not answer since 07:12."}"#;
    (
        StatusCode::SERVICE_UNAVAILABLE,
        [("retry-after", "0")],
        problem,
    )
        .into_response()
}

#[tokio::test]
async fn a_co_signer_that_is_down_is_waited_for() {
    let bench = Bench::with([]).await;
    bench.serves_next(later());
    bench.serves_next(later());
    bench.installs().await;
    assert_eq!(bench.stage.manifest_requests.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_co_signer_that_stays_down_is_no_failure_of_the_release() {
    let bench = Bench::with([]).await;
    for _ in 0..5 {
        bench.serves_next(later());
    }
    let failure = bench.update().await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Busy);
    assert!(
        failure
            .to_string()
            .contains("co-signer does not answer since 07:12"),
        "{failure}"
    );
    assert!(bench.stage.reported().is_empty());
    assert!(bench.stage.ranges().is_empty());
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    bench.installs().await;
}

#[tokio::test]
async fn an_old_portal_without_manifests_is_no_way_around_the_keys() {
    let bench = Bench::on(Stage::with([])).await;
    let failure = bench.update().await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Refused);
    assert!(failure.to_string().contains("(no_manifest)"), "{failure}");
    assert_eq!(bench.stage.reported(), ["failed"]);
    assert!(bench.stage.ranges().is_empty());
}

#[tokio::test]
async fn nothing_is_asked_when_there_is_nothing_to_install() {
    let bench = Bench::with([]).await;
    let (target, guard) = (bench.target(), Some(&bench.guard));
    let outcome = update(&bench.portal, NEW_VERSION, &target, &[], &|_, _| {}, guard).await;
    assert!(matches!(outcome.unwrap(), Outcome::UpToDate { .. }));
    assert_eq!(bench.files(), ["lamp.bin"]);
}
