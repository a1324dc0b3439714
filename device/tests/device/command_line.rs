//! The program itself: exit codes, where it speaks, and that it never shows a token.

use std::fs;
use std::process::{Command, Output};

use crate::support::{Image, NEW_VERSION, OLD_VERSION, Stage, TOKEN, start};
use axum::http::StatusCode;

/// What is said where no keys were given.
const UNCHECKED: &str =
    "gatehouse-device: signatures are not checked; pass the project's keys with --keys\n";

/// Runs the program, which never shows the token.
pub(crate) async fn run(arguments: &[&str], token: Option<&str>) -> Output {
    let mut program = Command::new(env!("CARGO_BIN_EXE_gatehouse-device"));
    program.args(arguments).env_remove("GATEHOUSE_TOKEN");
    if let Some(token) = token {
        program.env("GATEHOUSE_TOKEN", token);
    }
    let output = tokio::task::spawn_blocking(move || program.output().unwrap())
        .await
        .unwrap();
    let shown = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(!String::from_utf8(shown).unwrap().contains(TOKEN));
    output
}

pub(crate) fn said(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

pub(crate) fn complaint(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

#[tokio::test]
async fn check_tells_what_to_install_and_when_to_ask_again() {
    let (stage, _) = start(Stage::with([])).await;
    let url = stage.url();
    let asked = |version| {
        let arguments = vec![
            "check",
            "--url",
            url.as_str(),
            "--token",
            TOKEN,
            "--current-fw",
            version,
        ];
        async move { run(&arguments, None).await }
    };
    let offered = asked(OLD_VERSION).await;
    assert!(offered.status.success());
    assert!(
        said(&offered).starts_with("install 1.1.0: lamp.bin, 10000 bytes"),
        "{offered:?}"
    );
    assert!(said(&offered).contains(&stage.sha256()) && said(&offered).ends_with("in 3600 s\n"));
    let newest = asked(NEW_VERSION).await;
    assert!(newest.status.success());
    assert_eq!(said(&newest), "1.1.0 is up to date; ask again in 3412 s\n");
}

#[tokio::test]
async fn update_writes_the_file_with_a_token_from_a_file() {
    let (stage, _) = start(Stage::with([])).await;
    let folder = tempfile::tempdir().unwrap();
    let (token, target) = (folder.path().join("token"), folder.path().join("lamp.bin"));
    fs::write(&token, format!("{TOKEN}\n")).unwrap();
    let (token, target) = (token.to_str().unwrap(), target.to_str().unwrap());
    let url = stage.url();
    let arguments = |version| {
        [
            "update",
            "--url",
            &url,
            "--token-file",
            token,
            "--current-fw",
            version,
            "--file",
            target,
        ]
        .map(str::to_owned)
    };
    let nothing = arguments(NEW_VERSION);
    let output = run(&nothing.each_ref().map(String::as_str), None).await;
    assert!(output.status.success());
    assert!(
        said(&output).contains("does not exist, and nothing was written"),
        "{output:?}"
    );
    let something = arguments(OLD_VERSION);
    let output = run(&something.each_ref().map(String::as_str), None).await;
    assert_eq!(said(&output), format!("installed 1.1.0 to {target}\n"));
    assert_eq!(complaint(&output), UNCHECKED);
    assert_eq!(fs::read(target).unwrap(), stage.image);
}

#[tokio::test]
async fn a_failed_update_exits_with_1_and_one_sentence() {
    let (stage, _) = start(Stage::with([Image::Other(vec![7; 10_000])])).await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("lamp.bin");
    let (url, target) = (stage.url(), target.to_str().unwrap());
    let arguments = [
        "update",
        "--url",
        &url,
        "--current-fw",
        OLD_VERSION,
        "--file",
        target,
    ];
    let output = run(&arguments, Some(TOKEN)).await;
    assert_eq!(output.status.code(), Some(1));
    let sentence = complaint(&output).strip_prefix(UNCHECKED).unwrap();
    assert!(sentence.starts_with("gatehouse-device: the image is not the one"));
    assert_eq!(sentence.lines().count(), 1);
    assert_eq!(said(&output), "");
    assert!(!fs::exists(target).unwrap());
}

#[tokio::test]
async fn report_passes_its_words_on() {
    let (stage, _) = start(Stage::with([])).await;
    let url = stage.url();
    let arguments = [
        "report",
        "--url",
        &url,
        "--version",
        NEW_VERSION,
        "--state",
        "rolled_back",
        "--detail",
        "no lamp",
    ];
    assert!(run(&arguments, Some(TOKEN)).await.status.success());
    let reports = stage.reports.lock().unwrap();
    assert_eq!(*reports, [("rolled_back".to_owned(), "no lamp".to_owned())]);
}

#[tokio::test]
async fn an_expired_token_and_a_silent_portal_are_told_apart() {
    let stage = Stage {
        check_status: Some(StatusCode::UNAUTHORIZED),
        ..Stage::with([])
    };
    let (stage, _) = start(stage).await;
    let expectations = [
        (stage.url(), "(Token expired): get a new one"),
        (crate::support::dead_url().await, "nothing listens at"),
    ];
    for (url, expected) in expectations {
        let output = run(
            &["check", "--url", &url, "--current-fw", "1.0.0"],
            Some(TOKEN),
        )
        .await;
        assert_eq!(output.status.code(), Some(1));
        assert!(complaint(&output).contains(expected), "{output:?}");
    }
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let good = [
        "check",
        "--url",
        "http://127.0.0.1:1",
        "--current-fw",
        "1.0.0",
    ];
    let wrong: [&[&str]; 8] = [
        &[
            "simulate",
            "--url",
            "http://127.0.0.1:1",
            "--token",
            "t",
            "--current-fw",
            "1.0.0",
            "--devices",
            "2",
            "--seconds",
            "1",
        ],
        &[],
        &["check"],
        &good,
        &[
            "check",
            "--url",
            "portal",
            "--token",
            "t",
            "--current-fw",
            "1.0.0",
        ],
        &[
            "check",
            "--url",
            "http://127.0.0.1:1",
            "--token",
            "t",
            "--current-fw",
            "new",
        ],
        &[
            "check",
            "--url",
            "http://127.0.0.1:1",
            "--token",
            "t",
            "--token-file",
            "f",
            "--current-fw",
            "1.0.0",
        ],
        &[
            "report",
            "--url",
            "http://127.0.0.1:1",
            "--token",
            "t",
            "--version",
            "1.0.0",
            "--state",
            "fine",
        ],
    ];
    for arguments in wrong {
        let output = run(arguments, None).await;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
}

#[tokio::test]
async fn every_help_has_an_example() {
    for command in ["check", "update", "report", "simulate"] {
        let output = run(&[command, "--help"], None).await;
        assert!(output.status.success());
        let example = format!("Example:\n  gatehouse-device {command} --url");
        assert!(said(&output).contains(&example), "{command}");
    }
    let output = run(&["verify", "--help"], None).await;
    let example = "Example:\n  gatehouse-device verify manifest.json --keys";
    assert!(said(&output).contains(example));
}
