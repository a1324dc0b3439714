//! The daemon's configuration file.

mod firewall;
mod wake;

pub use firewall::{BackendKind, Interface};

use crate::Failure;
use crate::policy::Policy;
use firewall::{OneOrMany, interfaces, parse_backend};
use gatehouse_router_protocol::secret::Secret;
use ipnet::IpNet;
use serde::Deserialize;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};

const MIN_KEY_CHARS: usize = 16;

/// The sets in the kernel have room for twice as many, for elements that are being replaced.
const MAX_MAX_SESSIONS: u32 = 4096;

/// The file as it stands in TOML; the keys are fixed, unknown ones are an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    listen: Option<String>,
    backend: Option<String>,
    wan_interface: Option<OneOrMany>,
    flow_offload: Option<bool>,
    lan_cidrs: Option<Vec<String>>,
    allowed_portals: Option<Vec<String>>,
    api_key: Option<Secret>,
    api_key_file: Option<PathBuf>,
    aes_key: Option<Secret>,
    aes_key_file: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    state_dir: Option<PathBuf>,
    legacy_v1: Option<bool>,
    wake_broadcasts: Option<Vec<String>>,
    reserved_ports: Option<Vec<u16>>,
    max_minutes: Option<u32>,
    max_sessions: Option<u32>,
    allow_private_sources: Option<bool>,
    log_format: Option<LogFormat>,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 picks one.
    pub listen: SocketAddr,
    /// What enforces the sessions.
    pub backend: BackendKind,
    /// The interfaces that clients come in through; empty only for the dry run.
    pub wan_interfaces: Vec<Interface>,
    /// Whether the router forwards packets past its firewall, so that connections have to be deleted.
    pub flow_offload: bool,
    /// The networks that targets must lie in; never empty.
    pub lan_cidrs: Vec<IpNet>,
    /// Who may connect; never empty.
    pub allowed_portals: Vec<IpNet>,
    /// The key that every request names.
    pub api_key: Secret,
    /// The text that the sealing key is derived from.
    pub aes_key: Secret,
    /// The certificate's PEM file.
    pub cert: PathBuf,
    /// The private key's PEM file.
    pub key: PathBuf,
    /// The folder of the journal and the replay window.
    pub state_dir: PathBuf,
    /// Whether clients of the original daemon are answered too.
    pub legacy_v1: bool,
    /// Where Wake-on-LAN packets are sent to; by default the broadcast address of each IPv4 network
    /// in `lan_cidrs`, port 9.
    pub wake_broadcasts: Vec<SocketAddrV4>,
    /// Public ports that no session is given, beside the daemon's own.
    pub reserved_ports: Vec<u16>,
    /// The longest duration granted, in minutes.
    pub max_minutes: u32,
    /// How many sessions may be open at once.
    pub max_sessions: u32,
    /// Whether a client may come from a private or loopback address.
    pub allow_private_sources: bool,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to its own folder.
    ///
    /// # Errors
    /// [`Failure`] with the first thing that is wrong.
    pub fn load(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            Failure::new(format!(
                "the configuration {} cannot be read: {error}",
                path.display()
            ))
        })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder).map_err(|failure| {
            Failure::new(format!(
                "in the configuration {}: {failure}",
                path.display()
            ))
        })
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, Failure> {
        let file: ConfigFile =
            toml::from_str(text).map_err(|error| Failure::new(one_line(&error, text)))?;
        let backend = parse_backend(file.backend.as_deref().unwrap_or("nft"))?;
        let lan_cidrs = networks("lan_cidrs", file.lan_cidrs)?;
        let wake_broadcasts = wake::broadcasts(file.wake_broadcasts.as_deref(), &lan_cidrs)?;
        Ok(Self {
            listen: parse_listen(file.listen.as_deref().unwrap_or("0.0.0.0:9999"))?,
            backend,
            wan_interfaces: interfaces(file.wan_interface, backend)?,
            flow_offload: file.flow_offload.unwrap_or(false),
            lan_cidrs,
            allowed_portals: networks("allowed_portals", file.allowed_portals)?,
            api_key: shared_key("api_key", file.api_key, file.api_key_file, folder)?,
            aes_key: shared_key("aes_key", file.aes_key, file.aes_key_file, folder)?,
            cert: folder.join(required("cert", file.cert)?),
            key: folder.join(required("key", file.key)?),
            state_dir: folder.join(
                file.state_dir
                    .unwrap_or_else(|| "/var/lib/gatehouse-routerd".into()),
            ),
            legacy_v1: file.legacy_v1.unwrap_or(false),
            wake_broadcasts,
            reserved_ports: file.reserved_ports.unwrap_or_default(),
            max_minutes: at_least_one("max_minutes", file.max_minutes.unwrap_or(480))?,
            max_sessions: max_sessions(file.max_sessions.unwrap_or(256))?,
            allow_private_sources: file.allow_private_sources.unwrap_or(false),
            log_format: file.log_format.unwrap_or_default(),
        })
    }

    /// Tells whether a peer may connect.
    pub fn allows_portal(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.allowed_portals
            .iter()
            .any(|network| network.contains(&peer))
    }

    /// Gives the limits that every request is held against. `own_port` is the bound port.
    pub fn policy(&self, own_port: u16) -> Policy {
        Policy {
            lan_cidrs: self.lan_cidrs.clone(),
            max_minutes: self.max_minutes,
            allow_private_sources: self.allow_private_sources,
            own_port,
            reserved_ports: self.reserved_ports.clone(),
            refuse_own_addresses: self.backend != BackendKind::DryRun,
        }
    }

    /// Says what to do about a `state_dir` that cannot be used.
    pub fn state_dir_failure(&self, error: &io::Error) -> Failure {
        Failure::new(format!(
            "state_dir {} cannot be used: {error}; make the folder or name another",
            self.state_dir.display()
        ))
    }
}

/// A TOML error is several lines with a drawing; a terminal message is one sentence. The line's
/// text is left out, since it may hold a key.
fn one_line(error: &toml::de::Error, text: &str) -> String {
    let message = error.message().replace('\n', "; ");
    let line = error.span().and_then(|span| text.get(..span.start));
    match line {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

fn max_sessions(value: u32) -> Result<u32, Failure> {
    if value > MAX_MAX_SESSIONS {
        return Err(Failure::new(format!(
            "max_sessions must be at most {MAX_MAX_SESSIONS}"
        )));
    }
    at_least_one("max_sessions", value)
}

fn parse_listen(text: &str) -> Result<SocketAddr, Failure> {
    text.parse().map_err(|_| {
        Failure::new(format!(
            "listen = \"{text}\" must be an address and a port, such as \"0.0.0.0:9999\""
        ))
    })
}

fn networks(name: &str, texts: Option<Vec<String>>) -> Result<Vec<IpNet>, Failure> {
    let texts = required(name, texts)?;
    if texts.is_empty() {
        return Err(Failure::new(format!(
            "{name} must name at least one network"
        )));
    }
    texts.iter().map(|text| parse_network(name, text)).collect()
}

fn parse_network(name: &str, text: &str) -> Result<IpNet, Failure> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map_err(|_| {
        Failure::new(format!(
            "{name} holds \"{text}\", which is no address and no network such as \"192.168.50.0/24\""
        ))
    })
}

fn shared_key(
    name: &str,
    inline: Option<Secret>,
    file: Option<PathBuf>,
    folder: &Path,
) -> Result<Secret, Failure> {
    let key = match (inline, file) {
        (Some(_), Some(_)) => {
            return Err(Failure::new(format!(
                "give {name} or {name}_file, not both"
            )));
        }
        (None, None) => return Err(Failure::new(format!("{name} or {name}_file is missing"))),
        (Some(key), None) => key,
        (None, Some(file)) => read_key(name, &folder.join(file))?,
    };
    if key.expose().chars().count() < MIN_KEY_CHARS {
        return Err(Failure::new(format!(
            "{name} must have at least {MIN_KEY_CHARS} characters"
        )));
    }
    Ok(key)
}

fn read_key(name: &str, path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Failure::new(format!(
            "{name}_file {} cannot be read: {error}",
            path.display()
        ))
    })?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n'])))
}

fn required<T>(name: &str, value: Option<T>) -> Result<T, Failure> {
    value.ok_or_else(|| Failure::new(format!("{name} is missing")))
}

fn at_least_one(name: &str, value: u32) -> Result<u32, Failure> {
    if value == 0 {
        Err(Failure::new(format!("{name} must be at least 1")))
    } else {
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
