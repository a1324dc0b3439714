//! A proxy with its file of `deploy/proxies`, of which only names, ports and folders are replaced.

use std::{
    env, fs,
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    time::{Duration, Instant},
};

use gatehouse_router_protocol::client::{fingerprint, tls_config};
use rustls::ClientConfig;
use tempfile::TempDir;

use super::{client::Client, cluster::Cluster};

const PATIENCE: Duration = Duration::from_secs(30);
const APACHE_MODULES: [&str; 12] = [
    "mpm_event",
    "authz_core",
    "ssl",
    "socache_shmcb",
    "headers",
    "setenvif",
    "proxy",
    "proxy_http",
    "proxy_balancer",
    "lbmethod_byrequests",
    "slotmem_shm",
    "xsendfile",
];

/// As in Debian's `apache2.conf`.
const APACHE_LOG_FORMAT: &str = r#"LogFormat "%h %l %u %t \"%r\" %>s %O \"%{Referer}i\" \"%{User-Agent}i\"" combined
"#;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nginx,
    Apache,
    Haproxy,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache2 with mod_xsendfile",
            Self::Haproxy => "haproxy",
        }
    }

    /// Where it is installed; only root's `PATH` names the folder.
    pub(super) fn program(self) -> Option<PathBuf> {
        let name = match self {
            Self::Nginx => "nginx",
            Self::Apache => "apache2",
            Self::Haproxy => "haproxy",
        };
        if self == Self::Apache && !Path::new("/usr/lib/apache2/modules/mod_xsendfile.so").exists()
        {
            return None;
        }
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path).chain(["/usr/sbin".into()]);
        folders
            .map(|folder| folder.join(name))
            .find(|program| program.is_file())
    }
}

pub(super) struct Front {
    kind: Kind,
    child: Child,
    folder: TempDir,
    address: SocketAddr,
    tls: Arc<ClientConfig>,
}

impl Front {
    pub(super) async fn start(kind: Kind, program: &Path, cluster: &Cluster) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let names = vec!["gatehouse.example.org".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let write =
            |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("writes");
        write("fullchain.pem", &cert);
        write("privkey.pem", &key);
        write("combined.pem", &format!("{cert}{key}"));
        let any_port = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = any_port.local_addr().expect("an address");
        drop(any_port);
        let place = Place {
            folder: folder.path(),
            address,
            cluster,
        };
        let mut command = match kind {
            Kind::Nginx => place.nginx(program),
            Kind::Apache => place.apache(program),
            Kind::Haproxy => place.haproxy(program),
        };
        let output = File::create(folder.path().join("output")).expect("a file");
        let errors = output.try_clone().expect("twice");
        let child = command
            .stdout(output)
            .stderr(errors)
            .spawn()
            .expect("starts");
        let front = Self {
            kind,
            child,
            folder,
            address,
            tls: Arc::new(tls_config(fingerprint(made.cert.der()))),
        };
        front.wait().await;
        front
    }

    async fn wait(&self) {
        let (client, started) = (self.client(Ipv4Addr::LOCALHOST), Instant::now());
        while client.connect().await.is_err() {
            assert!(started.elapsed() < PATIENCE, "{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn client(&self, from: Ipv4Addr) -> Client {
        Client {
            to: self.address,
            from,
            tls: Some(self.tls.clone()),
        }
    }

    /// Everything that the proxy wrote down.
    pub(super) fn log(&self) -> String {
        let files = [
            "output",
            "access.log",
            "gatehouse.log",
            "gatehouse-error.log",
        ];
        let read = |name: &str| fs::read_to_string(self.folder.path().join(name));
        files.iter().filter_map(|name| read(name).ok()).collect()
    }

    /// Apache never works as root; where the portals do, it needs to be let in.
    pub(super) fn may_read(&self, cluster: &Cluster) {
        if self.kind == Kind::Apache && is_root() {
            open_up(&cluster.folder());
            for part in ["data", "data/blobs"] {
                open_up(&cluster.folder().join(part));
            }
            let image = cluster.blobs().join(cluster.blob_place());
            open_up(image.parent().expect("a folder"));
            open_up(&image);
        }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        // These three end their workers on SIGTERM, and would leave them behind on SIGKILL.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

fn is_root() -> bool {
    Path::new("/proc/self")
        .metadata()
        .is_ok_and(|own| own.uid() == 0)
}

fn open_up(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o444 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("is ours");
}

/// What stands in for the names in the examples.
struct Place<'a> {
    folder: &'a Path,
    address: SocketAddr,
    cluster: &'a Cluster,
}

impl Place<'_> {
    fn nginx(&self, program: &Path) -> Command {
        let site = self.example(
            "nginx.conf",
            &[("listen 443 ssl;", format!("listen {} ssl;", self.address))],
        );
        let dir = self.folder.display();
        // Its workers read what belongs to whoever runs this test.
        let user = if is_root() { "user root;" } else { "" };
        let main = format!(
            "{user} worker_processes 1; daemon off; pid {dir}/pid; error_log stderr;\nevents {{ worker_connections 256; }}\nhttp {{ access_log {dir}/access.log; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;\n{site}\n}}\n"
        );
        let mut command = Command::new(program);
        command
            .args(["-e", "stderr", "-c"])
            .arg(self.write("main.conf", &main));
        command
    }

    fn apache(&self, program: &Path) -> Command {
        let port = self.address.port();
        let site = self.example(
            "apache.conf",
            &[
                ("Listen 443", format!("Listen {}", self.address)),
                ("<VirtualHost *:443>", format!("<VirtualHost *:{port}>")),
                ("${APACHE_LOG_DIR}", self.folder.display().to_string()),
            ],
        );
        let modules: Vec<String> = APACHE_MODULES
            .iter()
            .map(|name| format!("LoadModule {name}_module modules/mod_{name}.so\n"))
            .collect();
        let modules = modules.concat();
        let dir = self.folder.display();
        let user = if is_root() {
            "User nobody\nGroup nogroup\n"
        } else {
            ""
        };
        let main = format!(
            "ServerRoot /usr/lib/apache2\nServerName gatehouse.example.org\nDefaultRuntimeDir {dir}\nPidFile {dir}/pid\nErrorLog {dir}/gatehouse-error.log\n{APACHE_LOG_FORMAT}{modules}{user}{site}"
        );
        let mut command = Command::new(program);
        command
            .args(["-D", "FOREGROUND", "-f"])
            .arg(self.write("main.conf", &main));
        command
    }

    fn haproxy(&self, program: &Path) -> Command {
        let main = self.example(
            "haproxy.cfg",
            &[
                ("bind :443 ", format!("bind {} ", self.address)),
                ("log /dev/log local0", "log stdout format raw local0".into()),
            ],
        );
        let mut command = Command::new(program);
        command
            .args(["-db", "-f"])
            .arg(self.write("main.cfg", &main));
        command
    }

    /// The example with this place's names; each of them has to stand in it.
    fn example(&self, file: &str, own: &[(&str, String)]) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../deploy/proxies")
            .join(file);
        let mut text = fs::read_to_string(path).expect("an example");
        let [one, two] = &self.cluster.addresses;
        let mut names = vec![
            ("127.0.0.1:3001", one.clone()),
            ("127.0.0.1:3002", two.clone()),
            ("/etc/ssl/gatehouse", self.folder.display().to_string()),
        ];
        if text.contains("/var/lib/gatehouse/blobs") {
            names.push((
                "/var/lib/gatehouse/blobs",
                self.cluster.blobs().display().to_string(),
            ));
        }
        names.extend_from_slice(own);
        for (example, real) in names {
            assert!(text.contains(example), "{file} names {example}");
            text = text.replace(example, &real);
        }
        text
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, text).expect("writes");
        path
    }
}
