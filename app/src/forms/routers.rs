//! Adding, changing and removing routers.

use gatehouse_types::access::{NewRouter, RouterChange};
use leptos::{prelude::ServerFnError, server};
use serde::{Deserialize, Serialize};

use super::{Way, filled, parsed};
use crate::{i18n::Notice, visit::Visit};

/// What the form of a router sends, as it was typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RouterForm {
    name: String,
    address: String,
    cert_sha256: String,
    api_key: String,
    aes_key: String,
    protocol: String,
}

impl RouterForm {
    /// What may stand in a URL; the keys never do.
    fn typed(&self) -> [(&str, &str); 4] {
        [
            ("name", &self.name),
            ("address", &self.address),
            ("cert_sha256", &self.cert_sha256),
            ("protocol", &self.protocol),
        ]
    }
}

/// Adds a router.
#[server(prefix = "/api/ui", endpoint = "create_router")]
pub async fn create_router(#[server(flatten)] form: RouterForm) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let RouterForm {
        name,
        address,
        cert_sha256,
        api_key,
        aes_key,
        protocol,
    } = form.clone();
    let created = async {
        let new = NewRouter {
            name,
            address,
            api_key,
            aes_key,
            cert_sha256,
            protocol: parsed("protocol", &protocol)?,
        };
        portal.access.create_router(&actor, &new).await
    };
    match created.await {
        Ok(router) => Way::to("/admin/routers")
            .below(&router.id.to_string())
            .succeed(Notice::Created),
        Err(error) => Way::to("/admin/routers/new")
            .typed(form.typed())
            .fail(&error),
    }
    Ok(())
}

/// Changes a router; empty keys stay as they are.
#[server(prefix = "/api/ui", endpoint = "change_router")]
pub async fn change_router(
    id: String,
    #[server(flatten)] form: RouterForm,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let RouterForm {
        name,
        address,
        cert_sha256,
        api_key,
        aes_key,
        protocol,
    } = form.clone();
    let changed = async {
        let change = RouterChange {
            name: Some(name),
            address: Some(address),
            api_key: filled(api_key),
            aes_key: filled(aes_key),
            cert_sha256: Some(cert_sha256),
            protocol: Some(parsed("protocol", &protocol)?),
        };
        portal
            .access
            .change_router(&actor, parsed("id", &id)?, &change)
            .await
    };
    let way = Way::to("/admin/routers").below(&id);
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way.typed(form.typed()).fail(&error),
    }
    Ok(())
}

/// Removes a router with its services and closes what is open on it.
#[server(prefix = "/api/ui", endpoint = "remove_router")]
pub async fn remove_router(id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let removed = async {
        portal
            .access
            .remove_router(&actor, parsed("id", &id)?)
            .await
    };
    Way::to("/admin/routers").report(&removed.await, Notice::Removed);
    Ok(())
}
