//! What `gatehouse restore` does not take, and that it leaves nothing behind then.

use std::fs;

use sha2::{Digest, Sha256};

use crate::home::{Home, furnish, names_in};

/// A database whose newest migration is 9999.
const NEWER_DATABASE: &[u8] = include_bytes!("newer.db");
const SECRET: &[u8] = &[7; 32];

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
        2 + 4 * 2 + 1,
        "four entries: secret, identity, image and database"
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
        "other/identity.pem",
        "cosigner/../outside",
        "cosigner/../keys/outside.pem",
        "cosigner/keys/../outside.pem",
        "cosigner/keys/.pem",
        "cosigner/tmp/1.new",
        "cosigner/outside",
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
