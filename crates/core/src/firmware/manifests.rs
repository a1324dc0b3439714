//! What a device checks before it installs: claims about an image under two signatures.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use futures_util::TryStreamExt;
use gatehouse_manifest::{Claims, Manifest, jti, project_kid};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    CatalogProject, CatalogRelease, Firmware,
    project_keys::{OpenKey, no_key},
    running::Running,
};
use crate::{
    Actor, Error, Result,
    ports::{firmware::Artifact, random_bytes},
};

/// How long a manifest holds, in seconds.
const LIFETIME_S: i64 = 15 * 60;
/// A portal is known by one address or two; whoever makes up more does not fill the memory.
const ADDRESSES_MAX: usize = 4;

/// What a device asks a manifest for.
#[derive(Debug, Clone, Copy)]
pub struct ManifestWish<'a> {
    /// What it says of the image it runs.
    pub running: Running<'a>,
    /// The thumbprint of the project's key that it knows; the one that signs when missing.
    pub key: Option<&'a str>,
    /// The portal's address without a slash at its end; the image's begins with it.
    pub address: &'a str,
}

/// Claims that hold for every device and moment, as JSON, by release.
#[derive(Default)]
pub(super) struct ClaimsCache(Mutex<HashMap<Uuid, Cached>>);

struct Cached {
    /// The claims are good for this state of release and project.
    of: Arc<CatalogRelease>,
    by_address: Vec<(String, Arc<str>)>,
}

impl ClaimsCache {
    fn get(&self, release: &Arc<CatalogRelease>, address: &str) -> Option<Arc<str>> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.get(&release.record.id)?;
        if !Arc::ptr_eq(&cached.of, release) {
            return None;
        }
        let mut by_address = cached.by_address.iter();
        by_address
            .find(|(of, _)| of == address)
            .map(|(_, claims)| Arc::clone(claims))
    }

    fn keep(&self, release: &Arc<CatalogRelease>, address: &str, claims: &Arc<str>) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let cached = cache.entry(release.record.id).or_insert_with(|| Cached {
            of: Arc::clone(release),
            by_address: Vec::new(),
        });
        if !Arc::ptr_eq(&cached.of, release) || cached.by_address.len() >= ADDRESSES_MAX {
            cached.of = Arc::clone(release);
            cached.by_address.clear();
        }
        cached
            .by_address
            .push((address.to_owned(), Arc::clone(claims)));
    }
}

impl Firmware {
    /// The manifest of what a device should install now, by the same decision as
    /// [`Firmware::check_update`]; `None` when that is nothing. Touches no database row once the
    /// device is known.
    ///
    /// # Errors
    /// When no device asks, the version it names is none, the project has no such key, or the
    /// co-signer does not sign.
    pub async fn manifest(&self, actor: &Actor, wish: ManifestWish<'_>) -> Result<Option<String>> {
        let device = actor.device()?;
        let Some(mut release) = self.check_update(actor, wish.running).await?.release else {
            return Ok(None);
        };
        let project = self.project_with_keys(&device.project).await?;
        if self.present_what_came_before(&project, &release).await? {
            // Meanwhile it may have been withdrawn or halted.
            match self.check_update(actor, wish.running).await?.release {
                Some(still) if still.record.id == release.record.id => release = still,
                _ => return Ok(None),
            }
        }
        let manifest = self
            .own_half(&project, &release, wish.address, wish.key)
            .await?;
        let signed = self.cosign(&release.record, manifest).await?;
        Ok(Some(signed.to_string()))
    }

    /// A fresh manifest with the project's signature alone.
    pub(super) async fn own_half(
        &self,
        project: &CatalogProject,
        release: &Arc<CatalogRelease>,
        address: &str,
        key: Option<&str>,
    ) -> Result<Manifest> {
        let key = self.signing_key(project, key)?;
        let lasting = self.lasting_claims(project, release, address).await?;
        let kid = project_kid(&project.record.id.to_string());
        let dated = self.dated(&lasting);
        Ok(Manifest::from_payload_json(dated, &kid, &key.signing))
    }

    fn signing_key(
        &self,
        project: &CatalogProject,
        thumbprint: Option<&str>,
    ) -> Result<Arc<OpenKey>> {
        let Some(thumbprint) = thumbprint else {
            return self.key_ring.open(project.keys.first().ok_or_else(no_key)?);
        };
        for key in &project.keys {
            let open = self.key_ring.open(key)?;
            if open.thumbprint == thumbprint {
                return Ok(open);
            }
        }
        Err(Error::NotFound("project key"))
    }

    /// The claims without those that are new with each manifest.
    async fn lasting_claims(
        &self,
        project: &CatalogProject,
        release: &Arc<CatalogRelease>,
        address: &str,
    ) -> Result<Arc<str>> {
        if let Some(claims) = self.claims.get(release, address) {
            return Ok(claims);
        }
        let checksum = self.crc32(&release.record.artifact).await?;
        let claims: Arc<str> = lasting_json(project, release, address, checksum)?.into();
        self.claims.keep(release, address, &claims);
        Ok(claims)
    }

    /// Adds what is new with each manifest: its own id and times.
    fn dated(&self, lasting: &str) -> String {
        let now_s = self.ports.now_ms().div_euclid(1000);
        let exp_s = now_s + LIFETIME_S;
        let jti = jti(exp_s, random_bytes(self.ports.rng.as_ref()));
        let members = lasting.strip_suffix('}').unwrap_or(lasting);
        format!(r#"{members},"jti":"{jti}","nbf":{now_s},"exp":{exp_s}}}"#)
    }

    /// The image's CRC-32; that of an image from before it was kept is computed once.
    async fn crc32(&self, artifact: &Artifact) -> Result<u32> {
        if let Some(crc32) = artifact.crc32 {
            return Ok(crc32);
        }
        let _alone = self.first_needs.lock().await;
        if let Some(crc32) = self.known_crc32(&artifact.sha256) {
            return Ok(crc32);
        }
        let crc32 = self.compute_crc32(artifact).await?;
        self.ports.store.keep_crc32(&artifact.sha256, crc32).await?;
        self.reload_catalog().await?;
        Ok(crc32)
    }

    fn known_crc32(&self, sha256: &str) -> Option<u32> {
        let catalog = self.catalog();
        let mut releases = catalog.projects().flat_map(|project| &project.releases);
        let same = releases.find(|release| release.record.artifact.sha256 == sha256)?;
        same.record.artifact.crc32
    }

    async fn compute_crc32(&self, artifact: &Artifact) -> Result<u32> {
        let size_bytes = artifact.size_bytes.unsigned_abs();
        let part = self
            .ports
            .blobs
            .read(&artifact.sha256, 0..size_bytes)
            .await?;
        let mut part = part.ok_or_else(|| Error::internal("an image is missing"))?;
        let (mut sha256, mut crc32) = (Sha256::new(), crc32fast::Hasher::new());
        while let Some(chunk) = part.bytes.try_next().await.map_err(Error::internal)? {
            sha256.update(&chunk);
            crc32.update(&chunk);
        }
        // What has rotted must not be signed.
        if hex::encode(sha256.finalize()) != artifact.sha256 {
            return Err(Error::internal("an image has rotted"));
        }
        Ok(crc32.finalize())
    }
}

/// The number of the release's publication; 0 where it has none.
pub(super) fn counter_of(release: &CatalogRelease) -> i64 {
    release.record.release_counter.unwrap_or(0)
}

fn lasting_json(
    project: &CatalogProject,
    release: &CatalogRelease,
    address: &str,
    checksum: u32,
) -> Result<String> {
    let record = &release.record;
    let release_counter = record
        .release_counter
        .and_then(|counter| u64::try_from(counter).ok())
        .ok_or_else(|| {
            Error::internal("an older portal published this release: withdraw and publish it again")
        })?;
    let claims = Claims {
        iss: address.to_owned(),
        project: project.record.name.clone(),
        version: record.version.clone(),
        release_counter,
        download_url: format!(
            "{address}/firmware/{}/{}",
            project.record.name, record.file_name
        ),
        checksum,
        sha256: record.artifact.sha256.clone(),
        size_bytes: record.artifact.size_bytes.unsigned_abs(),
        hardware: project.record.hardware.clone(),
        min_version: record.min_version.clone(),
        allow_downgrade: record.allow_downgrade,
        jti: String::new(),
        nbf: 0,
        exp: 0,
    };
    let mut lasting = serde_json::to_value(claims).map_err(Error::internal)?;
    if let Some(members) = lasting.as_object_mut() {
        members.retain(|name, _| !matches!(name.as_str(), "jti" | "nbf" | "exp"));
    }
    Ok(lasting.to_string())
}
