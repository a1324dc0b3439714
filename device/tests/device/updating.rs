//! What a device does when the line and the portal are good, and when they are not.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{Image, NEW_VERSION, OLD_VERSION, Stage, start};
use axum::http::StatusCode;
use gatehouse_device::update::{Outcome, update};
use gatehouse_device::{Failure, Kind, Portal};
use tempfile::TempDir;

/// The `Range` of a request for all bytes: none.
const WHOLE: &str = "";
const OLD_CONTENT: &[u8] = b"the old image";

/// A folder with an installed image, and the device that is about to replace it.
struct Bench {
    folder: TempDir,
    stage: Arc<Stage>,
    portal: Portal,
}

impl Bench {
    async fn with(orders: impl IntoIterator<Item = Image>) -> Self {
        Self::on(Stage::with(orders)).await
    }

    async fn on(stage: Stage) -> Self {
        let (stage, portal) = start(stage).await;
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("lamp.bin"), OLD_CONTENT).unwrap();
        Self {
            folder,
            stage,
            portal,
        }
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("lamp.bin")
    }

    fn kept(&self) -> Option<Vec<u8>> {
        fs::read(self.folder.path().join("lamp.bin.part")).ok()
    }

    async fn update(&self, tries: usize) -> Result<Outcome, Failure> {
        let waits = vec![Duration::ZERO; tries - 1];
        update(
            &self.portal,
            OLD_VERSION,
            &self.target(),
            &waits,
            &|_, _| {},
            None,
        )
        .await
    }

    async fn installs(&self) {
        let outcome = self.update(5).await.unwrap();
        assert!(
            matches!(
                outcome,
                Outcome::Installed {
                    unreported: None,
                    ..
                }
            ),
            "{outcome:?}"
        );
        assert_eq!(fs::read(self.target()).unwrap(), self.stage.image);
        let names = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        assert_eq!(names.collect::<Vec<_>>(), ["lamp.bin"]);
        assert_eq!(
            self.stage.reported(),
            ["downloading", "installing", "succeeded"]
        );
        let about = self.stage.reported_versions.lock().unwrap();
        assert!(about.iter().all(|version| version == NEW_VERSION));
        let versions = self.stage.checked_versions.lock().unwrap();
        let latest = &versions[versions.len() - 2..];
        assert_eq!(latest, [OLD_VERSION, NEW_VERSION], "the new image asked");
    }

    /// The update fails so, says so to the portal, and the installed image stays.
    async fn fails(&self, kind: Kind) {
        let failure = self.update(5).await.unwrap_err();
        assert_eq!(failure.kind(), kind, "{failure}");
        assert_eq!(fs::read(self.target()).unwrap(), OLD_CONTENT);
        assert_eq!(self.stage.reported(), ["downloading", "failed"]);
        let reports = self.stage.reports.lock().unwrap();
        assert_eq!(reports.last().unwrap().1, failure.to_string());
    }
}

fn from(start: usize) -> String {
    format!("bytes={start}-")
}

#[tokio::test]
async fn an_update_lands_in_its_place() {
    let bench = Bench::with([]).await;
    bench.installs().await;
    assert_eq!(bench.stage.ranges(), [WHOLE]);
}

#[tokio::test]
async fn progress_ends_with_the_whole_image() {
    let bench = Bench::with([]).await;
    let seen = Mutex::new(Vec::new());
    let note = |so_far, all| seen.lock().unwrap().push((so_far, all));
    update(
        &bench.portal,
        OLD_VERSION,
        &bench.target(),
        &[],
        &note,
        None,
    )
    .await
    .unwrap();
    assert_eq!(seen.lock().unwrap().last(), Some(&(10_000, 10_000)));
}

#[tokio::test]
async fn a_device_with_the_newest_touches_nothing() {
    let bench = Bench::with([]).await;
    let outcome = update(
        &bench.portal,
        NEW_VERSION,
        &bench.target(),
        &[],
        &|_, _| {},
        None,
    )
    .await;
    assert!(matches!(
        outcome.unwrap(),
        Outcome::UpToDate {
            next_poll_s: Some(3_412)
        }
    ));
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    assert!(bench.stage.reported().is_empty() && bench.stage.ranges().is_empty());
}

#[tokio::test]
async fn a_cut_line_is_taken_up_where_it_broke() {
    let bench = Bench::with([Image::CutAfter(4_000), Image::CutAfter(3_000)]).await;
    bench.installs().await;
    assert_eq!(
        bench.stage.ranges(),
        [WHOLE.to_owned(), from(4_000), from(7_000)]
    );
    let condition = Some(format!("\"{}\"", bench.stage.sha256()));
    assert_eq!(bench.stage.image_requests.lock().unwrap()[1].1, condition);
}

#[tokio::test]
async fn a_later_run_goes_on_with_what_an_earlier_one_kept() {
    let bench = Bench::with([Image::CutAfter(4_000)]).await;
    let failure = bench.update(1).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Interrupted);
    assert_eq!(bench.kept().unwrap(), bench.stage.image[..4_000]);
    assert_eq!(fs::read(bench.target()).unwrap(), OLD_CONTENT);
    bench.stage.reports.lock().unwrap().clear();
    bench.installs().await;
    assert_eq!(bench.stage.ranges(), [WHOLE.to_owned(), from(4_000)]);
}

#[tokio::test]
async fn bytes_of_another_release_are_not_continued() {
    let bench = Bench::with([]).await;
    fs::write(bench.folder.path().join("lamp.bin.part"), [7; 500]).unwrap();
    fs::write(
        bench.folder.path().join("lamp.bin.part.sha256"),
        "ab".repeat(32),
    )
    .unwrap();
    bench.installs().await;
    assert_eq!(bench.stage.ranges(), [WHOLE]);
}

#[tokio::test]
async fn a_whole_answer_to_a_range_starts_over() {
    let bench = Bench::with([Image::CutAfter(4_000), Image::Whole]).await;
    bench.installs().await;
    assert_eq!(bench.stage.ranges(), [WHOLE.to_owned(), from(4_000)]);
}

#[tokio::test]
async fn damaged_bytes_of_an_earlier_run_are_fetched_again() {
    for damaged_bytes in [500, 10_000, 10_500] {
        let bench = Bench::with([]).await;
        let part = bench.folder.path().join("lamp.bin.part");
        fs::write(&part, vec![7; damaged_bytes]).unwrap();
        fs::write(part.with_extension("part.sha256"), bench.stage.sha256()).unwrap();
        bench.installs().await;
        assert_eq!(
            bench.stage.ranges().last(),
            Some(&WHOLE.to_owned()),
            "{damaged_bytes}"
        );
    }
}

#[tokio::test]
async fn a_range_that_is_not_satisfiable_starts_over() {
    let orders = [
        Image::CutAfter(4_000),
        Image::Status(StatusCode::RANGE_NOT_SATISFIABLE),
    ];
    let bench = Bench::with(orders).await;
    bench.installs().await;
    assert_eq!(
        bench.stage.ranges(),
        [WHOLE.to_owned(), from(4_000), WHOLE.to_owned()]
    );
}

#[tokio::test]
async fn another_part_than_asked_for_is_refused() {
    let bench = Bench::with([Image::CutAfter(4_000), Image::WrongPart]).await;
    bench.fails(Kind::BadAnswer).await;
}

#[tokio::test]
async fn wrong_bytes_are_never_installed() {
    let bench = Bench::with([Image::Other(vec![7; 10_000])]).await;
    bench.fails(Kind::BadImage).await;
    assert_eq!(bench.kept(), None);
    assert_eq!(bench.stage.ranges().len(), 1);
}

#[tokio::test]
async fn another_length_than_promised_is_refused() {
    for length_bytes in [9_999, 10_001] {
        let bench = Bench::with([Image::Other(vec![7; length_bytes])]).await;
        bench.fails(Kind::BadImage).await;
    }
}

#[tokio::test]
async fn an_endless_body_is_left_behind_one_byte_too_many() {
    let bench = Bench::with([Image::Endless(vec![7; 4_096])]).await;
    bench.fails(Kind::BadImage).await;
}

#[tokio::test]
async fn passing_trouble_is_tried_five_times_and_no_more() {
    let busy = || Image::Status(StatusCode::SERVICE_UNAVAILABLE);
    let bench = Bench::with((0..5).map(|_| busy())).await;
    bench.fails(Kind::Busy).await;
    assert_eq!(bench.stage.ranges().len(), 5);
    bench.stage.reports.lock().unwrap().clear();
    bench
        .stage
        .orders
        .lock()
        .unwrap()
        .extend((0..4).map(|_| busy()));
    bench.installs().await;
}

#[tokio::test]
async fn a_withdrawn_image_is_not_asked_for_twice() {
    let bench = Bench::with([Image::Status(StatusCode::NOT_FOUND)]).await;
    bench.fails(Kind::NotFound).await;
    assert_eq!(bench.stage.ranges().len(), 1);
}

#[tokio::test]
async fn an_expired_token_ends_it_before_anything_is_written() {
    let stage = Stage {
        check_status: Some(StatusCode::UNAUTHORIZED),
        ..Stage::with([])
    };
    let bench = Bench::on(stage).await;
    let failure = bench.update(5).await.unwrap_err();
    assert_eq!(failure.kind(), Kind::Unauthorized);
    assert_eq!(bench.kept(), None);
    assert!(bench.stage.reported().is_empty());
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let stage = Stage {
        check_status: Some(StatusCode::FOUND),
        ..Stage::with([])
    };
    let bench = Bench::on(stage).await;
    let failure = bench.update(5).await.unwrap_err();
    assert!(failure.to_string().contains("redirect"), "{failure}");
}
