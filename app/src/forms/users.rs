//! Adding, changing and removing accounts.

use gatehouse_core::Error;
use gatehouse_types::account::{NewUser, Role, UserChange};
use leptos::{prelude::ServerFnError, server};

use super::{Way, filled, parsed};
use crate::{i18n::Notice, visit::Visit};

/// Adds an account.
#[server(prefix = "/api/ui", endpoint = "create_user")]
pub async fn create_user(
    email: String,
    password: String,
    #[server(default)] role: String,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let way = Way::to("/admin/users/new").typed([("email", &*email), ("role", &*role)]);
    let created = async {
        let new = NewUser {
            email,
            password,
            role: read_role(&role)?,
        };
        portal.identity.create_user(&actor, &new).await
    };
    match created.await {
        Ok(user) => Way::to("/admin/users")
            .below(&user.id.to_string())
            .succeed(Notice::Created),
        Err(error) => way.fail(&error),
    }
    Ok(())
}

/// An account as the form showed it: what still reads so was not touched, and stays as it is by
/// now, whatever another admin has changed meanwhile.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub struct DrawnUser {
    #[serde(default)]
    email: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    disabled: bool,
}

/// Changes an account; an empty password stays as it is.
#[server(prefix = "/api/ui", endpoint = "change_user")]
pub async fn change_user(
    id: String,
    email: String,
    #[server(default)] role: String,
    #[server(default)] password: String,
    #[server(default)] disabled: Option<String>,
    #[server(default)] drawn: DrawnUser,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let way = Way::to("/admin/users").below(&id);
    let refused = Way::to("/admin/users")
        .below(&id)
        .typed([("email", &*email), ("role", &*role)]);
    let changed = async {
        let change = UserChange {
            email: (email != drawn.email).then_some(email),
            password: filled(password),
            role: (role != drawn.role).then(|| read_role(&role)).transpose()?,
            disabled: (disabled.is_some() != drawn.disabled).then_some(disabled.is_some()),
        };
        portal
            .change_user(&actor, parsed("id", &id)?, &change)
            .await
    };
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => refused.fail(&error),
    }
    Ok(())
}

/// Removes an account and closes what it has open.
#[server(prefix = "/api/ui", endpoint = "remove_user")]
pub async fn remove_user(id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let removed = async { portal.remove_user(&actor, parsed("id", &id)?).await };
    Way::to("/admin/users").report(&removed.await, Notice::Removed);
    Ok(())
}

fn read_role(word: &str) -> gatehouse_core::Result<Role> {
    Role::parse(word).ok_or_else(|| Error::invalid("role", "A role is owner or admin."))
}
