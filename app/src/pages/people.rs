//! Who is who, for pages that name accounts.

use std::collections::BTreeMap;

use gatehouse_core::{Actor, Portal, Result};
use gatehouse_types::{PageQuery, account::User};
use uuid::Uuid;

/// Every account, page by page, in the order of their making.
///
/// # Errors
/// When the actor is no admin.
pub async fn everybody(portal: &Portal, actor: &Actor) -> Result<Vec<User>> {
    let mut users = Vec::new();
    let mut query = PageQuery {
        limit: Some(500),
        after: None,
    };
    loop {
        let page = portal.identity.list_users(actor, &query).await?;
        users.extend(page.items);
        if page.next.is_none() {
            return Ok(users);
        }
        query.after = page.next;
    }
}

/// The e-mail address of every account, for an admin; nothing for an owner, who sees only themselves.
///
/// # Errors
/// When the accounts cannot be listed.
pub async fn addresses(portal: &Portal, actor: &Actor) -> Result<BTreeMap<Uuid, String>> {
    if !actor.is_admin() {
        return Ok(BTreeMap::new());
    }
    Ok(everybody(portal, actor)
        .await?
        .into_iter()
        .map(|user| (user.id, user.email))
        .collect())
}
