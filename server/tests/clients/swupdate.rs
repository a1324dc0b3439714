//! Debian's SWUpdate as a daemon that follows hawkBit.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use gatehouse_types::rollout::ActionState;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::{
    programs::command,
    swu::Keys,
    world::{CONTROLLER, PATIENCE, PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 4] = [
    ("installs_and_tells_so_after_its_restart", installs),
    ("goes_on_where_the_line_was_cut", goes_on),
    ("a_damaged_payload_fails", fails),
    ("stops_when_it_is_cancelled_on_the_way", stops),
];

/// A gadget: the portal it belongs to, the vendor's keys, and a file for a flash.
struct Gadget {
    world: World,
    keys: Keys,
    flash: PathBuf,
}

impl Gadget {
    fn new() -> Self {
        let world = World::new();
        let flash = world.path("flash");
        fs::write(&flash, [0; 4096]).expect("writes");
        Self {
            keys: Keys::make(&world.path("keys")),
            world,
            flash,
        }
    }

    /// Starts the daemon with further words for its hawkBit client.
    fn start(&self, more: &str) -> Daemon {
        let World {
            url, target_token, ..
        } = &self.world;
        let scratch = self.world.path("scratch");
        fs::create_dir_all(&scratch).expect("a folder");
        let log = self.world.path("log");
        let file = File::create(&log).expect("a log");
        let hawkbit =
            format!("-t {PROJECT} -i {CONTROLLER} -u {url} -k {target_token} -p 1 -w 1 {more}");
        let child = command("swupdate")
            .args(["-l", "5", "-H", "lamp:1.0", "-k"])
            .arg(self.keys.certificate())
            .args(["-u", &hawkbit])
            // Its sockets and the unpacked update lie there.
            .env("TMPDIR", &scratch)
            .env("RUNTIME_DIRECTORY", &scratch)
            .current_dir(&scratch)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("the same file"))
            .stderr(file)
            .process_group(0)
            .spawn()
            .expect("starts");
        Daemon { child, log }
    }

    fn flashed(&self) -> Vec<u8> {
        fs::read(&self.flash).expect("the flash")
    }
}

/// SWUpdate with the processes it starts; all end with this.
struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Waits until the daemon said so.
    #[track_caller]
    fn wait_for_text(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&self.log).is_ok_and(|log| log.contains(text)) {
            assert!(Instant::now() < deadline, "it never said {text:?}");
            sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("{}", last_lines(&self.log));
        }
    }
}

fn last_lines(log: &Path) -> String {
    let log = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

fn installs() {
    let gadget = Gadget::new();
    let new = image(300_000);
    gadget
        .world
        .publish("1.1.0", gadget.keys.swu(&new, &new, &gadget.flash));
    let daemon = gadget.start("");
    gadget.world.wait_for(ActionState::Installing);
    daemon.wait_for_text("SWUPDATE successful");
    drop(daemon);
    assert!(gadget.flashed() == new, "the flash holds the image");
    let _restarted = gadget.start("-c 2");
    gadget.world.wait_for(ActionState::Succeeded);
    let device = gadget.world.device();
    assert_eq!(device.current_version.as_deref(), Some("1.1.0"));
}

fn goes_on() {
    let gadget = Gadget::new();
    let new = image(1_000_000);
    gadget
        .world
        .publish("1.1.0", gadget.keys.swu(&new, &new, &gadget.flash));
    gadget.world.wire.cut_after(400_000);
    let daemon = gadget.start("-r 5");
    daemon.wait_for_text("SWUPDATE successful");
    drop(daemon);
    assert!(gadget.flashed() == new, "the flash holds the image");
    assert!(gadget.world.wire.was_cut());
    let ranges = gadget.world.wire.values_of("range");
    let resumed = |range: &String| range.ends_with('-') && *range != "bytes=0-";
    assert!(ranges.iter().any(resumed), "{ranges:?}");
    let _restarted = gadget.start("-c 2");
    let action = gadget.world.wait_for(ActionState::Succeeded);
    assert_eq!(action.attempt, 1, "a line that was cut is no failure");
}

fn fails() {
    let gadget = Gadget::new();
    let new = image(50_000);
    let update = gadget.keys.swu(&new, b"something else", &gadget.flash);
    gadget.world.publish("1.1.0", update);
    let _daemon = gadget.start("");
    let action = gadget.world.wait_for(ActionState::Failed);
    assert!(!action.detail.is_empty(), "it says why");
    assert!(gadget.world.device().current_version.is_none());
}

fn stops() {
    let gadget = Gadget::new();
    let new = image(3_000_000);
    gadget
        .world
        .publish("1.1.0", gadget.keys.swu(&new, &new, &gadget.flash));
    let daemon = gadget.start("-n 50k");
    daemon.wait_for_text("Found file");
    gadget.world.cancel();
    gadget.world.wait_for(ActionState::Cancelled);
    drop(daemon);
    assert_eq!(gadget.flashed(), [0; 4096], "nothing was written");
}
