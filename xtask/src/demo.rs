//! The demo's content: filled in through the public JSON API, once, and kept in the data folder.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use gatehouse_esp_image::EspImage;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::portal::Portal;
use crate::postgres::free_port;
use crate::process;
use crate::project;

/// The demo's firmware project.
pub(crate) const PROJECT: &str = "demo-lamp";
/// The version that the simulated device starts from.
pub(crate) const OLD_VERSION: &str = "1.0.0";
const NEW_VERSION: &str = "1.1.0";
const ADMIN: &str = "admin@example.test";
const OWNER: &str = "owner@example.test";
const USUAL_ROUTER_PORT: u16 = 9999;
const ROUTER_NAME: &str = "Demo router";

/// One account's name and password.
#[derive(Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) email: String,
    pub(crate) password: String,
}

/// What the demo must remember between two starts; the file is readable by its owner only.
#[derive(Serialize, Deserialize)]
pub(crate) struct Demo {
    pub(crate) admin: Account,
    pub(crate) owner: Account,
    /// Whether `gatehouse admin create` has run.
    pub(crate) admin_exists: bool,
    /// Whether everything below has been filled in.
    pub(crate) is_filled: bool,
    router_port: u16,
    #[serde(skip)]
    dir: PathBuf,
}

impl Demo {
    /// Reads what a former start left in the data folder, or thinks up a new demo.
    ///
    /// # Errors
    /// When the folder cannot be used, or its `accounts.json` is not ours.
    pub(crate) fn open(data_dir: &Path) -> Result<Self> {
        let dir = data_dir.join("demo");
        // The portal wants its folder for itself, and this may be the first to make it.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("{} cannot be made", dir.display()))?;
        let file = dir.join("accounts.json");
        let mut demo = if file.exists() {
            serde_json::from_slice(&fs::read(&file)?)
                .with_context(|| format!("{} is not a demo's", file.display()))?
        } else {
            Self::invent()?
        };
        demo.dir = dir;
        demo.save()?;
        Ok(demo)
    }

    fn invent() -> Result<Self> {
        let account = |email: &str| -> Result<Account> {
            Ok(Account {
                email: email.to_owned(),
                password: random_secret()?,
            })
        };
        Ok(Self {
            admin: account(ADMIN)?,
            owner: account(OWNER)?,
            admin_exists: false,
            is_filled: false,
            router_port: USUAL_ROUTER_PORT,
            dir: PathBuf::new(),
        })
    }

    /// Writes the file anew, in one move.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn save(&self) -> Result<()> {
        let new = self.dir.join("accounts.json.new");
        write_secret(&new, &serde_json::to_vec_pretty(self)?)?;
        Ok(fs::rename(new, self.dir.join("accounts.json"))?)
    }

    /// A path inside the demo's own folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Gives the router daemon its keys, once, and its configuration, and returns the configuration's path.
    ///
    /// # Errors
    /// When `gatehouse-routerd keygen` fails or the configuration cannot be written.
    pub(crate) fn prepare_router(&mut self) -> Result<PathBuf> {
        self.choose_router_port()?;
        let dir = self.router_dir();
        if !dir.join("cert_sha256").exists() {
            let mut keygen = process::command(project::binary("release", "gatehouse-routerd"));
            process::output(keygen.arg("keygen").arg("--out").arg(&dir))?;
        }
        let config = dir.join("routerd.toml");
        write_secret(&config, self.router_config().as_bytes())?;
        Ok(config)
    }

    /// Keeps the port of the last start, unless another program has taken it since.
    fn choose_router_port(&mut self) -> Result<()> {
        if TcpListener::bind(("127.0.0.1", self.router_port)).is_err() {
            self.router_port = free_port()?;
            self.save()?;
        }
        Ok(())
    }

    /// Tells the portal where the daemon listens now, when it was elsewhere at an earlier start.
    ///
    /// # Errors
    /// When the portal refuses.
    pub(crate) fn follow_router(&self, portal: &Portal) -> Result<()> {
        let address = self.router_address();
        match item_with(portal, "/api/v1/routers", "name", ROUTER_NAME)? {
            Some(router) if router["address"] != address => {
                let id = router["id"].as_str().context("the router has no id")?;
                portal.patch(
                    &format!("/api/v1/routers/{id}"),
                    &json!({ "address": address }),
                )?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn router_address(&self) -> String {
        format!("127.0.0.1:{}", self.router_port)
    }

    fn router_config(&self) -> String {
        let address = self.router_address();
        format!(
            "# Written by `cargo xtask run`: a router daemon that only says what it would do.\n\
             listen = \"{address}\"\n\
             backend = \"dry-run\"\n\
             lan_cidrs = [\"192.168.50.0/24\"]\n\
             allowed_portals = [\"127.0.0.1/32\", \"::1/128\"]\n\
             allow_private_sources = true\n\
             cert = \"cert.pem\"\n\
             key = \"key.pem\"\n\
             api_key_file = \"api_key\"\n\
             aes_key_file = \"aes_key\"\n\
             state_dir = \"state\"\n"
        )
    }

    /// Where the daemon's `cert.pem`, `key.pem` and other keys lie.
    pub(crate) fn router_dir(&self) -> PathBuf {
        self.path("routerd")
    }

    /// A key or pin as `gatehouse-routerd keygen` has left it.
    fn router_secret(&self, name: &str) -> Result<String> {
        let file = self.router_dir().join(name);
        let text = fs::read_to_string(&file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Fills an empty portal: an owner, a router, three services, a project with a release, a device.
    ///
    /// # Errors
    /// When the portal refuses a part; the next start goes on where this one stopped.
    pub(crate) fn fill(&mut self, portal: &Portal) -> Result<()> {
        if self.is_filled {
            return Ok(());
        }
        let owner = self.owner_id(portal)?;
        let router = self.router_id(portal)?;
        for service in services(&router) {
            let id = find_or_create(portal, "/api/v1/services", "name", &service)?;
            portal.put(
                &format!("/api/v1/services/{id}/grants"),
                &json!({ "users": [owner] }),
            )?;
        }
        publish_firmware(portal)?;
        self.is_filled = true;
        self.save()
    }

    fn owner_id(&self, portal: &Portal) -> Result<String> {
        let owner =
            json!({ "email": self.owner.email, "password": self.owner.password, "role": "owner" });
        find_or_create(portal, "/api/v1/users", "email", &owner)
    }

    /// The id of the daemon's entry in the portal, which is made when it is not there.
    ///
    /// # Errors
    /// When the portal refuses, or [`prepare_router`](Self::prepare_router) has left no keys yet.
    pub(crate) fn router_id(&self, portal: &Portal) -> Result<String> {
        let router = json!({
            "name": ROUTER_NAME,
            "address": self.router_address(),
            "api_key": self.router_secret("api_key")?,
            "aes_key": self.router_secret("aes_key")?,
            "cert_sha256": self.router_secret("cert_sha256")?,
            "protocol": 2,
        });
        find_or_create(portal, "/api/v1/routers", "name", &router)
    }
}

/// The demo's three services in the LAN behind one router.
fn services(router_id: &str) -> [Value; 3] {
    let service = |name: &str,
                   description: &str,
                   icon: &str,
                   host: u8,
                   lan_port: u16,
                   public_port: u16,
                   kind: &str| {
        json!({
            "name": name, "description": description, "icon": icon, "router_id": router_id,
            "lan_ip": format!("192.168.50.{host}"), "lan_port": lan_port, "public_port": public_port,
            "protocol": "tcp", "kind": kind, "url_path": "/", "default_minutes": 30, "max_minutes": 240, "wake": null,
        })
    };
    [
        service(
            "Photo archive",
            "The pictures on the storage box",
            "cloud",
            10,
            8080,
            18080,
            "web",
        ),
        service(
            "Door camera",
            "Live picture from the front door",
            "media",
            20,
            80,
            18081,
            "web",
        ),
        service(
            "Workshop computer",
            "Remote shell, port 22 inside",
            "code",
            30,
            22,
            18022,
            "other",
        ),
    ]
}

fn publish_firmware(portal: &Portal) -> Result<()> {
    let project = json!({
        "name": PROJECT, "title": "Demo lamp", "hardware": ["esp32s3"],
        "description": "A lamp that exists only in this demo; its image is built by this repository.",
    });
    if item_with(portal, "/api/v1/projects", "name", PROJECT)?.is_none() {
        portal.post("/api/v1/projects", &project)?;
    }
    let releases = format!("/api/v1/projects/{PROJECT}/releases");
    let release = item_with(portal, &releases, "version", NEW_VERSION)?;
    if release.is_none_or(|release| release["state"] == "draft") {
        let image = EspImage {
            project: PROJECT,
            ..EspImage::demo(NEW_VERSION)
        };
        portal.publish(
            PROJECT,
            NEW_VERSION,
            &format!("{PROJECT}-{NEW_VERSION}.bin"),
            image.to_bytes(),
        )?;
    }
    Ok(())
}

/// The id of the item that has this name already, or of a new one.
pub(crate) fn find_or_create(
    portal: &Portal,
    path: &str,
    key: &str,
    wanted: &Value,
) -> Result<String> {
    let name = wanted[key].as_str().unwrap_or_default();
    let item = match item_with(portal, path, key, name)? {
        Some(item) => item,
        None => portal.post(path, wanted)?,
    };
    Ok(item["id"]
        .as_str()
        .with_context(|| format!("{path} answered without an id"))?
        .to_owned())
}

/// The demo's lists are far shorter than one page of an answer.
pub(crate) fn item_with(
    portal: &Portal,
    path: &str,
    key: &str,
    value: &str,
) -> Result<Option<Value>> {
    let list = portal.get(&format!("{path}?limit=500"))?;
    let items = list["items"].as_array().cloned().unwrap_or_default();
    Ok(items.into_iter().find(|item| item[key] == value))
}

/// 128 random bits as text that is easy to copy.
pub(crate) fn random_secret() -> Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(hex::encode(bytes))
}

pub(crate) fn write_secret(file: &Path, content: &[u8]) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(file)?;
    Ok(file.write_all(content)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_second_start_finds_the_same_accounts_in_a_private_file() {
        let data = tempfile::tempdir().unwrap();
        let first = Demo::open(data.path()).unwrap();
        let second = Demo::open(data.path()).unwrap();
        assert_eq!(first.admin.password, second.admin.password);
        assert_ne!(first.admin.password, first.owner.password);
        let mode = fs::metadata(first.path("accounts.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_router_port_that_was_taken_since_is_changed_for_good() {
        let data = tempfile::tempdir().unwrap();
        let mut demo = Demo::open(data.path()).unwrap();
        let squatter = TcpListener::bind("127.0.0.1:0").unwrap();
        demo.router_port = squatter.local_addr().unwrap().port();
        demo.choose_router_port().unwrap();
        let chosen = demo.router_port;
        assert_ne!(chosen, squatter.local_addr().unwrap().port());
        assert_eq!(Demo::open(data.path()).unwrap().router_port, chosen);
    }
}
