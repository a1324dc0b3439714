//! Two portals in processes of their own on one PostgreSQL database and one blob folder.

use std::{
    env, fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    str::FromStr,
};

use gatehouse_core::ports::random_bytes;
use gatehouse_server::system::SystemRng;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Executor, PgConnection, postgres::PgConnectOptions,
};

use super::client::Client;
use crate::{
    furnish::{ADMIN, PASSWORD},
    harness::ADMIN_SECRET,
    program::{Home, SERVE, Serving},
};

/// Names a PostgreSQL server on which the tests may make databases.
const POSTGRES_URL: &str = "GATEHOUSE_TEST_POSTGRES_URL";

/// Tells a story with the URL of a fresh database, which goes whatever came of it.
pub(super) async fn on_postgres<F>(story: impl FnOnce(String) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(server_url) = env::var(POSTGRES_URL) else {
        println!("skipped: {POSTGRES_URL} is not set");
        return;
    };
    let server = PgConnectOptions::from_str(&server_url).expect("a URL");
    let name = format!(
        "gatehouse_proxies_{}",
        hex::encode(random_bytes::<8>(&SystemRng))
    );
    let mut connection = PgConnection::connect_with(&server).await.expect("answers");
    let create = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'");
    connection
        .execute(AssertSqlSafe(create))
        .await
        .expect("is made");
    let url = server.database(&name).to_url_lossy().to_string();
    let told = tokio::spawn(story(url)).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    connection.execute(AssertSqlSafe(drop)).await.expect("goes");
    if let Err(failed) = told {
        std::panic::resume_unwind(failed.into_panic());
    }
}

pub(super) struct Cluster {
    /// They are stopped before their folders go.
    portals: Vec<Serving>,
    pub(super) addresses: [String; 2],
    homes: [Home; 2],
}

impl Cluster {
    pub(super) fn start(database_url: &str, sendfile: Option<&str>) -> Self {
        let homes = [Home::new(), Home::new()];
        // One data folder for both, since they have to share their keys.
        let data_dir = homes[0].path("data");
        let config = format!(
            "database_url = \"{database_url}\"\ndata_dir = \"{}\"\npublic_url = \"https://gatehouse.example.org\"\ntrusted_proxies = [\"127.0.0.1/32\"]\nadmin_secret = \"{ADMIN_SECRET}\"\nsendfile = \"{}\"\n",
            data_dir.display(),
            sendfile.unwrap_or("off"),
        );
        let file = homes[0].path("portal.toml");
        fs::write(&file, config).expect("writes");
        let file = file.to_str().expect("a text");
        let admin = [
            "admin",
            "create",
            "--config",
            file,
            "--email",
            ADMIN,
            "--password-stdin",
        ];
        let made = homes[0].run(&admin, PASSWORD);
        assert!(made.status.success(), "{}", made.stderr);
        let portals = homes.each_ref().map(|home| {
            let words = [&SERVE[..], &["--config", file]].concat();
            home.start(home.command(&words))
        });
        Self {
            addresses: portals.each_ref().map(|portal| portal.address.clone()),
            portals: portals.into(),
            homes,
        }
    }

    /// Both portals without the proxy, from this address.
    pub(super) fn clients(&self, from: Ipv4Addr) -> [Client; 2] {
        self.addresses.each_ref().map(|address| Client {
            to: address.parse().expect("an address"),
            from,
            tls: None,
        })
    }

    pub(super) fn stop_one(&mut self) {
        let (status, _, log) = self.portals.remove(0).terminate();
        assert!(status.success(), "{log}");
    }

    pub(super) fn blobs(&self) -> PathBuf {
        self.homes[0].path("data/blobs")
    }

    pub(super) fn folder(&self) -> PathBuf {
        self.homes[0].path("")
    }

    /// Where the one image lies below the folder of blobs.
    pub(super) fn blob_place(&self) -> String {
        let blobs = self.blobs();
        let folders = entries(&blobs).into_iter();
        let mut files = folders
            .filter(|folder| folder.is_dir() && !folder.ends_with("tmp"))
            .flat_map(|folder| entries(&folder));
        let file = files.next().expect("an image");
        let place = file.strip_prefix(&blobs).expect("below it");
        place.display().to_string()
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("reads").path()).collect()
}
