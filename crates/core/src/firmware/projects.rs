use std::sync::Arc;

use gatehouse_types::{
    Page, PageQuery, Timestamp, codes,
    firmware::{NewProject, Project, ProjectChange, ReleaseState},
    limits,
};

use super::{CatalogRelease, Firmware, no_such_project};
use crate::{
    Actor, Error, Result,
    audit::{Note, changes},
    ports::{StoreError, firmware::ProjectRecord},
};

const HARDWARE_MAX: usize = 16;
const DEFAULT_POLL_S: i64 = 3600;

impl Firmware {
    /// Makes a project.
    ///
    /// # Errors
    /// When the actor is no admin, the name is taken, or a field cannot be taken.
    pub async fn create_project(&self, actor: &Actor, new: &NewProject) -> Result<Project> {
        actor.require_admin()?;
        limits::project_name(&new.name)?;
        let title = if new.title.trim().is_empty() {
            &new.name
        } else {
            &new.title
        };
        let record = ProjectRecord {
            id: self.ports.new_id(),
            name: new.name.clone(),
            title: title.trim().to_owned(),
            description: new.description.trim().to_owned(),
            hardware: tidy_hardware(&new.hardware),
            two_person_approval: false,
            registers_unknown_devices: false,
            gateway_token_hash: None,
            quota_bytes: None,
            poll_s: DEFAULT_POLL_S,
            revision: 0,
            created_at_ms: self.ports.now_ms(),
        };
        check(&record)?;
        let key = self.new_project_key(record.id, record.created_at_ms)?;
        self.ports
            .store
            .insert_project(&record, &key)
            .await
            .map_err(name_taken)?;
        self.audit
            .note(actor, Note::ok("project.create", "project", &record.name))
            .await?;
        self.reload_catalog().await?;
        Ok(to_project(&record))
    }

    /// Lists projects by name.
    ///
    /// # Errors
    /// When the actor is no admin or the page cannot be read.
    pub fn list_projects(&self, actor: &Actor, query: &PageQuery) -> Result<Page<Project>> {
        actor.require_admin()?;
        let limit = query.limit()?;
        let after = query.after.as_deref().unwrap_or_default();
        let catalog = self.catalog();
        let rows = catalog
            .projects()
            .map(|project| &project.record)
            .filter(|record| record.name.as_str() > after);
        let rows: Vec<Project> = rows
            .take(usize::try_from(limit).unwrap_or(0) + 1)
            .map(to_project)
            .collect();
        Ok(Page::cut(rows, limit, |row| row.name.clone()))
    }

    /// Shows a project.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub fn project(&self, actor: &Actor, name: &str) -> Result<Project> {
        actor.require_admin()?;
        Ok(to_project(&self.catalog().project(name)?.record))
    }

    /// Changes a project's title, description or hardware.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such project, or a field cannot be taken.
    pub async fn change_project(
        &self,
        actor: &Actor,
        name: &str,
        change: &ProjectChange,
    ) -> Result<Project> {
        actor.require_admin()?;
        let mut record = self.catalog().project(name)?.record.clone();
        let before = to_project(&record);
        if let Some(title) = &change.title {
            title.trim().clone_into(&mut record.title);
        }
        if let Some(description) = &change.description {
            description.trim().clone_into(&mut record.description);
        }
        if let Some(hardware) = &change.hardware {
            record.hardware = tidy_hardware(hardware);
        }
        if let Some(two_person_approval) = change.two_person_approval {
            let waits = |release: &Arc<CatalogRelease>| {
                release.record.state != ReleaseState::Published
                    && release.record.approval.requested_at.is_some()
            };
            if !two_person_approval && self.catalog().project(name)?.releases.iter().any(waits) {
                return Err(Error::conflict(
                    codes::CONFLICT,
                    "A release waits for a second admin. Approve or change it first.",
                ));
            }
            record.two_person_approval = two_person_approval;
        }
        if let Some(registers) = change.registers_unknown_devices {
            record.registers_unknown_devices = registers;
        }
        if let Some(quota_bytes) = change.quota_bytes {
            record.quota_bytes = quota_bytes;
        }
        if let Some(poll_s) = change.poll_s {
            record.poll_s = poll_s;
        }
        check(&record)?;
        if !self.ports.store.update_project(&record).await? {
            return Err(self.changed_meanwhile(name).await);
        }
        let after = to_project(&record);
        let detail = changes(&before, &after, &["description"]);
        let note = Note::ok("project.change", "project", name).detail(&detail);
        self.audit.note(actor, note).await?;
        self.reload_catalog().await?;
        Ok(after)
    }

    /// Removes a project; its devices get nothing any more and its tokens are revoked.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn remove_project(&self, actor: &Actor, name: &str) -> Result<()> {
        actor.require_admin()?;
        let catalog = self.catalog();
        let project = catalog.project(name)?;
        let id = project.record.id;
        if !self
            .ports
            .store
            .remove_project(id, self.ports.now_ms())
            .await?
        {
            return Err(no_such_project());
        }
        self.audit
            .note(actor, Note::ok("project.remove", "project", name))
            .await?;
        self.reload_catalog().await?;
        let releases = project.releases.iter();
        let images: Vec<String> = releases
            .map(|release| release.record.artifact.sha256.clone())
            .collect();
        self.remove_unnamed(&images).await;
        Ok(())
    }
}

impl Firmware {
    /// A project was changed or removed since it was looked at; the snapshot is taken anew.
    pub(super) async fn changed_meanwhile(&self, name: &str) -> Error {
        if let Err(error) = self.reload_catalog().await {
            return error;
        }
        match self.catalog().project(name) {
            Ok(_) => Error::conflict(
                codes::CONFLICT,
                "Somebody else changed this project meanwhile. Look at it again.",
            ),
            Err(gone) => gone,
        }
    }
}

fn tidy_hardware(hardware: &[String]) -> Vec<String> {
    hardware
        .iter()
        .map(|chip| chip.trim().to_lowercase())
        .filter(|chip| !chip.is_empty())
        .collect()
}

fn check(record: &ProjectRecord) -> Result<()> {
    limits::name("title", &record.title)?;
    limits::text("description", &record.description)?;
    let is_chip = |chip: &String| {
        chip.len() <= 32
            && chip
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
    };
    if record.hardware.len() > HARDWARE_MAX || !record.hardware.iter().all(is_chip) {
        return Err(Error::invalid(
            "hardware",
            "At most 16 chips, each a word such as esp32s3.",
        ));
    }
    if record.quota_bytes.is_some_and(|quota| quota <= 0) {
        return Err(Error::invalid(
            "quota_bytes",
            "A quota is at least one byte; leave it out for none.",
        ));
    }
    if !(5..=86_400).contains(&record.poll_s) {
        return Err(Error::invalid(
            "poll_s",
            "Devices ask every 5 to 86400 seconds.",
        ));
    }
    Ok(())
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Taken => {
            Error::conflict(codes::TAKEN, "There is a project with that name already.")
        }
        other => other.into(),
    }
}

fn to_project(record: &ProjectRecord) -> Project {
    Project {
        id: record.id,
        name: record.name.clone(),
        title: record.title.clone(),
        description: record.description.clone(),
        hardware: record.hardware.clone(),
        two_person_approval: record.two_person_approval,
        registers_unknown_devices: record.registers_unknown_devices,
        has_gateway_token: record.gateway_token_hash.is_some(),
        quota_bytes: record.quota_bytes,
        poll_s: record.poll_s,
        created_at: Timestamp(record.created_at_ms),
    }
}
