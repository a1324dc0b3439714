//! The folder: several at once, damage, and what a new key changes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use gatehouse_cosigner::{CoSigner, OpenError, Refused};
use gatehouse_manifest::{Algorithm, Claims, Manifest, SigningKey};

use crate::harness::{Home, NOW_S, OTHER_SHA256, PROJECT, SHA256, Sender, claims, code, entropy};

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn own(claims: &Claims) -> Manifest {
    let key = SigningKey::from_bytes(Algorithm::Es256, &[9; 32]).expect("a scalar");
    Manifest::sign(claims, &PROJECT.to_string(), &key)
}

#[test]
fn everything_in_it_is_the_owners_alone() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |portal| portal.per_hour = Some(10));
    home.cosigner
        .add_approver("grace", "a horse that reads slowly", 0)
        .expect("adds");
    sender.ask(&home.cosigner, &claims(1)).expect("signs");
    let mode = |path: &Path| fs::metadata(path).expect("is there").permissions().mode() & 0o777;
    let files = files_in(&home.path());
    // Key, portal, project, rate, approvers, record, requests, lock.
    assert_eq!(files.len(), 8, "{files:?}");
    for file in &files {
        assert_eq!(mode(file), 0o600, "{file:?}");
        assert_eq!(mode(file.parent().expect("a folder")), 0o700, "{file:?}");
    }
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o750)).expect("opens it");
    let refused = CoSigner::open(&home.path(), entropy).err();
    assert!(
        matches!(refused, Some(OpenError::OpenToOthers(_))),
        "{refused:?}"
    );
}

#[test]
fn a_key_is_made_once_even_when_many_ask_at_once() {
    let home = Home::make();
    let cosigners: Vec<CoSigner> = (0..8).map(|_| home.another()).collect();
    let keys: BTreeSet<String> = thread::scope(|scope| {
        let asking: Vec<_> = cosigners
            .iter()
            .map(|cosigner| scope.spawn(|| cosigner.keys(PROJECT).expect("a key")))
            .collect();
        let keys = asking.into_iter().map(|one| one.join().expect("no panic"));
        keys.map(|keys| keys.current.thumbprint()).collect()
    });
    assert_eq!(keys.len(), 1);
}

#[test]
fn of_two_images_that_race_for_a_counter_one_wins() {
    let home = Home::make();
    let (first, second) = (home.another(), home.another());
    for counter in 1..=20 {
        let [one, other] = [SHA256, OTHER_SHA256].map(|sha256| Claims {
            sha256: sha256.into(),
            ..claims(counter)
        });
        let ask = |cosigner: &CoSigner, claims: &Claims| {
            code(&cosigner.cosign_own(PROJECT, own(claims), NOW_S * 1000))
        };
        let mut codes = thread::scope(|scope| {
            let one = scope.spawn(|| ask(&first, &one));
            let other = scope.spawn(|| ask(&second, &other));
            [one, other].map(|asking| asking.join().expect("no panic"))
        });
        codes.sort_unstable();
        assert_eq!(codes, ["other_image", "signed"], "counter {counter}");
    }
}

#[test]
fn signing_a_known_release_again_writes_nothing() {
    let home = Home::make();
    let ask = || {
        home.cosigner
            .cosign_own(PROJECT, own(&claims(1)), NOW_S * 1000)
    };
    ask().expect("signs");
    let stamps = || -> Vec<_> {
        let files = files_in(&home.path()).into_iter();
        let stamp = |path: PathBuf| {
            let file = fs::metadata(&path).expect("is there");
            (
                path,
                file.ino(),
                file.mtime(),
                file.mtime_nsec(),
                file.len(),
            )
        };
        files.map(stamp).collect()
    };
    let before = stamps();
    for _ in 0..50 {
        ask().expect("signs");
    }
    assert_eq!(stamps(), before);
}

#[test]
fn a_new_key_takes_over_when_the_old_one_is_retired() {
    let home = Home::make();
    let running = home.another();
    let first = running.keys(PROJECT).expect("a key");
    assert_eq!(first.next, None);
    assert_eq!(home.cosigner.retire(PROJECT, 0), Err(Refused::NoRotation));
    let both = home.cosigner.rotate(PROJECT, 0).expect("rotates");
    assert_eq!(both.current, first.current);
    assert_eq!(running.keys(PROJECT).as_ref(), Ok(&both));
    let again = home.cosigner.rotate(PROJECT, 0);
    assert_eq!(again, Err(Refused::RotationUnderWay));

    let signed_with = |key: &gatehouse_manifest::PublicKey| {
        let manifest = running.cosign_own(PROJECT, own(&claims(1)), NOW_S * 1000);
        let kid = format!("project/{PROJECT}");
        let keys = std::slice::from_ref(key);
        manifest.expect("signs").check_signature(&kid, keys).is_ok()
    };
    let next = both.next.expect("a next key");
    assert!(signed_with(&both.current) && !signed_with(&next));
    let after = home.cosigner.retire(PROJECT, 0).expect("retires");
    assert_eq!((&after.current, &after.next), (&next, &None));
    assert!(signed_with(&next) && !signed_with(&both.current));
}

#[test]
fn damage_is_said_and_never_signed_over() {
    let (home, sender) = (Home::make(), Sender::new(7));
    home.trust(&sender, |_| ());
    sender.ask(&home.cosigner, &claims(1)).expect("signs");
    for name in [
        format!("projects/{PROJECT}.json"),
        format!("keys/{PROJECT}.pem"),
        format!("portals/{}.json", sender.server_id),
    ] {
        let path = home.path().join(&name);
        let whole = fs::read(&path).expect("reads");
        fs::write(&path, &whole[..whole.len() / 2]).expect("cuts it");
        let refused = sender.ask(&home.cosigner, &claims(1)).expect_err("refuses");
        let Refused::Storage(words) = refused else {
            panic!("{refused:?}");
        };
        assert!(words.contains(&name), "{words}");
        fs::write(&path, whole).expect("mends it");
        sender.ask(&home.cosigner, &claims(1)).expect("signs again");
    }
}

#[test]
fn what_a_dead_process_left_half_written_is_swept_and_never_read() {
    let home = Home::make();
    let keys = home.cosigner.keys(PROJECT).expect("a key");
    let left = home.path().join("tmp/1.new");
    fs::write(&left, "-----BEGIN PRIV").expect("writes");
    assert_eq!(home.another().keys(PROJECT), Ok(keys));
    assert!(!left.exists());
}

#[test]
fn moving_the_folder_takes_keys_and_memory_along() {
    let home = Home::make();
    home.cosigner
        .cosign_own(PROJECT, own(&claims(5)), NOW_S * 1000)
        .expect("signs");
    let keys = home.cosigner.keys(PROJECT).expect("a key");
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let moved = elsewhere.path().join("moved");
    fs::rename(home.path(), &moved).expect("moves");

    let service = CoSigner::open(&moved, entropy).expect("opens");
    assert_eq!(service.keys(PROJECT), Ok(keys));
    let answer = service.cosign_own(PROJECT, own(&claims(4)), NOW_S * 1000);
    assert_eq!(answer, Err(Refused::CounterFell { highest: 5 }));
}
