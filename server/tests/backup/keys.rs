//! Which keys a backup holds, and that none of them ends up where it should not.

use std::{fs, path::Path};

use gatehouse_server::{
    composition::Installation,
    config::{Config, Environment},
};

use crate::home::{Home, furnish, names_in, project_keys};

const ELSEWHERE: &str = "[cosigner]\nurl = 'http://127.0.0.1:9'\n";
const APART: &str = "[firmware]\nproject_key_secret = 'kept in the safe of the house'\n";
const NO_OTHERS: &str = "";

/// Furnishes a portal that has these words in its configuration, so that there are keys of all
/// kinds, and writes the words to `portal.toml`.
async fn furnished(toml: &str) -> Home {
    let home = Home::new();
    fs::write(home.path("portal.toml"), toml).expect("writes");
    let mut flags = home.flags("data");
    flags.config = Some(home.path("portal.toml"));
    let config = Config::load(&flags, &Environment::new(), |path: &Path| {
        fs::read_to_string(path)
    });
    let opened = Installation::open(config.expect("loads")).await;
    let portal = opened.expect("opens");
    furnish(&portal).await;
    project_keys(&portal).await;
    portal.store.close().await;
    home
}

/// What a command says that does its work.
fn told(home: &Home, command: &str, data: &str) -> String {
    let words = [
        command,
        "--config",
        "portal.toml",
        "--data-dir",
        data,
        "backup",
    ];
    let said = home.say(&words);
    assert!(said.status.success(), "{}", said.stderr);
    said.stdout
}

#[tokio::test]
async fn a_restore_beside_a_cosigner_elsewhere_lays_down_none_of_its_keys() {
    let home = furnished(NO_OTHERS).await;
    let written = told(&home, "backup", "data");
    assert!(
        written.contains("the co-signer's private keys"),
        "{written}"
    );
    assert!(
        written.contains("whoever holds this file can sign"),
        "{written}"
    );

    fs::write(home.path("portal.toml"), ELSEWHERE).expect("writes");
    let restored = told(&home, "restore", "restored");
    assert!(restored.contains("Left in the backup: "), "{restored}");
    assert!(restored.contains("http://127.0.0.1:9 signs"), "{restored}");
    assert!(!home.path("restored/cosigner").exists());
    assert!(home.path("restored/keys/identity.pem").exists());

    fs::write(home.path("portal.toml"), NO_OTHERS).expect("writes");
    let restored = told(&home, "restore", "whole");
    assert!(!restored.contains("Left in the backup"), "{restored}");
    assert!(!names_in(&home.path("whole/cosigner/keys")).is_empty());
}

#[tokio::test]
async fn a_backup_beside_a_cosigner_elsewhere_does_not_boast_of_its_keys() {
    let home = furnished(NO_OTHERS).await;
    fs::write(home.path("portal.toml"), ELSEWHERE).expect("writes");
    let written = told(&home, "backup", "data");
    assert!(
        written.contains("Inside: 1 project keys and what opens them"),
        "{written}"
    );
    assert!(
        !written.contains("the co-signer's private keys"),
        "{written}"
    );
}

#[tokio::test]
async fn a_secret_that_is_kept_apart_is_called_missing_and_missed() {
    const SHUT: &str = "None of the project keys opens";
    let home = furnished(APART).await;
    let written = told(&home, "backup", "data");
    assert!(
        written.contains("NOT inside: firmware.project_key_secret"),
        "{written}"
    );
    assert!(
        written.contains("whoever holds this file and that secret"),
        "{written}"
    );
    let restored = told(&home, "restore", "whole");
    assert!(!restored.contains(SHUT), "{restored}");

    fs::write(home.path("portal.toml"), NO_OTHERS).expect("writes");
    let restored = told(&home, "restore", "forgotten");
    assert!(restored.contains(SHUT), "{restored}");
    let doctor = home.say(&["doctor", "--data-dir", "forgotten"]);
    assert_eq!(doctor.status.code(), Some(1));
    assert!(
        doctor.stdout.contains(&format!("problem  {SHUT}")),
        "{}",
        doctor.stdout
    );
}
