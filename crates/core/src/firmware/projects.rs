use gatehouse_types::{
    Page, PageQuery, Timestamp, codes,
    firmware::{NewProject, Project, ProjectChange},
    limits,
};

use super::{Firmware, no_such_project};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{StoreError, firmware::ProjectRecord},
};

const HARDWARE_MAX: usize = 16;

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
            created_at_ms: self.ports.now_ms(),
        };
        check(&record)?;
        self.ports
            .store
            .insert_project(&record)
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
        if let Some(title) = &change.title {
            title.trim().clone_into(&mut record.title);
        }
        if let Some(description) = &change.description {
            description.trim().clone_into(&mut record.description);
        }
        if let Some(hardware) = &change.hardware {
            record.hardware = tidy_hardware(hardware);
        }
        check(&record)?;
        if !self.ports.store.update_project(&record).await? {
            return Err(no_such_project());
        }
        self.audit
            .note(actor, Note::ok("project.change", "project", name))
            .await?;
        self.reload_catalog().await?;
        Ok(to_project(&record))
    }

    /// Removes a project; its devices get nothing any more and its tokens are revoked.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such project.
    pub async fn remove_project(&self, actor: &Actor, name: &str) -> Result<()> {
        actor.require_admin()?;
        let id = self.catalog().project(name)?.record.id;
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
        self.reload_catalog().await
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
        created_at: Timestamp(record.created_at_ms),
    }
}
