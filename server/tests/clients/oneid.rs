//! The original's own SDK, `oneid-connect` 0.21.1, as a device and as a server.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use gatehouse_manifest::{Algorithm, SigningKey};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    programs::{COSIGNER, ONEID, command, run},
    world::{PROJECT, World, image},
};

pub(crate) const STORIES: [(&str, fn()); 4] = [
    ("a_device_takes_the_portals_manifest_once", takes_ours),
    ("a_device_judges_the_vectors_as_ours_does", judges_vectors),
    ("a_server_has_its_message_cosigned", is_cosigned),
    ("a_revoked_server_is_told_so", is_revoked),
];

/// Vectors that this device takes: it knows nothing of releases, hardware, counters and images, is
/// content with fewer claims, and reads JSON and base64url less strictly.
const UNKNOWN_TO_THE_SDK: [&str; 41] = [
    "base64_padded",
    "base64_spare_bits",
    "claim_checksum_text",
    "claim_counter_negative",
    "claim_doubled",
    "claim_exp_fraction",
    "claim_exp_text",
    "claim_hardware_text",
    "claim_missing_allow_downgrade",
    "claim_missing_checksum",
    "claim_missing_download_url",
    "claim_missing_exp",
    "claim_missing_hardware",
    "claim_missing_jti",
    "claim_missing_nbf",
    "claim_missing_project",
    "claim_missing_release_counter",
    "claim_missing_sha256",
    "claim_missing_size_bytes",
    "claim_missing_version",
    "counter_lower",
    "crit",
    "expiry_too_far_ahead",
    "hardware_other",
    "hardware_unknown",
    "image_longer",
    "image_other",
    "image_other_checksum",
    "image_other_sha256",
    "image_shorter",
    "jti_other_expiry",
    "lifetime_too_long",
    "member_doubled",
    "member_unknown",
    "min_version_higher",
    "min_version_numbers",
    "min_version_unknown",
    "one_key_trusted",
    "project_other_name",
    "too_long",
    "unprotected_header",
];

fn script(name: &str) -> Command {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/oneid");
    let mut python = command(ONEID);
    python
        .arg(folder.join(name))
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    python
}

/// What the SDK's device says of each file, one line for each.
fn judged(home: &Path, files: &[PathBuf]) -> String {
    run(script("device.py").arg(home).args(files))
}

fn takes_ours() {
    let world = World::new();
    world.publish("1.1.0", image(20_000));
    let (token, _) = world.token();
    let ask = |path: &str| {
        let address = format!("{}/api/v1/{path}", world.url);
        let bearer = format!("Authorization: Bearer {token}");
        run(command("curl").args(["--silent", "--fail", "--header", &bearer, &address]))
    };
    let keys: Value =
        serde_json::from_str(&ask(&format!("projects/{PROJECT}/keys"))).expect("JSON");
    let met = json!({
        "name": "portal",
        "device": { "now_s": null, "seen": [] },
        "trusted": {
            "project_id": keys["project_id"],
            "project_pems": [keys["project_pem"]],
            "cosigner_pems": [keys["cosigner_pem"]],
        },
        "manifest": ask("device/manifest?current_fw=1.0.0"),
    });
    let file = world.path("portal.json");
    fs::write(&file, met.to_string()).expect("writes");
    let said = judged(&world.path("homes"), &[file.clone(), file]);
    assert_eq!(said, "portal takes\nportal refuses InvalidClaimsError\n");
}

fn judges_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/manifest/vectors");
    // The SDK has ES256 only.
    let files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the vectors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .filter(|path| !path.display().to_string().contains("ed25519"))
        .collect();
    let homes = tempfile::tempdir().expect("a temporary folder");
    let taken: BTreeSet<String> = judged(homes.path(), &files)
        .lines()
        .filter_map(|line| line.strip_suffix(" takes").map(str::to_owned))
        .collect();
    let good = files.iter().filter_map(|path| {
        let vector: Value = serde_json::from_slice(&fs::read(path).expect("text")).expect("JSON");
        (vector["expected"] == "ok").then(|| vector["name"].as_str().expect("a name").to_owned())
    });
    let expected = good.chain(UNKNOWN_TO_THE_SDK.map(str::to_owned)).collect();
    assert_eq!(taken, expected);
}

const PROJECT_ID: &str = "0190d5a4-7e31-7c44-9a55-3f6f8c6d1b20";

/// A co-signer that runs, and a server that it trusts.
struct Pair {
    folder: TempDir,
    service: Child,
    url: String,
    server_id: String,
}

impl Pair {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let key = |byte| SigningKey::from_bytes(Algorithm::Es256, &[byte; 32]).expect("a key");
        let (identity, project) = (key(1), key(2));
        fs::write(path("identity.pem"), identity.to_pem().as_bytes()).expect("writes");
        fs::write(path("project.pem"), project.to_pem().as_bytes()).expect("writes");
        fs::write(path("trusted.pem"), identity.public_key().to_pem()).expect("writes");
        let cosigner = |arguments: &[&str]| {
            let mut command = command(COSIGNER);
            command.arg("--dir").arg(path("cosigner")).args(arguments);
            command
        };
        let trusted = path("trusted.pem").display().to_string();
        run(&mut cosigner(&[
            "trust",
            "sdk",
            "--key",
            &trusted,
            "--plain-messages",
        ]));
        let keys = run(&mut cosigner(&["keys", PROJECT_ID]));
        let pem = keys.find("-----BEGIN").expect("a key as PEM");
        fs::write(path("cosigner.pem"), &keys[pem..]).expect("writes");
        let mut service = cosigner(&["run", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let url = address_of(&mut service);
        Self {
            folder,
            service,
            url,
            server_id: identity.public_key().server_id(),
        }
    }

    /// Has the SDK's server prepare a message and its device read it; what that one read.
    fn send(&self) -> String {
        run(script("server.py")
            .arg(self.folder.path())
            .args([&self.server_id, PROJECT_ID])
            .env("ONEID_API_SERVER_BASE_URL", &self.url))
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        // A service that has ended is what is wanted here.
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

fn address_of(service: &mut Child) -> String {
    let output = service.stdout.take().expect("is piped");
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).expect("a line");
    let address = line.trim().strip_prefix("listening on ");
    format!("http://{}", address.expect("says where it listens"))
}

fn is_cosigned() {
    let pair = Pair::new();
    let claims: Value = serde_json::from_str(&pair.send()).expect("the claims");
    assert_eq!(claims["iss"], pair.server_id);
    assert_eq!(claims["open"], json!({ "door": "barn", "minutes": 5 }));
}

fn is_revoked() {
    let pair = Pair::new();
    assert!(pair.send().contains("barn"));
    let folder = pair.folder.path().join("cosigner");
    run(command(COSIGNER)
        .arg("--dir")
        .arg(folder)
        .args(["revoke", &pair.server_id]));
    assert_eq!(pair.send(), "InvalidAuthentication\n");
}
