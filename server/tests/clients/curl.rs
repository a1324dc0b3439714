//! `curl --http1.0` with the headers of Arduino's `HTTPUpdate`, which speaks no other HTTP.

use std::{fs, process::Command};

use gatehouse_types::{firmware::Release, rollout::ActionState};

use crate::{
    programs::{command, run},
    world::{PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 4] = [
    ("an_arduino_gets_the_image_with_its_length", gets_the_image),
    ("an_arduino_with_the_newest_gets_304", has_the_newest),
    (
        "an_arduino_that_is_refused_gets_the_status_it_knows",
        is_refused,
    ),
    ("an_esp8266_is_served_by_its_own_headers", esp8266),
];

/// An answer as curl wrote it down.
struct Answer {
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// What the library sends along, under the prefix of its chip.
struct Sketch<'a> {
    chip: &'a str,
    version: &'a str,
    md5: &'a str,
}

const OLD: Sketch<'_> = Sketch {
    chip: "ESP32",
    version: "1.0.0",
    md5: "0123456789abcdef0123456789abcdef",
};

impl World {
    fn arduino(&self, project: &str, sketch: &Sketch<'_>, token: Option<&str>) -> Answer {
        let query = token.map_or(String::new(), |token| format!("?token={token}"));
        let url = format!("{}/ota/arduino/{project}{query}", self.url);
        let chip = sketch.chip;
        let mut curl = self.curl(&url);
        for (name, value) in [
            ("User-Agent", format!("{chip}-http-Update")),
            (&format!("x-{chip}-STA-MAC"), "24:6F:28:00:00:07".to_owned()),
            (&format!("x-{chip}-AP-MAC"), "24:6F:28:00:00:08".to_owned()),
            (&format!("x-{chip}-free-space"), "1310720".to_owned()),
            (&format!("x-{chip}-sketch-size"), "900000".to_owned()),
            (&format!("x-{chip}-sketch-md5"), sketch.md5.to_owned()),
            (&format!("x-{chip}-chip-size"), "4194304".to_owned()),
            (&format!("x-{chip}-sdk-version"), "v4.4.7".to_owned()),
            (&format!("x-{chip}-mode"), "sketch".to_owned()),
            (&format!("x-{chip}-version"), sketch.version.to_owned()),
        ] {
            curl.args(["-H", &format!("{name}: {value}")]);
        }
        self.answer(&mut curl)
    }

    /// curl as such a device: HTTP/1.0, no other header than those it is given.
    fn curl(&self, url: &str) -> Command {
        let mut curl = command("curl");
        curl.args(["--http1.0", "--silent", "--show-error", "--max-time", "30"])
            .arg("--dump-header")
            .arg(self.path("head"))
            .arg("--output")
            .arg(self.path("body"))
            .arg(url);
        curl
    }

    #[track_caller]
    fn answer(&self, curl: &mut Command) -> Answer {
        let _ = fs::remove_file(self.path("body"));
        run(curl);
        Answer {
            head: fs::read_to_string(self.path("head")).expect("a head"),
            body: fs::read(self.path("body")).unwrap_or_default(),
        }
    }
}

fn published() -> (World, Release, Vec<u8>) {
    let world = World::new();
    let new = image(120_000);
    let release = world.publish("1.1.0", new.clone());
    (world, release, new)
}

#[track_caller]
fn is_whole(answer: &Answer, release: &Release, new: &[u8]) {
    assert_eq!(answer.status(), "200", "{}", answer.head);
    assert!(answer.body == new);
    assert_eq!(answer.header("content-length"), Some("120000"));
    assert_eq!(answer.header("x-md5"), Some(release.md5.as_str()));
    for absent in ["transfer-encoding", "content-encoding"] {
        assert_eq!(answer.header(absent), None);
    }
}

fn gets_the_image() {
    let (world, release, new) = published();
    let (token, _) = world.token();
    let answer = world.arduino(PROJECT, &OLD, Some(&token));
    is_whole(&answer, &release, &new);
    assert!(answer.head.len() < 1_024, "{} bytes", answer.head.len());
    let action = world.action().expect("an action");
    assert_eq!(action.state, ActionState::Downloading);
    let rebooted = Sketch {
        version: "1.1.0",
        md5: &release.md5,
        ..OLD
    };
    assert_eq!(
        world.arduino(PROJECT, &rebooted, Some(&token)).status(),
        "304"
    );
    let device = world.device();
    assert_eq!(
        device.action.expect("an action").state,
        ActionState::Succeeded
    );
    assert_eq!(device.current_version.as_deref(), Some("1.1.0"));
}

fn has_the_newest() {
    let (world, release, _) = published();
    let (token, _) = world.token();
    for newest in [
        // Many sketches never set a version that means something.
        Sketch {
            version: "",
            md5: &release.md5,
            ..OLD
        },
        Sketch {
            version: "1.1.0",
            ..OLD
        },
    ] {
        let answer = world.arduino(PROJECT, &newest, Some(&token));
        assert_eq!(
            (answer.status(), answer.body.len()),
            ("304", 0),
            "{}",
            answer.head
        );
    }
}

fn is_refused() {
    let (world, ..) = published();
    let (token, claims) = world.token();
    let status = |project: &str, token: Option<&str>| {
        let answer = world.arduino(project, &OLD, token);
        let length = answer.header("content-length").map(str::to_owned);
        assert_eq!(
            length,
            Some(answer.body.len().to_string()),
            "{}",
            answer.head
        );
        answer.status().to_owned()
    };
    assert_eq!(status(PROJECT, None), "401");
    assert_eq!(status(PROJECT, Some("no.such.token")), "401");
    assert_eq!(status("other", Some(&token)), "403");
    let url = format!("{}/ota/arduino/{PROJECT}?token={token}", world.url);
    let mut spiffs = world.curl(&url);
    spiffs.args(["-H", "x-ESP32-mode: spiffs"]);
    assert_eq!(world.answer(&mut spiffs).status(), "404");
    world.revoke(claims.jti);
    assert_eq!(status(PROJECT, Some(&token)), "403");
}

fn esp8266() {
    let (world, release, new) = published();
    let (token, _) = world.token();
    let old = Sketch {
        chip: "ESP8266",
        ..OLD
    };
    is_whole(&world.arduino(PROJECT, &old, Some(&token)), &release, &new);
    let newest = Sketch {
        md5: &release.md5,
        ..old
    };
    assert_eq!(
        world.arduino(PROJECT, &newest, Some(&token)).status(),
        "304"
    );
}
