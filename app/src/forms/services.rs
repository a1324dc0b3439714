//! Adding, changing, granting and removing services.

use gatehouse_core::Error;
use gatehouse_types::access::{Grants, NewService, ServiceChange, ServiceKind, Transport, Wake};
use leptos::{prelude::ServerFnError, server};
use serde::{Deserialize, Serialize};

use super::{Way, parsed};
use crate::{i18n::Notice, visit::Visit};

/// What the form of a service sends, as it was typed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServiceForm {
    name: String,
    description: String,
    icon: String,
    router_id: String,
    lan_ip: String,
    lan_port: String,
    public_port: String,
    protocol: String,
    kind: String,
    url_path: String,
    default_minutes: String,
    max_minutes: String,
    wake: String,
    mac: String,
    url: String,
}

impl ServiceForm {
    fn read(&self) -> gatehouse_core::Result<NewService> {
        let no_word = |field| move || Error::invalid(field, "Choose one of those on offer.");
        Ok(NewService {
            name: self.name.clone(),
            description: self.description.clone(),
            icon: self.icon.clone(),
            router_id: parsed("router_id", &self.router_id)?,
            lan_ip: self.lan_ip.clone(),
            lan_port: parsed("lan_port", &self.lan_port)?,
            public_port: parsed("public_port", &self.public_port)?,
            protocol: Transport::parse(&self.protocol).ok_or_else(no_word("protocol"))?,
            kind: ServiceKind::parse(&self.kind).ok_or_else(no_word("kind"))?,
            url_path: self.url_path.clone(),
            default_minutes: parsed("default_minutes", &self.default_minutes)?,
            max_minutes: parsed("max_minutes", &self.max_minutes)?,
            wake: self.read_wake()?,
        })
    }

    /// A form without these fields leaves the host alone.
    fn read_wake(&self) -> gatehouse_core::Result<Option<Wake>> {
        match self.wake.as_str() {
            "" | "none" => Ok(None),
            "wol" => Ok(Some(Wake::Wol {
                mac: self.mac.trim().to_owned(),
            })),
            "webhook" => Ok(Some(Wake::Webhook {
                url: self.url.trim().to_owned(),
            })),
            _ => Err(Error::invalid("wake", "Choose one of those on offer.")),
        }
    }

    fn read_change(&self) -> gatehouse_core::Result<ServiceChange> {
        let new = self.read()?;
        Ok(ServiceChange {
            name: Some(new.name),
            description: Some(new.description),
            icon: Some(new.icon),
            router_id: Some(new.router_id),
            lan_ip: Some(new.lan_ip),
            lan_port: Some(new.lan_port),
            public_port: Some(new.public_port),
            protocol: Some(new.protocol),
            kind: Some(new.kind),
            url_path: Some(new.url_path),
            default_minutes: Some(new.default_minutes),
            max_minutes: Some(new.max_minutes),
            wake: Some(new.wake),
        })
    }

    fn typed(&self) -> [(&str, &str); 15] {
        [
            ("name", &self.name),
            ("icon", &self.icon),
            ("router_id", &self.router_id),
            ("lan_ip", &self.lan_ip),
            ("lan_port", &self.lan_port),
            ("public_port", &self.public_port),
            ("protocol", &self.protocol),
            ("kind", &self.kind),
            ("url_path", &self.url_path),
            ("default_minutes", &self.default_minutes),
            ("max_minutes", &self.max_minutes),
            ("wake", &self.wake),
            ("mac", &self.mac),
            ("url", &self.url),
            // The long one comes last: it may find no room.
            ("description", &self.description),
        ]
    }
}

/// Adds a service.
#[server(prefix = "/api/ui", endpoint = "create_service")]
pub async fn create_service(#[server(flatten)] form: ServiceForm) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let created = async { portal.access.create_service(&actor, &form.read()?).await };
    match created.await {
        Ok(service) => Way::to("/admin/services")
            .below(&service.id.to_string())
            .succeed(Notice::Created),
        Err(error) => Way::to("/admin/services/new")
            .typed(form.typed())
            .fail(&error),
    }
    Ok(())
}

/// Changes a service.
#[server(prefix = "/api/ui", endpoint = "change_service")]
pub async fn change_service(
    id: String,
    #[server(flatten)] form: ServiceForm,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let changed = async {
        portal
            .access
            .change_service(&actor, parsed("id", &id)?, &form.read_change()?)
            .await
    };
    let way = Way::to("/admin/services").below(&id);
    match changed.await {
        Ok(_) => way.succeed(Notice::Saved),
        Err(error) => way.typed(form.typed()).fail(&error),
    }
    Ok(())
}

/// Replaces who may open a service.
#[server(prefix = "/api/ui", endpoint = "grant_service")]
pub async fn grant_service(
    id: String,
    #[server(default)] users: Vec<String>,
) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let granted = async {
        let users = users
            .iter()
            .map(|user| parsed("users", user))
            .collect::<gatehouse_core::Result<_>>()?;
        portal
            .access
            .set_grants(&actor, parsed("id", &id)?, &Grants { users })
            .await
    };
    Way::to("/admin/services")
        .below(&id)
        .report(&granted.await, Notice::Saved);
    Ok(())
}

/// Removes a service and closes what is open on it.
#[server(prefix = "/api/ui", endpoint = "remove_service")]
pub async fn remove_service(id: String) -> Result<(), ServerFnError> {
    let Visit { portal, actor, .. } = Visit::current();
    let removed = async {
        portal
            .access
            .remove_service(&actor, parsed("id", &id)?)
            .await
    };
    Way::to("/admin/services").report(&removed.await, Notice::Removed);
    Ok(())
}
