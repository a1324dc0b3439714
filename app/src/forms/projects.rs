//! The forms of projects.

use gatehouse_core::Error;
use gatehouse_types::firmware::{NewProject, ProjectChange};
use leptos::prelude::*;

use crate::{i18n::Notice, links, visit::Visit};

/// Makes a project and goes to its page.
#[server(prefix = "/api/ui", endpoint = "create_project")]
pub async fn create_project(
    #[server(default)] project: String,
    #[server(default)] title: String,
    #[server(default)] description: String,
    #[server(default)] hardware: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let new = NewProject {
        name: project,
        title,
        description,
        hardware: chips(&hardware),
    };
    match visit
        .portal
        .firmware
        .create_project(&visit.actor, &new)
        .await
    {
        Ok(project) => links::project(&project.name).succeed(Notice::Created),
        Err(error) => links::projects()
            .typed([
                ("project", &*new.name),
                ("title", &*new.title),
                ("hardware", &*hardware),
                ("description", &*new.description),
            ])
            .fail(&as_in_the_form(error)),
    }
    Ok(())
}

/// Changes what people read about a project, and its hardware.
#[server(prefix = "/api/ui", endpoint = "change_project")]
pub async fn change_project(
    project: String,
    #[server(default)] title: String,
    #[server(default)] description: String,
    #[server(default)] hardware: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::project(&project);
    let change = ProjectChange {
        title: Some(title.clone()),
        description: Some(description.clone()),
        hardware: Some(chips(&hardware)),
    };
    match visit
        .portal
        .firmware
        .change_project(&visit.actor, &project, &change)
        .await
    {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way
            .typed([
                ("title", &*title),
                ("hardware", &*hardware),
                ("description", &*description),
            ])
            .fail(&error),
    }
    Ok(())
}

/// Removes a project and goes to the list.
#[server(prefix = "/api/ui", endpoint = "remove_project")]
pub async fn remove_project(project: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    match visit
        .portal
        .firmware
        .remove_project(&visit.actor, &project)
        .await
    {
        Ok(()) => links::projects().succeed(Notice::Removed),
        Err(error) => links::project(&project).fail(&error),
    }
    Ok(())
}

fn chips(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

/// The name of a project has rules of its own, so its field is not called plainly `name`.
fn as_in_the_form(error: Error) -> Error {
    match error {
        Error::Invalid {
            field: "name",
            detail,
        } => Error::Invalid {
            field: "project",
            detail,
        },
        other => other,
    }
}
