use std::collections::BTreeMap;

use gatehouse_types::{
    Page, PageQuery, Timestamp, Version, codes,
    firmware::{Device, DeviceChange, DeviceWithToken, NewDevice, ReportEntry},
    limits,
    rollout::Channel,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{CatalogProject, Firmware, actions::to_action, no_such_device};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::{StoreError, firmware::DeviceRecord, random_bytes},
};

pub(super) const ATTRIBUTES_MAX: usize = 32;
/// Random bytes in lower-case hex digits; longer ones Zephyr's hawkBit client would not take.
pub const TARGET_TOKEN_CHARS: usize = 32;
const CONTROLLER_ID_MAX: usize = 128;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Firmware {
    /// Registers a device and makes its target token, shown this once.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, the id is taken, or a field cannot be taken.
    pub async fn create_device(
        &self,
        actor: &Actor,
        project: &str,
        new: &NewDevice,
    ) -> Result<DeviceWithToken> {
        actor.require_admin()?;
        let project_id = self.catalog().project(project)?.record.id;
        let device_id = new.device_id.unwrap_or_else(|| self.ports.new_id());
        let mut record = self.new_device(project_id, device_id);
        if !new.name.trim().is_empty() {
            new.name.trim().clone_into(&mut record.name);
        }
        new.group.trim().clone_into(&mut record.group_name);
        record.channel = new.channel;
        record.controller_id.clone_from(&new.controller_id);
        record.attributes.clone_from(&new.attributes);
        check(&record)?;
        let random = random_bytes::<{ TARGET_TOKEN_CHARS / 2 }>(self.ports.rng.as_ref());
        let target_token = hex::encode(random);
        record.target_token_hash = Some(Sha256::digest(target_token.as_bytes()).into());
        self.ports
            .store
            .insert_device(&record)
            .await
            .map_err(|error| match error {
                StoreError::Taken => Error::conflict(
                    codes::TAKEN,
                    "This project has a device with that id or controller id already.",
                ),
                other => other.into(),
            })?;
        self.know((project_id, device_id)).await?;
        self.audit
            .note(
                actor,
                Note::ok("device.create", "device", device_id).detail(project),
            )
            .await?;
        Ok(DeviceWithToken {
            device: to_device(self.catalog().project(project)?, record),
            target_token,
        })
    }

    /// Lists a project's devices.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or the page cannot be read.
    pub async fn list_devices(
        &self,
        actor: &Actor,
        project: &str,
        query: &PageQuery,
    ) -> Result<Page<Device>> {
        actor.require_admin()?;
        let limit = query.limit()?;
        let catalog = self.catalog();
        let project = catalog.project(project)?;
        let rows = self
            .ports
            .store
            .list_devices(
                project.record.id,
                cursor(query.after.as_deref())?,
                limit + 1,
            )
            .await?;
        Ok(Page::cut(rows, limit, |row| row.device_id.to_string())
            .map(|row| to_device(project, row)))
    }

    /// Counts devices by the version they last said they run, newest version first.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn versions_in_field(
        &self,
        actor: &Actor,
        project: &str,
    ) -> Result<Vec<(Option<String>, i64)>> {
        actor.require_admin()?;
        let project_id = self.catalog().project(project)?.record.id;
        let mut counts = self.ports.store.versions_in_field(project_id).await?;
        let order = |version: &Option<String>| {
            version
                .as_deref()
                .and_then(|text| text.parse::<Version>().ok())
        };
        counts.sort_by_key(|(version, _)| std::cmp::Reverse(order(version)));
        Ok(counts)
    }

    /// How many of a project's devices were heard of within the last day, and when the newest
    /// word of any came.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn heard_of(&self, actor: &Actor, project: &str) -> Result<(i64, Option<Timestamp>)> {
        actor.require_admin()?;
        let project_id = self.catalog().project(project)?.record.id;
        let since_ms = self.ports.now_ms() - DAY_MS;
        let (devices, newest_ms) = self.ports.store.heard_of(project_id, since_ms).await?;
        Ok((devices, newest_ms.map(Timestamp)))
    }

    /// Shows a device.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn device(&self, actor: &Actor, project: &str, device_id: Uuid) -> Result<Device> {
        actor.require_admin()?;
        let record = self.find_device(project, device_id).await?;
        Ok(to_device(self.catalog().project(project)?, record))
    }

    /// What a device reported, newest first, at most 100 lines.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn list_reports(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
    ) -> Result<Vec<ReportEntry>> {
        actor.require_admin()?;
        let record = self.find_device(project, device_id).await?;
        Ok(self
            .ports
            .store
            .list_reports(record.project_id, device_id, 100)
            .await?)
    }

    /// Changes a device's name, group or attributes.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such device, or a field cannot be taken.
    pub async fn change_device(
        &self,
        actor: &Actor,
        project: &str,
        device_id: Uuid,
        change: &DeviceChange,
    ) -> Result<Device> {
        actor.require_admin()?;
        let mut record = self.find_device(project, device_id).await?;
        if let Some(name) = &change.name {
            name.trim().clone_into(&mut record.name);
        }
        if let Some(group) = &change.group {
            group.trim().clone_into(&mut record.group_name);
        }
        if let Some(channel) = change.channel {
            record.channel = channel;
        }
        if let Some(attributes) = &change.attributes {
            record.attributes.clone_from(attributes);
        }
        check(&record)?;
        if !self.ports.store.update_device(&record).await? {
            return Err(no_such_device());
        }
        self.relearn((record.project_id, device_id)).await?;
        self.audit
            .note(
                actor,
                Note::ok("device.change", "device", device_id).detail(project),
            )
            .await?;
        Ok(to_device(self.catalog().project(project)?, record))
    }

    /// Removes a device with its reports and revokes its tokens.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn remove_device(&self, actor: &Actor, project: &str, device_id: Uuid) -> Result<()> {
        actor.require_admin()?;
        let project_id = self.catalog().project(project)?.record.id;
        if !self
            .ports
            .store
            .remove_device(project_id, device_id, self.ports.now_ms())
            .await?
        {
            return Err(no_such_device());
        }
        self.fleet.forget((project_id, device_id));
        self.audit
            .note(
                actor,
                Note::ok("device.remove", "device", device_id).detail(project),
            )
            .await?;
        self.reload_catalog().await
    }

    pub(super) fn new_device(&self, project_id: Uuid, device_id: Uuid) -> DeviceRecord {
        DeviceRecord {
            project_id,
            device_id,
            name: device_id.to_string(),
            controller_id: None,
            group_name: String::new(),
            channel: Channel::Stable,
            attributes: BTreeMap::new(),
            target_token_hash: None,
            current_version: None,
            last_state: None,
            action: None,
            last_seen_at_ms: None,
            created_at_ms: self.ports.now_ms(),
        }
    }

    pub(super) async fn find_device(&self, project: &str, device_id: Uuid) -> Result<DeviceRecord> {
        let catalog = self.catalog();
        let project_id = catalog.project(project)?.record.id;
        self.ports
            .store
            .device(project_id, device_id)
            .await?
            .ok_or_else(no_such_device)
    }
}

fn check(record: &DeviceRecord) -> Result<()> {
    limits::name("name", &record.name)?;
    limits::one_line("group", &record.group_name)?;
    if let Some(controller_id) = &record.controller_id {
        check_controller_id(controller_id)?;
    }
    let is_short = |text: &String| limits::one_line("attributes", text).is_ok();
    if record.attributes.len() > ATTRIBUTES_MAX
        || !record
            .attributes
            .iter()
            .all(|(key, value)| is_short(key) && is_short(value))
    {
        return Err(Error::invalid(
            "attributes",
            "At most 32 attributes, names and values of at most 80 characters.",
        ));
    }
    Ok(())
}

/// Refuses what could not stand in a URL, and what could be taken for a device's id.
pub(super) fn check_controller_id(controller_id: &str) -> Result<()> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || b"._:@-".contains(&byte);
    let fits = (1..=CONTROLLER_ID_MAX).contains(&controller_id.len())
        && controller_id.bytes().all(is_word)
        && !matches!(controller_id, "." | "..")
        && Uuid::parse_str(controller_id).is_err();
    if fits {
        Ok(())
    } else {
        Err(Error::invalid(
            "controller_id",
            "A controller id has 1 to 128 letters, digits or . _ : @ - and is no UUID.",
        ))
    }
}

fn to_device(project: &CatalogProject, record: DeviceRecord) -> Device {
    Device {
        device_id: record.device_id,
        project: project.record.name.clone(),
        name: record.name,
        controller_id: record.controller_id,
        group: record.group_name,
        channel: record.channel,
        action: record
            .action
            .as_ref()
            .and_then(|action| to_action(project, action)),
        attributes: record.attributes,
        current_version: record.current_version,
        last_state: record.last_state,
        last_seen_at: record.last_seen_at_ms.map(Timestamp),
        created_at: Timestamp(record.created_at_ms),
    }
}
