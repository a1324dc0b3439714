//! The file that says where a daemon is, with the names that the original's client gave its own.

use std::{fs, path::Path, path::PathBuf};

use gatehouse_router_protocol::{
    client::{Link, fingerprint},
    secret::Secret,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;

use crate::refusal::Refusal;

/// A daemon, and which protocol it speaks.
pub(super) struct Peer {
    pub(super) link: Link,
    pub(super) is_original: bool,
}

/// The file as it stands. The original's has the first five and `ssl_cert_file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientConfig {
    host_name_dst: String,
    port_dst: u16,
    #[serde(default)]
    aes_key: Option<Secret>,
    #[serde(default)]
    aes_key_file: Option<PathBuf>,
    #[serde(default)]
    api_key: Option<Secret>,
    #[serde(default)]
    api_key_file: Option<PathBuf>,
    #[serde(default)]
    ssl_cert_file: Option<PathBuf>,
    #[serde(default)]
    cert_sha256: Option<String>,
    #[serde(default = "the_originals")]
    protocol: u8,
}

/// The original's file names no protocol.
fn the_originals() -> u8 {
    1
}

/// Reads the file. Relative paths in it are relative to the current folder, as the original's are.
pub(super) fn load(path: &Path) -> Result<Peer, Refusal> {
    let text = read(path)?;
    let is_toml = path.extension().is_some_and(|ending| ending == "toml");
    // What stands around a mistake may be a key, so only the place and the mistake are told.
    let config: Result<ClientConfig, String> = if is_toml {
        toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned())
    } else {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    };
    config
        .map_err(Refusal::new)
        .and_then(to_peer)
        .map_err(|refusal| Refusal::new(format!("In {}: {refusal}", path.display())))
}

fn to_peer(config: ClientConfig) -> Result<Peer, Refusal> {
    if !(1..=2).contains(&config.protocol) {
        return Err(Refusal::new(
            "protocol must be 1 for the original daemon or 2 for gatehouse-routerd.",
        ));
    }
    let host = config.host_name_dst;
    // A bare IPv6 address wants brackets before a port.
    let host = if host.parse::<std::net::Ipv6Addr>().is_ok() {
        format!("[{host}]")
    } else {
        host
    };
    Ok(Peer {
        link: Link {
            address: format!("{host}:{}", config.port_dst),
            cert_sha256: pin(config.ssl_cert_file, config.cert_sha256)?,
            api_key: key("api_key", config.api_key, config.api_key_file)?,
            aes_key: key("aes_key", config.aes_key, config.aes_key_file)?,
        },
        is_original: config.protocol == 1,
    })
}

fn pin(file: Option<PathBuf>, digits: Option<String>) -> Result<[u8; 32], Refusal> {
    match (file, digits) {
        (Some(file), None) => CertificateDer::from_pem_file(&file)
            .map(|certificate| fingerprint(&certificate))
            .map_err(|error| {
                Refusal::new(format!(
                    "ssl_cert_file {} cannot be used ({error}). It must hold the daemon's certificate in PEM form.",
                    file.display()
                ))
            }),
        (None, Some(digits)) => {
            let mut pin = [0; 32];
            hex::decode_to_slice(digits.replace(':', ""), &mut pin).map_err(|_| {
                Refusal::new("cert_sha256 must be 64 hexadecimal digits, as `gatehouse-routerd keygen` prints them.")
            })?;
            Ok(pin)
        }
        _ => Err(Refusal::new(
            "give ssl_cert_file or cert_sha256, one of the two: the daemon is known by its certificate.",
        )),
    }
}

fn key(name: &str, inline: Option<Secret>, file: Option<PathBuf>) -> Result<String, Refusal> {
    match (inline, file) {
        (Some(key), None) => Ok(key.expose().to_owned()),
        (None, Some(file)) => Ok(read(&file)?.trim_end_matches(['\r', '\n']).to_owned()),
        _ => Err(Refusal::new(format!(
            "give {name} or {name}_file, one of the two."
        ))),
    }
}

fn read(path: &Path) -> Result<String, Refusal> {
    fs::read_to_string(path)
        .map_err(|error| Refusal::new(format!("{} cannot be read ({error}).", path.display())))
}
