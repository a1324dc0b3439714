//! `cargo xtask run`: from a fresh clone to a page in the browser.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;

use crate::demo::{self, Demo};
use crate::fleet;
use crate::portal::{self, Portal};
use crate::process::{self, Managed};
use crate::project;
use crate::setup;
use crate::site;
use crate::step::step;

const SIMULATION_SECONDS: &str = "86400";

/// How to start the portal.
#[derive(Args)]
pub(crate) struct Options {
    /// Without demo content: the portal prints its one-time set-up link.
    #[arg(long)]
    empty: bool,
    /// Where everything is kept [default: data, with --empty data/empty].
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// Where the portal listens; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:3000")]
    listen: String,
}

/// What is up; the fields are stopped in this order.
struct Running {
    /// It ends by itself after a day, and the portal goes on without it.
    device: Option<Managed>,
    servers: Vec<Managed>,
}

impl Options {
    fn data_dir(&self) -> PathBuf {
        let default = if self.empty { "data/empty" } else { "data" };
        self.data_dir
            .clone()
            .unwrap_or_else(|| project::root().join(default))
    }
}

/// Installs, builds, starts everything and stays until Ctrl-C.
///
/// # Errors
/// When a step fails, or one of the programs ends by itself.
pub(crate) fn run(options: &Options) -> Result<()> {
    let start = Instant::now();
    check_port(&options.listen)?;
    setup::for_building()?;
    site::build()?;
    build_release()?;
    let data_dir = std::path::absolute(options.data_dir())?;
    let mut running = if options.empty {
        start_empty(options, &data_dir)?
    } else {
        start_demo(options, &data_dir)?
    };
    println!(
        "Ready after {:.0} s. Ctrl-C stops everything; the data stays in {}.",
        start.elapsed().as_secs_f64(),
        data_dir.display()
    );
    while !process::interrupted() {
        running
            .servers
            .iter_mut()
            .try_for_each(Managed::still_runs)?;
        running
            .device
            .iter_mut()
            .try_for_each(Managed::has_not_failed)?;
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Says so before anything is built, when the port is taken.
fn check_port(listen: &str) -> Result<()> {
    TcpListener::bind(listen)
        .map(drop)
        .with_context(|| format!("{listen} cannot be listened on; stop the program that does, or choose another with --listen 127.0.0.1:8080"))
}

/// Builds the portal, the router daemon and the reference device, optimised.
///
/// # Errors
/// When one does not compile.
pub(crate) fn build_release() -> Result<()> {
    let mut build = process::cargo();
    build.args(["build", "--release"]);
    build.args([
        "--package",
        "gatehouse-server",
        "--package",
        "gatehouse-routerd",
        "--package",
        "gatehouse-device",
    ]);
    step(
        "compiling portal, router daemon and reference device",
        || process::run(&mut build),
    )
}

fn start_empty(options: &Options, data_dir: &Path) -> Result<Running> {
    let (portal_process, portal) = portal::start(data_dir, &options.listen, true)?;
    println!(
        "\nAn empty portal runs at {}. Its set-up link is in the lines above.",
        portal.url
    );
    Ok(Running {
        device: None,
        servers: vec![portal_process],
    })
}

fn start_demo(options: &Options, data_dir: &Path) -> Result<Running> {
    let mut demo = Demo::open(data_dir)?;
    let router_config = demo.prepare_router()?;
    if !demo.admin_exists {
        step("making the administrator's account", || {
            portal::create_admin(data_dir, &demo.admin.email, &demo.admin.password)
        })?;
        demo.admin_exists = true;
        demo.save()?;
    }
    let router_process = step("starting the router daemon in dry-run mode", || {
        start_router(&router_config)
    })?;
    let (portal_process, mut portal) = step("starting the portal", || {
        portal::start(data_dir, &options.listen, true)
    })?;
    portal.sign_in(&demo.admin.email, &demo.admin.password)?;
    demo.follow_router(&portal)?;
    step("filling in the demo", || demo.fill(&portal))?;
    let device_process = step("starting simulated devices", || {
        start_devices(&demo, &portal)
    })?;
    print_guide(&demo, &portal);
    Ok(Running {
        device: Some(device_process),
        servers: vec![portal_process, router_process],
    })
}

fn start_router(config: &Path) -> Result<Managed> {
    let mut daemon = process::command(project::binary("release", "gatehouse-routerd"));
    daemon.arg("run").arg("--config").arg(config);
    Ok(process::start_listening(daemon, true)?.0)
}

/// Lets one lamp update itself for real at the first start, and then all poll for as long as we run.
fn start_devices(demo: &Demo, portal: &Portal) -> Result<Managed> {
    let device = |task: &str| {
        let mut command = process::command(project::binary("release", "gatehouse-device"));
        command.args([task, "--url", &portal.url]);
        command.args(["--current-fw", demo::OLD_VERSION]);
        command
    };
    let installed = demo.path("installed-firmware.bin");
    if !installed.exists() {
        let token = fleet::device_token(portal, demo::PROJECT)?;
        let mut update = device("update");
        process::run(
            update
                .args(["--token", &token])
                .arg("--file")
                .arg(&installed),
        )?;
    }
    let tokens = demo.path("device-tokens.txt");
    let devices = fleet::gather(portal, demo::PROJECT, &tokens)?;
    Managed::start(
        device("simulate")
            .args(["--devices", &devices.to_string()])
            .args(["--seconds", SIMULATION_SECONDS])
            .arg("--token-file")
            .arg(tokens),
    )
}

fn print_guide(demo: &Demo, portal: &Portal) {
    let url = &portal.url;
    println!(
        "\n\
         ------------------------------------------------------------------------\n\
         Gatehouse runs at {url}\n\n\
         \x20 administrator   {}   password  {}\n\
         \x20 owner           {}   password  {}\n\n\
         What to try:\n\
         \x20 - as owner: open a service on the first page and watch the router daemon's line here\n\
         \x20 - as administrator: {url}/admin/projects, upload another release\n\
         \x20   (`cargo xtask image lamp.bin --version 1.2.0` builds an image)\n\
         \x20 - the JSON API: {url}/api/docs\n\
         The passwords are kept in {}.\n\
         ------------------------------------------------------------------------",
        demo.admin.email,
        demo.admin.password,
        demo.owner.email,
        demo.owner.password,
        demo.path("accounts.json").display(),
    );
}
