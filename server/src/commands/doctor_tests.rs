use std::os::unix::fs::PermissionsExt;
use std::{fs, path::PathBuf};

use gatehouse_core::{Actor, firmware::UploadTarget};
use gatehouse_types::{
    account::{NewUser, Role},
    firmware::NewProject,
};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tempfile::TempDir;

use super::{Finding, Grade, certificate, examine};
use crate::{
    cli::Flags,
    composition::Installation,
    config::{Config, Environment, TlsFiles},
};

fn config(home: &TempDir, more: Flags) -> Config {
    let flags = Flags {
        data_dir: Some(home.path().join("data").display().to_string()),
        ..more
    };
    Config::load(&flags, &Environment::new(), |path| fs::read_to_string(path)).expect("loads")
}

/// An account, and one image in the blob folder.
async fn furnish(config: &Config) {
    let installation = Installation::open(config.clone()).await.expect("opens");
    let (portal, system) = (&installation.portal, Actor::system());
    let user = NewUser {
        email: "ada@example.com".into(),
        password: "seven quiet herons wade".into(),
        role: Role::Admin,
    };
    portal
        .identity
        .create_user(&system, &user)
        .await
        .expect("makes it");
    let project = NewProject {
        name: "lamp".into(),
        title: String::new(),
        description: String::new(),
        hardware: Vec::new(),
    };
    portal
        .firmware
        .create_project(&system, &project)
        .await
        .expect("makes it");
    let target = UploadTarget {
        project: "lamp",
        version: "1.0.0",
        file_name: None,
        content_length: None,
    };
    let mut upload = portal
        .firmware
        .begin_upload(&system, target)
        .await
        .expect("begins");
    upload.write("an image".into()).await.expect("writes");
    upload.finish(None).await.expect("ends");
    installation.store.close().await;
}

/// The lines that are not `ok`, as they are printed.
async fn complaints(config: &Config) -> Vec<String> {
    let findings = examine(config).await;
    let complaints = findings.iter().filter(|finding| finding.grade != Grade::Ok);
    complaints.map(Finding::to_string).collect()
}

fn assert_begin(lines: &[String], beginnings: &[&str]) {
    assert_eq!(lines.len(), beginnings.len(), "{lines:#?}");
    for (line, beginning) in lines.iter().zip(beginnings) {
        assert!(
            line.starts_with(beginning),
            "{line:?} begins not with {beginning:?}"
        );
    }
}

#[tokio::test]
async fn nothing_is_wrong_with_a_furnished_installation_even_while_it_is_open() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    furnish(&config).await;
    let _portal = Installation::open(config.clone()).await.expect("opens");
    assert_begin(&complaints(&config).await, &[]);
    let lines: Vec<String> = examine(&config)
        .await
        .iter()
        .map(Finding::to_string)
        .collect();
    assert!(
        lines.contains(&"ok       Accounts: 1.".into()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"ok       Project keys: 1, all open.".into()),
        "{lines:#?}"
    );
    assert!(
        lines.contains(&"ok       Images: 1, all in place and whole.".into()),
        "{lines:#?}"
    );
}

#[tokio::test]
async fn a_missing_installation_is_not_made() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    let expected = [
        "problem  The data folder",
        "problem  There is no signing secret",
        "warning  The portal has no identity key yet",
        "problem  There is no database",
    ];
    assert_begin(&complaints(&config).await, &expected);
    assert!(!config.data_dir.exists());
}

#[tokio::test]
async fn an_empty_portal_wants_an_account() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    Installation::open(config.clone())
        .await
        .expect("opens")
        .store
        .close()
        .await;
    assert_begin(
        &complaints(&config).await,
        &["warning  There is no account yet"],
    );
}

#[tokio::test]
async fn what_others_may_read_and_what_is_damaged_is_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    furnish(&config).await;
    let data = home.path().join("data");
    for (path, mode) in [("", 0o755), ("keys/secret.bin", 0o644)] {
        let mode = fs::Permissions::from_mode(mode);
        fs::set_permissions(data.join(path), mode).expect("opens it up");
    }
    fs::remove_dir_all(data.join("blobs")).expect("removes");
    let expected = [
        "warning  Other users may look into",
        "problem  Other users may read the signing secret",
        "problem  The image lamp-1.0.0.bin (1.0.0) is missing",
    ];
    assert_begin(&complaints(&config).await, &expected);
    assert!(!data.join("blobs").exists(), "looking changes nothing");
}

#[tokio::test]
async fn a_cut_and_a_rotten_image_are_told() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    furnish(&config).await;
    let is_blob = |path: &PathBuf| path.file_name().is_some_and(|name| name.len() == 64);
    let folders = fs::read_dir(&config.blob_dir)
        .expect("lists")
        .map(|folder| folder.expect("is there").path());
    let blob = folders
        .filter(|path| path.is_dir())
        .flat_map(|folder| fs::read_dir(folder).expect("lists"))
        .map(|file| file.expect("is there").path())
        .find(is_blob)
        .expect("a blob");
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600)).expect("opens it up");
    fs::write(&blob, "an i").expect("cuts");
    let expected = "problem  The image lamp-1.0.0.bin (1.0.0) has another length";
    assert_begin(&complaints(&config).await, &[expected]);
    fs::write(&blob, "an imagE").expect("rots");
    let expected = "problem  The image lamp-1.0.0.bin (1.0.0) has rotted. Upload it again";
    assert_begin(&complaints(&config).await, &[expected]);
}

#[tokio::test]
async fn a_cosigner_that_lost_its_keys_or_does_not_answer_is_a_problem() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let here = config(&home, Flags::default());
    furnish(&here).await;
    let folder = home.path().join("data/cosigner");
    let left = folder.join("keys");
    fs::rename(&folder, home.path().join("elsewhere")).expect("moves it");
    let lines = complaints(&here).await;
    assert_begin(&lines, &["problem  The co-signer's folder"]);
    assert!(!folder.exists(), "looking makes no new keys");

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    drop(listener);
    let moved = Environment::from([
        ("GATEHOUSE_COSIGNER_URL".to_owned(), url.clone()),
        (
            "GATEHOUSE_DATA_DIR".to_owned(),
            here.data_dir.display().to_string(),
        ),
    ]);
    let moved = Config::load(&Flags::default(), &moved, |path| fs::read_to_string(path));
    let expected = format!("problem  The co-signer {url} cannot be reached");
    let moved = moved.expect("loads");
    assert_begin(&complaints(&moved).await, &[&expected]);

    fs::create_dir_all(&left).expect("makes it");
    assert_begin(&complaints(&moved).await, &[&expected]);
    fs::write(left.join("lamp.pem"), "a private key").expect("writes");
    let warning = format!("warning  The co-signer {url} signs, but {}", left.display());
    assert_begin(&complaints(&moved).await, &[&expected, &warning]);
}

#[tokio::test]
async fn a_newer_database_is_a_problem() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = config(&home, Flags::default());
    furnish(&config).await;
    let newer = include_bytes!("../../tests/backup/newer.db");
    fs::write(home.path().join("data/gatehouse.db"), newer).expect("writes");
    let expected = "problem  This database was written by a newer Gatehouse (migration 9999)";
    assert_begin(&complaints(&config).await, &[expected]);
}

#[tokio::test]
async fn https_by_a_proxy_that_nobody_trusts_is_a_warning() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let behind = |trusted_proxies: Option<&str>| Flags {
        public_url: Some("https://portal.example".into()),
        trusted_proxies: trusted_proxies.map(Into::into),
        ..Flags::default()
    };
    furnish(&config(&home, Flags::default())).await;
    let lines = complaints(&config(&home, behind(None))).await;
    assert_begin(&lines, &["warning  public_url is https"]);
    let behind = config(&home, behind(Some("127.0.0.1")));
    assert_begin(&complaints(&behind).await, &[]);
    let lines = examine(&behind).await;
    let told = lines.iter().any(|line| {
        line.text
            .starts_with("Where the connection comes from 127.0.0.1/32, a visitor's address is")
    });
    assert!(told, "{lines:?}");
}

#[test]
fn certificates_are_good_for_their_time_only() {
    const MAY_2026_MS: i64 = 1_777_593_600_000;
    const YEAR_MS: i64 = 365 * 24 * 3_600_000;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = TlsFiles {
        cert: folder.path().join("portal.crt"),
        key: folder.path().join("portal.key"),
    };
    let mut params = CertificateParams::new(["portal.example".to_owned()]).expect("a name");
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2026, 12, 31);
    let key = KeyPair::generate().expect("a key");
    let made = params.self_signed(&key).expect("a certificate");
    fs::write(&files.cert, made.pem()).expect("writes");
    fs::write(&files.key, key.serialize_pem()).expect("writes");

    let good = certificate(&files, MAY_2026_MS).expect("is good");
    assert!(good.contains("has not expired"), "{good}");
    for (now_ms, words) in [
        (MAY_2026_MS + YEAR_MS, "has expired"),
        (MAY_2026_MS - YEAR_MS, "not valid yet"),
    ] {
        let refusal = certificate(&files, now_ms).expect_err("is not").to_string();
        assert!(refusal.contains(words), "{refusal}");
    }
}
