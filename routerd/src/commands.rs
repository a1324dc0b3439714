//! What each subcommand does, apart from reading its arguments.

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LogFormat};
use crate::listener::Daemon;
use crate::random::random_bytes;
use crate::tls::Identity;
use crate::{Failure, check, keygen};
use gatehouse_router_protocol::client::{self, ClientError, Link, Stamp};
use gatehouse_router_protocol::message::{Answer, Command, OpenSession};
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::spawn_blocking;
use tracing::level_filters::LevelFilter;

/// Runs the daemon until SIGTERM or SIGINT.
///
/// # Errors
/// [`Failure`] if it cannot start.
pub async fn run(config_path: &Path) -> Result<(), Failure> {
    let config = Config::load(config_path)?;
    start_log(config.log_format);
    let stop = stop_signal()?;
    let daemon = Daemon::bind(config, Arc::new(SystemClock)).await?;
    say(&format!("listening on {}\n", daemon.local_addr()))?;
    daemon.serve(stop).await;
    Ok(())
}

/// Looks whether the daemon can work with this configuration on this machine, and tells the pin.
///
/// # Errors
/// [`Failure`] if something is wrong.
pub async fn check(config_path: &Path) -> Result<(), Failure> {
    let config = Config::load(config_path)?;
    let findings = spawn_blocking(move || check::examine(&config, &SystemClock))
        .await
        .map_err(|error| Failure::new(format!("the check did not finish: {error}")))?;
    let lines: String = findings.iter().fold(String::new(), |mut lines, finding| {
        let _ = writeln!(lines, "{finding}");
        lines
    });
    say(&format!(
        "ok    configuration: {}\n{lines}",
        config_path.display()
    ))?;
    match findings
        .iter()
        .filter(|finding| finding.is_failure())
        .count()
    {
        0 => Ok(()),
        1 => Err(Failure::new(
            "one thing is wrong, the line above that begins with \"fail\" says what",
        )),
        failures => Err(Failure::new(format!(
            "{failures} things are wrong, the lines above that begin with \"fail\" say what"
        ))),
    }
}

/// Makes certificate, keys and a configuration, and tells what the portal needs.
///
/// # Errors
/// [`Failure`] if something is in the way.
pub fn keygen(out: &Path) -> Result<(), Failure> {
    let made = keygen::generate(out)?;
    say(&format!(
        "made certificate, keys and routerd.toml in {folder}\n\
         edit wan_interface, lan_cidrs and allowed_portals in {config}, then start\n  \
         gatehouse-routerd run --config {config}\n\
         and give the portal's router entry\n  \
         cert_sha256  {pin}\n  api_key      {api_key}\n  aes_key      {aes_key}\n",
        folder = out.display(),
        config = out.join("routerd.toml").display(),
        pin = hex::encode(made.cert_sha256),
        api_key = made.api_key,
        aes_key = made.aes_key,
    ))
}

/// Prints the sessions that the running daemon keeps open.
///
/// # Errors
/// [`Failure`] if the daemon cannot be asked.
pub async fn list(config_path: &Path) -> Result<(), Failure> {
    let link = local_link(&Config::load(config_path)?)?;
    let sessions = client::list_all(&link, stamp)
        .await
        .map_err(|error| not_asked(&error))?;
    say(&table_of(&sessions))
}

/// Ends all sessions of the running daemon.
///
/// # Errors
/// [`Failure`] if the daemon cannot be asked.
pub async fn flush(config_path: &Path) -> Result<(), Failure> {
    let link = local_link(&Config::load(config_path)?)?;
    let answer = client::exchange(&link, Command::Flush, stamp()).await;
    match answer.map_err(|error| not_asked(&error))? {
        Answer::Flushed { removed } => say(&format!("ended {removed} sessions\n")),
        other => Err(Failure::new(format!(
            "the daemon answered something else: {other:?}"
        ))),
    }
}

/// The table lives in the daemon, so it is asked over its own port, like by a portal.
fn local_link(config: &Config) -> Result<Link, Failure> {
    let address = local_address(config.listen);
    if address.port() == 0 {
        return Err(Failure::new(
            "listen has port 0, so the running daemon's port is not known: give it a fixed port",
        ));
    }
    if !config.allows_portal(address.ip()) {
        return Err(Failure::new(format!(
            "the running daemon answers its allowed_portals only: add \"{}\" to them and restart it",
            address.ip()
        )));
    }
    Ok(Link {
        address: address.to_string(),
        cert_sha256: Identity::load(&config.cert, &config.key)?.cert_sha256,
        api_key: config.api_key.expose().to_owned(),
        aes_key: config.aes_key.expose().to_owned(),
    })
}

fn local_address(listen: SocketAddr) -> SocketAddr {
    let ip: IpAddr = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn stamp() -> Stamp {
    Stamp {
        ts_ms: SystemClock.now_ms(),
        random: random_bytes(),
    }
}

fn not_asked(error: &ClientError) -> Failure {
    Failure::new(format!("the running daemon could not be asked: {error}"))
}

fn table_of(sessions: &[OpenSession]) -> String {
    let mut table = format!(
        "{:<36}  {:<39}  {:<9}  {:<28}  {:<9}  {}\n",
        "session", "client", "port", "target", "remaining", "bytes"
    );
    for OpenSession {
        session_id,
        route,
        remaining_ms,
        bytes,
    } in sessions
    {
        let port = format!("{}/{}", route.port_dst, route.protocol);
        let remaining = format!("{} s", remaining_ms / 1000);
        let bytes = bytes.map_or("-".to_owned(), |bytes| bytes.to_string());
        let _ = writeln!(
            table,
            "{session_id:<36}  {:<39}  {port:<9}  {:<28}  {remaining:<9}  {bytes}",
            route.ip_src,
            route.target()
        );
    }
    table
}

/// Writes to standard output; a reader that has gone away (`list | head -1`) is an error like any.
fn say(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|error| Failure::new(format!("standard output cannot be written: {error}")))
}

fn start_log(format: LogFormat) {
    // A level only, without the filter language: its parser weighs much on a router.
    let level = std::env::var("RUST_LOG")
        .ok()
        .and_then(|text| text.parse().ok());
    let log = tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(LevelFilter::INFO))
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.with_ansi(false).init(),
        LogFormat::Json => log.json().init(),
    }
}

fn stop_signal() -> Result<impl Future<Output = ()>, Failure> {
    let listen_for = |kind| {
        signal(kind).map_err(|error| Failure::new(format!("signals cannot be received: {error}")))
    };
    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
