//! The daemon's configuration file.

use crate::Failure;
use crate::backend::dry_run::DryRun;
use crate::policy::Policy;
use gatehouse_router_protocol::secret::Secret;
use ipnet::IpNet;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

const MIN_KEY_CHARS: usize = 16;

/// The file as it stands in TOML; the keys are fixed, unknown ones are an error.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    listen: Option<String>,
    backend: Option<String>,
    /// Read by the kernel backends of a later version; the dry run has no interface.
    #[serde(rename = "wan_interface")]
    _wan_interface: Option<String>,
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
    /// The folder of the replay window.
    pub state_dir: PathBuf,
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
        refuse_what_is_not_there_yet(&file)?;
        Ok(Self {
            listen: parse_listen(file.listen.as_deref().unwrap_or("0.0.0.0:9999"))?,
            lan_cidrs: networks("lan_cidrs", file.lan_cidrs)?,
            allowed_portals: networks("allowed_portals", file.allowed_portals)?,
            api_key: shared_key("api_key", file.api_key, file.api_key_file, folder)?,
            aes_key: shared_key("aes_key", file.aes_key, file.aes_key_file, folder)?,
            cert: folder.join(required("cert", file.cert)?),
            key: folder.join(required("key", file.key)?),
            state_dir: folder.join(
                file.state_dir
                    .unwrap_or_else(|| "/var/lib/gatehouse-routerd".into()),
            ),
            max_minutes: at_least_one("max_minutes", file.max_minutes.unwrap_or(480))?,
            max_sessions: at_least_one("max_sessions", file.max_sessions.unwrap_or(256))?,
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
        }
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

fn refuse_what_is_not_there_yet(file: &ConfigFile) -> Result<(), Failure> {
    match file.backend.as_deref().unwrap_or("nft") {
        DryRun::NAME => {}
        backend @ ("nft" | "iptables") => {
            return Err(Failure::new(format!(
                "this version has the dry-run backend only: set backend = \"dry-run\" instead of \"{backend}\""
            )));
        }
        _ => {
            return Err(Failure::new(
                "backend must be \"nft\", \"iptables\" or \"dry-run\"",
            ));
        }
    }
    if file.legacy_v1 == Some(true) {
        return Err(Failure::new(
            "this version does not speak the original daemon's protocol yet: remove legacy_v1 or set it to false",
        ));
    }
    Ok(())
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
mod tests {
    use super::{Config, LogFormat};
    use std::path::Path;

    const SMALLEST: &str = r#"
backend = "dry-run"
lan_cidrs = ["192.168.50.0/24"]
allowed_portals = ["198.51.100.4", "2001:db8::/64"]
api_key = "aaaaaaaaaaaaaaaa"
aes_key = "bbbbbbbbbbbbbbbb"
cert = "cert.pem"
key = "/etc/key.pem"
"#;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, Path::new("/etc/gatehouse")).map_err(|failure| failure.to_string())
    }

    #[test]
    fn the_smallest_file_has_the_documented_defaults() {
        let config = parse(SMALLEST).unwrap();
        assert_eq!(config.listen.to_string(), "0.0.0.0:9999");
        assert_eq!((config.max_minutes, config.max_sessions), (480, 256));
        assert_eq!(config.state_dir, Path::new("/var/lib/gatehouse-routerd"));
        assert_eq!(config.cert, Path::new("/etc/gatehouse/cert.pem"));
        assert_eq!(config.key, Path::new("/etc/key.pem"));
        assert_eq!(config.log_format, LogFormat::Text);
        assert!(!config.allow_private_sources);
    }

    #[test]
    fn portals_are_single_addresses_and_networks_in_either_spelling_of_ipv4() {
        let config = parse(SMALLEST).unwrap();
        for allowed in ["198.51.100.4", "::ffff:198.51.100.4", "2001:db8::7"] {
            assert!(config.allows_portal(allowed.parse().unwrap()), "{allowed}");
        }
        for stranger in ["198.51.100.5", "127.0.0.1", "2001:db8:1::7"] {
            assert!(
                !config.allows_portal(stranger.parse().unwrap()),
                "{stranger}"
            );
        }
    }

    #[test]
    fn each_mistake_has_its_sentence() {
        for (from, to, sentence) in [
            (
                "cert =",
                "certificate =",
                "line 7: unknown field `certificate`",
            ),
            (
                "backend = \"dry-run\"\n",
                "",
                "this version has the dry-run backend only",
            ),
            (
                "\"dry-run\"",
                "\"iptables\"",
                "this version has the dry-run backend only",
            ),
            ("\"dry-run\"", "\"pf\"", "backend must be"),
            (
                "key = \"/",
                "legacy_v1 = true\nkey = \"/",
                "does not speak the original daemon's",
            ),
            (
                "lan_cidrs = [\"192.168.50.0/24\"]\n",
                "",
                "lan_cidrs is missing",
            ),
            (
                "[\"192.168.50.0/24\"]",
                "[]",
                "lan_cidrs must name at least one",
            ),
            ("192.168.50.0/24", "192.168.50.0/33", "lan_cidrs holds"),
            ("198.51.100.4", "portal.example", "allowed_portals holds"),
            (
                "aaaaaaaaaaaaaaaa",
                "aaaaaaaaaaaaaaa",
                "api_key must have at least 16",
            ),
            (
                "aes_key =",
                "aes_key_file =",
                "aes_key_file /etc/gatehouse/bbbbbbbbbbbbbbbb cannot be read",
            ),
            (
                "key = \"/",
                "api_key_file = \"x\"\nkey = \"/",
                "give api_key or api_key_file",
            ),
            (
                "key = \"/",
                "max_minutes = 0\nkey = \"/",
                "max_minutes must be at least 1",
            ),
            (
                "key = \"/",
                "listen = \"9999\"\nkey = \"/",
                "listen = \"9999\" must be",
            ),
        ] {
            assert!(SMALLEST.contains(from), "{from}");
            let complaint = parse(&SMALLEST.replacen(from, to, 1)).expect_err(sentence);
            assert!(complaint.contains(sentence), "{complaint}");
            assert_eq!(complaint.lines().count(), 1, "{complaint}");
        }
    }
}
