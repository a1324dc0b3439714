//! The two public keys of a device, and what they make of an offer.

use std::fs;
use std::path::Path;
use std::time::Duration;

use gatehouse_manifest::{Bundle, Claims, DeviceState, Refusal, Trusted, verify};
use reqwest::Url;

use crate::clock::now_s;
use crate::{Failure, Kind, Memory, Offer, Portal};

/// What a device was given when it was made: its project's keys, and the word for its hardware.
#[derive(Debug, Clone)]
pub struct Keys {
    trusted: Trusted,
    project: String,
    thumbprint: String,
    hardware: Option<String>,
}

impl Keys {
    /// Reads the bundle that a portal exports for the devices of a project.
    ///
    /// `hardware` is the chip or board of this device; without it only a manifest for any will do.
    ///
    /// # Errors
    /// When the file cannot be read or is no such bundle.
    pub fn from_file(path: &Path, hardware: Option<String>) -> Result<Self, Failure> {
        let unusable = |cause: &dyn std::fmt::Display| {
            let path = path.display();
            let sentence = format!(
                "cannot use the keys in {path} ({cause}): pass the file that \
                 `gatehouse project keys PROJECT` writes with --keys"
            );
            Failure::new(Kind::Local, sentence)
        };
        let text = fs::read_to_string(path).map_err(|cause| unusable(&cause))?;
        let trusted = Trusted::from_bundle_json(&text).map_err(|refusal| unusable(&refusal))?;
        let bundle: Bundle = serde_json::from_str(&text).map_err(|cause| unusable(&cause))?;
        // Of two, the newer one goes on signing when the older one is retired.
        let newest = trusted.project_keys.last();
        let thumbprint = newest
            .ok_or_else(|| unusable(&Refusal::BadKey))?
            .thumbprint();
        Ok(Self {
            thumbprint,
            trusted,
            project: bundle.project,
            hardware,
        })
    }

    /// A device that has installed nothing of this project yet.
    pub fn no_memory(&self) -> Memory {
        Memory::new(&self.trusted.project_id)
    }

    /// Checks a manifest for a device that runs `current_fw` and remembers `memory`.
    ///
    /// # Errors
    /// When it is not one that both keys signed for this device and this moment.
    pub fn verify(
        &self,
        manifest: &str,
        current_fw: Option<&str>,
        memory: &Memory,
    ) -> Result<Claims, Refusal> {
        let device = DeviceState {
            now_s: now_s(),
            project: &self.project,
            hardware: self.hardware.as_deref(),
            version: current_fw,
            release_counter: memory.release_counter(),
            has_seen: &|jti| memory.has_seen(jti),
        };
        verify(manifest, &self.trusted, &device)
    }

    /// Fetches the manifest of an offer and answers what it signs; `waits` are those between tries.
    ///
    /// # Errors
    /// When there is no manifest, or it is refused.
    pub async fn sign_off(
        &self,
        portal: &Portal,
        offer: &Offer,
        current_fw: &str,
        memory: &Memory,
        waits: &[Duration],
    ) -> Result<Offer, Failure> {
        let Some(url) = &offer.manifest_url else {
            let sentence = format!(
                "the portal names no manifest for {} ({}), and this device installs nothing \
                 without one: bring the portal up to date, or leave --keys out",
                offer.version,
                Refusal::NoManifest.code()
            );
            return Err(Failure::new(Kind::Refused, sentence));
        };
        let manifest = self.fetch(portal, url, current_fw, waits).await?;
        let claims = self
            .verify(&manifest, Some(current_fw), memory)
            .map_err(Failure::refused)?;
        offer.clone().with_claims(claims, portal.url())
    }

    async fn fetch(
        &self,
        portal: &Portal,
        url: &Url,
        current_fw: &str,
        waits: &[Duration],
    ) -> Result<String, Failure> {
        let mut waits = waits.iter();
        loop {
            let answer = portal.manifest(url, current_fw, &self.thumbprint).await;
            let Err(failure) = answer else {
                return answer;
            };
            match waits.next() {
                Some(wait) if failure.kind().is_passing() => {
                    tokio::time::sleep(failure.wait(*wait)).await;
                }
                _ => return Err(failure),
            }
        }
    }
}
