//! A portal in a temporary folder, furnished, backed up and brought back through its commands.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{self, ExitStatus},
};

use axum::body::{Body, Bytes};
use gatehouse_core::{Actor, actor::Who, firmware::UploadTarget};
use gatehouse_server::{
    cli::{Command, Flags},
    commands,
    composition::Installation,
    config::{Config, Environment},
    http::client_address::ConnInfo,
};
use gatehouse_types::{
    account::{NewUser, Role},
    firmware::{GenerateToken, NewProject, PublishRelease},
    manifest::ProjectKeys,
};
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use tempfile::TempDir;
use uuid::Uuid;

pub(crate) const EMAIL: &str = "ada@example.com";
pub(crate) const PASSWORD: &str = "seven quiet herons wade";
pub(crate) const PROJECT: &str = "lamp";

/// A folder for one story, with a data folder and the file of a backup in it.
pub(crate) struct Home(pub(crate) TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn flags(&self, data: &str) -> Flags {
        Flags {
            data_dir: Some(self.path(data).display().to_string()),
            ..Flags::default()
        }
    }

    pub(crate) async fn open(&self, data: &str) -> Installation {
        let config = Config::load(&self.flags(data), &Environment::new(), |path| {
            fs::read_to_string(path)
        });
        Installation::open(config.expect("loads"))
            .await
            .expect("opens")
    }

    pub(crate) async fn backup(&self, data: &str, file: &str) -> Result<(), String> {
        let command = Command::Backup {
            flags: self.flags(data),
            file: self.path(file),
        };
        commands::run(command)
            .await
            .map_err(|refusal| refusal.to_string())
    }

    pub(crate) async fn restore(&self, data: &str, file: &str) -> Result<(), String> {
        let command = Command::Restore {
            flags: self.flags(data),
            file: self.path(file),
        };
        commands::run(command)
            .await
            .map_err(|refusal| refusal.to_string())
    }

    /// Runs the built program in this folder and answers what it said.
    pub(crate) fn say(&self, words: &[&str]) -> Said {
        let output = process::Command::new(env!("CARGO_BIN_EXE_gatehouse"))
            .env_clear()
            .args(words)
            .current_dir(self.0.path())
            .output()
            .expect("runs");
        Said {
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("text"),
            stderr: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// Restores `bytes` into `data`, which must refuse and leave nothing there.
    pub(crate) async fn refusal(&self, bytes: &[u8]) -> String {
        fs::write(self.path("bad"), bytes).expect("writes");
        let refusal = self.restore("restored", "bad").await.expect_err("refuses");
        assert_eq!(names_in(&self.path("restored")), [""; 0], "{refusal}");
        refusal
    }
}

/// How a run of the program ended.
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let Ok(inside) = fs::read_dir(folder) else {
        return Vec::new();
    };
    inside
        .map(|entry| entry.expect("lists").file_name().display().to_string())
        .collect()
}

pub(crate) fn mode(path: &Path) -> u32 {
    path.metadata().expect("is there").permissions().mode() & 0o777
}

pub(crate) fn image(version: u32) -> Bytes {
    (0..3_000 + version)
        .map(|place| (place.wrapping_mul(31 + version) >> 3).to_le_bytes()[0])
        .collect()
}

pub(crate) async fn publish(portal: &Installation, version: u32) {
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
        .publish(&system, PROJECT, &spelled, PublishRelease::default())
        .await
        .expect("publishes");
}

pub(crate) async fn furnish(portal: &Installation) {
    let (rooms, system) = (&portal.portal, Actor::system());
    let user = NewUser {
        email: EMAIL.into(),
        password: PASSWORD.into(),
        role: Role::Admin,
    };
    let created = rooms.identity.create_user(&system, &user).await;
    created.expect("makes it");
    let project = NewProject {
        name: PROJECT.into(),
        title: String::new(),
        description: String::new(),
        hardware: Vec::new(),
    };
    let created = rooms.firmware.create_project(&system, &project).await;
    created.expect("makes it");
    publish(portal, 1).await;
}

/// What devices of the project trust.
pub(crate) async fn project_keys(portal: &Installation) -> ProjectKeys {
    let firmware = &portal.portal.firmware;
    let keys = firmware.project_keys(&Actor::system(), PROJECT).await;
    keys.expect("the co-signer tells its key")
}

pub(crate) async fn device_token(portal: &Installation) -> String {
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
pub(crate) async fn download(
    portal: &Installation,
    token: &str,
    version: u32,
) -> (StatusCode, Bytes) {
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
