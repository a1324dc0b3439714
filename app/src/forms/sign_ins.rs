//! Ending sign-in sessions.

use leptos::{prelude::ServerFnError, server};

use super::{Way, parsed};
use crate::{i18n::Notice, visit::Visit};

/// Ends one of the reader's own sign-ins.
#[server(prefix = "/api/ui", endpoint = "end_sign_in")]
pub async fn end_sign_in(id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let ended = async {
        portal
            .identity
            .end_sign_in(&actor, actor.account()?.id, parsed("id", &id)?)
            .await
    };
    Way::to("/account").report(&ended.await, Notice::LoginClosed);
    Ok(())
}

/// Ends all of the reader's own sign-ins but the one that asks.
#[server(prefix = "/api/ui", endpoint = "end_other_sign_ins")]
pub async fn end_other_sign_ins() -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let ended = portal.identity.end_other_sign_ins(&actor).await;
    Way::to("/account").report(&ended, Notice::LoginsClosed);
    Ok(())
}

/// Ends a sign-in of any account, for admins.
#[server(prefix = "/api/ui", endpoint = "end_sign_in_of_user")]
pub async fn end_sign_in_of_user(user_id: String, id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let ended = async {
        portal
            .identity
            .end_sign_in(&actor, parsed("user_id", &user_id)?, parsed("id", &id)?)
            .await
    };
    Way::to("/admin/users")
        .below(&user_id)
        .report(&ended.await, Notice::LoginClosed);
    Ok(())
}
