use gatehouse_types::{
    Timestamp,
    access::{EndReason, NewRouter, Router, RouterChange, RouterTest},
    codes, limits,
};
use uuid::Uuid;

use super::{Access, bound_to, checks, no_such_router};
use crate::{
    Actor, Error, Result,
    audit::Note,
    ports::{
        StoreError,
        access::{RouterRecord, RouterUpdate, SessionFilter},
        router_link::{LinkProtocol, RouterCommand},
    },
};

impl Access {
    /// Adds a router.
    ///
    /// # Errors
    /// When the actor is no admin, the name is taken, or a field cannot be taken.
    pub async fn create_router(&self, actor: &Actor, new: &NewRouter) -> Result<Router> {
        actor.require_admin()?;
        let mut record = RouterRecord {
            id: self.ports.new_id(),
            name: new.name.trim().to_owned(),
            address: new.address.trim().to_owned(),
            api_key_sealed: Vec::new(),
            aes_key_sealed: Vec::new(),
            cert_sha256: checks::cert_sha256(&new.cert_sha256)?,
            protocol: new.protocol,
            created_at_ms: self.ports.now_ms(),
        };
        check(&record)?;
        self.seal_keys(&mut record, Some(&new.api_key), Some(&new.aes_key))?;
        self.ports
            .store
            .insert_router(&record)
            .await
            .map_err(name_taken)?;
        self.audit
            .note(
                actor,
                Note::ok("router.create", "router", record.id).detail(&record.address),
            )
            .await?;
        Ok(self.described(record))
    }

    /// Lists routers by name.
    ///
    /// # Errors
    /// When the actor is no admin.
    pub async fn list_routers(&self, actor: &Actor) -> Result<Vec<Router>> {
        actor.require_admin()?;
        let rows = self.ports.store.list_routers().await?;
        Ok(rows.into_iter().map(|row| self.described(row)).collect())
    }

    /// Shows a router; its keys never come back.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such router.
    pub async fn router(&self, actor: &Actor, id: Uuid) -> Result<Router> {
        actor.require_admin()?;
        Ok(self.described(self.find_router(id).await?))
    }

    /// Changes a router.
    ///
    /// # Errors
    /// When the actor is no admin, there is no such router, the name is taken, or a field cannot be taken.
    pub async fn change_router(
        &self,
        actor: &Actor,
        id: Uuid,
        change: &RouterChange,
    ) -> Result<Router> {
        actor.require_admin()?;
        let mut record = self.find_router(id).await?;
        if let Some(name) = &change.name {
            record.name = name.trim().to_owned();
        }
        if let Some(address) = &change.address {
            record.address = address.trim().to_owned();
        }
        if let Some(pin) = &change.cert_sha256 {
            record.cert_sha256 = checks::cert_sha256(pin)?;
        }
        record.protocol = change.protocol.unwrap_or(record.protocol);
        check(&record)?;
        self.seal_keys(
            &mut record,
            change.api_key.as_deref(),
            change.aes_key.as_deref(),
        )?;
        self.check_services_of(&record).await?;
        let updated = self.ports.store.update_router(&record).await;
        match updated.map_err(name_taken)? {
            RouterUpdate::Written => {}
            RouterUpdate::Gone => return Err(no_such_router()),
            RouterUpdate::InUse => return Err(in_use()),
        }
        self.healths.forget(id);
        self.audit
            .note(actor, Note::ok("router.change", "router", id))
            .await?;
        Ok(self.described(record))
    }

    /// Removes a router and its services and closes what is open on it.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such router.
    pub async fn remove_router(&self, actor: &Actor, id: Uuid) -> Result<()> {
        actor.require_admin()?;
        if !self
            .ports
            .store
            .remove_router(id, self.ports.now_ms())
            .await?
        {
            return Err(no_such_router());
        }
        self.healths.forget(id);
        let noted = self
            .audit
            .note(actor, Note::ok("router.remove", "router", id))
            .await;
        let on_it = SessionFilter {
            router_id: Some(id),
            ..SessionFilter::default()
        };
        self.end_sessions(actor, on_it, EndReason::ServiceRemoved)
            .await
            .and(noted)
    }

    /// Asks a daemon how it is.
    ///
    /// # Errors
    /// When the actor is no admin or there is no such router; a daemon that does not answer is no error.
    pub async fn test_router(&self, actor: &Actor, id: Uuid) -> Result<RouterTest> {
        actor.require_admin()?;
        let record = self.find_router(id).await?;
        let found = match self.send(&record, RouterCommand::Ping).await {
            Ok(reply) => RouterTest {
                reachable: true,
                keys_proven: reply.proves_keys,
                detail: if reply.proves_keys {
                    "The daemon answered, with the pinned certificate and the right keys."
                } else {
                    "The daemon answered with the pinned certificate. Whether its keys are right shows when a service is opened."
                }
                .into(),
                latency_ms: Some(reply.latency_ms),
                clock_difference_ms: reply.clock_difference_ms,
                sessions: reply.sessions,
            },
            Err(failure) => RouterTest {
                reachable: false,
                keys_proven: false,
                detail: failure.detail().to_owned(),
                latency_ms: None,
                clock_difference_ms: None,
                sessions: None,
            },
        };
        let result = if found.reachable { "ok" } else { "failed" };
        self.audit
            .note(
                actor,
                Note::ok("router.test", "router", id)
                    .result(result)
                    .detail(&found.detail),
            )
            .await?;
        Ok(found)
    }

    /// A router that changes to the original's protocol must be able to carry on with its services.
    async fn check_services_of(&self, router: &RouterRecord) -> Result<()> {
        let protocol = LinkProtocol::of_version(router.protocol);
        let services = self.ports.store.load_directory().await?.services;
        services
            .iter()
            .filter(|service| service.router_id == router.id)
            .try_for_each(|service| {
                checks::carries(protocol, service).map_err(|_| {
                    Error::invalid(
                        "protocol",
                        format!(
                            "The original daemon cannot let anybody through to “{}”. Change or remove that service first.",
                            service.name
                        ),
                    )
                })
            })
    }

    fn described(&self, record: RouterRecord) -> Router {
        Router {
            id: record.id,
            name: record.name,
            address: record.address,
            cert_sha256: hex::encode(record.cert_sha256),
            protocol: record.protocol,
            created_at: Timestamp(record.created_at_ms),
            health: self.healths.of(record.id),
        }
    }

    pub(super) async fn find_router(&self, id: Uuid) -> Result<RouterRecord> {
        // The port also knows removed routers, for closing; the list is of those in service.
        let in_service = self.ports.store.list_routers().await?;
        in_service
            .into_iter()
            .find(|router| router.id == id)
            .ok_or_else(no_such_router)
    }

    fn seal_keys(
        &self,
        record: &mut RouterRecord,
        api_key: Option<&str>,
        aes_key: Option<&str>,
    ) -> Result<()> {
        let rng = self.ports.rng.as_ref();
        if let Some(key) = api_key {
            checks::shared_key("api_key", key)?;
            record.api_key_sealed = self.sealer.seal(rng, &bound_to(record, "api_key"), key)?;
        }
        if let Some(key) = aes_key {
            checks::shared_key("aes_key", key)?;
            record.aes_key_sealed = self.sealer.seal(rng, &bound_to(record, "aes_key"), key)?;
        }
        Ok(())
    }
}

fn check(record: &RouterRecord) -> Result<()> {
    limits::name("name", &record.name)?;
    checks::router_address(&record.address)?;
    checks::protocol(record.protocol)
}

/// Rules are closed where the router's row says; it must not lead elsewhere meanwhile. New keys
/// and a new certificate are taken: without them a router that was set up anew closes nothing.
fn in_use() -> Error {
    Error::conflict(
        codes::CONFLICT,
        "Sessions are open on this router. Close them before its address or protocol changes.",
    )
}

fn name_taken(error: StoreError) -> Error {
    match error {
        StoreError::Taken => {
            Error::conflict(codes::TAKEN, "There is a router with that name already.")
        }
        other => other.into(),
    }
}
