//! The keys of a project in the forms that a device's program may take, and from the terminal.

use std::{fs, path::Path, process::Command};

use gatehouse_manifest::{Jwk, PublicKey, Trusted};
use serde_json::Value;

use super::{KEYS, check};
use crate::{
    field::Field,
    furnish::{ADMIN, PASSWORD, text_of},
    program::Home,
};

#[tokio::test]
async fn all_forms_hold_the_same_keys() {
    let field = Field::with(&[], &["1.1.0"]).await;
    field
        .by_admin("POST", &format!("{KEYS}/rotate"))
        .await
        .expect(200);
    let keys = field.keys().await;
    let trusted = Trusted::from_bundle_json(&keys.to_string()).expect("a bundle");
    let [next, cosigner] = [&trusted.project_keys[1], &trusted.cosigner_keys[0]];
    let wanted = [
        trusted.project_keys[0].clone(),
        next.clone(),
        cosigner.clone(),
    ];

    let set = field.get(&format!("{KEYS}?format=jwk")).await;
    assert_eq!(set.header("content-type"), "application/jwk-set+json");
    let set: Vec<Jwk> = serde_json::from_value(set.json()["keys"].clone()).expect("keys");
    let from_set = set
        .iter()
        .map(|jwk| PublicKey::from_jwk(jwk).expect("a key"));
    assert_eq!(from_set.collect::<Vec<_>>(), wanted);
    let id = text_of(&keys, "project_id");
    let kids: Vec<&str> = set.iter().map(|jwk| jwk.kid.as_str()).collect();
    assert_eq!(kids, [id, id, &format!("project/{id}")]);

    let pem = field.get(&format!("{KEYS}?format=pem")).await.text();
    let begin = "-----BEGIN";
    let from_pem = pem.split_inclusive("-----END PUBLIC KEY-----\n");
    let from_pem = from_pem.filter(|text| text.contains(begin));
    let from_pem = from_pem.map(|text| PublicKey::from_pem(text).expect("a key"));
    assert_eq!(from_pem.collect::<Vec<_>>(), wanted);

    let unknown = field.get(&format!("{KEYS}?format=xml")).await;
    assert_eq!(unknown.status, 400, "{}", unknown.text());
}

/// Prints what a program in C sees of the header.
const PROBE: &str = r#"
#include <stdio.h>
#include "gatehouse_keys.h"
static void point(const unsigned char *bytes, size_t count) {
    for (size_t at = 0; at < count; at++) printf("%02x", bytes[at]);
    printf("\n");
}
int main(void) {
    printf("%s\n%s\n%s\n", GATEHOUSE_PROJECT, GATEHOUSE_PROJECT_KID, GATEHOUSE_COSIGNER_KID);
    point(gatehouse_project_point, sizeof gatehouse_project_point);
    point(gatehouse_cosigner_point, sizeof gatehouse_cosigner_point);
#ifdef GATEHOUSE_HAS_NEXT_PROJECT_KEY
    point(gatehouse_next_project_point, sizeof gatehouse_next_project_point);
#endif
    printf("%s%s", gatehouse_project_pem, gatehouse_cosigner_pem);
    return 0;
}
"#;

/// Compiles and runs a program that includes the header; nothing where there is no compiler.
fn printed_by_c(header: &str, folder: &Path) -> Option<String> {
    fs::write(folder.join("gatehouse_keys.h"), header).expect("writes");
    fs::write(folder.join("probe.c"), PROBE).expect("writes");
    let compiler = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"])
        .args(["-o", "probe", "probe.c"])
        .current_dir(folder)
        .output();
    let compiled = match compiler {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            assert!(std::env::var_os("CI").is_none(), "CI has a C compiler");
            eprintln!("no C compiler here, so the header was not compiled");
            return None;
        }
        compiled => compiled.expect("the compiler starts"),
    };
    let complaints = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaints}");
    let run = Command::new(folder.join("probe")).output().expect("runs");
    Some(String::from_utf8(run.stdout).expect("text"))
}

#[tokio::test]
async fn the_header_compiles_without_a_warning_and_names_the_same_points() {
    let field = Field::with(&[], &[]).await;
    field
        .by_admin("POST", &format!("{KEYS}/rotate"))
        .await
        .expect(200);
    let keys = field.keys().await;
    let header = field.get(&format!("{KEYS}?format=header")).await.text();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let Some(printed) = printed_by_c(&header, folder.path()) else {
        return;
    };
    let id = text_of(&keys, "project_id");
    let points = ["project_jwk", "cosigner_jwk", "next_project_jwk"];
    let points = points.map(|member| {
        format!(
            "04{}{}",
            hex_of(&keys[member]["x"]),
            hex_of(&keys[member]["y"])
        )
    });
    let pems = format!(
        "{}{}",
        text_of(&keys, "project_pem"),
        text_of(&keys, "cosigner_pem")
    );
    let expected = format!("lamp\n{id}\nproject/{id}\n{}\n{pems}", points.join("\n"));
    assert_eq!(printed, expected);
}

fn hex_of(coordinate: &Value) -> String {
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    let text = coordinate.as_str().expect("a coordinate");
    hex::encode(BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_exported_and_rotated_from_the_terminal() {
    let field = Field::with(&[], &["1.1.0"]).await;
    let (keys, manifest) = (field.keys().await, field.manifest("").await);
    let home = Home::new();
    let portal = field.portal;
    portal.installation.store.close().await;
    let data = portal.folder.path().join("data").display().to_string();
    drop(portal.installation);
    let run = |words: &[&str]| home.run(&[words, &["--data-dir", &data]].concat(), "");

    let printed = run(&["project", "keys", "lamp"]);
    assert!(printed.status.success(), "{}", printed.stderr);
    let printed: Value = serde_json::from_str(&printed.stdout).expect("JSON");
    assert_eq!(printed, keys);

    let out = home.path("include");
    let rotated = run(&[
        "project", "keys", "lamp", "--rotate", "--format", "pem", "--out", "include",
    ]);
    assert!(rotated.status.success(), "{}", rotated.stderr);
    let mut names: Vec<String> = fs::read_dir(&out)
        .expect("lists")
        .map(|file| {
            file.expect("is there")
                .file_name()
                .into_string()
                .expect("text")
        })
        .collect();
    names.sort();
    assert_eq!(names, ["cosigner.pem", "next_project.pem", "project.pem"]);
    let retired = run(&["project", "keys", "lamp", "--retire"]);
    let retired: Value = serde_json::from_str(&retired.stdout).expect("JSON");
    let next = fs::read_to_string(out.join("next_project.pem")).expect("reads");
    assert_eq!(retired["project_pem"], next);
    check(&manifest, &retired).expect_err("the old key is retired");

    let unknown = run(&["project", "keys", "nothing"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(unknown.stderr.contains("project"), "{}", unknown.stderr);
}

#[test]
fn the_terminal_tells_what_a_cosigner_has_to_know_even_of_a_new_portal() {
    let home = Home::new();
    let made = home.run(
        &["admin", "create", "--email", ADMIN, "--password-stdin"],
        PASSWORD,
    );
    assert!(made.status.success(), "{}", made.stderr);
    let portal = home.serve(&[]);
    let told = home.run(&["cosigner"], "");
    assert!(told.status.success(), "{}", told.stderr);
    let begin = told.stdout.find("-----BEGIN").expect("a key");
    let key = told.stdout[begin..]
        .split_inclusive("-----END PUBLIC KEY-----\n")
        .next();
    let key = PublicKey::from_pem(key.expect("a key")).expect("a key");
    assert!(told.stdout.contains(&key.server_id()), "{}", told.stdout);
    assert!(told.stdout.contains("inside the portal"), "{}", told.stdout);
    drop(portal);

    let elsewhere = home.refusal(&["cosigner", "--config", "elsewhere.toml"]);
    assert!(elsewhere.contains("elsewhere.toml"), "{elsewhere}");
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = free.local_addr().expect("an address");
    drop(free);
    let toml = format!("[cosigner]\nurl = \"http://{address}\"\n");
    fs::write(home.path("elsewhere.toml"), toml).expect("writes");
    let down = home.run(&["cosigner", "--config", "elsewhere.toml"], "");
    assert_eq!(down.status.code(), Some(1));
    assert!(down.stdout.contains(&key.server_id()), "the same portal");
    assert!(down.stderr.contains("cannot be reached"), "{}", down.stderr);
}
