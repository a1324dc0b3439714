//! Inviting guests and taking invitations back.

use gatehouse_types::access::NewInvitation;
use leptos::{prelude::ServerFnError, server};

use super::{
    once::{self, Secret},
    parsed,
};
use crate::{i18n::Notice, links, visit::Visit};

/// Makes an invitation and goes to the list, which shows its link once.
#[server(prefix = "/api/ui", endpoint = "create_invitation")]
pub async fn create_invitation(
    service_id: String,
    #[server(default)] label: String,
    #[server(default)] expires_minutes: String,
    #[server(default)] max_uses: String,
    #[server(default)] max_minutes: String,
) -> Result<(), ServerFnError> {
    let visit = Visit::current();
    let made = async {
        let wish = NewInvitation {
            service_id: parsed("service_id", &service_id)?,
            label: label.clone(),
            expires_minutes: parsed("expires_minutes", &expires_minutes)?,
            max_uses: parsed("max_uses", &max_uses)?,
            max_minutes: parsed("max_minutes", &max_minutes)?,
        };
        visit.portal.access.invite(&visit.actor, &wish).await
    };
    match made.await {
        Ok((invitation, token)) => {
            let link = Secret::InvitationLink(links::guest(&visit.public_url, &token));
            once::keep(&visit.actor, invitation.id, invitation.created_at.0, link);
            links::invitations()
                .with("shown", &invitation.id.to_string())
                .succeed(Notice::Created);
        }
        Err(error) => links::new_invitation()
            .typed([
                ("service", &*service_id),
                ("label", &label),
                ("expires_minutes", &expires_minutes),
                ("max_uses", &max_uses),
                ("max_minutes", &max_minutes),
            ])
            .fail(&error),
    }
    Ok(())
}

/// Revokes an invitation and closes what is open with it.
#[server(prefix = "/api/ui", endpoint = "revoke_invitation")]
pub async fn revoke_invitation(id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let revoked = async {
        let id = parsed("id", &id)?;
        portal.access.revoke_invitation(&actor, id).await
    };
    links::invitations().report(&revoked.await, Notice::InvitationRevoked);
    Ok(())
}
