//! A backup brings everything back, is taken while the portal works, and is refused when it is
//! not as it was written.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use axum::body::{Body, Bytes};
use gatehouse_core::{Actor, actor::Who, firmware::UploadTarget, identity::SignIn};
use gatehouse_server::{
    cli::{Command, Flags},
    commands,
    composition::Installation,
    config::{Config, Environment},
    http::client_address::ConnInfo,
};
use gatehouse_types::{
    account::{NewUser, Role},
    firmware::{GenerateToken, NewProject},
};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;

const EMAIL: &str = "ada@example.com";
const PASSWORD: &str = "seven quiet herons wade";
const PROJECT: &str = "lamp";
/// A database whose newest migration is 9999.
const NEWER_DATABASE: &[u8] = include_bytes!("newer.db");
const SECRET: &[u8] = &[7; 32];

/// A folder for one story, with a data folder and the file of a backup in it.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn flags(&self, data: &str) -> Flags {
        Flags {
            data_dir: Some(self.path(data).display().to_string()),
            ..Flags::default()
        }
    }

    async fn open(&self, data: &str) -> Installation {
        let config = Config::load(&self.flags(data), &Environment::new(), |path| {
            fs::read_to_string(path)
        });
        Installation::open(config.expect("loads"))
            .await
            .expect("opens")
    }

    async fn backup(&self, data: &str, file: &str) -> Result<(), String> {
        let command = Command::Backup {
            flags: self.flags(data),
            file: self.path(file),
        };
        commands::run(command)
            .await
            .map_err(|refusal| refusal.to_string())
    }

    async fn restore(&self, data: &str, file: &str) -> Result<(), String> {
        let command = Command::Restore {
            flags: self.flags(data),
            file: self.path(file),
        };
        commands::run(command)
            .await
            .map_err(|refusal| refusal.to_string())
    }

    /// Restores `bytes` into `data`, which must refuse and leave nothing there.
    async fn refusal(&self, bytes: &[u8]) -> String {
        fs::write(self.path("bad"), bytes).expect("writes");
        let refusal = self.restore("restored", "bad").await.expect_err("refuses");
        assert_eq!(names_in(&self.path("restored")), [""; 0], "{refusal}");
        refusal
    }
}

fn names_in(folder: &Path) -> Vec<String> {
    let Ok(inside) = fs::read_dir(folder) else {
        return Vec::new();
    };
    inside
        .map(|entry| entry.expect("lists").file_name().display().to_string())
        .collect()
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("is there").permissions().mode() & 0o777
}

fn image(version: u32) -> Bytes {
    (0..3_000 + version)
        .map(|place| (place.wrapping_mul(31 + version) >> 3).to_le_bytes()[0])
        .collect()
}

async fn create_project(portal: &Installation) {
    let new = NewProject {
        name: PROJECT.into(),
        title: String::new(),
        description: String::new(),
        hardware: Vec::new(),
    };
    portal
        .portal
        .firmware
        .create_project(&Actor::system(), &new)
        .await
        .expect("makes it");
}

async fn publish(portal: &Installation, version: u32) {
    let (firmware, system) = (&portal.portal.firmware, Actor::system());
    let spelled = format!("1.0.{version}");
    let target = UploadTarget {
        project: PROJECT,
        version: &spelled,
        file_name: None,
        content_length: None,
    };
    let mut upload = firmware
        .begin_upload(&system, target)
        .await
        .expect("begins");
    upload.write(image(version)).await.expect("writes");
    upload.finish(None).await.expect("ends");
    firmware
        .publish(&system, PROJECT, &spelled)
        .await
        .expect("publishes");
}

async fn furnish(portal: &Installation) {
    let new = NewUser {
        email: EMAIL.into(),
        password: PASSWORD.into(),
        role: Role::Admin,
    };
    portal
        .portal
        .identity
        .create_user(&Actor::system(), &new)
        .await
        .expect("makes it");
    create_project(portal).await;
    publish(portal, 1).await;
}

async fn device_token(portal: &Installation) -> String {
    let wish = GenerateToken {
        device_id: Uuid::from_u128(1),
        project: PROJECT.into(),
        expires_minutes: None,
        current_fw: None,
    };
    let secret = Actor::nobody(None, None).as_who(Who::AdminSecret);
    portal
        .portal
        .firmware
        .generate_token(&secret, &wish)
        .await
        .expect("makes it")
        .token
}

/// What a device gets for `version`.
async fn download(portal: &Installation, token: &str, version: u32) -> (StatusCode, Bytes) {
    let front = portal
        .front("http://127.0.0.1:3000")
        .expect("puts it together");
    let request = Request::get(format!("/firmware/{PROJECT}/{PROJECT}-1.0.{version}.bin"))
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Body::empty())
        .expect("a request");
    let conn = ConnInfo {
        peer: (Ipv4Addr::LOCALHOST, 1).into(),
        tls: false,
    };
    let response = front.answer(conn, request).await;
    let status = response.status();
    (
        status,
        response
            .into_body()
            .collect()
            .await
            .expect("arrives whole")
            .to_bytes(),
    )
}

#[tokio::test]
async fn a_restored_portal_knows_the_same_account_image_and_keys() {
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;
    let token = device_token(&portal).await;
    home.backup("data", "backup").await.expect("writes it");
    assert_eq!(mode(&home.path("backup")), 0o600);
    let mut left = names_in(home.0.path());
    left.sort();
    assert_eq!(
        left,
        ["backup", "data"],
        "nothing else stays beside the file"
    );
    let secret = fs::read(home.path("data/keys/secret.bin")).expect("reads");
    portal.store.close().await;

    home.restore("restored", "backup")
        .await
        .expect("brings it back");
    assert_eq!(
        fs::read(home.path("restored/keys/secret.bin")).expect("reads"),
        secret
    );
    for (path, expected) in [
        ("", 0o700),
        ("keys", 0o700),
        ("blobs", 0o700),
        ("gatehouse.db", 0o600),
        ("keys/secret.bin", 0o600),
    ] {
        assert_eq!(mode(&home.path("restored").join(path)), expected, "{path}");
    }
    let restored = home.open("restored").await;
    let request = SignIn {
        email: EMAIL,
        password: PASSWORD,
        user_agent: "test",
    };
    let stranger = Actor::nobody(Some(Ipv4Addr::LOCALHOST.into()), None);
    restored
        .portal
        .identity
        .sign_in(&stranger, request, false)
        .await
        .expect("signs in");
    assert_eq!(
        download(&restored, &token, 1).await,
        (StatusCode::OK, image(1))
    );
    assert_eq!(
        download(&restored, "other", 1).await.0,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_taken_while_the_portal_publishes_are_whole() {
    const BACKUPS: u32 = 4;
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;
    let token = device_token(&portal).await;
    let (sender, mut published) = tokio::sync::watch::channel(1);
    let writing = tokio::spawn(async move {
        let mut version = 1;
        while !sender.is_closed() {
            version += 1;
            publish(&portal, version).await;
            sender.send_replace(version);
        }
        version
    });
    let mut known = Vec::new();
    for number in 0..BACKUPS {
        published.changed().await.expect("goes on");
        let before = *published.borrow_and_update();
        home.backup("data", &format!("backup{number}"))
            .await
            .expect("writes it");
        known.push((before, *published.borrow_and_update()));
    }
    drop(published);
    let last = writing.await.expect("no write failed");
    assert!(
        known.iter().any(|(before, after)| before < after),
        "nothing was published during {known:?}"
    );

    for (number, (before, _)) in known.into_iter().enumerate() {
        let data = format!("restored{number}");
        home.restore(&data, &format!("backup{number}"))
            .await
            .expect("brings it back");
        let restored = home.open(&data).await;
        let project = restored
            .portal
            .firmware
            .catalog()
            .project(PROJECT)
            .expect("is there")
            .clone();
        let versions = u32::try_from(project.releases.len()).expect("few");
        assert!(
            (before..=last).contains(&versions),
            "{before} <= {versions} <= {last}"
        );
        for version in 1..=u32::try_from(project.published().count()).expect("few") {
            assert_eq!(
                download(&restored, &token, version).await,
                (StatusCode::OK, image(version))
            );
        }
    }
}

#[tokio::test]
async fn a_backup_never_writes_over_anything_and_leaves_nothing_when_it_fails() {
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;

    fs::write(home.path("there"), "mine").expect("writes");
    let refusal = home.backup("data", "there").await.expect_err("refuses");
    assert!(refusal.contains("exists already"), "{refusal}");
    assert_eq!(fs::read(home.path("there")).expect("reads"), b"mine");

    let refusal = home.backup("nothing", "backup").await.expect_err("refuses");
    assert!(refusal.contains("no database"), "{refusal}");
    assert!(!home.path("nothing").exists());

    let sha256 = hex::encode(Sha256::digest(image(1)));
    let blob = home.path("data/blobs").join(&sha256[..2]).join(&sha256);
    let mut rotten = image(1).to_vec();
    rotten[9] ^= 1;
    fs::set_permissions(&blob, fs::Permissions::from_mode(0o600)).expect("opens it up");
    for (bytes, words) in [
        (&rotten[..], "not the ones that were stored"),
        (&rotten[..99], "cannot be backed up"),
    ] {
        fs::write(&blob, bytes).expect("writes");
        let refusal = home.backup("data", "backup").await.expect_err("refuses");
        assert!(
            refusal.contains(words) && refusal.contains(&sha256),
            "{refusal}"
        );
    }
    fs::remove_file(&blob).expect("removes");
    let refusal = home.backup("data", "backup").await.expect_err("refuses");
    assert!(refusal.contains("is missing"), "{refusal}");
    let mut left = names_in(home.0.path());
    left.sort();
    assert_eq!(left, ["data", "there"]);
}

#[tokio::test]
async fn only_an_empty_folder_is_restored_into() {
    let home = Home::new();
    fs::write(home.path("good"), good_backup().await).expect("writes");
    fs::create_dir(home.path("data")).expect("makes it");
    home.restore("data", "good")
        .await
        .expect("takes an empty folder");
    fs::create_dir(home.path("used")).expect("makes it");
    fs::write(home.path("used/note"), "mine").expect("writes");
    for data in ["data", "used"] {
        let before = names_in(&home.path(data));
        let refusal = home.restore(data, "good").await.expect_err("refuses");
        assert!(refusal.contains("is not empty"), "{refusal}");
        assert_eq!(names_in(&home.path(data)), before);
    }
    let refusal = home.restore("fresh", "nothing").await.expect_err("refuses");
    assert!(refusal.contains("cannot be read"), "{refusal}");
    assert!(!home.path("fresh").exists());
}

async fn good_backup() -> Vec<u8> {
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;
    home.backup("data", "backup").await.expect("writes it");
    fs::read(home.path("backup")).expect("reads")
}

/// Where lines and bodies of a backup begin and end.
fn boundaries(backup: &[u8]) -> Vec<usize> {
    let mut found = vec![0];
    let mut place = 0;
    while place < backup.len() {
        let length = backup[place..]
            .iter()
            .position(|byte| *byte == b'\n')
            .expect("a line ends");
        let line = &backup[place..place + length];
        place += length + 1;
        found.push(place);
        if let Ok(header) = serde_json::from_slice::<serde_json::Value>(line) {
            place +=
                usize::try_from(header["size_bytes"].as_u64().expect("a size")).expect("small");
            found.push(place);
        }
    }
    assert_eq!(place, backup.len());
    found
}

#[tokio::test]
async fn a_cut_backup_is_refused_wherever_it_is_cut() {
    let backup = good_backup().await;
    let home = Home::new();
    let boundaries = boundaries(&backup);
    assert_eq!(
        boundaries.len(),
        2 + 3 * 2 + 1,
        "three entries: secret, image and database"
    );
    let near = boundaries
        .iter()
        .flat_map(|place| place.saturating_sub(1)..=place + 1);
    let spread = (0..20).map(|part| backup.len() * part / 20);
    for length in near.chain(spread).filter(|length| *length < backup.len()) {
        let refusal = home.refusal(&backup[..length]).await;
        assert!(refusal.contains("is cut"), "cut at {length}: {refusal}");
    }
}

#[tokio::test]
async fn a_changed_backup_is_refused_wherever_it_is_changed() {
    let mut backup = good_backup().await;
    let home = Home::new();
    let in_lines = boundaries(&backup)
        .into_iter()
        .flat_map(|start| start..start + 160);
    let spread = (0..backup.len()).step_by(backup.len() / 100);
    for place in in_lines
        .chain(spread)
        .filter(|place| *place < backup.len())
        .collect::<Vec<_>>()
    {
        backup[place] ^= 1;
        home.refusal(&backup).await;
        backup[place] ^= 1;
    }
    backup.push(b'\n');
    let refusal = home.refusal(&backup).await;
    assert!(refusal.contains("something follows"), "{refusal}");
}

/// Writes a backup whose digests are all right, whatever its entries are.
fn backup_of(format: &str, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut backup = format!("GATEHOUSE BACKUP {format}\n").into_bytes();
    for (path, bytes) in entries {
        let header = serde_json::json!({
            "path": path, "size_bytes": bytes.len(), "sha256": hex::encode(Sha256::digest(bytes)),
        });
        backup.extend(format!("{header}\n").bytes().chain(bytes.iter().copied()));
    }
    let end = hex::encode(Sha256::digest(&backup));
    backup.extend(format!("END {end}\n").bytes());
    backup
}

#[tokio::test]
async fn a_newer_backup_is_refused() {
    let home = Home::new();
    let refusal = home.refusal(&backup_of("2", &[])).await;
    assert!(
        refusal.contains("newer Gatehouse (backup format 2)"),
        "{refusal}"
    );
    let newer = [
        ("keys/secret.bin", SECRET),
        ("gatehouse.db", NEWER_DATABASE),
    ];
    let refusal = home.refusal(&backup_of("1", &newer)).await;
    assert!(
        refusal.contains("newer Gatehouse (migration 9999)"),
        "{refusal}"
    );
}

#[tokio::test]
async fn what_no_backup_holds_is_refused() {
    let home = Home::new();
    let whole = [
        ("keys/secret.bin", SECRET),
        ("gatehouse.db", NEWER_DATABASE),
    ];
    let outside = home.path("outside").display().to_string();
    let other_name = format!("blobs/00/{}", "0".repeat(64));
    let upper = format!("blobs/AB/{}", "AB".repeat(32));
    let climbing = format!("blobs/../{}", "0".repeat(64));
    for path in [
        "../outside",
        &outside,
        "keys/../../outside",
        "keys/other",
        "./gatehouse.db",
        "gatehouse.db\0",
        "blobs/tmp/x",
        "",
        &upper,
        &climbing,
    ] {
        let entries = [whole[0], whole[1], (path, b"text")];
        let refusal = home.refusal(&backup_of("1", &entries)).await;
        assert!(
            refusal.contains("a name that no backup uses"),
            "{path}: {refusal}"
        );
        assert!(!home.path("outside").exists());
    }
    for (entries, words) in [
        (
            &[whole[0], whole[1], (&other_name, b"text")][..],
            "the name of another",
        ),
        (&[whole[0], whole[1], whole[0]], "there twice"),
        (&whole[..1], "is missing"),
        (&whole[1..], "is missing"),
        (
            &[
                whole[0],
                ("gatehouse.db", b"no database, but long enough to be asked"),
            ],
            "database cannot be used",
        ),
    ] {
        let refusal = home.refusal(&backup_of("1", entries)).await;
        assert!(refusal.contains(words), "{refusal}");
    }
    let refusal = home
        .refusal(b"PK\x03\x04 some archive of another kind")
        .await;
    assert!(refusal.contains("is no Gatehouse backup"), "{refusal}");
}
