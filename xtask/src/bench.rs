//! `cargo xtask bench`: the portal beside nginx on this machine, in one run.
//!
//! Every figure is taken from the release build over loopback, with the load generator on the
//! same cores, so ratios within one run mean more than the figures themselves.

mod load;
mod nginx;
mod page_weight;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use ureq::http::Method;

use crate::demo::{self, device_token, find_or_create, random_secret};
use crate::esp_image::EspImage;
use crate::portal::{self, Portal};
use crate::process::{self, Managed};
use crate::project;
use crate::run;
use crate::setup;
use crate::site;
use crate::step::step;
use load::Load;
use nginx::Nginx;

const RESULT_FILE: &str = "docs/PERFORMANCE.md";
const BEGIN_MARK: &str = "<!-- bench:begin, written by `cargo xtask bench` -->";
const END_MARK: &str = "<!-- bench:end -->";
const ADMIN: &str = "bench@example.test";
const STARTS: usize = 5;
const SERVICES: u16 = 20;
/// The images' projects, and how much their images weigh: 1 KiB and 1 MiB.
const IMAGES: [(&str, usize); 2] = [("bench-small", 620), ("bench-large", 1_048_170)];
const IMAGE_VERSION: &str = "1.1.0";

/// One line of the table.
pub(super) struct Row {
    what: String,
    value: String,
    beside: String,
}

impl Row {
    fn new(what: impl Into<String>, value: impl Into<String>, beside: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            value: value.into(),
            beside: beside.into(),
        }
    }
}

/// Builds, measures, prints a table and writes it to docs/PERFORMANCE.md.
///
/// # Errors
/// When something cannot be installed or built, or the portal answers a request wrongly.
pub(crate) fn bench(seconds: u32) -> Result<()> {
    setup::for_building()?;
    setup::tool("wrk", &["wrk"], "the load generator of the measurements")?;
    setup::tool(
        "nginx",
        &["nginx-light"],
        "the static file server that the measurements compare with",
    )?;
    site::build()?;
    run::build_release()?;
    let data = tempfile::tempdir_in(project::scratch_dir()?)?;
    let password = random_secret()?;
    portal::create_admin(data.path(), ADMIN, &password)?;

    let mut rows = Vec::new();
    {
        let (process, mut portal) = portal::start(data.path(), "127.0.0.1:0", false)?;
        rows.push(Row::new(
            "resident memory, idle after the start",
            resident_memory(&process)?,
            "",
        ));
        portal.sign_in(ADMIN, &password)?;
        step("filling the portal", || fill(&portal))?;
        rows.extend(step("downloads beside nginx", || {
            measure_downloads(&portal, data.path(), seconds)
        })?);
        let cookie = browser_cookie(&portal, &password)?;
        rows.extend(step("pages", || measure_pages(&portal, &cookie, seconds))?);
        rows.push(Row::new(
            "resident memory after the load",
            resident_memory(&process)?,
            "",
        ));
    }
    rows.push(step("start-up", || measure_start(data.path()))?);
    let table = table(&rows);
    println!("\n{table}");
    write_result(&format!("{}\n\n{table}", conditions(seconds)?))
}

fn fill(portal: &Portal) -> Result<()> {
    let me = portal.get("/api/v1/me")?;
    let router = json!({
        "name": "Bench router", "address": "127.0.0.1:9", "protocol": 2, "cert_sha256": "00".repeat(32),
        "api_key": random_secret()?, "aes_key": random_secret()?,
    });
    let router_id = find_or_create(portal, "/api/v1/routers", "name", &router)?;
    for number in 1..=SERVICES {
        let service = json!({
            "name": format!("Service {number}"), "description": "One of twenty", "icon": "disk", "router_id": router_id,
            "lan_ip": "192.168.50.10", "lan_port": 80, "public_port": 18000 + number, "protocol": "tcp", "kind": "web",
            "url_path": "/", "default_minutes": 30, "max_minutes": 240, "wake": null,
        });
        let id = find_or_create(portal, "/api/v1/services", "name", &service)?;
        portal.put(
            &format!("/api/v1/services/{id}/grants"),
            &json!({ "users": [me["id"]] }),
        )?;
    }
    for (name, payload_bytes) in IMAGES {
        portal.post(
            "/api/v1/projects",
            &json!({ "name": name, "title": name, "description": "", "hardware": ["esp32s3"] }),
        )?;
        let image = EspImage {
            project: name,
            version: IMAGE_VERSION,
            payload_bytes,
        }
        .to_bytes();
        portal.publish(name, IMAGE_VERSION, &format!("{name}.bin"), image)?;
    }
    Ok(())
}

fn measure_downloads(portal: &Portal, dir: &Path, seconds: u32) -> Result<Vec<Row>> {
    let web_root = dir.join("nginx");
    fs::create_dir_all(&web_root)?;
    for (name, payload_bytes) in IMAGES {
        let image = EspImage {
            project: name,
            version: IMAGE_VERSION,
            payload_bytes,
        }
        .to_bytes();
        fs::write(web_root.join(format!("{name}.bin")), image)?;
    }
    let nginx = Nginx::start(&web_root)?;
    let mut rows = Vec::new();
    for (name, _) in IMAGES {
        let file = format!("{name}.bin");
        let token = device_token(portal, name)?;
        let ours = Load::run(
            &format!("{}/firmware/{name}/{file}", portal.url),
            Some(&format!("Authorization: Bearer {token}")),
            seconds,
        )?;
        let theirs = Load::run(&format!("{}/{file}", nginx.url), None, seconds)?;
        let size_bytes = fs::metadata(web_root.join(file))?.len();
        rows.push(Row::new(
            format!("image of {size_bytes} bytes with token, 32 connections"),
            ours.to_string(),
            format!(
                "nginx, no token: {theirs}; ratio {:.2}",
                ours.requests_per_s / theirs.requests_per_s
            ),
        ));
    }
    let token = device_token(portal, IMAGES[0].0)?;
    let check = format!(
        "{}/api/v1/device/update?current_fw={}",
        portal.url,
        demo::OLD_VERSION
    );
    let update_check = Load::run(
        &check,
        Some(&format!("Authorization: Bearer {token}")),
        seconds,
    )?;
    rows.push(Row::new(
        "update check with token, 32 connections",
        update_check.to_string(),
        "",
    ));
    Ok(rows)
}

fn measure_pages(portal: &Portal, cookie: &str, seconds: u32) -> Result<Vec<Row>> {
    let dashboard = Load::run(
        &format!("{}/", portal.url),
        Some(&format!("Cookie: {cookie}")),
        seconds,
    )?;
    let mut rows = vec![Row::new(
        format!("dashboard, signed in, {SERVICES} services"),
        dashboard.to_string(),
        "",
    )];
    for (name, path, headers) in [
        ("sign-in", "/login", &[][..]),
        ("dashboard", "/", &[("cookie", cookie)][..]),
        ("projects", "/admin/projects", &[("cookie", cookie)][..]),
    ] {
        let page = portal
            .as_nobody()
            .exchange(&Method::GET, path, headers, Vec::new())?;
        if page.status != 200 {
            bail!("{path} answered {}", page.status);
        }
        let weight = page_weight::of(&page.body)?;
        rows.push(Row::new(
            format!("{name} page: scripts and WebAssembly, brotli"),
            weight,
            "",
        ));
    }
    Ok(rows)
}

/// Signs in as a browser does and returns what it would send as `Cookie`.
fn browser_cookie(portal: &Portal, password: &str) -> Result<String> {
    let form = format!("email={}&password={password}", ADMIN.replace('@', "%40"));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let answer =
        portal
            .as_nobody()
            .exchange(&Method::POST, "/login", &headers, form.into_bytes())?;
    let pairs: Vec<&str> = answer
        .cookies
        .iter()
        .filter_map(|cookie| cookie.split(';').next())
        .collect();
    if pairs.is_empty() {
        bail!(
            "signing in through the page answered {} and set no cookie",
            answer.status
        );
    }
    Ok(pairs.join("; "))
}

/// The middle one of several starts with an existing database, from the program's start to `/readyz`.
fn measure_start(data_dir: &Path) -> Result<Row> {
    let mut times_ms = Vec::new();
    for _ in 0..STARTS {
        let start = Instant::now();
        let running = portal::start(data_dir, "127.0.0.1:0", false)?;
        times_ms.push(start.elapsed().as_secs_f64() * 1000.0);
        drop(running);
    }
    times_ms.sort_by(f64::total_cmp);
    Ok(Row::new(
        format!("start to /readyz, median of {STARTS}"),
        format!("{:.0} ms", times_ms[STARTS / 2]),
        "",
    ))
}

fn resident_memory(process: &Managed) -> Result<String> {
    // The start's own work is over after a second.
    std::thread::sleep(Duration::from_secs(1));
    let status = fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let kilobytes: f64 = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .context("the kernel does not tell the resident memory")?;
    Ok(format!("{:.1} MB", kilobytes * 1024.0 / 1e6))
}

fn conditions(seconds: u32) -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let version = process::output(process::command("rustc").arg("--version"))?;
    Ok(format!(
        "Measured over loopback on {cores} cores that the load generator (wrk, 32 connections, {seconds} s each) shares; {}. Each peer ran right after the portal.",
        version.trim()
    ))
}

fn table(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {} | {} | {} |\n", row.what, row.value, row.beside);
    format!(
        "| work | Gatehouse | beside it |\n|---|---|---|\n{}",
        rows.iter().map(line).collect::<String>()
    )
}

fn write_result(result: &str) -> Result<()> {
    let file = project::root().join(RESULT_FILE);
    let old = if file.exists() {
        fs::read_to_string(&file)?
    } else {
        format!("# Performance\n\n{BEGIN_MARK}\n{END_MARK}\n")
    };
    Ok(fs::write(file, replace_between_marks(&old, result)?)?)
}

fn replace_between_marks(document: &str, result: &str) -> Result<String> {
    let (before, rest) = document
        .split_once(BEGIN_MARK)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {BEGIN_MARK}"))?;
    let (_, after) = rest
        .split_once(END_MARK)
        .with_context(|| format!("{RESULT_FILE} has lost its mark {END_MARK}"))?;
    Ok(format!("{before}{BEGIN_MARK}\n{result}\n{END_MARK}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_between_the_marks_is_replaced() {
        let document = format!("# Performance\n{BEGIN_MARK}\nold\n{END_MARK}\nnotes\n");
        let replaced = replace_between_marks(&document, "new").unwrap();
        assert_eq!(
            replaced,
            format!("# Performance\n{BEGIN_MARK}\nnew\n{END_MARK}\nnotes\n")
        );
        assert!(replace_between_marks("no marks", "new").is_err());
    }
}
