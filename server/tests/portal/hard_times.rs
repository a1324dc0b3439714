//! Uploads while the portal is killed and while the disk is full: the built binary, its files.

use std::{
    collections::BTreeSet,
    env, fs,
    io::{self, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{
    furnish::{ADMIN, PASSWORD, image},
    program::{Home, Serving},
    socket::header_in,
};

/// How often the portal is killed; 200 times take some minutes.
const KILLS: &str = "GATEHOUSE_TEST_KILLS";
const PIECE_BYTES: usize = 64 * 1024;
const IMAGE_BYTES: u32 = 1024 * 1024;

/// Somebody who uploads by a token of the API, and asks anew for each request.
struct Client {
    address: String,
    token: String,
}

struct Answered {
    status: u16,
    head: String,
    body: String,
}

impl Client {
    fn sign_in(portal: &Serving) -> Self {
        let login = format!("{{\"user\":\"{ADMIN}\",\"pass\":\"{PASSWORD}\"}}");
        let answer = portal.ask(
            "POST /api/login HTTP/1.1\r\nContent-Type: application/json",
            &login,
        );
        let body = answer.split("\r\n\r\n").nth(1).expect("a body");
        let body: Value = serde_json::from_str(body).expect("JSON");
        Self {
            address: portal.address.clone(),
            token: body["token"].as_str().expect("a token").to_owned(),
        }
    }

    fn ask(&self, line: &str, body: &[u8]) -> io::Result<Answered> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        write!(
            stream,
            "{line}\r\nHost: {}\r\nAuthorization: Bearer {}\r\nTus-Resumable: 1.0.0\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            self.address,
            self.token,
            body.len()
        )?;
        // A portal that refuses at once reads no further.
        let _refused = stream.write_all(body);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, body)) = answer.split_once("\r\n\r\n") else {
            return Err(read.err().unwrap_or(io::ErrorKind::UnexpectedEof.into()));
        };
        let status = head.get(9..12).and_then(|digits| digits.parse().ok());
        Ok(Answered {
            status: status.ok_or(io::ErrorKind::InvalidData)?,
            head: format!("{head}\r\n"),
            body: body.to_owned(),
        })
    }

    fn begin(&self, version: &str, size_bytes: usize) -> io::Result<Answered> {
        let version = STANDARD.encode(version);
        let line = format!(
            "POST /api/v1/projects/lamp/uploads HTTP/1.1\r\nUpload-Length: {size_bytes}\r\nUpload-Metadata: version {version}"
        );
        self.ask(&line, b"")
    }

    fn patch(&self, url: &str, offset: usize, bytes: &[u8]) -> io::Result<Answered> {
        let line = format!(
            "PATCH {url} HTTP/1.1\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream"
        );
        self.ask(&line, bytes)
    }

    fn json(&self, method: &str, path: &str, body: &str) -> Answered {
        let line = format!("{method} {path} HTTP/1.1\r\nContent-Type: application/json");
        self.ask(&line, body.as_bytes()).expect("answers")
    }

    fn releases(&self) -> Vec<Value> {
        let page = self.json("GET", "/api/v1/projects/lamp/releases?limit=500", "");
        let page: Value = serde_json::from_str(&page.body).expect("JSON");
        page["items"].as_array().expect("a list").clone()
    }
}

/// What a client was told for certain.
#[derive(Default)]
struct Told {
    version: u32,
    url: String,
    offset: usize,
    kept: BTreeSet<String>,
}

impl Told {
    fn name(&self) -> String {
        format!("1.0.{}", self.version)
    }

    /// Each version has bytes of its own.
    fn image(&self) -> Vec<u8> {
        let mut bytes = image(IMAGE_BYTES).to_vec();
        bytes[..4].copy_from_slice(&self.version.to_be_bytes());
        bytes
    }

    fn next(&mut self) {
        self.kept.insert(self.name());
        self.version += 1;
        self.url.clear();
        self.offset = 0;
    }

    /// Uploads one image after the other until the portal is gone.
    fn upload_on(&mut self, client: &Client, is_killed: &AtomicBool) -> io::Result<()> {
        loop {
            if self.url.is_empty() {
                let begun = client.begin(&self.name(), IMAGE_BYTES as usize)?;
                assert_eq!(begun.status, 201, "{}", begun.body);
                header_in(&begun.head, "location").clone_into(&mut self.url);
            }
            let bytes = self.image();
            let end = bytes.len().min(self.offset + PIECE_BYTES);
            let sent = client.patch(&self.url, self.offset, &bytes[self.offset..end])?;
            assert_eq!(sent.status, 204, "{}", sent.body);
            self.offset = end;
            if end == bytes.len() {
                self.next();
            }
            if is_killed.load(Ordering::Relaxed) {
                return Ok(());
            }
        }
    }

    /// What was acknowledged is there after the crash.
    fn insist(&mut self, client: &Client) {
        if self.url.is_empty() {
            return;
        }
        let line = format!("HEAD {} HTTP/1.1", self.url);
        let looked = client.ask(&line, b"").expect("answers");
        assert_eq!(looked.status, 200, "{}", looked.head);
        let there: usize = header_in(&looked.head, "upload-offset")
            .parse()
            .expect("a number");
        assert!(
            there >= self.offset,
            "{there} of {} acknowledged bytes",
            self.offset
        );
        self.offset = there;
        if there == IMAGE_BYTES as usize {
            self.next();
        }
    }
}

fn furnished() -> Home {
    let home = Home::new();
    let made = home.run(
        &["admin", "create", "--email", ADMIN, "--password-stdin"],
        PASSWORD,
    );
    assert!(made.status.success(), "{}", made.stderr);
    home
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("lists");
    entries
        .flat_map(|entry| {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                files_below(&path)
            } else {
                vec![path]
            }
        })
        .collect()
}

/// How many files are in the folder of images and uploads, but for the one that only locks.
fn kept_files(blobs: &Path) -> usize {
    let files = files_below(blobs);
    files.iter().filter(|file| !file.ends_with("lock")).count()
}

#[test]
fn a_portal_that_is_killed_during_uploads_loses_nothing_that_it_acknowledged() {
    let kills: u64 = env::var(KILLS).map_or(6, |count| count.parse().expect("a number"));
    let home = furnished();
    let mut told = Told::default();
    let mut client = Client::sign_in(&home.serve(&[]));
    for kill in 0..kills {
        let portal = home.serve(&[]);
        client.address.clone_from(&portal.address);
        if kill == 0 {
            let made = client.json("POST", "/api/v1/projects", "{\"name\":\"lamp\"}");
            assert_eq!(made.status, 201, "{}", made.body);
        }
        told.insist(&client);
        let is_killed = AtomicBool::new(false);
        thread::scope(|scope| {
            let uploading = scope.spawn(|| told.upload_on(&client, &is_killed));
            thread::sleep(Duration::from_millis(20 + kill * 37 % 300));
            // Dropping it sends SIGKILL.
            drop(portal);
            is_killed.store(true, Ordering::Relaxed);
            // However it was cut off, what counts is what the portal says next.
            let _cut_off = uploading.join().expect("no answer was wrong");
        });
    }
    let portal = home.serve(&[]);
    client.address.clone_from(&portal.address);
    told.insist(&client);
    let releases = client.releases();
    let versions = releases
        .iter()
        .map(|release| release["version"].as_str().expect("text").to_owned());
    assert_eq!(
        versions.collect::<BTreeSet<_>>(),
        told.kept,
        "all that was acknowledged, nothing else"
    );
    let blobs = home.path("data/blobs");
    for release in &releases {
        let sha256 = release["sha256"].as_str().expect("text");
        let bytes = fs::read(blobs.join(&sha256[..2]).join(sha256)).expect("is there");
        assert_eq!(hex::encode(Sha256::digest(bytes)), sha256);
    }
    let running = usize::from(told.offset > 0);
    assert_eq!(
        kept_files(&blobs),
        releases.len() + running,
        "nothing is left behind"
    );
}

/// A portal whose whole data folder is a file system of 16 MiB, where the machine allows it.
fn on_a_small_disk(home: &Home) -> Option<Serving> {
    const SETUP: &str = "mount -t tmpfs -o size=16m none data && printf %s \"$1\" | \"$0\" admin create --email \"$2\" --password-stdin >/dev/null && exec \"$0\" serve --listen 127.0.0.1:0";
    let namespace = ["--user", "--map-root-user", "--mount"];
    let allowed = Command::new("unshare")
        .args(namespace)
        .arg("true")
        .stderr(Stdio::null())
        .status();
    if !allowed.is_ok_and(|status| status.success()) {
        println!("skipped: this machine allows no mount in a namespace");
        return None;
    }
    fs::create_dir(home.path("data")).expect("makes it");
    let mut command = Command::new("unshare");
    command
        .args(namespace)
        .args(["sh", "-c", SETUP, env!("CARGO_BIN_EXE_gatehouse")]);
    command.args([PASSWORD, ADMIN]).current_dir(home.path("."));
    Some(home.start(command))
}

#[test]
fn a_full_disk_is_said_in_words_leaves_nothing_and_is_survived() {
    let home = Home::new();
    let Some(portal) = on_a_small_disk(&home) else {
        return;
    };
    let client = Client::sign_in(&portal);
    assert_eq!(
        client
            .json("POST", "/api/v1/projects", "{\"name\":\"lamp\"}")
            .status,
        201
    );
    let inside = PathBuf::from(format!("/proc/{}/root", portal.process_id()));
    let data = inside.join(home.path("data").strip_prefix("/").expect("absolute"));
    let kept = || kept_files(&data.join("blobs"));

    let too_much = image(20 << 20);
    let begun = client.begin("1.0.0", too_much.len()).expect("answers");
    let url = header_in(&begun.head, "location");
    let full = client.patch(url, 0, &too_much).expect("answers");
    assert_eq!(full.status, 507, "{}", full.body);
    assert!(full.body.contains("\"storage_full\""), "{}", full.body);
    assert_eq!(kept(), 0, "nothing stays");
    let line = "PUT /api/v1/projects/lamp/releases/1.0.0 HTTP/1.1";
    let full = client.ask(line, &too_much).expect("answers");
    assert_eq!((full.status, kept()), (507, 0), "{}", full.body);

    // The disk is full a little later each time, so each step is the one that fails. Each image
    // has bytes of its own: what a refused one leaves is not taken over by the next.
    let filler = data.join("filler");
    let (mut done, mut refused) = (0, 0);
    let rooms_kib: [u16; 14] = [
        0, 4, 16, 64, 160, 300, 304, 308, 312, 320, 330, 345, 400, 1000,
    ];
    for (earlier, free_kib) in rooms_kib.into_iter().enumerate() {
        let mut small = image(300_000).to_vec();
        small[..2].copy_from_slice(&free_kib.to_be_bytes());
        fill_up_to(&filler, u64::from(free_kib));
        let version = format!("2.0.{free_kib}");
        match whole_upload(&client, &version, &small) {
            204 => done += 1,
            507 => {
                refused += 1;
                assert_eq!(kept(), earlier, "nothing stays, {free_kib} KiB were free");
            }
            other => panic!("{other} with {free_kib} KiB free"),
        }
        fs::remove_file(&filler).expect("removes");
        assert_eq!(whole_upload(&client, &version, &small), 204, "works again");
        assert_eq!(kept(), earlier + 1);
    }
    assert!(done > 0 && refused > 0, "{done} done, {refused} refused");
    assert_eq!(client.releases().len(), rooms_kib.len());
}

/// Fills the disk but for so many KiB.
fn fill_up_to(filler: &Path, free_kib: u64) {
    let mut file = fs::File::create(filler).expect("makes it");
    let mut written = 0;
    while file.write_all(&[1; 4096]).is_ok() {
        written += 4096;
    }
    file.set_len(u64::saturating_sub(written, free_kib * 1024))
        .expect("cuts it");
}

/// Uploads in two pieces; answers the status of the first refusal, or of the end.
fn whole_upload(client: &Client, version: &str, bytes: &[u8]) -> u16 {
    let begun = client.begin(version, bytes.len()).expect("answers");
    if begun.status != 201 {
        return begun.status;
    }
    let url = header_in(&begun.head, "location");
    let (first, second) = bytes.split_at(200_000);
    let sent = client.patch(url, 0, first).expect("answers");
    if sent.status != 204 {
        return sent.status;
    }
    client
        .patch(url, first.len(), second)
        .expect("answers")
        .status
}
