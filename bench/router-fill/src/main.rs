//! Opens sessions at a router daemon as a portal does, one after the other and each over a connection
//! of its own, and prints for each one line with the milliseconds that it took. `cargo xtask bench`
//! fills a daemon with it.
#![expect(
    clippy::disallowed_methods,
    reason = "the daemon compares the time of a request with its clock, and refuses a nonce seen before"
)]

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use clap::Parser;
use gatehouse_router_protocol::client::{self, Link, Stamp};
use gatehouse_router_protocol::message::{Command, Protocol, Route};
use uuid::Uuid;

/// Longer than filling a daemon takes, and within what every daemon allows.
const DURATION_S: u32 = 3600;
/// A public port, which all sessions share: each has a client of its own.
const PUBLIC_PORT: u16 = 17890;

/// What to fill, and with how much.
#[derive(Parser)]
struct Options {
    /// Where the daemon listens, such as 127.0.0.1:9999.
    #[arg(long)]
    address: String,
    /// The folder of `gatehouse-routerd keygen` with its pin and keys.
    #[arg(long)]
    keys: PathBuf,
    /// A host inside the daemon's `lan_cidrs`.
    #[arg(long)]
    lan_host: Ipv4Addr,
    /// How many sessions to open.
    #[arg(long)]
    sessions: u16,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let link = link(&options)?;
    for number in 0..options.sessions {
        let add = Command::Add {
            session_id: Uuid::from_u128(u128::from(number) + 1),
            route: route(number, options.lan_host),
            duration_s: DURATION_S,
        };
        let stamp = stamp()?;
        let start = Instant::now();
        client::exchange(&link, add, stamp)
            .await
            .with_context(|| format!("session {number} was not opened"))?;
        println!("{:.3}", start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok(())
}

fn link(options: &Options) -> Result<Link> {
    let mut cert_sha256 = [0; 32];
    hex::decode_to_slice(read_key(&options.keys, "cert_sha256")?, &mut cert_sha256)?;
    Ok(Link {
        address: options.address.clone(),
        cert_sha256,
        api_key: read_key(&options.keys, "api_key")?,
        aes_key: read_key(&options.keys, "aes_key")?,
    })
}

fn read_key(folder: &Path, name: &str) -> Result<String> {
    let file = folder.join(name);
    let text =
        fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(text.trim().to_owned())
}

fn route(number: u16, lan_host: Ipv4Addr) -> Route {
    let [high, low] = number.to_be_bytes();
    Route {
        ip_src: [198, 51, high, low].into(),
        port_dst: PUBLIC_PORT,
        ip_dst_lan: lan_host.into(),
        port_dst_lan: 80,
        protocol: Protocol::Tcp,
    }
}

fn stamp() -> Result<Stamp> {
    let mut random = [0; Stamp::RANDOM_BYTES];
    getrandom::fill(&mut random)?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Stamp {
        ts_ms: u64::try_from(since_epoch.as_millis())?,
        random,
    })
}
