//! A PostgreSQL of the tests' own: in a temporary folder, on a free port, gone afterwards.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::process::{self, find};

/// Where the tests look for a PostgreSQL; set beforehand, it is used as it is.
pub(crate) const URL_VARIABLE: &str = "GATEHOUSE_TEST_POSTGRES_URL";

/// Settings for a database whose content nobody will miss after a crash.
const SETTINGS: [&str; 4] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "max_connections=200",
];

/// A running PostgreSQL that stops and takes its folder with it when this value goes.
pub(crate) struct Postgres {
    dir: TempDir,
    port: u16,
}

/// Whether the tests would have to start a PostgreSQL and cannot.
pub(crate) fn is_needed_and_missing() -> bool {
    std::env::var_os(URL_VARIABLE).is_none() && program("initdb").is_none()
}

impl Postgres {
    /// Makes a database cluster and starts it.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start; the message carries its log.
    pub(crate) fn start() -> Result<Self> {
        let postgres = Self {
            dir: tempfile::Builder::new()
                .prefix("gatehouse-postgres-")
                .tempdir()?,
            port: free_port()?,
        };
        if rustix::process::geteuid().is_root() {
            process::output(
                process::command("chown")
                    .arg("postgres")
                    .arg(postgres.dir.path()),
            )?;
        }
        process::output(postgres.command("initdb")?.args([
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        ]))?;
        let log = postgres.dir.path().join("log");
        process::run(
            postgres
                .command("pg_ctl")?
                .args([
                    "start",
                    "--wait",
                    "--silent",
                    "--options",
                    &postgres.server_options(),
                    "--log",
                ])
                .arg(&log),
        )
        .with_context(|| std::fs::read_to_string(log).unwrap_or_default())?;
        Ok(postgres)
    }

    /// The address of its maintenance database, from which the tests make their own.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn server_options(&self) -> String {
        let settings = SETTINGS.map(|setting| format!(" -c {setting}")).concat();
        let dir = self.dir.path().display();
        format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories={dir}{settings}",
            self.port
        )
    }

    /// One of PostgreSQL's programs on our folder, as the user `postgres` where we are root: it refuses root.
    fn command(&self, name: &str) -> Result<Command> {
        let program = program(name).with_context(|| {
            format!("PostgreSQL's {name} is not installed; run `cargo xtask setup --test`")
        })?;
        let mut command = if rustix::process::geteuid().is_root() {
            let mut runuser = process::command("runuser");
            runuser.args(["-u", "postgres", "--"]).arg(program);
            runuser
        } else {
            process::command(program)
        };
        command
            .current_dir(self.dir.path())
            .arg("--pgdata")
            .arg(self.data_dir());
        Ok(command)
    }

    fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let stopped = self.command("pg_ctl").and_then(|mut stop| {
            process::output(stop.args(["stop", "--mode=immediate", "--silent"]))
        });
        if let Err(error) = stopped {
            eprintln!(
                "the tests' PostgreSQL in {} could not be stopped: {error:#}",
                self.dir.path().display()
            );
        }
    }
}

/// Debian keeps the server's programs off PATH, one folder a version; the newest wins.
fn program(name: &str) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .collect()
        })
        .unwrap_or_default();
    versions.sort_by_key(|dir| version_number(dir));
    versions
        .into_iter()
        .rev()
        .map(|dir| dir.join("bin").join(name))
        .find(|path| path.is_file())
        .or_else(|| find(name))
}

fn version_number(dir: &Path) -> Option<u32> {
    dir.file_name()?.to_str()?.parse().ok()
}

/// A port that nobody listens on at this moment.
///
/// # Errors
/// When the loopback interface cannot be used.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
