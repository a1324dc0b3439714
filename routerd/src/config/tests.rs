use super::{BackendKind, Config, LogFormat};
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

/// Or a session would take the router's own SSH away from who opened it.
#[test]
fn reserved_ports_reach_the_policy() {
    let text = SMALLEST.replacen("key = \"/", "reserved_ports = [2222, 51820]\nkey = \"/", 1);
    let policy = parse(&text).unwrap().policy(9999);
    assert_eq!(policy.reserved_ports, [2222, 51820]);
    assert!(parse(&text.replace("51820", "65536")).is_err());
}

#[test]
fn the_backend_is_nftables_unless_another_is_named() {
    let kernel = |backend: &str| {
        let text = SMALLEST.replace("backend = \"dry-run\"\n", backend);
        parse(&text.replacen("key = \"/", "wan_interface = \"wan*\"\nkey = \"/", 1)).unwrap()
    };
    for (backend, kind) in [
        ("", BackendKind::Nft),
        ("backend = \"nft\"\n", BackendKind::Nft),
        ("backend = \"nftables\"\n", BackendKind::Nft),
        ("backend = \"iptables\"\n", BackendKind::Iptables),
    ] {
        let config = kernel(backend);
        assert_eq!(config.backend, kind);
        assert_eq!(config.wan_interfaces[0].to_string(), "wan*");
    }
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
            "wan_interface is missing: name the interface",
        ),
        ("\"dry-run\"", "\"iptables\"", "wan_interface is missing"),
        ("\"dry-run\"", "\"pf\"", "backend must be"),
        (
            "key = \"/",
            "wan_interface = [\"wan\", \"eth0\\\" drop\"]\nkey = \"/",
            "wan_interface holds \"eth0",
        ),
        (
            "key = \"/",
            "max_sessions = 4097\nkey = \"/",
            "max_sessions must be at most 4096",
        ),
        (
            "key = \"/",
            "wake_broadcasts = [\"192.168.50.0/24\"]\nkey = \"/",
            "wake_broadcasts holds \"192.168.50.0/24\"",
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
