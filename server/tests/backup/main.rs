//! A backup brings everything back, is taken while the portal works, and is refused when it is
//! not as it was written.

mod home;
mod keys;
mod refused;

use std::{fs, net::Ipv4Addr, os::unix::fs::PermissionsExt, path::PathBuf};

use gatehouse_core::{Actor, identity::SignIn};
use http::StatusCode;
use sha2::{Digest, Sha256};

use home::{
    EMAIL, Home, PASSWORD, PROJECT, device_token, download, furnish, image, mode, names_in,
    project_keys, publish,
};

#[tokio::test]
async fn a_restored_portal_knows_the_same_account_image_and_keys() {
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;
    let token = device_token(&portal).await;
    let keys = project_keys(&portal).await;
    let identity = fs::read(home.path("data/keys/identity.pem")).expect("reads");
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
    assert_eq!(
        fs::read(home.path("restored/keys/identity.pem")).expect("reads"),
        identity
    );
    for (path, expected) in [
        ("", 0o700),
        ("keys", 0o700),
        ("blobs", 0o700),
        ("gatehouse.db", 0o600),
        ("keys/secret.bin", 0o600),
        ("keys/identity.pem", 0o600),
        ("cosigner", 0o700),
        ("cosigner/keys", 0o700),
    ] {
        assert_eq!(mode(&home.path("restored").join(path)), expected, "{path}");
    }
    let restored = home.open("restored").await;
    assert_eq!(
        project_keys(&restored).await,
        keys,
        "devices go on trusting the portal and its co-signer"
    );
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

    fs::remove_file(home.path("data/keys/secret.bin")).expect("removes");
    let refusal = home.backup("data", "backup").await.expect_err("refuses");
    assert!(refusal.contains("no signing secret"), "{refusal}");
    let mut left = names_in(home.0.path());
    left.sort();
    assert_eq!(left, ["data", "there"]);
}

/// Where the image of a version lies, opened up for writing.
fn blob(home: &Home, version: u32) -> (String, PathBuf) {
    let sha256 = hex::encode(Sha256::digest(image(version)));
    let path = home.path("data/blobs").join(&sha256[..2]).join(&sha256);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("opens it up");
    (sha256, path)
}

#[tokio::test]
async fn damaged_images_are_left_out_and_named_and_all_else_is_saved() {
    let home = Home::new();
    let portal = home.open("data").await;
    furnish(&portal).await;
    for version in 2..=5 {
        publish(&portal, version).await;
    }
    let token = device_token(&portal).await;
    let [rotten, cut, gone] = [2, 3, 4].map(|version| blob(&home, version));
    let mut bytes = image(2).to_vec();
    bytes[9] ^= 1;
    fs::write(&rotten.1, &bytes).expect("rots it");
    fs::write(&cut.1, &image(3)[..99]).expect("cuts it");
    fs::remove_file(&gone.1).expect("removes it");

    let said = home.say(&["backup", "--data-dir", "data", "backup"]);
    assert_eq!(said.status.code(), Some(1));
    assert_eq!(
        said.stderr.trim_end(),
        "3 of the images are damaged or missing, and not in backup; all else is. Put them back from an earlier backup or upload the same files again, then take another backup."
    );
    assert!(said.stdout.contains("2 images ("), "{}", said.stdout);
    for (version, (sha256, _), why) in [
        (2, &rotten, "not the ones that were stored"),
        (3, &cut, "failed to fill whole buffer"),
        (4, &gone, "it is missing"),
    ] {
        let named =
            format!("Left out: image {sha256} of lamp 1.0.{version} (lamp-1.0.{version}.bin): ");
        let line = said.stdout.lines().find(|line| line.starts_with(&named));
        assert!(
            line.is_some_and(|line| line.contains(why)),
            "{}",
            said.stdout
        );
    }
    assert_eq!(mode(&home.path("backup")), 0o600);

    let said = home.say(&["restore", "--data-dir", "restored", "backup"]);
    assert_eq!(said.status.code(), Some(0), "{}", said.stderr);
    let missing = said
        .stdout
        .lines()
        .filter(|line| line.starts_with("Not in the backup: "));
    assert_eq!(missing.count(), 3, "{}", said.stdout);
    for (sha256, _) in [&rotten, &cut, &gone] {
        let line = format!("Not in the backup: the image {sha256}.\n");
        assert!(said.stdout.contains(&line), "{}", said.stdout);
    }
    let restored = home.open("restored").await;
    for version in [1, 5] {
        assert_eq!(
            download(&restored, &token, version).await,
            (StatusCode::OK, image(version))
        );
    }
}
