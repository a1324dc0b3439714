//! Making a daemon's certificate and keys.

use crate::Failure;
use crate::random::random_bytes;
use gatehouse_router_protocol::client::fingerprint;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

const CONFIG_TEMPLATE: &str = r#"# Configuration of gatehouse-routerd. Relative paths are relative to this file's folder.

# Where the portal connects to.
listen = "0.0.0.0:9999"
# What lets clients through: nft, or iptables on a router without nftables; dry-run opens nothing and
# logs what it would do.
backend = "nft"
# The interface that clients come in through, or the beginning of its name: "ppp*".
wan_interface = "wan"
# Whether the router offloads flows past its firewall (OpenWrt: Network > Firewall > Flow offloading).
flow_offload = false
# The LAN networks whose hosts may be opened.
lan_cidrs = ["192.168.1.0/24"]
# Who may connect: the portal's address. Loopback is for `gatehouse-routerd list` and `flush`.
allowed_portals = ["127.0.0.1", "::1"]
# Public ports of the router's own programs, such as SSH at 2222 or WireGuard. No session is given
# one of them, nor this daemon's port or one below 1024.
# reserved_ports = [2222, 51820]
# Longest duration and number of sessions, whatever the portal asks for.
max_minutes = 480
max_sessions = 256
# Where Wake-on-LAN packets go; by default the broadcast address of each IPv4 network in lan_cidrs,
# port 9. An empty list sends none.
# wake_broadcasts = ["192.168.1.255:9"]
# Clients with a private or loopback address; for tests and for portals inside the LAN.
allow_private_sources = false
# Whether clients of the original daemon (protocol version 1, IPv4 and TCP only) are answered too.
# legacy_v1 = true
# What log lines look like: text for people, json for programs.
# log_format = "json"

cert = "cert.pem"
key = "key.pem"
api_key_file = "api_key"
aes_key_file = "aes_key"
state_dir = "state"
"#;

/// What the portal's router entry needs.
#[derive(Debug)]
pub struct Made {
    /// The pin.
    pub cert_sha256: [u8; 32],
    /// The key that every request names.
    pub api_key: String,
    /// The text that the sealing key is derived from.
    pub aes_key: String,
}

/// Makes a self-signed certificate, two random keys and a configuration in the folder `out`.
///
/// The files are `cert.pem`, `key.pem`, `api_key`, `aes_key`, `cert_sha256` and `routerd.toml`, all
/// readable by their owner only.
///
/// # Errors
/// [`Failure`] if one of the files exists already, in which case none is made, or on an I/O error.
pub fn generate(out: &Path) -> Result<Made, Failure> {
    let certified = rcgen::generate_simple_self_signed(["gatehouse-routerd".to_owned()])
        .map_err(|error| Failure::new(format!("no certificate could be made: {error}")))?;
    let made = Made {
        cert_sha256: fingerprint(certified.cert.der()),
        api_key: hex::encode(random_bytes::<32>()),
        aes_key: hex::encode(random_bytes::<32>()),
    };
    let files = [
        ("cert.pem", certified.cert.pem()),
        ("key.pem", certified.signing_key.serialize_pem()),
        ("api_key", format!("{}\n", made.api_key)),
        ("aes_key", format!("{}\n", made.aes_key)),
        (
            "cert_sha256",
            format!("{}\n", hex::encode(made.cert_sha256)),
        ),
        ("routerd.toml", CONFIG_TEMPLATE.to_owned()),
    ];
    if let Some((name, _)) = files.iter().find(|(name, _)| out.join(name).exists()) {
        return Err(Failure::new(format!(
            "{} exists already and is not overwritten: name another folder or move the file away",
            out.join(name).display()
        )));
    }
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(out)
        .map_err(|error| {
            Failure::new(format!(
                "the folder {} cannot be made: {error}",
                out.display()
            ))
        })?;
    for (name, content) in &files {
        write_private(&out.join(name), content)?;
    }
    Ok(made)
}

fn write_private(path: &Path, content: &str) -> Result<(), Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(content.as_bytes())
                .and_then(|()| file.sync_all())
        })
        .map_err(|error| Failure::new(format!("{} cannot be written: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::{CONFIG_TEMPLATE, generate};
    use crate::config::Config;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_is_made_is_private_random_and_a_valid_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("made");
        let made = generate(&out).unwrap();
        let config = Config::load(&out.join("routerd.toml")).unwrap();
        assert_eq!(config.api_key.expose(), made.api_key);
        assert_eq!(config.aes_key.expose(), made.aes_key);
        assert_ne!(made.api_key, made.aes_key);
        for entry in std::fs::read_dir(&out).unwrap() {
            let entry = entry.unwrap();
            let permissions = entry.metadata().unwrap().permissions();
            assert_eq!(permissions.mode() & 0o777, 0o600, "{:?}", entry.file_name());
        }
    }

    #[test]
    fn the_template_and_the_documentation_name_every_key() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("routerd.toml");
        std::fs::write(&path, "no_such_key = 1").unwrap();
        let complaint = Config::load(&path).unwrap_err().to_string();
        let (_, expected) = complaint.split_once("expected one of ").unwrap();
        let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
        assert!(keys.contains(&"wake_broadcasts"), "{complaint}");
        let documentation = include_str!("../../docs/ROUTER.md");
        for key in keys {
            assert!(CONFIG_TEMPLATE.contains(key), "the template has no {key}");
            let in_code = format!("`{key}`");
            assert!(documentation.contains(&in_code), "ROUTER.md has no {key}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_half_made() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("aes_key"), "mine").unwrap();
        let failure = generate(folder.path()).unwrap_err().to_string();
        assert!(failure.contains("exists already"), "{failure}");
        assert_eq!(
            std::fs::read_to_string(folder.path().join("aes_key")).unwrap(),
            "mine"
        );
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
