//! `gatehouse doctor`: looks, says what to do, and changes nothing. The portal may run meanwhile.

use std::{
    fmt, fs, io, num::NonZeroU32, os::unix::fs::PermissionsExt, path::Path, sync::Arc,
    time::Duration,
};

use gatehouse_core::{
    firmware::examine_image,
    ports::{Clock, Store},
};
use gatehouse_storage::{FileBlobs, StoreHandle};
use rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::ring,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use super::{
    existing_secret, family_names::family_names, project_key_seals::Seals, refuse, sqlite_file,
};
use crate::{
    config::{CoSignerAt, Config, TlsFiles},
    cosigner,
    http::tls,
    refusal::Refusal,
    system::SystemClock,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grade {
    Ok,
    Warning,
    Problem,
}

/// One line of the answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    text: String,
}

impl Finding {
    pub(super) fn new(grade: Grade, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { grade, text }
    }

    /// `Ok` with its text, or the refusal as a problem.
    fn of(result: Result<String, Refusal>) -> Self {
        match result {
            Ok(text) => Self::new(Grade::Ok, text),
            Err(refusal) => Self::new(Grade::Problem, refusal.to_string()),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Ok => "ok",
            Grade::Warning => "warning",
            Grade::Problem => "problem",
        };
        write!(f, "{grade:<8} {}", self.text)
    }
}

/// Prints a line for everything it looked at.
///
/// # Errors
/// When at least one of them is a problem.
pub(super) async fn doctor(config: &Config) -> Result<(), Refusal> {
    let findings = examine(config).await;
    for finding in &findings {
        println!("{finding}");
    }
    let is_problem = |finding: &&Finding| finding.grade == Grade::Problem;
    match findings.iter().filter(is_problem).count() {
        0 => Ok(()),
        problems => Err(Refusal::new(format!(
            "{problems} of these are problems. Do what their lines say, then run gatehouse doctor again."
        ))),
    }
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![
        Finding::new(Grade::Ok, "The configuration loads."),
        data_dir(&config.data_dir),
        Finding::of(
            existing_secret(&config.data_dir).map(|_| "The signing secret is in place.".into()),
        ),
    ];
    findings.push(cosigner(config).await);
    findings.extend(keys_left_here(config));
    findings.extend(database(config).await);
    findings.extend(
        config
            .tls
            .as_ref()
            .map(|files| Finding::of(certificate(files, SystemClock.now_ms()))),
    );
    findings.push(visitors(config));
    findings.extend(family_names(config).await);
    findings
}

fn data_dir(path: &Path) -> Finding {
    let shown = path.display();
    match fs::metadata(path) {
        Err(error) => Finding::new(
            Grade::Problem,
            format!(
                "The data folder {shown} cannot be looked into ({error}). Name the right one with --data-dir; gatehouse serve makes a new one."
            ),
        ),
        Ok(facts) if !facts.is_dir() => Finding::new(
            Grade::Problem,
            format!("The data folder {shown} is a file. Name a folder with --data-dir."),
        ),
        Ok(facts) if facts.permissions().mode() & 0o077 != 0 => Finding::new(
            Grade::Warning,
            format!("Other users may look into the data folder {shown}. Run: chmod 700 {shown}"),
        ),
        Ok(_) => Finding::new(
            Grade::Ok,
            format!("The data folder {shown} is yours alone."),
        ),
    }
}

/// Looks at who signs beside the portal; only where both halves exist, since opening makes them.
async fn cosigner(config: &Config) -> Finding {
    if !config.data_dir.join("keys/identity.pem").exists() {
        return Finding::new(
            Grade::Warning,
            "The portal has no identity key yet, by which a co-signer knows it. gatehouse serve makes it, and so does gatehouse cosigner.",
        );
    }
    match &config.cosigner {
        CoSignerAt::InProcess { dir } if !dir.is_dir() => Finding::new(
            Grade::Problem,
            format!(
                "The co-signer's folder {0} is missing. Put it back from a backup, or set cosigner.url if it has moved; new keys in it would be strangers to every device. If no device knows them yet, gatehouse serve makes it.",
                dir.display()
            ),
        ),
        CoSignerAt::InProcess { dir } => Finding::of(cosigner::open(config).map(|_| {
            format!(
                "Manifests are co-signed inside the portal, with the keys in {}. A gatehouse-cosigner on another host would hold when this one is broken into.",
                dir.display()
            )
        })),
        CoSignerAt::Service(service) => {
            let asked = async {
                let asked = cosigner::open(config)?.port.status().await;
                asked.map_err(|failure| Refusal::new(failure.detail()))
            };
            Finding::of(asked.await.map(|()| {
                format!("The co-signer {} answers and trusts this portal.", service.url)
            }))
        }
    }
}

/// Both signatures from one host are what a co-signer elsewhere is there to prevent.
fn keys_left_here(config: &Config) -> Option<Finding> {
    let CoSignerAt::Service(service) = &config.cosigner else {
        return None;
    };
    let folder = config.data_dir.join("cosigner/keys");
    let holds_keys = fs::read_dir(&folder).is_ok_and(|mut inside| inside.next().is_some());
    holds_keys.then(|| Finding::new(
        Grade::Warning,
        format!(
            "The co-signer {} signs, but {} holds private keys of a co-signer: whoever breaks in here could sign for both. Move {} to the co-signer's host if its keys are these, then remove it here.",
            service.url,
            folder.display(),
            config.data_dir.join("cosigner").display()
        ),
    ))
}

async fn database(config: &Config) -> Vec<Finding> {
    // Connecting would make the file.
    if let Some(file) = sqlite_file(config).filter(|file| !file.is_file()) {
        let text = format!(
            "There is no database {}. gatehouse serve makes a new one; gatehouse restore brings one back.",
            file.display()
        );
        return vec![Finding::new(Grade::Problem, text)];
    }
    let store = match StoreHandle::connect(config.database_url.expose()).await {
        Ok(store) => store,
        Err(error) => return vec![Finding::of(Err(refuse(error)))],
    };
    let findings = inside_database(&store, config).await;
    store.close().await;
    findings
}

async fn inside_database(store: &StoreHandle, config: &Config) -> Vec<Finding> {
    let schema = match schema(store).await {
        Ok(schema) => schema,
        Err(refusal) => return vec![Finding::of(Err(refusal))],
    };
    // An older schema may lack the tables that the next questions go to.
    if schema.grade != Grade::Ok {
        return vec![schema];
    }
    let rows = store.store();
    let mut findings = vec![schema];
    findings.push(
        accounts(rows.as_ref())
            .await
            .unwrap_or_else(|refusal| Finding::of(Err(refusal))),
    );
    findings.extend(
        images(rows.as_ref(), &config.blob_dir)
            .await
            .unwrap_or_else(|refusal| vec![Finding::of(Err(refusal))]),
    );
    // Without the signing secret there is a line already.
    if existing_secret(&config.data_dir).is_ok() {
        let seals = Seals::try_all(config, rows.as_ref()).await;
        findings.push(Finding::of(seals.and_then(|seals| {
            let opens = format!("Project keys: {}, all open.", seals.keys);
            seals
                .complaint()
                .map_or(Ok(opens), |complaint| Err(Refusal::new(complaint)))
        })));
    }
    findings
}

async fn schema(store: &StoreHandle) -> Result<Finding, Refusal> {
    store.check_version().await.map_err(refuse)?;
    let applied = store
        .applied_migration()
        .await
        .map_err(refuse)?
        .unwrap_or(0);
    let newest = store.newest_migration();
    Ok(if applied < newest {
        let text = format!(
            "The database has an older schema (migration {applied} of {newest}). Run gatehouse migrate, or start the portal."
        );
        Finding::new(Grade::Warning, text)
    } else {
        let text =
            format!("The database opens and has the schema of this version (migration {newest}).");
        Finding::new(Grade::Ok, text)
    })
}

async fn accounts(rows: &dyn Store) -> Result<Finding, Refusal> {
    Ok(match rows.count_users().await.map_err(refuse)? {
        0 => Finding::new(
            Grade::Warning,
            "There is no account yet. gatehouse serve prints a set-up link, or run gatehouse admin create.",
        ),
        count => Finding::new(Grade::Ok, format!("Accounts: {count}.")),
    })
}

/// Reads the image of every release.
async fn images(rows: &dyn Store, blob_dir: &Path) -> Result<Vec<Finding>, Refusal> {
    let catalog = rows
        .load_catalog(SystemClock.now_ms())
        .await
        .map_err(refuse)?;
    // Opening would make the folder.
    let blobs = blob_dir.is_dir().then(|| FileBlobs::open(blob_dir));
    let blobs = blobs.transpose().map_err(refuse)?;
    let mut findings = Vec::new();
    for release in &catalog.releases {
        let damage = match &blobs {
            Some(blobs) => examine_image(blobs, &release.artifact, NonZeroU32::MAX)
                .await
                .map_err(refuse)?,
            None => Some("is missing"),
        };
        if let Some(damage) = damage
            && is_named(rows, &release.artifact.sha256).await?
        {
            findings.push(Finding::new(
                Grade::Problem,
                format!(
                    "The image {} ({}) {damage}. Upload it again, or put its blob {} back from a backup.",
                    release.file_name, release.version, release.artifact.sha256
                ),
            ));
        }
    }
    if findings.is_empty() {
        findings.push(Finding::new(
            Grade::Ok,
            format!(
                "Images: {}, all in place and whole.",
                catalog.releases.len()
            ),
        ));
    }
    Ok(findings)
}

/// Whether a release still names the image: a draft may be deleted while the others are read.
async fn is_named(rows: &dyn Store, sha256: &str) -> Result<bool, Refusal> {
    let named = rows.artifact_addresses().await.map_err(refuse)?;
    Ok(named.iter().any(|address| address == sha256))
}

fn certificate(files: &TlsFiles, now_ms: i64) -> Result<String, Refusal> {
    tls::server_config(&files.cert, &files.key)?;
    let shown = files.cert.display();
    match verdict(&files.cert, now_ms) {
        Err(TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Err(Refusal::new(format!(
            "The certificate {shown} has expired. Renew it, then start the portal again."
        ))),
        Err(TlsError::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Err(Refusal::new(format!(
            "The certificate {shown} is not valid yet. Check the clock of this machine."
        ))),
        _dates_are_right => Ok(format!(
            "The certificate {shown} fits its key and has not expired."
        )),
    }
}

/// Verifies the chain as a client would that trusts its last link. The dates are checked before
/// anything else; who issued it and for which name does not matter here.
fn verdict(cert: &Path, now_ms: i64) -> Result<(), TlsError> {
    let other = |error: &dyn fmt::Display| TlsError::General(error.to_string());
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect)
        .map_err(|error| other(&error))?;
    let (Some(leaf), Some(last)) = (chain.first(), chain.last()) else {
        return Err(other(&io::Error::from(io::ErrorKind::UnexpectedEof)));
    };
    let mut roots = RootCertStore::empty();
    roots.add(last.clone())?;
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .map_err(|error| other(&error))?;
    let name = ServerName::try_from("gatehouse.invalid").map_err(|error| other(&error))?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now_ms.unsigned_abs()));
    verifier
        .verify_server_cert(leaf, &chain[1..], &name, &[], now)
        .map(drop)
}

/// Whose address services would open for.
fn visitors(config: &Config) -> Finding {
    let is_https = config.public_url(config.listen).starts_with("https:");
    let by_proxy = is_https && config.tls.is_none();
    match (config.trusted_proxies.is_empty(), by_proxy) {
        (true, true) => Finding::new(
            Grade::Warning,
            "public_url is https, so a proxy ends the TLS, but trusted_proxies is empty: every visitor seems to come from the proxy, and services would open for it. Set trusted_proxies to its address.",
        ),
        (true, false) => Finding::new(
            Grade::Ok,
            "A visitor's address is that of the connection; no proxy is trusted to name another.",
        ),
        (false, _) => {
            let trusted: Vec<String> = config
                .trusted_proxies
                .iter()
                .map(ToString::to_string)
                .collect();
            let named = match config.forwarded_header.of_requests() {
                Some(header) => format!("the last in {header} that does not"),
                None => "the one that the PROXY protocol names".into(),
            };
            Finding::new(
                Grade::Ok,
                format!(
                    "Where the connection comes from {}, a visitor's address is {named}. GET /api/v1/me shows what that comes to for you.",
                    trusted.join(" or ")
                ),
            )
        }
    }
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
