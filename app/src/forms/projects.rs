//! The forms of projects.

use gatehouse_core::Error;
use gatehouse_types::firmware::{NewProject, ProjectChange};
use leptos::prelude::*;

use super::{
    filled,
    once::{self, Secret},
    parsed,
};
use crate::{i18n::Notice, links, visit::Visit};

/// Tells the fields about delivery from those of the other forms on a project's page.
pub(crate) const DELIVERY: &str = "delivery";
/// The unit in which people give a project's quota.
pub(crate) const MIB_BYTES: i64 = 1024 * 1024;

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
        ..ProjectChange::default()
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

/// Changes how a project's releases reach its devices.
#[server(prefix = "/api/ui", endpoint = "change_delivery")]
pub async fn change_delivery(
    project: String,
    #[server(default)] poll_s: String,
    #[server(default)] quota_bytes: String,
    #[server(default)] two_person_approval: bool,
    #[server(default)] registers_unknown_devices: bool,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let way = links::project(&project);
    let changed = async {
        let change = ProjectChange {
            poll_s: Some(parsed("poll_s", &poll_s)?),
            quota_bytes: Some(read_quota(&quota_bytes)?),
            two_person_approval: Some(two_person_approval),
            registers_unknown_devices: Some(registers_unknown_devices),
            ..ProjectChange::default()
        };
        visit
            .portal
            .firmware
            .change_project(&visit.actor, &project, &change)
            .await
    };
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way
            .typed([("poll_s", &*poll_s), ("quota_bytes", &*quota_bytes)])
            .fail_in(DELIVERY, &error),
    }
    Ok(())
}

/// Makes a gateway token and goes to the project's page, which shows it once.
#[server(prefix = "/api/ui", endpoint = "create_gateway_token")]
pub async fn create_gateway_token(project: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let firmware = &visit.portal.firmware;
    let made = async {
        let id = firmware.project(&visit.actor, &project)?.id;
        let made = firmware.create_gateway_token(&visit.actor, &project);
        made.await.map(|made| (id, made))
    };
    let way = links::project(&project);
    match made.await {
        Ok((id, made)) => {
            let secret = Secret::GatewayToken(made.gateway_token);
            once::keep(&visit.actor, id, made.created_at.0, secret);
            way.with("shown", &id.to_string()).succeed(Notice::Created);
        }
        Err(error) => way.fail(&error),
    }
    Ok(())
}

/// Ends a project's gateway token.
#[server(prefix = "/api/ui", endpoint = "revoke_gateway_token")]
pub async fn revoke_gateway_token(project: String) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let firmware = &visit.portal.firmware;
    let revoked = firmware.revoke_gateway_token(&visit.actor, &project).await;
    links::project(&project).report(&revoked, Notice::TokenRevoked);
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

/// Reads a quota in MiB; nothing is no quota.
fn read_quota(text: &str) -> gatehouse_core::Result<Option<i64>> {
    let refused = || Error::invalid("quota_bytes", "Enter whole MiB.");
    let Some(text) = filled(text.trim().to_owned()) else {
        return Ok(None);
    };
    let mib: i64 = parsed("quota_bytes", &text)?;
    let bytes = mib.checked_mul(MIB_BYTES).filter(|bytes| *bytes >= 0);
    bytes.map(Some).ok_or_else(refused)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_given_in_mebibytes_or_not_at_all() {
        assert_eq!(read_quota(" 3 ").unwrap(), Some(3 * MIB_BYTES));
        assert_eq!(read_quota("").unwrap(), None);
        for wrong in ["-1", "1.5", "9223372036854775807"] {
            assert!(read_quota(wrong).is_err(), "{wrong}");
        }
    }
}
