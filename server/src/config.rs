//! What the person who runs the portal has decided.
//!
//! Four layers, each over the one before: defaults, the TOML file, `GATEHOUSE_*`, flags. All of
//! them end in [`layers`] as key and value; [`values`] reads one value; here stands what the keys
//! mean together. To add a key: name it in [`keys`], read it in [`Config::read`], print it in
//! [`Config::print`], and give it a flag in `cli.rs` unless it is secret.

mod cosigner;
mod family_urls;
mod keys;
mod layers;
mod sendfile;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use gatehouse_core::{access::FamilyUrls, client_address::ForwardHeader};
use ipnet::IpNet;

use crate::cli::Flags;
use crate::refusal::Refusal;
pub use cosigner::{CoSignerAt, CoSignerService};
use layers::Layers;
pub use sendfile::{Sendfile, SendfileHeader};

/// The environment as a map, so that tests need no process of their own.
pub type Environment = BTreeMap<String, String>;

/// Everything that `gatehouse serve` can be told, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// Database, blobs and keys; also the home of the lock.
    pub data_dir: PathBuf,
    /// The address to listen on; port 0 picks one.
    pub listen: SocketAddr,
    /// Scheme and host that people type, without a trailing slash, if it was set.
    public_url: Option<String>,
    /// Where the portal is reached over one family only.
    pub family_urls: FamilyUrls,
    /// `sqlite://PATH` or `postgres://…`.
    pub database_url: Secret,
    /// The folder of the blob store.
    pub blob_dir: PathBuf,
    /// Certificate and key, when the portal itself ends the TLS.
    pub tls: Option<TlsFiles>,
    /// Networks whose forwarding header is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The forwarding header that they send.
    pub forwarded_header: ForwardHeader,
    /// Listening beyond this machine without TLS is wanted.
    pub insecure_http: bool,
    /// Turns `POST /admin/generate_token` on; 16 bytes or more.
    pub admin_secret: Option<Secret>,
    /// The life of a device token that names none, 1..=1440 minutes.
    pub jwt_default_expiry_minutes: u32,
    /// Firmware downloads need no token.
    pub no_jwt: bool,
    /// What to do with `?token=` on firmware downloads.
    pub query_token: QueryToken,
    /// Whether a proxy in front reads images from the disk itself.
    pub sendfile: Option<Sendfile>,
    /// The largest upload.
    pub max_upload_bytes: u64,
    /// Home backends that services may name, as scheme, host and port.
    pub webhook_origins: Vec<String>,
    /// Addresses that are not public where home backends may be.
    pub webhook_networks: Vec<IpNet>,
    /// Authorities (PEM) that home backends may have their certificates from, beside the public ones.
    pub webhook_ca_file: Option<PathBuf>,
    /// The keys of home backends come from it; 16 bytes or more.
    pub webhook_secret: Option<Secret>,
    /// Who signs manifests beside the portal.
    pub cosigner: CoSignerAt,
    /// Seals the private keys of projects instead of `keys/secret.bin`; 16 bytes or more.
    pub project_key_secret: Option<Secret>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which events are logged, as `tracing` directives.
    pub log_filter: String,
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, leaf first.
    pub cert: PathBuf,
    /// The private key of the leaf.
    pub key: PathBuf,
}

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hands the value out, to be used and not to be kept or logged.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

const HIDDEN: &str = "(hidden)";

/// What happens to a token in the query of a firmware download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryToken {
    /// Taken like one in the header.
    Allow,
    /// Taken, with a warning in the log.
    Warn,
    /// Refused.
    Deny,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

const QUERY_TOKENS: [(&str, QueryToken); 3] = [
    ("allow", QueryToken::Allow),
    ("warn", QueryToken::Warn),
    ("deny", QueryToken::Deny),
];
const LOG_FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];
const FORWARD_HEADERS: [(&str, ForwardHeader); 3] = [
    ("x-forwarded-for", ForwardHeader::XForwardedFor),
    ("forwarded", ForwardHeader::Forwarded),
    ("proxy-protocol", ForwardHeader::ProxyProtocol),
];

const MIN_SECRET_BYTES: usize = 16;
const DEFAULT_MAX_UPLOAD_BYTES: i64 = 64 * 1024 * 1024;

impl Config {
    /// Lays defaults, file, environment and flags over each other and checks the result.
    ///
    /// `read_file` reads the `--config` file and the `*_file` twins of secrets.
    ///
    /// # Errors
    /// A sentence that names the key: unknown (with the nearest known one), of a wrong form, not
    /// built yet, or dangerous together with another.
    pub fn load(
        flags: &Flags,
        environment: &Environment,
        read_file: impl Fn(&Path) -> io::Result<String>,
    ) -> Result<Self, Refusal> {
        let layers = Layers::collect(flags, environment, &read_file)?;
        let config = Self::read(&layers)?;
        config.refuse_plain_http_in_public()?;
        config.refuse_family_urls_that_lead_nowhere()?;
        config.refuse_sendfile_for_nobody()?;
        config.refuse_a_cosigner_in_the_clear()?;
        Ok(config)
    }

    fn read(layers: &Layers) -> Result<Self, Refusal> {
        let data_dir = PathBuf::from(layers.text("data_dir")?.unwrap_or_else(|| "./data".into()));
        let minutes = layers
            .whole("jwt.default_expiry_minutes", 1..=1440)?
            .unwrap_or(30);
        let max_upload = layers
            .whole("max_upload_bytes", 1..=i64::MAX)?
            .unwrap_or(DEFAULT_MAX_UPLOAD_BYTES);
        let blob_dir = layers
            .parsed("blob_url", values::blob_dir)?
            .unwrap_or_else(|| data_dir.join("blobs"));
        Ok(Self {
            listen: layers
                .parsed("listen", values::listen)?
                .unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 3000))),
            public_url: layers.parsed("public_url", values::public_url)?,
            family_urls: family_urls::read(layers)?,
            database_url: Secret(read_database_url(layers, &data_dir)?),
            tls: read_tls(layers)?,
            trusted_proxies: layers.list("trusted_proxies", values::proxy_network)?,
            forwarded_header: layers
                .choice("forwarded_header", &FORWARD_HEADERS)?
                .unwrap_or_default(),
            insecure_http: layers.switch("insecure_http")?,
            admin_secret: read_secret(layers, "admin_secret")?,
            jwt_default_expiry_minutes: u32::try_from(minutes).unwrap_or(u32::MAX),
            no_jwt: layers.switch("no_jwt")?,
            query_token: layers
                .choice("query_token", &QUERY_TOKENS)?
                .unwrap_or(QueryToken::Allow),
            sendfile: sendfile::read(layers, &blob_dir)?,
            max_upload_bytes: max_upload.unsigned_abs(),
            webhook_origins: layers.list("wake.webhook_origins", values::public_url)?,
            webhook_networks: layers.list("wake.webhook_networks", values::proxy_network)?,
            webhook_ca_file: layers.text("wake.webhook_ca_file")?.map(PathBuf::from),
            webhook_secret: read_secret(layers, "wake.webhook_secret")?,
            cosigner: cosigner::read(layers, &data_dir)?,
            project_key_secret: read_secret(layers, "firmware.project_key_secret")?,
            log_format: layers
                .choice("log.format", &LOG_FORMATS)?
                .unwrap_or(LogFormat::Text),
            log_filter: layers.text("log.filter")?.unwrap_or_else(|| "info".into()),
            blob_dir,
            data_dir,
        })
    }

    fn refuse_plain_http_in_public(&self) -> Result<(), Refusal> {
        let private = self.listen.ip().to_canonical().is_loopback();
        if private || self.tls.is_some() || !self.trusted_proxies.is_empty() || self.insecure_http {
            return Ok(());
        }
        Err(Refusal::new(format!(
            "Listening on {} without TLS would send passwords in the clear. Set tls.cert and tls.key, or trusted_proxies when a proxy ends the TLS, or pass --insecure-http.",
            self.listen
        )))
    }

    fn refuse_a_cosigner_in_the_clear(&self) -> Result<(), Refusal> {
        match &self.cosigner {
            CoSignerAt::Service(service) if service.is_open_to_ears() && !self.insecure_http => {
                Err(Refusal::new(format!(
                    "cosigner.url {} is not on this machine, so it must be https://. Give the co-signer a certificate, or pass --insecure-http.",
                    service.url
                )))
            }
            _ => Ok(()),
        }
    }

    /// Answers what links and cookies are made for, given the address that was really bound.
    pub fn public_url(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.public_url {
            return url.clone();
        }
        let host = match bound.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", SocketAddr::new(host, bound.port()))
    }

    /// Tells whether the database is a SQLite file, which bears one process only.
    pub fn uses_sqlite(&self) -> bool {
        self.database_url.expose().starts_with("sqlite:")
    }

    /// Renders the configuration as TOML with secrets hidden.
    pub fn print(&self) -> String {
        let mut root = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| keys::put(&mut root, key, value);
        put("data_dir", shown(&self.data_dir));
        put("listen", self.listen.to_string().into());
        put("public_url", self.public_url(self.listen).into());
        for (key, url) in self.family_urls() {
            put(key, url.into());
        }
        let database = if self.uses_sqlite() {
            self.database_url.expose()
        } else {
            HIDDEN
        };
        put("database_url", database.into());
        put(
            "blob_url",
            format!("file://{}", self.blob_dir.display()).into(),
        );
        put("trusted_proxies", texts(&self.trusted_proxies));
        put("forwarded_header", self.forwarded_header.name().into());
        put("insecure_http", self.insecure_http.into());
        put("no_jwt", self.no_jwt.into());
        put(
            "query_token",
            spelled(&QUERY_TOKENS, &self.query_token).into(),
        );
        let sendfile = self.sendfile.as_ref();
        let header = sendfile.map(|sendfile| sendfile.header);
        put("sendfile", spelled(&sendfile::HEADERS, &header).into());
        if let Some(sendfile) = sendfile {
            put("sendfile_root", sendfile.root.clone().into());
        }
        put(
            "max_upload_bytes",
            self.max_upload_bytes.cast_signed().into(),
        );
        put(
            "jwt.default_expiry_minutes",
            i64::from(self.jwt_default_expiry_minutes).into(),
        );
        put("log.format", spelled(&LOG_FORMATS, &self.log_format).into());
        put("log.filter", self.log_filter.clone().into());
        if self.admin_secret.is_some() {
            put("admin_secret", HIDDEN.into());
        }
        if self.webhook_secret.is_some() {
            put("wake.webhook_secret", HIDDEN.into());
        }
        if let Some(file) = &self.webhook_ca_file {
            put("wake.webhook_ca_file", shown(file));
        }
        match &self.cosigner {
            CoSignerAt::InProcess { dir } => put("cosigner.dir", shown(dir)),
            CoSignerAt::Service(service) => {
                put("cosigner.url", service.url.clone().into());
                if let Some(file) = &service.ca_file {
                    put("cosigner.ca_file", shown(file));
                }
                let timeout_ms = i64::try_from(service.timeout.as_millis()).unwrap_or(i64::MAX);
                put("cosigner.timeout_ms", timeout_ms.into());
            }
        }
        if self.project_key_secret.is_some() {
            put("firmware.project_key_secret", HIDDEN.into());
        }
        put("wake.webhook_origins", texts(&self.webhook_origins));
        put("wake.webhook_networks", texts(&self.webhook_networks));
        if let Some(tls) = &self.tls {
            put("tls.cert", shown(&tls.cert));
            put("tls.key", shown(&tls.key));
        }
        root.to_string()
    }
}

fn texts(values: &[impl ToString]) -> toml::Value {
    let texts: Vec<_> = values.iter().map(ToString::to_string).collect();
    texts.into()
}

fn shown(path: &Path) -> toml::Value {
    path.display().to_string().into()
}

fn spelled<T: PartialEq>(choices: &[(&'static str, T)], wanted: &T) -> &'static str {
    choices
        .iter()
        .find(|(_, choice)| choice == wanted)
        .map_or("", |(word, _)| word)
}

/// Writes scheme, host and port in the one form that is compared.
///
/// # Errors
/// What would do, as the end of a sentence.
pub fn origin(text: &str) -> Result<String, String> {
    values::public_url(text)
}

fn read_database_url(layers: &Layers, data_dir: &Path) -> Result<String, Refusal> {
    let set = layers.parsed("database_url", values::database_url)?;
    Ok(set.unwrap_or_else(|| format!("sqlite://{}", data_dir.join("gatehouse.db").display())))
}

fn read_tls(layers: &Layers) -> Result<Option<TlsFiles>, Refusal> {
    match (layers.text("tls.cert")?, layers.text("tls.key")?) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(TlsFiles {
            cert: cert.into(),
            key: key.into(),
        })),
        (Some(_), None) => Err(Refusal::new("tls.cert is set without tls.key. Set both.")),
        (None, Some(_)) => Err(Refusal::new("tls.key is set without tls.cert. Set both.")),
    }
}

fn read_secret(layers: &Layers, key: &str) -> Result<Option<Secret>, Refusal> {
    match layers.text(key)? {
        Some(text) if text.len() < MIN_SECRET_BYTES => Err(Refusal::new(format!(
            "{key} is too short: use {MIN_SECRET_BYTES} bytes or more."
        ))),
        text => Ok(text.map(Secret)),
    }
}
