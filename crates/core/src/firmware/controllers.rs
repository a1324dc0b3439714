//! Devices that foreign clients name in the URL and that show a lasting secret.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::{CatalogProject, Firmware, devices, pace::Word, words::key};
use crate::{
    Actor, Error, Result,
    actor::{DeviceActor, Who},
    audit::Note,
    ports::StoreError,
};

/// The tenant of installations that know one only; looked for in every project.
const ANY_PROJECT: &str = "default";

const ATTRIBUTE_MAX_CHARS: usize = 80;
/// Attributes in which a device may tell the version it runs.
const VERSION_ATTRIBUTES: [&str; 2] = ["version", "fw_version"];

const REFUSED: Error = Error::Unauthenticated("Invalid token");

/// The lasting secret that a foreign client shows.
#[derive(Debug, Clone, Copy)]
pub enum LastingToken<'a> {
    /// The device's own.
    Target(&'a str),
    /// That of a gateway which speaks for any device of a project.
    Gateway(&'a str),
}

/// What a device does with the attributes it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttributesMode {
    /// They join the others.
    Merge,
    /// They take the place of all others.
    Replace,
    /// The named ones go.
    Remove,
}

impl Firmware {
    /// Tells which device this is. Touches no database row once the device is known.
    ///
    /// `tenant` is a project's name, or `default` where the token shows which one is meant. A
    /// gateway registers a device that is not known, where its project allows that.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], the same for every reason.
    pub async fn authenticate_controller(
        &self,
        origin: &Actor,
        tenant: &str,
        controller_id: &str,
        token: LastingToken<'_>,
    ) -> Result<Actor> {
        let catalog = self.catalog.load_full();
        let any = tenant.eq_ignore_ascii_case(ANY_PROJECT) && catalog.project(tenant).is_err();
        let projects = catalog
            .projects()
            .filter(|project| any || project.record.name == tenant);
        for project in projects {
            if let Some(device_id) = self
                .controller_in(origin, project, controller_id, token)
                .await?
            {
                return Ok(origin.as_who(Who::Device(DeviceActor {
                    project_id: project.record.id,
                    project: project.record.name.clone(),
                    device_id,
                    fw_version: None,
                })));
            }
        }
        Err(REFUSED)
    }

    async fn controller_in(
        &self,
        origin: &Actor,
        project: &CatalogProject,
        controller_id: &str,
        token: LastingToken<'_>,
    ) -> Result<Option<Uuid>> {
        let project_id = project.record.id;
        let known = self.find_controller(project_id, controller_id).await?;
        match token {
            LastingToken::Target(token) => {
                let own = known.and_then(|device_id| {
                    let hash = self
                        .fleet
                        .with((project_id, device_id), |member| member.target_token_hash);
                    hash.flatten()
                });
                Ok(known.filter(|_| matches(token, own.as_ref())))
            }
            LastingToken::Gateway(token) => {
                if !matches(token, project.record.gateway_token_hash.as_ref()) {
                    return Ok(None);
                }
                match known {
                    Some(device_id) => Ok(Some(device_id)),
                    None if project.record.registers_unknown_devices => self
                        .register(origin, project, controller_id)
                        .await
                        .map(Some),
                    None => Ok(None),
                }
            }
        }
    }

    /// The device that foreign clients call so, read into memory.
    async fn find_controller(&self, project_id: Uuid, controller_id: &str) -> Result<Option<Uuid>> {
        let by_id = Uuid::parse_str(controller_id)
            .ok()
            .filter(|id| self.fleet.knows((project_id, *id)));
        let in_memory = by_id.or_else(|| self.fleet.controller(project_id, controller_id));
        if in_memory.is_some() || self.fleet.is_whole() {
            return Ok(in_memory);
        }
        let device_id = match Uuid::parse_str(controller_id) {
            Ok(device_id) => Some(device_id),
            Err(_) => {
                self.ports
                    .store
                    .controller(project_id, controller_id)
                    .await?
            }
        };
        let Some(device_id) = device_id else {
            return Ok(None);
        };
        self.know((project_id, device_id)).await?;
        Ok(Some(device_id).filter(|id| self.fleet.knows((project_id, *id))))
    }

    /// Registers a device that a gateway speaks for.
    async fn register(
        &self,
        origin: &Actor,
        project: &CatalogProject,
        controller_id: &str,
    ) -> Result<Uuid> {
        let by_id = Uuid::parse_str(controller_id).ok();
        let device_id = by_id.unwrap_or_else(|| self.ports.new_id());
        let mut record = self.new_device(project.record.id, device_id);
        if by_id.is_none() {
            devices::check_controller_id(controller_id)?;
            record.controller_id = Some(controller_id.to_owned());
            controller_id.clone_into(&mut record.name);
        }
        match self.ports.store.insert_device(&record).await {
            Ok(()) => {
                self.audit
                    .note(
                        origin,
                        Note::ok("device.create", "device", device_id).detail(&project.record.name),
                    )
                    .await?;
                self.know((project.record.id, device_id)).await?;
                Ok(device_id)
            }
            // Another instance, or another connection, was quicker.
            Err(StoreError::Taken) => {
                let stored = match by_id {
                    Some(_) => Some(device_id),
                    None => {
                        self.ports
                            .store
                            .controller(project.record.id, controller_id)
                            .await?
                    }
                };
                let device_id = stored.ok_or(REFUSED)?;
                self.know((project.record.id, device_id)).await?;
                Ok(device_id)
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Keeps the attributes that a device tells of itself: the first 32, cut to 80 characters each.
    ///
    /// # Errors
    /// When no device asks or it was removed.
    pub async fn take_attributes(
        &self,
        actor: &Actor,
        mode: AttributesMode,
        told: &BTreeMap<String, String>,
    ) -> Result<()> {
        let device = actor.device()?;
        self.take_word(key(device), Word::Chatter)?;
        let mut record = self.find_device(&device.project, device.device_id).await?;
        match mode {
            AttributesMode::Merge => record.attributes.extend(tidy(told)),
            AttributesMode::Replace => record.attributes = tidy(told).collect(),
            AttributesMode::Remove => record.attributes.retain(|name, _| !told.contains_key(name)),
        }
        while record.attributes.len() > devices::ATTRIBUTES_MAX {
            record.attributes.pop_last();
        }
        let kept = self
            .ports
            .store
            .save_attributes(device.project_id, device.device_id, &record.attributes)
            .await?;
        if !kept {
            return Err(super::no_such_device());
        }
        self.fleet
            .with((device.project_id, device.device_id), |member| {
                member.wants_attributes = false;
            });
        let catalog = self.catalog.load_full();
        let project = catalog.project(&device.project)?;
        let mut told_versions = VERSION_ATTRIBUTES.iter().filter_map(|name| told.get(*name));
        if let Some(version) = told_versions.find_map(|version| version.parse().ok()) {
            let heard = self.word(device, project, |hearing| hearing.runs(&version));
            if let Some(((), progress)) = heard {
                self.write_now(progress).await?;
            }
        }
        Ok(())
    }
}

fn tidy(told: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> {
    let cut = |text: &str| -> String {
        text.chars()
            .filter(|letter| !letter.is_control())
            .take(ATTRIBUTE_MAX_CHARS)
            .collect()
    };
    told.iter()
        .map(move |(name, value)| (cut(name), cut(value)))
        .filter(|(name, _)| !name.is_empty())
}

fn matches(token: &str, hash: Option<&[u8; 32]>) -> bool {
    let shown: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    // Also where there is nothing to compare with, so that no time tells which devices exist.
    let hash_or_nothing = hash.copied().unwrap_or_default();
    bool::from(shown.ct_eq(&hash_or_nothing)) && hash.is_some()
}
