//! What `esp_https_ota` asks with `partial_http_download`: HEAD, then windows over one connection.

use std::{fs, process::Command};

use gatehouse_types::rollout::ActionState;

use crate::{
    programs::{command, run},
    world::{PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 2] = [
    ("windows_over_one_connection_make_the_image", windows),
    ("a_broken_download_goes_on_and_the_newest_is_304", goes_on),
];

const SIZE_BYTES: usize = 100_000;
const WINDOW_BYTES: usize = 16 * 1024;

struct Chip {
    world: World,
    bytes: Vec<u8>,
    token: String,
}

impl Chip {
    fn new() -> Self {
        let world = World::new();
        let bytes = image(u32::try_from(SIZE_BYTES).expect("a small image"));
        world.publish("1.1.0", bytes.clone());
        let (token, _) = world.token();
        Self {
            world,
            bytes,
            token,
        }
    }

    fn url(&self) -> String {
        format!("{}/ota/esp-idf/{PROJECT}", self.world.url)
    }

    /// One request among those of a run: `--next` separates them, the connection stays.
    fn ask(&self, curl: &mut Command, more: &[&str]) {
        curl.args(["--silent", "--show-error", "--max-time", "30"])
            .args(["--user-agent", "ESP32 HTTP Client/1.0"])
            .args(["-H", &format!("Authorization: Bearer {}", self.token)])
            .args(more)
            .arg(self.url());
    }
}

fn windows() {
    let chip = Chip::new();
    let mut curl = command("curl");
    chip.ask(
        &mut curl,
        &[
            "--head",
            "--write-out",
            "%{http_code} %header{content-length}\n",
            "--output",
            "/dev/null",
        ],
    );
    let starts: Vec<usize> = (0..SIZE_BYTES).step_by(WINDOW_BYTES).collect();
    for start in &starts {
        // The last one reaches past the end, since the chip counts in whole windows.
        let window = format!("{start}-{}", start + WINDOW_BYTES - 1);
        let part = chip
            .world
            .path(&format!("part-{start}"))
            .display()
            .to_string();
        let tell = "%{http_code} %{num_connects} %header{content-range}\n";
        curl.arg("--next");
        chip.ask(
            &mut curl,
            &["--range", &window, "--output", &part, "--write-out", tell],
        );
    }
    let told = run(&mut curl);
    let mut lines = told.lines();
    assert_eq!(lines.next(), Some("200 100000"));
    for start in &starts {
        let last = (start + WINDOW_BYTES).min(SIZE_BYTES) - 1;
        let expected = format!("206 0 bytes {start}-{last}/{SIZE_BYTES}");
        assert_eq!(lines.next(), Some(expected.as_str()));
    }
    let parts = starts
        .iter()
        .map(|start| fs::read(chip.world.path(&format!("part-{start}"))));
    let whole: Vec<u8> = parts.flat_map(|part| part.expect("a part")).collect();
    assert!(whole == chip.bytes);
    let action = chip.world.action().expect("an action");
    assert_eq!(
        (action.state, action.progress_percent),
        (ActionState::Downloading, Some(100))
    );
}

fn goes_on() {
    let chip = Chip::new();
    let part = chip.world.path("part");
    chip.world.wire.cut_after(40_000);
    let mut broken = command("curl");
    chip.ask(&mut broken, &["--output", part.to_str().expect("text")]);
    assert!(!broken.status().expect("starts").success() && chip.world.wire.was_cut());
    let kept = fs::metadata(&part).expect("a part").len();
    assert!((1..100_000).contains(&kept), "{kept}");
    let mut rest = command("curl");
    let tell = [
        "--continue-at",
        "-",
        "--write-out",
        "%{http_code} %header{etag}",
        "--output",
    ];
    chip.ask(
        &mut rest,
        &[&tell[..], &[part.to_str().expect("text")]].concat(),
    );
    let told = run(&mut rest);
    let etag = told.strip_prefix("206 ").expect("the rest with its ETag");
    assert!(fs::read(&part).expect("the image") == chip.bytes);
    let mut again = command("curl");
    let condition = format!("If-None-Match: {etag}");
    chip.ask(
        &mut again,
        &["-H", &condition, "--write-out", "%{http_code}"],
    );
    assert_eq!(run(&mut again), "304");
}
