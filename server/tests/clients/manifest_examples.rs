//! The examples in `docs/devices` that check a release manifest, against all published vectors.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::programs::{PYTHON, command, run, told};

pub(crate) const C_STORIES: [(&str, fn()); 2] = [
    ("says_of_each_vector_what_is_expected", c_judges),
    ("a_careful_build_finds_nothing_amiss", c_is_careful),
];
pub(crate) const PYTHON_STORIES: [(&str, fn()); 1] =
    [("says_of_each_vector_what_is_expected", python_judges)];

/// What a device is, what comes, and what it has to say; more stands in the file.
#[derive(Deserialize)]
struct Vector {
    expected: String,
    device: Device,
    trusted: Trusted,
    manifest: String,
    image_hex: Option<String>,
}

#[derive(Deserialize)]
struct Device {
    now_s: i64,
    project: String,
    hardware: Option<String>,
    version: Option<String>,
    release_counter: u64,
    seen: Vec<String>,
}

#[derive(Deserialize)]
struct Trusted {
    project_id: String,
    project_pems: Vec<String>,
    cosigner_pems: Vec<String>,
}

impl Vector {
    /// Lets the example judge this, with its files in `folder`.
    fn judge(&self, mut example: Command, folder: &Path) -> String {
        let write = |name: &str, bytes: &[u8]| {
            let path = folder.join(name);
            fs::write(&path, bytes).expect("writes");
            path
        };
        let Device {
            now_s,
            project,
            hardware,
            version,
            release_counter,
            seen,
        } = &self.device;
        example.args([&self.trusted.project_id, project]);
        example.arg(write(
            "project.pem",
            self.trusted.project_pems.concat().as_bytes(),
        ));
        example.arg(write(
            "cosigner.pem",
            self.trusted.cosigner_pems.concat().as_bytes(),
        ));
        example.arg(write("manifest.json", self.manifest.as_bytes()));
        example.args(["--now", &now_s.to_string()]);
        example.args(["--counter", &release_counter.to_string()]);
        for (flag, value) in [("--hardware", hardware), ("--version", version)] {
            example.args(value.iter().flat_map(|value| [flag, value]));
        }
        example.args(seen.iter().flat_map(|jti| ["--seen", jti]));
        if let Some(image) = &self.image_hex {
            let image = hex::decode(image).expect("hexadecimal");
            example.arg("--image").arg(write("image.bin", &image));
        }
        let output = example.output().expect("starts");
        let line = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        match (output.status.code(), line.strip_prefix("refused: ")) {
            (Some(0), None) => "ok".to_owned(),
            (Some(1), Some(code)) => code.to_owned(),
            _ => told(&output),
        }
    }
}

/// Asks the example about every vector and says where it errs.
#[track_caller]
fn judges_all(example: impl Fn() -> Command) {
    let scratch = tempfile::tempdir().expect("a folder");
    let mut taken = 0;
    let mut refused = 0;
    let mut wrong = Vec::new();
    for path in vectors() {
        let text = fs::read_to_string(&path).expect("a vector");
        let vector: Vector = serde_json::from_str(&text).expect("a vector");
        let said = vector.judge(example(), scratch.path());
        if said != vector.expected {
            let expected = &vector.expected;
            wrong.push(format!("{}: {said} and not {expected}", path.display()));
        }
        if vector.expected == "ok" {
            taken += 1;
        } else {
            refused += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(taken >= 2 && refused >= 20, "{taken} good, {refused} bad");
}

fn vectors() -> Vec<PathBuf> {
    let folder = root().join("crates/manifest/vectors");
    let entries = fs::read_dir(folder).expect("the vectors");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|suffix| suffix == "json"))
        .collect();
    paths.sort();
    paths
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compiles the example without a warning, and judges with it.
fn c_judges_when_built_with(flags: &[&str]) {
    let scratch = tempfile::tempdir().expect("a folder");
    let program = scratch.path().join("verify");
    let warnings = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"];
    run(command("cc")
        .args(warnings)
        .args(flags)
        .arg("-o")
        .arg(&program)
        .arg(root().join("docs/devices/verify.c"))
        .arg("-lcrypto"));
    judges_all(|| Command::new(&program));
}

fn c_judges() {
    c_judges_when_built_with(&["-O2"]);
}

/// Reads beyond a buffer and arithmetic without a meaning would end the program.
fn c_is_careful() {
    c_judges_when_built_with(&[
        "-g",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
    ]);
}

fn python_judges() {
    judges_all(|| {
        let mut python = command(PYTHON);
        python.arg(root().join("docs/devices/verify.py"));
        python
    });
}
