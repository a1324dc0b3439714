use gatehouse_types::{
    Timestamp,
    access::{EndReason, Grants, NewService, Service, ServiceChange, Wake},
    codes, limits,
};
use uuid::Uuid;

use super::{Access, checks, no_such_service};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{
        StoreError,
        access::{ServiceRecord, SessionFilter},
        router_link::LinkProtocol,
    },
};

impl Access {
    /// Adds a service.
    ///
    /// # Errors
    /// When the actor is no admin, the router's port is taken, or a field cannot be taken.
    pub async fn create_service(&self, actor: &Actor, new: &NewService) -> Result<Service> {
        actor.require_admin()?;
        if let Some(wake) = &new.wake {
            self.check_wake(wake)?;
        }
        let protocol = self.protocol_of(new.router_id).await?;
        let record = ServiceRecord {
            id: self.ports.new_id(),
            router_id: new.router_id,
            name: new.name.trim().to_owned(),
            description: new.description.trim().to_owned(),
            icon: new.icon.clone(),
            lan_ip: checks::lan_ip(&new.lan_ip)?,
            lan_port: new.lan_port,
            public_port: new.public_port,
            transport: new.protocol,
            kind: new.kind,
            url_path: new.url_path.trim().to_owned(),
            default_minutes: new.default_minutes,
            max_minutes: new.max_minutes,
            wake: new.wake.clone(),
            created_at_ms: self.ports.now_ms(),
        };
        check(&record)?;
        checks::carries(protocol, &record)?;
        self.ports
            .store
            .insert_service(&record)
            .await
            .map_err(port_taken)?;
        self.audit
            .note(
                actor,
                Note::ok("service.create", "service", record.id).detail(&record.name),
            )
            .await?;
        Ok(to_service(record, Vec::new()))
    }

    /// Shows a service; for an owner one that is not granted does not exist.
    ///
    /// # Errors
    /// When nobody is signed in or there is no such service.
    pub async fn service(&self, actor: &Actor, id: Uuid) -> Result<Service> {
        let record = self.find_service(actor, id).await?;
        let granted_to = if actor.is_admin() {
            self.ports.store.grants(id).await?
        } else {
            Vec::new()
        };
        Ok(to_service(record, granted_to))
    }

    /// Changes a service. Another router, address or port closes what is open on it.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such service, the router's port is taken, or a field cannot be taken.
    pub async fn change_service(
        &self,
        actor: &Actor,
        id: Uuid,
        change: &ServiceChange,
    ) -> Result<Service> {
        actor.require_admin()?;
        let before = self.find_service(actor, id).await?;
        let mut record = before.clone();
        if let Some(router_id) = change.router_id {
            record.router_id = router_id;
        }
        if let Some(ip) = &change.lan_ip {
            record.lan_ip = checks::lan_ip(ip)?;
        }
        replace(&mut record.name, change.name.as_ref());
        replace(&mut record.description, change.description.as_ref());
        replace(&mut record.icon, change.icon.as_ref());
        replace(&mut record.url_path, change.url_path.as_ref());
        record.lan_port = change.lan_port.unwrap_or(record.lan_port);
        record.public_port = change.public_port.unwrap_or(record.public_port);
        record.transport = change.protocol.unwrap_or(record.transport);
        record.kind = change.kind.unwrap_or(record.kind);
        if let Some(wake) = &change.wake {
            wake.iter().try_for_each(|wake| self.check_wake(wake))?;
            record.wake.clone_from(wake);
        }
        record.default_minutes = change.default_minutes.unwrap_or(record.default_minutes);
        record.max_minutes = change.max_minutes.unwrap_or(record.max_minutes);
        check(&record)?;
        checks::carries(self.protocol_of(record.router_id).await?, &record)?;
        if !self
            .ports
            .store
            .update_service(&record)
            .await
            .map_err(port_taken)?
        {
            return Err(no_such_service());
        }
        let noted = self
            .audit
            .note(actor, Note::ok("service.change", "service", id))
            .await;
        if way(&before) != way(&record) {
            self.end_sessions(actor, of_service(id), EndReason::ServiceRemoved)
                .await?;
        }
        noted?;
        let granted_to = self.ports.store.grants(id).await?;
        Ok(to_service(record, granted_to))
    }

    /// Removes a service and closes what is open on it.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such service.
    pub async fn remove_service(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require_admin()?;
        if !self
            .ports
            .store
            .remove_service(id, self.ports.now_ms())
            .await?
        {
            return Err(no_such_service());
        }
        let noted = self
            .audit
            .note(actor, Note::ok("service.remove", "service", id))
            .await;
        self.end_sessions(actor, of_service(id), EndReason::ServiceRemoved)
            .await
            .and(noted)
    }

    /// Replaces who may open a service, and closes it for those who no longer may.
    ///
    /// # Errors
    /// When the actor is no admin, or the service or one of the accounts does not exist.
    pub async fn set_grants(&self, actor: &Actor, id: Uuid, grants: &Grants) -> Result<Service> {
        actor.require_admin()?;
        let record = self.find_service(actor, id).await?;
        let mut users = grants.users.clone();
        users.sort_unstable();
        users.dedup();
        for user_id in &users {
            if self.ports.store.user(*user_id).await?.is_none() {
                return Err(Error::invalid(
                    "users",
                    format!("There is no account {user_id}."),
                ));
            }
        }
        let before = self.ports.store.grants(id).await?;
        self.ports.store.set_grants(id, &users).await?;
        let detail = format!("{} accounts", users.len());
        let note = Note::ok("service.grant", "service", id).detail(&detail);
        let noted = self.audit.note(actor, note).await;
        let mut ending = Vec::new();
        for user_id in before
            .into_iter()
            .filter(|user_id| !users.contains(user_id))
        {
            let theirs = SessionFilter {
                user_id: Some(user_id),
                ..of_service(id)
            };
            let closing = self.begin_closing(actor, theirs, EndReason::ServiceRemoved);
            ending.extend(closing.await?);
        }
        self.close_for_a_moment(ending).await.and(noted)?;
        Ok(to_service(record, users))
    }

    /// Finds a service that the actor may see.
    pub(super) async fn find_service(&self, actor: &Actor, id: Uuid) -> Result<ServiceRecord> {
        let account = actor.account()?;
        let record = self
            .ports
            .store
            .service(id)
            .await?
            .ok_or_else(no_such_service)?;
        if actor.is_admin() || self.ports.store.is_granted(id, account.id).await? {
            return Ok(record);
        }
        Err(no_such_service())
    }

    fn check_wake(&self, wake: &Wake) -> Result<()> {
        match wake {
            Wake::Wol { mac } => checks::mac(mac).map(drop),
            Wake::Webhook { .. } if self.settings.webhook_secret.is_none() => Err(Error::invalid(
                "wake.url",
                "This portal calls no home backend: wake.webhook_secret is not set.",
            )),
            Wake::Webhook { url } => {
                let allowed = self.ports.webhooks.origin(url).map(drop);
                allowed.map_err(|wanted| Error::invalid("wake.url", wanted))
            }
        }
    }

    async fn protocol_of(&self, router_id: Uuid) -> Result<LinkProtocol> {
        self.find_router(router_id)
            .await
            .map(|router| LinkProtocol::of_version(router.protocol))
            .map_err(|error| match error {
                Error::NotFound(_) => Error::invalid("router_id", "There is no such router."),
                other => other,
            })
    }
}

fn of_service(id: Uuid) -> SessionFilter {
    SessionFilter {
        service_id: Some(id),
        ..SessionFilter::default()
    }
}

fn replace(field: &mut String, with: Option<&String>) {
    if let Some(text) = with {
        text.trim().clone_into(field);
    }
}

/// What a rule on the router is made of.
fn way(record: &ServiceRecord) -> impl PartialEq + use<> {
    (
        record.router_id,
        record.lan_ip,
        record.lan_port,
        record.public_port,
        record.transport,
    )
}

fn check(record: &ServiceRecord) -> Result<()> {
    limits::name("name", &record.name)?;
    limits::text("description", &record.description)?;
    checks::icon(&record.icon)?;
    checks::lan_port(record.lan_port)?;
    checks::public_port(record.public_port)?;
    checks::url_path(&record.url_path)?;
    checks::minutes(record.default_minutes, record.max_minutes)
}

fn port_taken(error: StoreError) -> Error {
    match error {
        StoreError::Taken => Error::conflict(
            codes::TAKEN,
            "Another service uses that public port on that router.",
        ),
        other => other.into(),
    }
}

pub(super) fn to_service(record: ServiceRecord, granted_to: Vec<Uuid>) -> Service {
    Service {
        id: record.id,
        name: record.name,
        description: record.description,
        icon: record.icon,
        router_id: record.router_id,
        lan_ip: record.lan_ip.to_string(),
        lan_port: record.lan_port,
        public_port: record.public_port,
        protocol: record.transport,
        kind: record.kind,
        url_path: record.url_path,
        default_minutes: record.default_minutes,
        max_minutes: record.max_minutes,
        wake: record.wake,
        granted_to,
        created_at: Timestamp(record.created_at_ms),
    }
}
