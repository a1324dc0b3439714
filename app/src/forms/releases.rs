//! The forms of releases; their images come in by a route of the server.

use gatehouse_types::firmware::ReleaseChange;
use leptos::prelude::*;

use crate::{i18n::Notice, links, visit::Visit};

/// Changes the notes of a release.
#[server(prefix = "/api/ui", endpoint = "change_release")]
pub async fn change_release(
    project: String,
    version: String,
    #[server(default)] notes: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::release(&project, &version);
    let change = ReleaseChange {
        notes: Some(notes.clone()),
    };
    match visit
        .portal
        .firmware
        .change_release(&visit.actor, &project, &version, &change)
        .await
    {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way.typed([("notes", &*notes)]).fail(&error),
    }
    Ok(())
}

/// Offers a release to devices.
#[server(prefix = "/api/ui", endpoint = "publish_release")]
pub async fn publish_release(project: String, version: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let outcome = visit
        .portal
        .firmware
        .publish(&visit.actor, &project, &version)
        .await;
    links::release(&project, &version).report(&outcome, Notice::Published);
    Ok(())
}

/// Stops offering a release.
#[server(prefix = "/api/ui", endpoint = "withdraw_release")]
pub async fn withdraw_release(project: String, version: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let outcome = visit
        .portal
        .firmware
        .withdraw(&visit.actor, &project, &version)
        .await;
    links::release(&project, &version).report(&outcome, Notice::Withdrawn);
    Ok(())
}

/// Deletes a draft and goes to its project.
#[server(prefix = "/api/ui", endpoint = "delete_release")]
pub async fn delete_release(project: String, version: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    match visit
        .portal
        .firmware
        .delete_release(&visit.actor, &project, &version)
        .await
    {
        Ok(()) => links::project(&project).succeed(Notice::Removed),
        Err(error) => links::release(&project, &version).fail(&error),
    }
    Ok(())
}
