//! The stories in a real browser, run by Playwright from `end2end`.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use gatehouse_esp_image::EspImage;
use serde_json::Value;

use crate::npm::npm;
use crate::process;
use crate::project;
use crate::setup;
use crate::step::step;
use crate::summary::Count;
use crate::test::{Findings, Suite};

const FLAKY: &str = "passed only at its second try: ";
const MAX_FLAKY: usize = 2;

/// Runs the browser tests against the development build of portal, daemon, device and co-signer.
///
/// # Errors
/// When Playwright cannot be started or leaves no report behind.
pub(crate) fn run() -> Result<Findings> {
    let scratch = project::scratch_dir()?;
    let report_file = scratch.join("playwright.json");
    let image_file = scratch.join("demo-lamp-1.1.0.bin");
    fs::write(&image_file, EspImage::demo("1.1.0").to_bytes())?;
    remove_if_there(&report_file)?;

    let mut playwright = npm("npx", "end2end");
    playwright
        .args(["--no-install", "playwright", "test", "--reporter=list,json"])
        .env("PLAYWRIGHT_JSON_OUTPUT_NAME", &report_file)
        .env("GATEHOUSE_BIN", project::binary("debug", "gatehouse"))
        .env("ROUTERD_BIN", project::binary("debug", "gatehouse-routerd"))
        .env("DEVICE_BIN", project::binary("debug", "gatehouse-device"))
        .env(
            "COSIGNER_BIN",
            project::binary("debug", "gatehouse-cosigner"),
        )
        .env("ESP_IMAGE", image_file);
    if let Some(chromium) = setup::chromium() {
        playwright.env("CHROMIUM", chromium);
    }
    step("browser tests", || {
        let status = process::stream(playwright, |_line| ())?;
        let text = fs::read(&report_file)
            .with_context(|| format!("Playwright ended with {status} and left no report"))?;
        Ok(read_report(
            &serde_json::from_slice(&text)?,
            status.success(),
        ))
    })
}

fn remove_if_there(file: &Path) -> Result<()> {
    if file.exists() {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// One suite for each Playwright project (a browser setting), in the order they appear.
///
/// A story is tried twice. One that passed only then is told with what it first said, and more than
/// [`MAX_FLAKY`] of them are a failure: a machine may stumble, a story that often does is broken.
/// The end of the browser itself is nobody's fault and not counted.
fn read_report(report: &Value, success: bool) -> Findings {
    let mut findings = Findings::default();
    for suite in list(report, "suites") {
        read_suite(suite, "", &mut findings);
    }
    let flaky = |remark: &&String| remark.starts_with(FLAKY);
    let flaky = findings.remarks.iter().filter(flaky).count();
    if flaky > MAX_FLAKY {
        add("Playwright", Count::ONE_FAILED, &mut findings);
        let told = format!("Playwright: {flaky} stories passed only at their second try");
        findings.failures.push(told);
    }
    let some_failed = findings.suites.iter().any(|suite| suite.count.failed > 0);
    if !success && !some_failed {
        add("Playwright", Count::ONE_FAILED, &mut findings);
        findings.failures.extend(
            list(report, "errors")
                .iter()
                .map(|error| format!("Playwright: {}", text(error, "message"))),
        );
    }
    findings
}

fn read_suite(suite: &Value, path: &str, findings: &mut Findings) {
    let path = format!("{path}{} › ", text(suite, "title"));
    for spec in list(suite, "specs") {
        for test in list(spec, "tests") {
            read_test(test, &format!("{path}{}", text(spec, "title")), findings);
        }
    }
    for inner in list(suite, "suites") {
        read_suite(inner, &path, findings);
    }
}

fn read_test(test: &Value, title: &str, findings: &mut Findings) {
    let project = text(test, "projectName");
    let mut count = Count::default();
    match text(test, "status") {
        "expected" => count.passed = 1,
        "flaky" if list(test, "results").iter().all(passed_or_died) => {
            count.passed = 1;
            findings.remarks.push(format!(
                "the browser itself ended, passed in another one: [{project}] {title}"
            ));
        }
        "flaky" => {
            count.passed = 1;
            let first = first_error(test).unwrap_or("it did not say why");
            findings
                .remarks
                .push(format!("{FLAKY}[{project}] {title}: {first}"));
        }
        "skipped" => {
            count.skipped = 1;
            findings.remarks.push(format!(
                "skipped: [{project}] {title}: {}",
                skip_reason(test)
            ));
        }
        _ => {
            count.failed = 1;
            findings.failures.push(format!(
                "[{project}] {title}: {}",
                first_error(test).unwrap_or("it did not say why")
            ));
        }
    }
    add(&format!("browser, {project}"), count, findings);
}

fn add(name: &str, count: Count, findings: &mut Findings) {
    match findings.suites.iter_mut().find(|suite| suite.name == name) {
        Some(suite) => suite.count = suite.count + count,
        None => findings.suites.push(Suite {
            name: name.to_owned(),
            count,
        }),
    }
}

/// Whether a try passed or never got its answer because Chromium ended under it.
///
/// A try that ran out of time also finds its page closed, but says so first.
fn passed_or_died(result: &Value) -> bool {
    let mut errors = list(result, "errors")
        .iter()
        .map(|error| text(error, "message"));
    text(result, "status") == "passed"
        || (!list(result, "errors").is_empty() && errors.all(is_end_of_browser))
}

fn is_end_of_browser(message: &str) -> bool {
    message.contains("Target page, context or browser has been closed")
}

/// The first thing that went wrong, and the end of the browser only where there was nothing else.
fn first_error(test: &Value) -> Option<&str> {
    let results = list(test, "results").iter();
    let errors = results.flat_map(|result| list(result, "errors"));
    let mut messages: Vec<&str> = errors.map(|error| text(error, "message")).collect();
    messages.sort_by_key(|message| is_end_of_browser(message));
    messages.first().copied()
}

fn skip_reason(test: &Value) -> &str {
    list(test, "annotations")
        .iter()
        .find(|annotation| matches!(text(annotation, "type"), "skip" | "fixme"))
        .map(|annotation| text(annotation, "description"))
        .filter(|reason| !reason.is_empty())
        .unwrap_or("no reason given")
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(more_flaky: u32) -> Value {
        let tried = |status, errors: &[&str]| {
            let errors: Vec<_> = errors
                .iter()
                .map(|message| json!({ "message": message }))
                .collect();
            json!({ "status": status, "errors": errors })
        };
        let test = |project, status, errors: &[&str]| json!({ "projectName": project, "status": status, "annotations": [{ "type": "skip", "description": "needs a phone" }], "results": [tried("failed", errors), tried("passed", &[])] });
        let died = "Error: page.goto: Target page, context or browser has been closed";
        json!({ "suites": [{ "title": "owner.spec.ts", "specs": [
            { "title": "signs in", "tests": [test("wide", "expected", &[]), test("narrow", "skipped", &[])] },
        ], "suites": [{ "title": "services", "specs": [
            { "title": "opens one", "tests": [test("wide", "unexpected", &["no button"]), test("narrow", "flaky", &[died])] },
            { "title": "closes it", "tests": [test("wide", "flaky", &[died, "no button"])] },
            { "title": "extends it", "tests": (0..more_flaky).map(|_| test("wide", "flaky", &["slow"])).collect::<Vec<_>>() },
        ] }] }] })
    }

    #[test]
    fn tests_are_counted_by_browser_setting_with_their_reasons() {
        let findings = read_report(&report(0), false);
        let counts: Vec<_> = findings
            .suites
            .iter()
            .map(|suite| (suite.name.as_str(), suite.count))
            .collect();
        assert_eq!(
            counts,
            [
                (
                    "browser, wide",
                    Count {
                        passed: 2,
                        failed: 1,
                        skipped: 0
                    }
                ),
                (
                    "browser, narrow",
                    Count {
                        passed: 1,
                        failed: 0,
                        skipped: 1
                    }
                ),
            ]
        );
        assert_eq!(
            findings.remarks,
            [
                "skipped: [narrow] owner.spec.ts › signs in: needs a phone",
                "the browser itself ended, passed in another one: [narrow] owner.spec.ts › services › opens one",
                "passed only at its second try: [wide] owner.spec.ts › services › closes it: no button",
            ]
        );
        assert_eq!(
            findings.failures,
            ["[wide] owner.spec.ts › services › opens one: no button"]
        );
    }

    #[test]
    fn a_few_stories_may_stumble_and_many_may_not() {
        let ends = |more_flaky| read_report(&report(more_flaky), false).failures.len();
        assert_eq!([0, 1, 2].map(ends), [1, 1, 2]);
    }

    #[test]
    fn a_run_that_fails_before_any_test_is_a_failure() {
        let findings = read_report(
            &json!({ "errors": [{ "message": "no tests found" }] }),
            false,
        );
        assert_eq!(findings.suites[0].count, Count::ONE_FAILED);
        assert_eq!(findings.failures, ["Playwright: no tests found"]);
    }
}
