//! The forms of a project's keys.

use leptos::prelude::*;

use crate::{i18n::Notice, links, visit::Visit};

/// Makes a second key for a project.
#[server(prefix = "/api/ui", endpoint = "rotate_project_key")]
pub async fn rotate_project_key(project: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let firmware = &visit.portal.firmware;
    let made = firmware.rotate_project_key(&visit.actor, &project).await;
    links::keys(&project).report(&made, Notice::KeyMade);
    Ok(())
}

/// Ends the older of a project's two keys.
#[server(prefix = "/api/ui", endpoint = "retire_project_key")]
pub async fn retire_project_key(project: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let firmware = &visit.portal.firmware;
    let ended = firmware.retire_project_key(&visit.actor, &project).await;
    links::keys(&project).report(&ended, Notice::KeyEnded);
    Ok(())
}
