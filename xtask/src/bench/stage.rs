//! What every measurement stands on: a data folder, a router daemon in dry-run mode, twenty
//! services, and two images that the portal and every peer serve.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use gatehouse_esp_image::EspImage;
use serde_json::json;

use crate::demo::{Demo, find_or_create, random_secret};
use crate::portal::{self, Portal};
use crate::process::{self, Managed};
use crate::project;

/// Loopback, on whatever port is free.
pub(super) const ANY_PORT: &str = "127.0.0.1:0";
/// How many services the dashboard shows.
pub(super) const SERVICES: u16 = 20;
/// Where clients dial the first service; the others follow.
pub(super) const FIRST_PUBLIC_PORT: u16 = 18001;
/// The firmware project of the images.
pub(super) const PROJECT: &str = "bench";
/// The images of 1 KiB and of 1 MiB.
pub(super) const IMAGES: [Image; 2] = [
    Image {
        version: "1.1.0",
        file: "small.bin",
        payload_bytes: 620,
    },
    Image {
        version: "1.2.0",
        file: "large.bin",
        payload_bytes: 1_048_170,
    },
];

/// One release of the project.
pub(super) struct Image {
    /// Of the release.
    pub(super) version: &'static str,
    file: &'static str,
    payload_bytes: usize,
}

impl Image {
    /// Where the portal and every peer serve it.
    pub(super) fn path(&self) -> String {
        format!("/firmware/{PROJECT}/{}", self.file)
    }

    /// Its content.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let image = EspImage {
            project: PROJECT,
            payload_bytes: self.payload_bytes,
            ..EspImage::demo(self.version)
        };
        image.to_bytes()
    }
}

/// The files and the daemon of one run; the daemon stops when this value goes.
pub(super) struct Stage {
    dir: PathBuf,
    demo: Demo,
    /// Signs the tokens of the peers.
    pub(super) token_secret: String,
    _daemon: Managed,
}

impl Stage {
    /// Lays the files out, makes the administrator's account and starts the daemon.
    ///
    /// # Errors
    /// When a file cannot be written or a program does not start.
    pub(super) fn set(dir: &Path) -> Result<Self> {
        let mut demo = Demo::open(&dir.join("data"))?;
        let daemon_config = demo.prepare_router()?;
        let mut daemon = process::command(project::binary("release", "gatehouse-routerd"));
        daemon.arg("run").arg("--config").arg(daemon_config);
        let stage = Self {
            dir: dir.to_owned(),
            demo,
            token_secret: random_secret()?,
            _daemon: process::start_listening(daemon, false)?.0,
        };
        let admin = &stage.demo.admin;
        portal::create_admin(&stage.data_dir(), &admin.email, &admin.password)?;
        stage.write_images()?;
        Ok(stage)
    }

    fn write_images(&self) -> Result<()> {
        let folder = self.firmware_dir().join(PROJECT);
        fs::create_dir_all(&folder)?;
        for image in IMAGES {
            fs::write(folder.join(image.file), image.to_bytes())?;
        }
        Ok(())
    }

    /// The portal's data folder.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// What nginx serves: nothing but the images below `firmware`.
    pub(super) fn web_root(&self) -> PathBuf {
        self.dir.join("web")
    }

    /// Where the peers find `<project>/<file>`.
    pub(super) fn firmware_dir(&self) -> PathBuf {
        self.web_root().join("firmware")
    }

    /// A new folder for one peer's own files.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(super) fn new_folder(&self) -> Result<PathBuf> {
        Ok(tempfile::tempdir_in(&self.dir)?.keep())
    }

    /// A self-signed certificate and its key, both PEM: those of the daemon, for want of others.
    pub(super) fn certificate(&self) -> Certificate {
        let dir = self.demo.router_dir();
        Certificate {
            cert: dir.join("cert.pem"),
            key: dir.join("key.pem"),
        }
    }

    /// `gatehouse serve` over TLS with that certificate, to be started.
    pub(super) fn serve_over_tls(&self) -> Command {
        let pair = self.certificate();
        let mut serve = portal::serve(&self.data_dir(), ANY_PORT);
        serve.arg("--tls-cert").arg(pair.cert);
        serve.arg("--tls-key").arg(pair.key);
        serve
    }

    /// Signs in and fills the portal; returns the ids of the services, all granted to who is signed in.
    ///
    /// # Errors
    /// When the portal refuses.
    pub(super) fn fill(&self, portal: &mut Portal) -> Result<Vec<String>> {
        self.sign_in(portal)?;
        publish_images(portal)?;
        let router_id = self.demo.router_id(portal)?;
        (0..SERVICES)
            .map(|number| grant_service(portal, &router_id, number))
            .collect()
    }

    /// Signs the administrator in.
    ///
    /// # Errors
    /// When the portal refuses.
    pub(super) fn sign_in(&self, portal: &mut Portal) -> Result<()> {
        portal.sign_in(&self.demo.admin.email, &self.demo.admin.password)
    }

    /// The form that signs the administrator in through the page.
    pub(super) fn sign_in_form(&self) -> String {
        let admin = &self.demo.admin;
        let email = admin.email.replace('@', "%40");
        format!("email={email}&password={}", admin.password)
    }
}

/// A certificate chain and its key, both PEM.
pub(super) struct Certificate {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}

/// Makes the firmware project and publishes both images.
///
/// # Errors
/// When the portal refuses.
pub(super) fn publish_images(portal: &Portal) -> Result<()> {
    let project =
        json!({ "name": PROJECT, "title": PROJECT, "description": "", "hardware": ["esp32s3"] });
    portal.post("/api/v1/projects", &project)?;
    for image in IMAGES {
        portal.publish(PROJECT, image.version, image.file, image.to_bytes())?;
    }
    Ok(())
}

/// Makes one of the services, all of them ways to port 80 of one host in the LAN, grants it to who is
/// signed in, and returns its id.
///
/// # Errors
/// When the portal refuses.
pub(super) fn grant_service(portal: &Portal, router_id: &str, number: u16) -> Result<String> {
    let service = json!({
        "name": format!("Service {}", number + 1), "description": "One of twenty", "icon": "disk", "router_id": router_id,
        "lan_ip": "192.168.50.10", "lan_port": 80, "public_port": FIRST_PUBLIC_PORT + number, "protocol": "tcp", "kind": "web",
        "url_path": "/", "default_minutes": 30, "max_minutes": 240, "wake": null,
    });
    let id = find_or_create(portal, "/api/v1/services", "name", &service)?;
    let me = portal.get("/api/v1/me")?;
    portal.put(
        &format!("/api/v1/services/{id}/grants"),
        &json!({ "users": [me["id"]] }),
    )?;
    Ok(id)
}
