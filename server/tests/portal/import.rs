//! `gatehouse import`: the folder tree of the original server becomes releases at the same URLs.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::{
    furnish::{DEVICE, image},
    harness::ADMIN_SECRET,
    program::{Home, Serving},
};

/// The tree of the original's documentation, with what else lies about in such folders.
fn tree(home: &Home) {
    for (path, bytes) in [
        ("www/firmware/projectA/projectA-01.00.02.bin", image(300)),
        ("www/firmware/projectA/projectA-01.00.10.bin", image(310)),
        ("www/firmware/projectA/projectA-01.00.10.md5", image(32)),
        ("www/firmware/projectB/firmware_v1.bin", image(400)),
        ("www/firmware/projectB/firmware_v2.bin", image(410)),
        ("www/favicon.ico", image(20)),
    ] {
        let path = home.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("makes");
        fs::write(path, bytes).expect("writes");
    }
}

fn body(answer: &str) -> Value {
    let body = answer.split_once("\r\n\r\n").expect("a head").1;
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

fn token(portal: &Serving, project: &str) -> String {
    let made = portal.ask(
        &format!("POST /admin/generate_token HTTP/1.1\r\nX-Admin-Secret: {ADMIN_SECRET}\r\nContent-Type: application/json"),
        &format!("{{\"device_id\":\"{DEVICE}\",\"project\":\"{project}\"}}"),
    );
    body(&made)["token"].as_str().expect("a token").to_owned()
}

fn serve(home: &Home) -> Serving {
    fs::write(home.path("secret"), ADMIN_SECRET).expect("writes");
    fs::write(home.path("portal.toml"), "admin_secret_file = \"secret\"\n").expect("writes");
    home.serve(&["--config", "portal.toml"])
}

#[test]
fn every_url_of_the_original_goes_on_to_work() {
    let home = Home::new();
    tree(&home);
    let first = home.run(&["import", "www"], "");
    assert_eq!(first.status.code(), Some(0), "{}", first.stderr);
    assert!(
        first
            .stdout
            .ends_with("Took in 4 images; 0 were there already.\n"),
        "{}",
        first.stdout
    );
    for folder in [".", "www", "www/firmware"] {
        let again = home.run(&["import", folder], "");
        assert_eq!(again.status.code(), Some(0), "{}", again.stderr);
        assert!(
            again
                .stdout
                .ends_with("Took in 0 images; 4 were there already.\n"),
            "{}",
            again.stdout
        );
    }
    let portal = serve(&home);
    for (project, file, bytes) in [
        ("projectA", "projectA-01.00.02.bin", image(300)),
        ("projectA", "projectA-01.00.10.bin", image(310)),
        ("projectB", "firmware_v1.bin", image(400)),
    ] {
        let token = token(&portal, project);
        let answer = portal.ask(
            &format!("GET /firmware/{project}/{file}?token={token} HTTP/1.1"),
            "",
        );
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(
            answer.ends_with(&*String::from_utf8_lossy(&bytes)),
            "{project}/{file}"
        );
    }
    let token = token(&portal, "projectA");
    let versions = portal.ask(
        &format!("GET /firmware/projectA/versions?token={token} HTTP/1.1"),
        "",
    );
    assert_eq!(
        body(&versions),
        serde_json::json!({ "versions": ["1.0.2", "1.0.10"], "count": 2, "latest": "1.0.10" })
    );
    assert!(portal.terminate().0.success());
}

#[test]
fn what_cannot_be_taken_in_is_named_and_the_rest_is() {
    let home = Home::new();
    tree(&home);
    fs::create_dir(home.path("www/firmware/no project")).expect("makes");
    fs::write(home.path("www/firmware/projectA/notes.bin"), "x").expect("writes");
    fs::write(
        home.path("www/firmware/projectA/other-1.0.2.bin"),
        "other bytes",
    )
    .expect("writes");
    fs::write(home.path("www/firmware/projectB/empty-3.0.0.bin"), "").expect("writes");
    fs::write(home.path("stranger"), "not firmware").expect("writes");
    symlink(
        home.path("stranger"),
        home.path("www/firmware/projectB/lamp-9.0.0.bin"),
    )
    .expect("links");
    let run = home.run(&["import", "www"], "");
    assert_eq!(run.status.code(), Some(1), "{}", run.stdout);
    assert!(
        run.stdout
            .ends_with("Took in 4 images; 0 were there already.\n"),
        "{}",
        run.stdout
    );
    for (file, why) in [
        ("no project", "A project name"),
        ("notes.bin", "no version"),
        ("projectA-01.00.02.bin", "1.0.2"),
        ("empty-3.0.0.bin", "empty"),
        ("lamp-9.0.0.bin", "no plain file"),
    ] {
        let line = run.stderr.lines().find(|line| line.contains(file));
        let line = line.unwrap_or_else(|| panic!("{file} in {}", run.stderr));
        assert!(line.contains("left out") && line.contains(why), "{line}");
    }
    assert!(
        run.stderr.trim_end().ends_with("what is in stays."),
        "{}",
        run.stderr
    );
    assert!(home.refusal(&["import", "nowhere"]).contains("nowhere"));
}

#[test]
fn the_operators_icon_takes_the_place_of_ours() {
    let home = Home::new();
    let portal = serve(&home);
    let ask = |method: &str| portal.ask(&format!("{method} /favicon.ico HTTP/1.1"), "");
    let ours = ask("GET");
    assert!(ours.starts_with("HTTP/1.1 200"), "{ours:.100}");
    fs::create_dir(home.path("data/www")).expect("makes");
    fs::write(home.path("data/www/favicon.ico"), "<svg onload=alert(1)>").expect("writes");
    let own = ask("GET");
    assert!(own.ends_with("<svg onload=alert(1)>"), "{own:.100}");
    assert!(
        own.contains("content-type: image/x-icon") && own.contains("nosniff"),
        "{own}"
    );
    assert!(ask("HEAD").ends_with("\r\n\r\n"));
    fs::remove_file(home.path("data/www/favicon.ico")).expect("removes");
    fs::write(home.path("secret.txt"), "not an icon").expect("writes");
    symlink(home.path("secret.txt"), home.path("data/www/favicon.ico")).expect("links");
    assert!(!ask("GET").contains("not an icon"), "a link leads nowhere");
    assert!(portal.terminate().0.success());
}
