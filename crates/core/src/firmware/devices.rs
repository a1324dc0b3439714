use std::{collections::BTreeMap, sync::PoisonError};

use gatehouse_types::{
    Page, PageQuery, Timestamp, Version, codes,
    firmware::{
        Device, DeviceChange, DeviceWithToken, NewDevice, Report, ReportEntry, ReportState,
    },
    limits,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Firmware, no_such_device};
use crate::{
    Actor, Error, Result,
    audit::{Note, cursor},
    ports::{
        StoreError,
        firmware::{DeviceRecord, Sighting},
        random_bytes,
    },
};

const ATTRIBUTES_MAX: usize = 32;
const DETAIL_MAX_CHARS: usize = 4000;
/// Sightings beyond this wait for the next flush of another device; a bound, not a quota.
const SIGHTINGS_MAX: usize = 2_000_000;

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
        record.attributes.clone_from(&new.attributes);
        check(&record)?;
        // 16 random bytes in hex: 32 characters, the longest that Zephyr's hawkBit client takes.
        let target_token = hex::encode(random_bytes::<16>(self.ports.rng.as_ref()));
        record.target_token_hash = Some(Sha256::digest(target_token.as_bytes()).into());
        self.ports
            .store
            .insert_device(&record)
            .await
            .map_err(|error| match error {
                StoreError::Taken => Error::conflict(
                    codes::TAKEN,
                    "This project has a device with that id already.",
                ),
                other => other.into(),
            })?;
        self.audit
            .note(
                actor,
                Note::ok("device.create", "device", device_id).detail(project),
            )
            .await?;
        Ok(DeviceWithToken {
            device: to_device(project, record),
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
        let project_id = self.catalog().project(project)?.record.id;
        let rows = self
            .ports
            .store
            .list_devices(project_id, cursor(query.after.as_deref())?, limit + 1)
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

    /// Shows a device.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such device.
    pub async fn device(&self, actor: &Actor, project: &str, device_id: Uuid) -> Result<Device> {
        actor.require_admin()?;
        Ok(to_device(
            project,
            self.find_device(project, device_id).await?,
        ))
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
        if let Some(attributes) = &change.attributes {
            record.attributes.clone_from(attributes);
        }
        check(&record)?;
        if !self.ports.store.update_device(&record).await? {
            return Err(no_such_device());
        }
        self.audit
            .note(
                actor,
                Note::ok("device.change", "device", device_id).detail(project),
            )
            .await?;
        Ok(to_device(project, record))
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
        self.audit
            .note(
                actor,
                Note::ok("device.remove", "device", device_id).detail(project),
            )
            .await?;
        self.reload_catalog().await
    }

    /// Keeps what a device says of its update.
    ///
    /// # Errors
    /// When no device asks, it was removed, or the version cannot be read.
    pub async fn report(&self, actor: &Actor, report: &Report) -> Result<()> {
        let device = actor.device()?;
        let version: Version = report.version.parse()?;
        let runs_it = report.state == ReportState::Succeeded;
        let sighting = Sighting {
            project_id: device.project_id,
            device_id: device.device_id,
            current_version: runs_it.then(|| version.key()),
            at_ms: self.ports.now_ms(),
        };
        let entry = ReportEntry {
            at: Timestamp(sighting.at_ms),
            version: version.key(),
            state: report.state,
            detail: report
                .detail
                .replace('\0', "")
                .chars()
                .take(DETAIL_MAX_CHARS)
                .collect(),
        };
        if !self
            .ports
            .store
            .insert_report(self.ports.new_id(), &sighting, &entry)
            .await?
        {
            return Err(no_such_device());
        }
        Ok(())
    }

    /// Writes down in one transaction who was heard of since the last time; called every few seconds.
    ///
    /// # Errors
    /// When the database does not answer; the sightings are kept for the next time.
    pub async fn flush_sightings(&self) -> Result<()> {
        let waiting = std::mem::take(
            &mut *self
                .sightings
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        if waiting.is_empty() {
            return Ok(());
        }
        let batch: Vec<Sighting> = waiting.into_values().collect();
        if let Err(error) = self.ports.store.note_sightings(&batch).await {
            let mut newer = self
                .sightings
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            for sighting in batch {
                newer
                    .entry((sighting.project_id, sighting.device_id))
                    .or_insert(sighting);
            }
            return Err(error.into());
        }
        Ok(())
    }

    pub(super) fn note_sighting(&self, sighting: Sighting) {
        let mut waiting = self
            .sightings
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < SIGHTINGS_MAX {
            waiting.insert((sighting.project_id, sighting.device_id), sighting);
        }
    }

    pub(super) fn new_device(&self, project_id: Uuid, device_id: Uuid) -> DeviceRecord {
        DeviceRecord {
            project_id,
            device_id,
            name: device_id.to_string(),
            group_name: String::new(),
            attributes: BTreeMap::new(),
            target_token_hash: None,
            current_version: None,
            last_state: None,
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

fn to_device(project: &str, record: DeviceRecord) -> Device {
    Device {
        device_id: record.device_id,
        project: project.to_owned(),
        name: record.name,
        group: record.group_name,
        attributes: record.attributes,
        current_version: record.current_version,
        last_state: record.last_state,
        last_seen_at: record.last_seen_at_ms.map(Timestamp),
        created_at: Timestamp(record.created_at_ms),
    }
}
