// Long file: one short story for each rule about the same few keys.

use std::io;
use std::path::Path;

use clap::Parser;
use gatehouse_core::client_address::ForwardHeader;

use super::{CoSignerAt, Config, Environment, LogFormat, QueryToken, SendfileHeader};
use crate::cli::{Cli, Command, Flags};

/// Parses a command line as the program would.
fn flags(words: &[&str]) -> Flags {
    let line = ["gatehouse", "serve"].iter().chain(words);
    let Command::Serve { flags, .. } = Cli::try_parse_from(line).expect("right usage").command
    else {
        panic!("serve is serve");
    };
    flags
}

/// Loads with `toml` as the file of `--config`, when the flags name one.
fn load(words: &[&str], variables: &[(&str, &str)], toml: &str) -> Result<Config, String> {
    let environment: Environment = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let read_file = |path: &Path| match path.to_str() {
        Some("portal.toml") => Ok(toml.to_owned()),
        Some("secret.txt") => Ok("a secret from a file\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    Config::load(&flags(words), &environment, read_file).map_err(|refusal| refusal.to_string())
}

fn load_toml(toml: &str) -> Result<Config, String> {
    load(&["--config", "portal.toml"], &[], toml)
}

fn refusal(toml: &str) -> String {
    load_toml(toml)
        .map(|config| config.print())
        .expect_err("refuses")
}

#[test]
fn defaults_are_those_of_the_manual() {
    let config = load(&[], &[], "").expect("loads");
    let expected = r#"blob_url = "file://./data/blobs"
data_dir = "./data"
database_url = "sqlite://./data/gatehouse.db"
forwarded_header = "x-forwarded-for"
insecure_http = false
listen = "127.0.0.1:3000"
max_upload_bytes = 67108864
no_jwt = false
public_url = "http://127.0.0.1:3000"
query_token = "allow"
sendfile = "off"
trusted_proxies = []

[cosigner]
dir = "./data/cosigner"

[jwt]
default_expiry_minutes = 30

[log]
filter = "info"
format = "text"

[wake]
webhook_networks = []
webhook_origins = []
"#;
    assert_eq!(config.print(), expected);
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let toml = "listen = '127.0.0.1:1'\nquery_token = 'warn'\n[jwt]\ndefault_expiry_minutes = 5\n[log]\nformat = 'json'";
    let variables = [
        ("GATEHOUSE_LISTEN", "127.0.0.1:2"),
        ("GATEHOUSE_JWT_DEFAULT_EXPIRY_MINUTES", "6"),
        ("HOME", "/"),
    ];
    let config = load(
        &["--config", "portal.toml", "--listen", "127.0.0.1:3"],
        &variables,
        toml,
    )
    .expect("loads");
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.jwt_default_expiry_minutes, 6);
    assert_eq!(
        (config.query_token, config.log_format),
        (QueryToken::Warn, LogFormat::Json)
    );
}

#[test]
fn the_file_may_come_from_the_environment() {
    let config = load(&[], &[("GATEHOUSE_CONFIG", "portal.toml")], "no_jwt = true").expect("loads");
    assert!(config.no_jwt);
}

#[test]
fn nested_variables_take_one_underscore_or_two() {
    for variable in ["GATEHOUSE_LOG_FORMAT", "GATEHOUSE_LOG__FORMAT"] {
        assert_eq!(
            load(&[], &[(variable, "json")], "")
                .expect("loads")
                .log_format,
            LogFormat::Json
        );
    }
}

#[test]
fn what_prints_loads_again() {
    let toml = "trusted_proxies = ['10.0.0.0/8', 'fd00::1']\nforwarded_header = 'forwarded'\n[tls]\ncert = 'a'\nkey = 'b'";
    let config = load_toml(toml).expect("loads");
    assert_eq!(config.forwarded_header, ForwardHeader::Forwarded);
    let again = load_toml(&config.print()).expect("loads its own print");
    assert_eq!(again.print(), config.print());
    assert!(
        config.print().contains("\"fd00::1/128\""),
        "{}",
        config.print()
    );
}

#[test]
fn unknown_names_are_refused_with_the_nearest() {
    assert!(
        refusal("lisen = 'x'").contains("configuration key lisen is unknown. Did you mean listen?")
    );
    assert!(
        refusal("[jwt]\ndefault_expiry = 3")
            .contains("jwt.default_expiry is unknown. Did you mean jwt.default_expiry_minutes?")
    );
    assert!(refusal("listen_file = 'x'").contains("listen_file is unknown"));
    let variable = load(&[], &[("GATEHOUSE_DATADIR", "x")], "").expect_err("refuses");
    assert!(
        variable.contains("GATEHOUSE_DATADIR is unknown. Did you mean GATEHOUSE_DATA_DIR?"),
        "{variable}"
    );
}

#[test]
fn what_comes_later_says_so() {
    assert!(
        refusal("readings_listen = '127.0.0.1:38981'")
            .contains("This version has no readings listener yet")
    );
    assert!(refusal("confirm_listen = ':38979'").contains("no confirmation listener yet"));
    assert!(refusal("metrics_listen = 'x'").contains("no metrics listener yet"));
    assert!(refusal("[tls.acme]\ndomain = 'x'").contains("cannot fetch certificates"));
    assert!(refusal("blob_url = 's3://bucket/prefix'").contains("S3"));
    let variable = load(&[], &[("GATEHOUSE_TLS_ACME_DOMAIN", "x")], "").expect_err("refuses");
    assert!(variable.contains("cannot fetch certificates"), "{variable}");
}

#[test]
fn values_of_a_wrong_form_are_refused_by_name() {
    let cases = [
        ("listen = 'localhost'", "listen must be an address"),
        ("listen = 3000", "listen must be a text"),
        ("data_dir = ''", "data_dir must be a text that is not empty"),
        (
            "public_url = 'gate.example.com'",
            "public_url must be http://",
        ),
        ("public_url = 'https://a/b'", "public_url must be"),
        ("public_url = 'https://u:p@a'", "public_url must be"),
        ("public_url = 'javascript:alert(1)'", "public_url must be"),
        (
            "public_url_ipv4 = 'v4.example.com'",
            "public_url_ipv4 must be",
        ),
        (
            "public_url = 'https://a'\npublic_url_ipv6 = 'http://b'",
            "public_url_ipv6 http://b must begin like public_url, which is https://a.",
        ),
        (
            "public_url = 'https://a'\npublic_url_ipv4 = 'https://b'\npublic_url_ipv6 = 'https://B:443/'",
            "public_url_ipv4 and public_url_ipv6 are one address.",
        ),
        (
            "public_url_ipv4 = 'http://[::1]:3000'",
            "public_url_ipv4 http://[::1]:3000 is an address of the other family.",
        ),
        (
            "public_url_ipv6 = 'http://192.0.2.1'",
            "public_url_ipv6 http://192.0.2.1 is an address of the other family.",
        ),
        ("database_url = 'mysql://x'", "database_url must begin with"),
        ("blob_url = '/srv/blobs'", "blob_url must be file://"),
        ("[jwt]\ndefault_expiry_minutes = 0", "from 1 to 1440"),
        ("[jwt]\ndefault_expiry_minutes = 1441", "from 1 to 1440"),
        ("[jwt]\ndefault_expiry_minutes = 1.5", "from 1 to 1440"),
        (
            "max_upload_bytes = -1",
            "max_upload_bytes must be a whole number",
        ),
        ("no_jwt = 'maybe'", "no_jwt must be true or false"),
        (
            "query_token = 'sometimes'",
            "query_token must be one of: allow, warn, deny",
        ),
        (
            "[log]\nformat = 'xml'",
            "log.format must be one of: text, json",
        ),
        ("trusted_proxies = ['0.0.0.0/0']", "must not hold 0.0.0.0/0"),
        ("trusted_proxies = ['::/0']", "must not hold ::/0"),
        ("trusted_proxies = ['10.1.2.3/0']", "must not hold"),
        (
            "trusted_proxies = ['10.0.0.0/33']",
            "trusted_proxies must hold networks",
        ),
        ("trusted_proxies = [10]", "must be a list of texts"),
        (
            "admin_secret = 'fifteen bytes!!'",
            "admin_secret is too short",
        ),
        (
            "[cosigner]\nurl = 'cosigner.example'",
            "cosigner.url must be http:// or https://",
        ),
        (
            "[cosigner]\nurl = 'https://c'\ntimeout_ms = 99",
            "cosigner.timeout_ms must be a whole number from 100 to 60000",
        ),
        (
            "[cosigner]\nurl = 'https://c'\ndir = 'x'",
            "Both cosigner.url and cosigner.dir are set",
        ),
        ("[cosigner]\nca_file = 'x'", "Set cosigner.url"),
        ("[cosigner]\ntimeout_ms = 500", "Set cosigner.url"),
        (
            "[firmware]\nproject_key_secret = 'fifteen bytes!!'",
            "firmware.project_key_secret is too short",
        ),
        ("[tls]\ncert = 'a'", "tls.cert is set without tls.key"),
        ("[tls]\nkey = 'a'", "tls.key is set without tls.cert"),
    ];
    for (toml, words) in cases {
        assert!(refusal(toml).contains(words), "{toml}: {}", refusal(toml));
    }
}

#[test]
fn broken_toml_names_the_line_and_quotes_nothing() {
    let said = refusal("no_jwt = true\nadmin_secret = 'hunter2hunter2hunter2\n");
    assert!(
        said.contains("line 2") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn a_missing_file_is_refused() {
    let said = load(&["--config", "missing.toml"], &[], "").expect_err("refuses");
    assert!(said.contains("missing.toml cannot be read"), "{said}");
}

#[test]
fn secrets_come_from_files_and_are_never_shown() {
    let config =
        load_toml("admin_secret_file = 'secret.txt'\ndatabase_url = 'postgres://u:hunter2@h/d'")
            .expect("loads");
    assert_eq!(
        config.admin_secret.as_ref().map(super::Secret::expose),
        Some("a secret from a file")
    );
    assert!(!config.uses_sqlite());
    for shown in [config.print(), format!("{config:?}")] {
        assert!(
            !shown.contains("hunter2") && !shown.contains("a secret from"),
            "{shown}"
        );
        assert!(shown.contains("(hidden)"), "{shown}");
    }
}

#[test]
fn a_secret_is_given_in_one_way_a_layer_and_the_later_layer_wins() {
    let said = refusal("admin_secret = 'sixteen bytes!!!'\nadmin_secret_file = 'secret.txt'");
    assert!(
        said.contains("Both admin_secret and admin_secret_file"),
        "{said}"
    );
    let variables = [
        ("GATEHOUSE_ADMIN_SECRET_FILE", "secret.txt"),
        ("GATEHOUSE_DATA_DIR", "/d"),
    ];
    let config = load(
        &["--config", "portal.toml"],
        &variables,
        "admin_secret = 'sixteen bytes!!!'",
    )
    .expect("loads");
    assert_eq!(
        config.admin_secret.as_ref().map(super::Secret::expose),
        Some("a secret from a file")
    );
}

#[test]
fn the_seeds_name_of_the_admin_secret_works_and_ours_wins() {
    let seed = ("OTA_ADMIN_SECRET", "the seed's long secret");
    let config = load(&[], &[seed], "").expect("loads");
    assert_eq!(
        config.admin_secret.as_ref().map(super::Secret::expose),
        Some(seed.1)
    );
    let config = load(
        &[],
        &[seed, ("GATEHOUSE_ADMIN_SECRET", "our own long secret")],
        "",
    )
    .expect("loads");
    assert_eq!(
        config.admin_secret.as_ref().map(super::Secret::expose),
        Some("our own long secret")
    );
}

#[test]
fn plain_http_in_public_needs_a_word() {
    let public = ["--listen", "0.0.0.0:3000"];
    assert!(
        load(&public, &[], "")
            .expect_err("refuses")
            .contains("--insecure-http")
    );
    for more in [
        &["--insecure-http"][..],
        &["--trusted-proxies", "10.0.0.1"],
        &["--tls-cert", "c", "--tls-key", "k"],
    ] {
        let words = [&public[..], more].concat();
        load(&words, &[], "").expect("loads");
    }
    load(&["--listen", "[::1]:0"], &[], "").expect("loads");
}

#[test]
fn links_are_made_for_the_bound_address_unless_told_otherwise() {
    let config = load(&["--listen", "0.0.0.0:0", "--insecure-http"], &[], "").expect("loads");
    assert_eq!(
        config.public_url("0.0.0.0:4711".parse().expect("an address")),
        "http://127.0.0.1:4711"
    );
    let config = load(&["--public-url", "https://Gate.example.com/"], &[], "").expect("loads");
    assert_eq!(
        config.public_url("127.0.0.1:1".parse().expect("an address")),
        "https://gate.example.com"
    );
}

#[test]
fn second_addresses_of_one_family_are_shown_as_they_are_used() {
    let config = load_toml(
        "public_url = 'https://gate.example'\npublic_url_ipv4 = 'https://V4.gate.example:443/'\npublic_url_ipv6 = 'https://[2001:db8::1]:8443'",
    );
    let printed = config.expect("loads").print();
    for line in [
        "public_url_ipv4 = \"https://v4.gate.example\"",
        "public_url_ipv6 = \"https://[2001:db8::1]:8443\"",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
}

#[test]
fn the_public_url_is_spelled_as_a_browser_spells_an_origin() {
    for (given, expected) in [
        ("https://Gate.example.com:443", "https://gate.example.com"),
        ("http://gate.example.com:80/", "http://gate.example.com"),
        (
            "https://gate.example.com:8443",
            "https://gate.example.com:8443",
        ),
        ("https://[2001:db8::443]", "https://[2001:db8::443]"),
    ] {
        assert_eq!(super::values::public_url(given).as_deref(), Ok(expected));
    }
}

#[test]
fn a_proxy_that_sends_files_itself_is_named_and_trusted() {
    let trusted = &[
        "--trusted-proxies",
        "10.0.0.1",
        "--blob-url",
        "file:///srv/blobs",
    ][..];
    let root_of = |words: &[&str]| {
        let loaded = load(&[trusted, words].concat(), &[], "");
        loaded.map(|config| {
            config
                .sendfile
                .map(|sendfile| (sendfile.header, sendfile.root))
        })
    };
    let accel = SendfileHeader::XAccelRedirect;
    for (words, expected) in [
        (&[][..], None),
        (&["--sendfile", "off", "--sendfile-root", "/x"], None),
        (
            &["--sendfile", "x-accel-redirect"],
            Some((accel, "/gatehouse-images")),
        ),
        (
            &["--sendfile", "X-Accel-Redirect", "--sendfile-root", "/fw/"],
            Some((accel, "/fw")),
        ),
        (
            &["--sendfile", "x-sendfile"],
            Some((SendfileHeader::XSendfile, "/srv/blobs")),
        ),
    ] {
        let expected = expected.map(|(header, root)| (header, root.to_owned()));
        assert_eq!(root_of(words), Ok(expected), "{words:?}");
    }
    for words in [
        &["--sendfile", "nginx"][..],
        &["--sendfile", "x-sendfile", "--sendfile-root", "blobs"],
        &["--sendfile", "x-sendfile", "--sendfile-root", "/a b"],
    ] {
        assert!(
            root_of(words).expect_err("refuses").contains("sendfile"),
            "{words:?}"
        );
    }
    let alone = load(&["--sendfile", "x-sendfile"], &[], "").expect_err("refuses");
    assert!(alone.contains("trusted_proxies"), "{alone}");
    let by_connection = "trusted_proxies = ['10.0.0.5']\nforwarded_header = 'proxy-protocol'";
    assert!(load_toml(by_connection).is_ok());
    let both = refusal(&format!("{by_connection}\nsendfile = 'x-sendfile'"));
    assert!(both.contains("hand on connections"), "{both}");
}

#[test]
fn a_cosigner_elsewhere_is_asked_over_tls() {
    let toml = "[cosigner]\nurl = 'https://Cosign.example:443/'\nca_file = 'ca.pem'\n[firmware]\nproject_key_secret_file = 'secret.txt'";
    let config = load_toml(toml).expect("loads");
    let CoSignerAt::Service(service) = &config.cosigner else {
        panic!("it is a service");
    };
    assert_eq!(
        (service.url.as_str(), service.timeout.as_millis()),
        ("https://cosign.example", 5_000)
    );
    let printed = config.print();
    assert!(printed.contains("ca_file = \"ca.pem\""), "{printed}");
    assert!(!printed.contains("a secret from"), "{printed}");

    for here in [
        "http://127.0.0.1:4000",
        "http://[::1]:4000",
        "http://localhost:4000",
    ] {
        load_toml(&format!("[cosigner]\nurl = '{here}'")).expect("loads");
    }
    let said = refusal("[cosigner]\nurl = 'http://10.0.0.9:4000'");
    assert!(said.contains("must be https://"), "{said}");
    load_toml("insecure_http = true\n[cosigner]\nurl = 'http://10.0.0.9:4000'").expect("loads");
}
