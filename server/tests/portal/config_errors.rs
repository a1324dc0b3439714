//! Wrong configurations, taken folders and taken ports: one sentence and exit code 1.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt};

use crate::{furnish::PASSWORD, program::Home};

#[test]
fn a_second_portal_on_one_folder_is_refused() {
    let home = Home::new();
    let portal = home.serve(&[]);
    let sentence = home.refusal(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(sentence.contains("data"), "{sentence}");
    let sentence = home.refusal(&[
        "admin",
        "create",
        "--email",
        "eve@example.com",
        "--password-stdin",
    ]);
    assert!(!sentence.is_empty());
    assert!(
        portal.ask("GET /readyz HTTP/1.1", "").ends_with("ok\n"),
        "the first one goes on"
    );
    portal.terminate();
    let again = home.serve(&[]);
    assert!(
        again.ask("GET /readyz HTTP/1.1", "").ends_with("ok\n"),
        "the lock ended with the process"
    );
}

#[test]
fn a_taken_port_is_named() {
    let home = Home::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let sentence = home.refusal(&["serve", "--listen", &address]);
    assert!(
        sentence.contains(&address) && sentence.contains("--listen"),
        "{sentence}"
    );
}

#[test]
fn listening_to_the_world_without_tls_needs_a_word() {
    let home = Home::new();
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:3000"] {
        let sentence = home.refusal(&["serve", "--listen", address]);
        assert!(
            sentence.contains("without TLS") && sentence.contains("--insecure-http"),
            "{sentence}"
        );
    }
    assert!(!home.path("data").exists(), "nothing was begun");
}

#[test]
fn unknown_keys_wrong_values_and_dangerous_networks_are_refused_by_name() {
    let home = Home::new();
    for (toml, words) in [
        ("lisen = \"127.0.0.1:0\"", "listen"),
        ("listen = 3000", "listen"),
        ("admin_secret = \"short\"", "admin_secret"),
        ("trusted_proxies = [\"0.0.0.0/0\"]", "0.0.0.0/0"),
        ("trusted_proxies = [\"::/0\"]", "::/0"),
        ("query_token = \"maybe\"", "query_token"),
        (
            "[jwt]\ndefault_expiry_minutes = 0",
            "jwt.default_expiry_minutes",
        ),
        (
            "[jwt]\ndefault_expiry_minutes = 1441",
            "jwt.default_expiry_minutes",
        ),
        ("[tls]\ncert = \"x.pem\"", "tls.key"),
        ("public_url = \"gate.example.com\"", "public_url"),
        ("database_url = \"mysql://x\"", "database_url"),
        ("no quotes", "portal.toml"),
    ] {
        fs::write(home.path("portal.toml"), toml).expect("writes");
        let sentence = home.refusal(&["serve", "--config", "portal.toml"]);
        assert!(sentence.contains(words), "{toml}: {sentence}");
        assert!(!sentence.contains("short\""), "{sentence}");
    }
    let missing = home.refusal(&["serve", "--config", "missing.toml"]);
    assert!(missing.contains("missing.toml"), "{missing}");
    let variable = home
        .command(&["serve"])
        .env("GATEHOUSE_LISEN", "x")
        .output()
        .expect("runs");
    assert_eq!(variable.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&variable.stderr).contains("GATEHOUSE_LISTEN"));
}

#[test]
fn the_printed_configuration_hides_every_secret() {
    let home = Home::new();
    let output = home
        .command(&["serve", "--print-config"])
        .env("OTA_ADMIN_SECRET", "only the operator knows this")
        .env(
            "GATEHOUSE_DATABASE_URL",
            "postgres://gate:hunter22@localhost/gate",
        )
        .output()
        .expect("runs");
    assert!(output.status.success());
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(
        printed.contains("admin_secret = \"(hidden)\"") && printed.contains("listen = "),
        "{printed}"
    );
    assert!(
        !printed.contains("operator") && !printed.contains("hunter22"),
        "{printed}"
    );
    let debug = String::from_utf8_lossy(&output.stderr);
    assert!(
        !debug.contains("operator") && !debug.contains("hunter22"),
        "{debug}"
    );
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let home = Home::new();
    fs::create_dir(home.path("data")).expect("makes it");
    fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/backup/newer.db"),
        home.path("data/gatehouse.db"),
    )
    .expect("copies");
    let sentence = home.refusal(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(sentence.contains("newer"), "{sentence}");
    for file in ["data/gatehouse.db", "data/gatehouse.db-wal"] {
        let content = fs::read(home.path(file)).unwrap_or_default();
        assert!(
            !content
                .windows(14)
                .any(|window| window == b"access_session"),
            "no table was made in {file}"
        );
    }
}

#[test]
fn a_data_folder_that_cannot_be_one_is_named() {
    let home = Home::new();
    fs::write(home.path("data"), "a file").expect("writes");
    let sentence = home.refusal(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(sentence.contains("is a file"), "{sentence}");
    fs::write(home.path("rubbish.db"), "this is no database at all").expect("writes");
    let url = format!("sqlite://{}", home.path("rubbish.db").display());
    let output = home
        .command(&["serve", "--listen", "127.0.0.1:0", "--data-dir", "other"])
        .env("GATEHOUSE_DATABASE_URL", url)
        .output()
        .expect("runs");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_data_folder_and_its_keys_are_for_their_owner_only() {
    let home = Home::new();
    let portal = home.serve(&[]);
    for (path, expected) in [
        ("data", 0o700),
        ("data/keys", 0o700),
        ("data/keys/secret.bin", 0o600),
        ("data/gatehouse.db", 0o600),
        ("data/blobs", 0o700),
    ] {
        let mode = fs::metadata(home.path(path))
            .expect("is there")
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, expected, "{path} has {mode:o}");
    }
    drop(portal);
}

#[test]
fn an_account_from_the_terminal_follows_the_same_rules() {
    let home = Home::new();
    let create = |email: &str, password: &str| {
        home.run(
            &["admin", "create", "--email", email, "--password-stdin"],
            password,
        )
    };
    for (email, password) in [
        ("ada@example.com", "short"),
        ("ada@example.com", "gatehousegatehouse"),
        ("ada", PASSWORD),
        ("", PASSWORD),
    ] {
        let run = create(email, password);
        assert_eq!(run.status.code(), Some(1), "{email} {}", run.stderr);
        assert!(
            run.stderr.trim_end().ends_with('.') && !run.stderr.contains(password),
            "{}",
            run.stderr
        );
    }
    assert!(create("ada@example.com", PASSWORD).status.success());
    let twice = create("Ada@Example.com", PASSWORD);
    assert_eq!(
        twice.status.code(),
        Some(1),
        "{}{}",
        twice.stdout,
        twice.stderr
    );
    let usage = home.run(&["admin", "create"], "");
    assert_eq!(usage.status.code(), Some(2));
    assert!(!usage.stderr.is_empty());
}

#[test]
fn the_api_document_is_printed_without_a_portal() {
    let home = Home::new();
    let run = home.run(&["openapi"], "");
    assert!(run.status.success());
    let document: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert!(document["paths"]["/api/v1/sessions"].is_object());
    assert!(!home.path("data").exists());
}
