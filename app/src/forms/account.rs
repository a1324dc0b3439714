//! What people change about their own account.

use leptos::{prelude::ServerFnError, server};

use super::Way;
use crate::{i18n::Notice, visit::Visit};

/// Changes the reader's own password and ends all other sign-ins.
#[server(prefix = "/api/ui", endpoint = "change_own_password")]
pub async fn change_own_password(current: String, password: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let changed = portal
        .identity
        .change_own_password(&actor, &current, &password)
        .await;
    Way::to("/account").report(&changed, Notice::PasswordChanged);
    Ok(())
}
