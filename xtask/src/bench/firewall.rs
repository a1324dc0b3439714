//! The router daemon with the kernel's packet filter: from the click to the rule, from revoking to
//! the end of a live connection, and a daemon with as many sessions as it may have.
//!
//! xtask starts itself once more in a network namespace, as root or as a user who may make one, and
//! makes a client and a LAN server around it. No rule and no address of the machine is touched.

mod network;
mod revocation;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::report::{self, Row};
use super::times::Times;
use super::{sessions, stage, start};
use crate::demo::Demo;
use crate::portal::{self, Portal};
use crate::process;
use crate::project;
use crate::step::{note, step};
use network::{LAN_SERVER, Network, ROUTER};

/// The most that a daemon may be set to.
const FULL: usize = 4096;
/// How many of the first and of the last additions their median is taken from: enough that none of the
/// daemon's comparisons with the kernel decides it.
const AT_EACH_END: usize = 100;
/// Within this time the daemon compares its sessions with the kernel's once, which takes memory, too.
const COMPARISON: Duration = Duration::from_secs(31);
const ROWS_FILE: &str = "rows.json";
/// What the network needs, tried in a namespace that goes away with it.
const TRIAL: &str = "ip link add near type veth peer name far && nft list ruleset";

/// Measures, prints a table and writes it to docs/PERFORMANCE.md; says why and leaves the document
/// alone where namespaces or nft are missing.
///
/// # Errors
/// When something does not compile, or portal and daemon do not do what they are asked.
pub(super) fn rows() -> Result<()> {
    if let Err(reason) = process::output(in_namespace().args(["sh", "-c", TRIAL])) {
        note(&format!(
            "the figures with a real firewall are skipped: {reason:#}"
        ));
        return Ok(());
    }
    build()?;
    let scratch = tempfile::tempdir_in(project::scratch_dir()?)?;
    let mut inside = in_namespace();
    inside
        .arg(std::env::current_exe()?)
        .arg("bench-in-namespaces")
        .arg(scratch.path());
    process::run(&mut inside)?;
    let rows: Vec<Row> = serde_json::from_slice(&fs::read(scratch.path().join(ROWS_FILE))?)?;
    report::publish("firewall", &conditions()?, &rows)
}

/// A command in a network namespace of its own; whoever is not root becomes root in one for users.
fn in_namespace() -> Command {
    let mut command = process::command("unshare");
    // Debian has `ip` and `nft` where only root looks for programs.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command.arg("--net");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.arg("--");
    command
}

fn build() -> Result<()> {
    let mut daemon = process::cargo();
    daemon.args(["build", "--profile", "router"]);
    daemon.args(["--package", "gatehouse-routerd"]);
    step("compiling the router daemon as routers get it", || {
        process::run(&mut daemon)
    })?;
    let mut filler = process::cargo();
    filler.args(["build", "--release"]);
    filler.args(["--package", "gatehouse-bench-router-fill"]);
    step("compiling what fills a router daemon", || {
        process::run(&mut filler)
    })
}

fn conditions() -> Result<String> {
    let cores = std::thread::available_parallelism()?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let nft = process::output(in_namespace().args(["nft", "--version"]))?;
    Ok(format!(
        "Measured in network namespaces on {cores} cores: a client outside, a router with the portal and \
         `gatehouse-routerd` of the profile `router`, and a server in its LAN. Linux {}, {}.",
        kernel.trim(),
        nft.trim()
    ))
}

/// Measures inside the namespace that it runs in, which becomes the router's, and writes the rows to
/// a file in `folder`.
///
/// # Errors
/// As [`rows`], and when the network cannot be made.
pub(crate) fn measure(folder: &Path) -> Result<()> {
    let network = step("making a client and a LAN server", Network::make)?;
    let mut demo = Demo::open(&folder.join("data"))?;
    let config = prepare_daemon(&mut demo)?;
    let mut run = process::command(daemon_program());
    run.arg("run").arg("--config").arg(config);
    run.envs(environment_of_unit()?);
    let (daemon, address) = process::start_listening(run, false)?;
    let mut rows = step("opening and revoking through the portal", || {
        through_the_portal(&folder.join("data"), &demo, &network)
    })?;
    rows.push(step("filling the daemon", || {
        adding(&address, &demo.router_dir())
    })?);
    step("letting the daemon look at the kernel's table", || {
        std::thread::sleep(COMPARISON);
        Ok(())
    })?;
    rows.push(start::resident_memory(
        &daemon,
        format!("resident memory of the daemon with {FULL} sessions, added as above, after it has compared them with the kernel's table"),
    )?);
    rows.push(binary_size()?);
    Ok(fs::write(
        folder.join(ROWS_FILE),
        serde_json::to_vec(&rows)?,
    )?)
}

/// The demo's keys and configuration, but with the kernel's packet filter and room for every session.
fn prepare_daemon(demo: &mut Demo) -> Result<PathBuf> {
    let config = demo.prepare_router()?;
    let of_demo = fs::read_to_string(&config)?;
    let (before, after) = of_demo
        .split_once("backend = \"dry-run\"\n")
        .context("the demo's daemon has another backend")?;
    let settings = format!("backend = \"nft\"\nwan_interface = \"wan0\"\nmax_sessions = {FULL}\n");
    fs::write(&config, format!("{before}{settings}{after}"))?;
    Ok(config)
}

/// What systemd sets for the daemon where it is installed as `docs/ROUTER.md` says.
fn environment_of_unit() -> Result<Vec<(String, String)>> {
    let unit = fs::read_to_string(project::root().join("deploy/gatehouse-routerd.service"))?;
    let lines = unit
        .lines()
        .filter_map(|line| line.strip_prefix("Environment="));
    lines
        .flat_map(str::split_whitespace)
        .map(|pair| {
            let (name, value) = pair.split_once('=').context("a variable without a value")?;
            Ok((name.to_owned(), value.to_owned()))
        })
        .collect()
}

fn daemon_program() -> PathBuf {
    project::binary("router", "gatehouse-routerd")
}

/// The portal listens on the router; whoever asks it is the client, whose address is let in.
fn through_the_portal(data_dir: &Path, demo: &Demo, network: &Network) -> Result<Vec<Row>> {
    let admin = &demo.admin;
    portal::create_admin(data_dir, &admin.email, &admin.password)?;
    let mut serve = portal::serve(data_dir, &format!("{ROUTER}:0"));
    serve.arg("--insecure-http");
    let (_process, url) = process::start_listening(serve, false)?;
    network.client.inside(|| {
        let mut portal = Portal::at(url);
        portal.wait_until_ready()?;
        portal.sign_in(&admin.email, &admin.password)?;
        let service_id = stage::grant_service(&portal, &demo.router_id(&portal)?, 0)?;
        let daemon = "a daemon that calls nft";
        Ok(vec![
            sessions::opening(&portal, &service_id, daemon)?,
            revocation::until_dead(&portal, &service_id)?,
        ])
    })?
}

/// Adds as many sessions as the daemon takes, each over a connection of its own.
fn adding(address: &str, keys: &Path) -> Result<Row> {
    let mut fill = process::command(project::binary("release", "gatehouse-bench-router-fill"));
    fill.args(["--address", address, "--lan-host", LAN_SERVER]);
    fill.args(["--sessions", &FULL.to_string()]);
    fill.arg("--keys").arg(keys);
    let times_ms = process::output(&mut fill)?
        .lines()
        .map(str::parse)
        .collect::<Result<Vec<f64>, _>>()?;
    let (first, last) = (&times_ms[..AT_EACH_END], &times_ms[FULL - AT_EACH_END..]);
    let median_ms = |times_ms: &[f64]| Times::of(times_ms.to_vec()).median_ms();
    Ok(Row::alone(
        format!(
            "adding a session at the daemon, TLS and nft included: the 1st and the {FULL}th, medians of {AT_EACH_END} neighbours"
        ),
        format!(
            "1st {:.1} ms, {FULL}th {:.1} ms",
            median_ms(first),
            median_ms(last)
        ),
    ))
}

fn binary_size() -> Result<Row> {
    let bytes = u32::try_from(fs::metadata(daemon_program())?.size())?;
    Ok(Row::alone(
        "size of the daemon's program, stripped",
        format!("{:.1} MB", f64::from(bytes) / 1e6),
    ))
}
