//! The forms of releases; their images come in by a route of the server.

use gatehouse_types::{
    Timestamp,
    firmware::{self, ReleaseChange, ReleaseState},
    rollout::Channel,
};
use leptos::prelude::*;

use super::filled;
use crate::{i18n::Notice, links, visit::Visit};

/// Tells the fields about who may get a release from those of the other forms on its page.
pub(crate) const RULES: &str = "rules";

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
        ..ReleaseChange::default()
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

/// Changes who may get a release at all.
#[server(prefix = "/api/ui", endpoint = "change_release_rules")]
pub async fn change_release_rules(
    project: String,
    version: String,
    #[server(default)] channel: String,
    #[server(default)] min_version: String,
    #[server(default)] allow_downgrade: bool,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::release(&project, &version);
    let changed = async {
        let change = ReleaseChange {
            channel: Some(parsed_channel(&channel)?),
            min_version: Some(filled(min_version.trim().to_owned())),
            allow_downgrade: Some(allow_downgrade),
            ..ReleaseChange::default()
        };
        visit
            .portal
            .firmware
            .change_release(&visit.actor, &project, &version, &change)
            .await
    };
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way
            .typed([("channel", &*channel), ("min_version", &*min_version)])
            .fail_in(RULES, &error),
    }
    Ok(())
}

/// Reads a channel's word from a form.
pub(super) fn parsed_channel(word: &str) -> gatehouse_core::Result<Channel> {
    Channel::parse(word)
        .ok_or_else(|| gatehouse_core::Error::invalid("channel", "There is no such channel."))
}

/// Offers a release to devices; `anyway` is ticked where name or version raise an objection.
#[server(prefix = "/api/ui", endpoint = "publish_release")]
pub async fn publish_release(
    project: String,
    version: String,
    #[server(default)] anyway: bool,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let wish = firmware::PublishRelease { anyway };
    let outcome = visit
        .portal
        .firmware
        .publish(&visit.actor, &project, &version, wish)
        .await;
    let notice = match &outcome {
        Ok(release) if release.state != ReleaseState::Published => Notice::Requested,
        _ => Notice::Published,
    };
    links::release(&project, &version).report(&outcome, notice);
    Ok(())
}

/// Agrees to the publication that another admin asked for, of the bytes that the page showed.
#[server(prefix = "/api/ui", endpoint = "approve_release")]
pub async fn approve_release(
    project: String,
    version: String,
    sha256: String,
    requested_at_ms: i64,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let seen = firmware::ApproveRelease {
        sha256: Some(sha256),
        requested_at: Some(Timestamp(requested_at_ms)),
    };
    let outcome = visit
        .portal
        .firmware
        .approve(&visit.actor, &project, &version, &seen)
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
